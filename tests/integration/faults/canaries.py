"""Canaries: texts to give as secrets, every spelling of them, and the places where others could read one."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from ansible_collections.flatrun.infra.tests.integration.faults.lab import until
from ansible_collections.flatrun.infra.tests.integration.faults.modules import PATIENCE, PYTHON, ROOT

# Of this process alone: tests beside it, on another worker, give a server's client the password of theirs.
_OWN = secrets.token_hex(4)
FIRST = f"Känarie'n-\"eins\\ %_{_OWN}x"
SECOND = f"Zw'eiter {_OWN}\\'\"ö-vogel%s"
# What the machine writes to while all of it runs.
PUBLIC = ("/tmp", "/var/tmp", "/run", "/var/log", "/etc", "/dev/shm")
# As find writes sizes.
LARGEST = "-64M"
# A process that has been looked at so many times is looked at each so many looks alone: most are what they were.
KNOWN, SELDOM = 20, 20
# Runs the rest with a /dev of its own, in which the system's log is a socket in the folder that comes first.
_WITH_LOG = """
mkdir -p "$0/dev" && mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs /dev && mkdir /dev/shm || exit
for name in null zero full random urandom; do touch /dev/$name && mount --bind "$0/dev/$name" /dev/$name; done
ln -s /proc/self/fd /dev/fd && ln -s "$0/log" /dev/log && exec "$@"
"""


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
    shown: set[str] = set()  # without what it was: an environment may hold what is no business of a test's log
    known: dict[str, bytes] = {}
    over, looks = threading.Event(), [0]

    def looked_at() -> None:
        # The look that is under way may have passed it by, so it is one of the next that counts.
        enough = looks[0] + 1 + SELDOM
        until(lambda: looks[0] >= enough)

    def watch() -> None:
        times: dict[str, int] = {}
        while not over.is_set():
            times = {pid: times.get(pid, 0) + 1 for pid in os.listdir("/proc") if pid.isdigit()}
            for pid, count in times.items():
                if count > KNOWN and looks[0] % SELDOM:
                    continue
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
                        shown.add(path if path.endswith("environ") else f"{path}: {content[:400]!r}")
            looks[0] += 1
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield looked_at
    finally:
        over.set()
        watcher.join()
    assert not shown, sorted(shown)[:10]


@contextmanager
def system_log(folder: Path) -> Iterator[list[bytes]]:
    """What the machine would have in its log, of programs that are run by ``_WITH_LOG``."""
    messages: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(folder / "log"))

        def listen() -> None:
            while message := log.recv(2**20):
                messages.append(message)

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield messages
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", str(folder / "log"))
            listener.join()
            (folder / "log").unlink()


def ansible(folder: Path, playbook: str, variables: Mapping[str, Any], more: Sequence[str]) -> str:
    """What a playbook says on this machine at its loudest, and what the system's log has of it.

    ``folder`` is where it works, and others can't enter: a file of variables is where a user keeps a secret.
    """
    folder.chmod(0o700)
    (folder / "variables.json").write_text(json.dumps(variables))
    command = [
        "unshare", "--mount", "--propagation=private", "sh", "-c", _WITH_LOG, str(folder),
        str(Path(sys.executable).with_name("ansible-playbook")), playbook, "-vvvv", "--diff",
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
    with system_log(folder) as messages:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
    logged = b"\n".join(messages).decode(errors="replace")
    assert "Invoked with" in logged, done.stdout + done.stderr
    return done.stdout + done.stderr + logged


def require_kept(root: str, kept: set[Path], begun: float, folder: Path) -> None:
    """Only what is ``kept`` holds one in ``root``, and nothing elsewhere that others can read and that is newer."""
    # A word of this run's own shows that what others can read would have been found.
    word = secrets.token_hex(16)
    spelled, seen = folder / "spelled", Path(root, "seen")
    spelled.write_bytes(b"\n".join([*CANARIES, word.encode()]))
    seen.write_text(word)
    seen.chmod(0o644)
    _require({*kept, seen}, lambda: _holding(spelled, root))
    # What nobody else can enter holds nothing that others could read.
    closed = ["-type", "d", "!", "-perm", "-001", "-prune", "-o"]
    readable = ["-perm", "-004", "-newermt", f"@{begun}", "-size", LARGEST]
    _require({seen}, lambda: _holding(spelled, *PUBLIC, where=closed, which=readable))
    seen.unlink()


def _require(expected: set[Path], search: Callable[[], set[Path]]) -> None:
    """A walk may end early, where somebody removes folders meanwhile: then it has not found all, and is made again."""

    def is_found() -> bool:
        found = search()
        assert found <= expected, f"it is also in {sorted(found - expected)}"
        return found == expected

    until(is_found)


def _holding(spelled: Path, *tops: str, where: Sequence[str] = (), which: Sequence[str] = ()) -> set[Path]:
    """The files below that hold one of the spellings; what is written or removed meanwhile is nobody's mistake.

    Not on other file systems, for a /proc may be among them where somebody builds a root.
    """
    search = ["grep", "--files-with-matches", "--text", "--fixed-strings", "--no-messages", f"--file={spelled}"]
    done = subprocess.run(
        ["find", *tops, "-xdev", *where, "-type", "f", *which, "-exec", *search, "{}", "+"],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    return {Path(line) for line in done.stdout.splitlines()}
