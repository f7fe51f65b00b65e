"""A canary in every secret option, searched in every spelling wherever others could read it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.canaries import (
    CANARIES,
    FIRST,
    SECOND,
    ansible,
    require_clean,
    require_kept,
    watched_processes,
)
from ansible_collections.flatrun.infra.tests.integration.faults.lab import Lab, docker, inspect, until
from ansible_collections.flatrun.infra.tests.integration.faults.modules import WAIT

SECRETS = {"mysql": "root_password", "mariadb": "root_password", "postgresql": "postgres_password", "redis": "password"}


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
    module = {"root_dir": lab.root, "services": "{{ items }}", "wait_timeout": WAIT}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"flatrun.infra.flatrun_infra": module}],
    }
    (folder / "play.yml").write_text(json.dumps([play]))
    broken = [{**item, **lab.hindered(item["type"], "exit 7")} for item in items]
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
            said[name] = ansible(folder, str(folder / "play.yml"), {"canary": canary, "items": wanted}, more)
    said["begun"] = str(begun)
    return said


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
    kept = {lab.folder(kind) / "secrets" / secret for kind, secret in SECRETS.items()}
    require_kept(lab.root, kept, float(runs["begun"]), tmp_path)


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
