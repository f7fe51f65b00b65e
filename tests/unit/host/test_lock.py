"""One run at a time: between two processes, as two runs are."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.host import lock

ROOT = Path(__file__).parents[3]
HOLDER = (
    "import sys\n"
    "from ansible_collections.flatrun.infra.plugins.module_utils.host import lock\n"
    "lock._FOLDER = sys.argv[1]\n"
    "with lock.locked(sys.argv[2], 5):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_FOLDER", str(tmp_path / "locks"))


@contextmanager
def holder(what: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock._FOLDER, what],
        env={"PYTHONPATH": str(ROOT / ".cache" / "collections")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_loser_names_the_holder() -> None:
    with holder("/srv/flatrun") as process:
        begin = time.monotonic()
        with (
            pytest.raises(Refused, match=rf"^/srv/flatrun: another run is at work on it \(process {process.pid}\)"),
            lock.locked("/srv/flatrun", 0.3),
        ):
            pytest.fail("both have it")
        assert time.monotonic() - begin >= 0.3


def test_the_loser_waits_as_long_as_it_was_told() -> None:
    with holder("/srv/flatrun") as process:
        assert process.stdin
        threading.Timer(0.3, process.stdin.close).start()
        with lock.locked("/srv/flatrun", 30):
            assert process.wait(30) == 0


def test_a_dead_holder_holds_nothing() -> None:
    with holder("/srv/flatrun") as process:
        process.kill()
        process.wait()
        with lock.locked("/srv/flatrun", 5):
            pass


def test_other_things_are_not_locked() -> None:
    with holder("/srv/flatrun"), lock.locked("/srv/other", 0):
        pass


def test_it_is_let_go_after_an_error() -> None:
    with pytest.raises(KeyError), lock.locked("x", 0):
        raise KeyError
    with lock.locked("x", 0):
        pass


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    with lock.locked("x", 0):
        pass
    (path,) = Path(lock._FOLDER).iterdir()
    path.unlink()
    path.symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"), lock.locked("x", 0):
        pytest.fail("it was followed")
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("step", ["makedirs", "open"])
def test_without_roots_rights_it_is_said_what_to_do(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the locks is there where root has run before; root itself is refused nothing."""

    def denied(*_arguments: object, **_options: object) -> int:
        raise PermissionError

    monkeypatch.setattr(lock.os, step, denied)
    with pytest.raises(Refused, match="become: true"), lock.locked("/srv/x", 1):
        pass
