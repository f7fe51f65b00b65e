"""A canary in every secret option, searched in every spelling wherever others could read it."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.lab import Lab, docker, inspect, until
from ansible_collections.flatrun.infra.tests.integration.faults.modules import PATIENCE, PYTHON, ROOT, WAIT

FIRST = "Känarie'n-\"eins\\ %_x"
SECOND = "Zw'eiter \\'\"ö-vogel%s"
SECRETS = {"mysql": "root_password", "mariadb": "root_password", "postgresql": "postgres_password", "redis": "password"}
# What the machine writes to while all of it runs.
PUBLIC = ("/tmp", "/var/tmp", "/run", "/var/log", "/etc", "/dev/shm")
# As find writes sizes.
LARGEST = "-64M"


def spellings(text: str) -> set[bytes]:
    """Plain, and as SQL, URLs, JSON, shells, Python and base64 would have it; not taken from what is tested."""
    escaped = text.replace("\\", "\\\\")
    texts = {
        text,
        text.replace("'", "''"),
        escaped.replace("'", "\\'"),
        escaped.replace('"', '\\"'),
        escaped.replace("'", "''"),
        quote(text),
        quote(text, safe=""),
        quote_plus(text),
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(text))[3:-3],
        shlex.quote(text)[1:-1],
        text.replace("'", "'\\''"),
        repr(text)[1:-1],
    }
    plain = [text.encode(), text.encode("latin-1")]
    coded = [base64.b64encode(each).rstrip(b"=") for each in plain]
    return {*(each.encode() for each in texts), *plain, *coded, plain[0].hex().encode()}


CANARIES = frozenset(spelling for text in (FIRST, SECOND) for spelling in spellings(text))


def require_clean(where: str, content: bytes | str) -> None:
    raw = content.encode() if isinstance(content, str) else content
    found = [spelling for spelling in CANARIES if spelling in raw]
    assert not found, f"{where} shows {found[0]!r}"


@contextmanager
def watched_processes() -> Iterator[Callable[[], None]]:
    """All processes' command lines and environments, of host and containers, read again and again.

    What it yields returns once every process that was there when it was called has been looked at.
    """
    shown: dict[str, bytes] = {}  # an environment may hold what is no business of a test's log
    known: dict[str, bytes] = {}  # most are what they were at the last look
    over, looks = threading.Event(), [0]

    def looked_at() -> None:
        # The look that is under way may have passed it by, so it is the next one that counts.
        enough = looks[0] + 2
        until(lambda: looks[0] >= enough)

    def watch() -> None:
        while not over.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                for path in (f"/proc/{pid}/cmdline", f"/proc/{pid}/environ"):
                    try:
                        with open(path, "rb", buffering=0) as stream:
                            content = stream.read()
                    except OSError:
                        continue
                    if known.get(path) == content:
                        continue
                    known[path] = content
                    if any(spelling in content for spelling in CANARIES):
                        shown[path] = content[:400]
            looks[0] += 1
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield looked_at
    finally:
        over.set()
        watcher.join()
    assert not shown, shown


def test_the_search_finds_what_is_there() -> None:
    for spelling in CANARIES:
        with pytest.raises(AssertionError):
            require_clean("a text", b"before " + spelling + b" after")
    require_clean("a text", "nothing of it")
    for words, environment in (([FIRST], {}), ([], {"CANARY": FIRST})):
        with pytest.raises(AssertionError, match="/proc/"):
            live_watched(["sh", "-c", "read line", *words], {**os.environ, **environment})


def live_watched(command: list[str], environment: dict[str, str]) -> None:
    """As long as it takes to be seen."""
    with watched_processes() as looked_at, subprocess.Popen(command, stdin=subprocess.PIPE, env=environment):
        looked_at()


@pytest.fixture(scope="module")
def items(lab: Lab) -> list[dict[str, Any]]:
    return [lab.item(kind, secrets={secret: "{{ canary }}"}) for kind, secret in SECRETS.items()]


@pytest.fixture(scope="module")
def runs(lab: Lab, items: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What Ansible says at its loudest: of a first start, a rotation, a second run, a failure and a refusal."""
    folder = tmp_path_factory.mktemp("play")
    # Only root reads it: a variables file is where a user keeps a secret, the machine must not.
    folder.chmod(0o700)
    module = {"root_dir": lab.root, "services": "{{ items }}", "wait_timeout": WAIT}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"flatrun.infra.flatrun_infra": module}],
    }
    (folder / "play.yml").write_text(json.dumps([play]))
    broken = [{**item, "command": ["sh", "-c", "exit 7"]} for item in items]
    refused = [{**item, "networks": ["not-there"]} for item in items]
    said = {}
    begun = time.time()
    with watched_processes():
        for name, canary, wanted, more in (
            ("check", FIRST, items, ["--check"]),
            ("first", FIRST, items, []),
            ("rotation foretold", SECOND, items, ["--check"]),
            ("rotation", SECOND, items, []),
            ("again", SECOND, items, []),
            ("failure", SECOND, broken, []),
            ("refusal", FIRST, refused, []),
        ):
            said[name] = ansible(folder, {"canary": canary, "items": wanted}, more)
    said["begun"] = str(begun)
    return said


def ansible(folder: Path, variables: dict[str, Any], more: list[str]) -> str:
    (folder / "variables.json").write_text(json.dumps(variables))
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")), str(folder / "play.yml"), "-vvvv", "--diff",
        "--inventory=localhost,", "--connection=local", f"--extra-vars=@{folder}/variables.json", *more,
    ]  # fmt: skip
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_PYTHON_INTERPRETER": PYTHON,
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout + done.stderr


def test_the_runs_went_as_meant(runs: dict[str, str]) -> None:
    for name in ("check", "first", "rotation foretold", "rotation"):
        assert "changed=1" in runs[name], runs[name][-3000:]
    assert "changed=0" in runs["again"], runs["again"][-3000:]
    assert "set_password" in runs["first"]
    assert "rotate" in runs["rotation"]
    for name in ("failure", "refusal"):
        assert "failed=1" in runs[name], runs[name][-3000:]
    assert "the former container serves again" in runs["failure"]


@pytest.mark.parametrize("name", ["check", "first", "rotation foretold", "rotation", "again", "failure", "refusal"])
def test_output(runs: dict[str, str], name: str) -> None:
    require_clean(f"the output of {name}", runs[name])


@pytest.mark.parametrize("kind", SECRETS)
def test_the_password_works_and_the_former_does_not(lab: Lab, runs: dict[str, str], kind: str) -> None:
    assert lab.login(kind, SECOND)
    assert not lab.login(kind, FIRST)
    bootstrap = lab.folder(kind) / "secrets" / "bootstrap"
    assert not bootstrap.exists() or not lab.login(kind, bootstrap.read_text()), "the bootstrap password still works"


@pytest.mark.parametrize("kind", SECRETS)
def test_the_engine_shows_none(lab: Lab, runs: dict[str, str], kind: str) -> None:
    require_clean("docker inspect", docker("inspect", lab.name(kind)))
    require_clean("docker logs", docker("logs", lab.name(kind)))
    require_clean("docker top", docker("top", lab.name(kind), "-eo", "pid,args"))
    require_clean("docker history", docker("history", "--no-trunc", lab.images[kind]))
    require_clean("docker image inspect", docker("image", "inspect", lab.images[kind]))
    kept = (lab.folder(kind) / "secrets" / SECRETS[kind]).read_text()
    assert kept == SECOND
    # Nor does the environment of the server hold what it was started with, in its own image or by our doing.
    main = inspect(lab.name(kind))["State"]["Pid"]
    assert SECOND.encode() not in Path(f"/proc/{main}/environ").read_bytes()


@pytest.mark.parametrize("kind", SECRETS)
def test_its_files_are_private(lab: Lab, runs: dict[str, str], kind: str) -> None:
    """0600, and the account's that reads them, in a folder that only it can enter."""
    folder = lab.folder(kind) / "secrets"
    main = inspect(lab.name(kind))["State"]["Pid"]
    account = os.stat(f"/proc/{main}").st_uid
    assert (stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid) == (0o700, account)
    for path in folder.iterdir():
        seen = path.lstat()
        assert (path.name, stat.S_IMODE(seen.st_mode), seen.st_uid) == (path.name, 0o600, account)


def test_no_other_file_holds_one(lab: Lab, runs: dict[str, str], tmp_path: Path) -> None:
    """Nothing in root_dir but the secrets, servers' data included; and nothing elsewhere that others can read."""
    # A word of this run's own shows that what others can read would have been found.
    word = secrets.token_hex(16)
    spelled, seen = tmp_path / "spelled", Path(lab.root, "seen")
    spelled.write_bytes(b"\n".join([*CANARIES, word.encode()]))
    seen.write_text(word)
    seen.chmod(0o644)
    kept = {lab.folder(kind) / "secrets" / secret for kind, secret in SECRETS.items()}
    assert _holding(spelled, lab.root) == {*kept, seen}
    # What nobody else can enter holds nothing that others could read.
    closed = ["-type", "d", "!", "-perm", "-001", "-prune", "-o"]
    readable = ["-perm", "-004", "-newermt", f"@{runs['begun']}", "-size", LARGEST]
    assert _holding(spelled, *PUBLIC, where=closed, which=readable) == {seen}
    seen.unlink()


def _holding(spelled: Path, *tops: str, where: Sequence[str] = (), which: Sequence[str] = ()) -> set[Path]:
    """The files below that hold one of the spellings; what is written or removed meanwhile is nobody's mistake."""
    search = ["grep", "--files-with-matches", "--text", "--fixed-strings", "--no-messages", f"--file={spelled}"]
    done = subprocess.run(
        ["find", *tops, *where, "-type", "f", *which, "-exec", *search, "{}", "+"],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    return {Path(line) for line in done.stdout.splitlines()}


def test_a_password_that_others_could_read_is_protected(lab: Lab, runs: dict[str, str]) -> None:
    path = lab.folder("redis") / "secrets" / "password"
    path.chmod(0o644)
    item = lab.item("redis", secrets={"password": SECOND})
    assert lab.run(item, check=True).good().verbs == ["protect"]
    assert lab.settle(item).verbs == ["protect"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


HALFWAY = {
    "mysql": "ALTER USER root@'%' IDENTIFIED BY 'halfway'",
    "mariadb": "ALTER USER root@'%' IDENTIFIED BY 'halfway'",
    "redis": "ACL SETUSER default resetpass >halfway",
}


@pytest.mark.parametrize("kind", HALFWAY)
def test_a_rotation_that_was_cut_short_in_the_server(lab: Lab, runs: dict[str, str], kind: str) -> None:
    """One of two accounts had it, or it was not saved: afterwards it is the only one, and outlives a restart."""
    path = lab.folder(kind) / "secrets" / f"{SECRETS[kind]}.next"
    assert lab.ask(kind, SECOND, HALFWAY[kind]) is not None
    path.write_text("halfway")
    path.chmod(0o600)
    assert lab.settle(lab.item(kind, secrets={SECRETS[kind]: "halfway"})).verbs == ["rotate"]
    if kind == "redis":
        docker("restart", lab.name(kind))
    else:
        client = ["env", "MYSQL_PWD=halfway", {"mysql": "mysql"}.get(kind, "mariadb"), "--protocol=socket", "-uroot"]
        docker("exec", lab.name(kind), *client, "-e", "SELECT 1")
    until(lambda: lab.login(kind, "halfway"))
    assert not lab.login(kind, SECOND)
    lab.settle(lab.item(kind, secrets={SECRETS[kind]: SECOND}))


def test_a_generated_password(lab: Lab) -> None:
    """Strong, kept, used again, and shown to nobody."""
    item = lab.item("redis", container=lab.name("generated"), secrets={})
    told = lab.run(item, check=True).good()
    done = lab.settle(item)
    assert told.actions == done.actions
    assert told.said["diff"] == done.said["diff"]
    password = (lab.folder("generated") / "secrets" / "password").read_text()
    assert len(password) >= 24
    assert password not in done.output
    assert lab.login("redis", password, lab.name("generated"))
    docker("rm", "--force", lab.name("generated"))
    lab.settle(item)
    assert lab.login("redis", password, lab.name("generated"))
    lab.drop("generated")
