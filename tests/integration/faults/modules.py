"""Runs modules as Ansible runs them: a process of the host's Python each, with its arguments on standard input.

Without Ansible around them, so that it is known which process is killed, and a try costs a second less. Hundreds would
import the same for longer than they run: each is forked from a process that has imported it (`forks`), unless it is run
by another program, such as strace.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[3]
PYTHON = str(Path(os.environ.get("FLATRUN_TEST_PYTHON", "/usr/bin/python3")).absolute())
# What a server gets for its start, since many have their first one together on a busy machine. It ends with the answer.
WAIT = 300
# Longer than anything here takes: a run may wait for a server, for the lock, and for a server again.
PATIENCE = 3.0 * WAIT


def start(name: str, given: Mapping[str, Any], path: Path, under: Sequence[str] = ()) -> Run:
    """Begin a run of a module; ``path`` is where it finds what it imports, ``under`` what it is run by."""
    module = str(ROOT / "plugins" / "modules" / f"{name}.py")
    with tempfile.TemporaryFile() as arguments:
        arguments.write(json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode())
        arguments.seek(0)
        return Started([*under, PYTHON, module], path, arguments) if under else Forked(module, path, arguments)


@dataclass(frozen=True)
class Result:
    """How a module ended: what it printed, or what is left of one that was killed."""

    said: Mapping[str, Any]
    code: int
    seconds: float
    output: str = ""

    @property
    def changed(self) -> bool:
        return bool(self.said.get("changed"))

    @property
    def message(self) -> str:
        return str(self.said.get("msg", ""))

    @property
    def actions(self) -> list[dict[str, str]]:
        return list(self.said.get("actions", ()))

    @property
    def verbs(self) -> list[str]:
        return [action["action"] for action in self.actions]

    def good(self) -> Result:
        assert self.said, f"code {self.code}: {self.output[-2000:]}"
        assert not self.said.get("failed"), self.message
        return self

    def refused(self, *words: str) -> Result:
        """A plain refusal: one sentence with these words, and no trace of how the program is made."""
        assert self.said.get("failed"), f"not refused: {self.said or self.output[-2000:]}"
        missing = [word for word in words if word not in self.message]
        assert not missing, f"{missing} not in: {self.message}"
        assert "\n" not in self.message, self.message
        assert "Traceback" not in self.output
        assert "defect of flatrun" not in self.message, self.message
        return self


class Run:
    """A process of a module, and what it wrote."""

    def __init__(self) -> None:
        self.begun = time.monotonic()

    def ended(self, timeout: float) -> bool:
        """Whether it is over; after ``timeout`` seconds at the latest."""
        raise NotImplementedError

    def kill(self, by: signal.Signals = signal.SIGKILL) -> None:
        raise NotImplementedError

    def is_gone(self) -> bool:
        """Whether there is no such process any more; for another thread than the one that waits for it."""
        raise NotImplementedError

    def written(self) -> tuple[int, str, str]:
        """Of one that is over: how, as subprocess tells it, and its output and errors."""
        raise NotImplementedError

    def finish(self, timeout: float = PATIENCE) -> Result:
        """What became of it; one that hangs is killed."""
        if not self.ended(timeout):
            self.kill()
            self.ended(PATIENCE)
            raise AssertionError(f"a run did not end within {timeout} s")
        seconds = time.monotonic() - self.begun
        code, output, errors = self.written()
        said = json.loads(output) if output.strip().startswith("{") else {}
        return Result(said, code, seconds, output + errors)


class Started(Run):
    """Writes into pipes, for what it is run by may allow it no files."""

    def __init__(self, command: Sequence[str], path: Path, arguments: IO[bytes]) -> None:
        super().__init__()
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(
            command, env=_environment(path), stdin=arguments, text=True, errors="replace", **pipes
        )
        self.texts = ("", "")

    def ended(self, timeout: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self.texts = self.process.communicate(timeout=timeout)
        return self.process.returncode is not None

    def kill(self, by: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(by)

    def is_gone(self) -> bool:
        return not Path(f"/proc/{self.process.pid}").exists()

    def written(self) -> tuple[int, str, str]:
        return self.process.returncode, *self.texts


class Forked(Run):
    def __init__(self, module: str, path: Path, arguments: IO[bytes]) -> None:
        super().__init__()
        # Open as long as the run.
        self.files = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]  # noqa: SIM115
        self.caller = socket.socket(socket.AF_UNIX)
        self.caller.connect(_forking(path))
        streams = [stream.fileno() for stream in (arguments, *self.files)]
        socket.send_fds(self.caller, [module.encode()], streams)
        self.caller.shutdown(socket.SHUT_WR)
        # Unbuffered, so that what is still to be told can be waited for.
        self.told = self.caller.makefile("rb", buffering=0)
        self.pid = int(self.told.readline())
        self.code: int | None = None

    def ended(self, timeout: float) -> bool:
        if self.code is None and select.select([self.caller], [], [], timeout)[0]:
            self.code = int(self.told.readline())
            self.told.close()
            self.caller.close()
        return self.code is not None

    def kill(self, by: signal.Signals = signal.SIGKILL) -> None:
        # Its parent has waited for it once it is gone, and the number may be another's.
        if not self.ended(0):
            os.kill(self.pid, by)

    def is_gone(self) -> bool:
        return not Path(f"/proc/{self.pid}").exists()

    def written(self) -> tuple[int, str, str]:
        assert self.code is not None
        output, errors = map(_written, self.files)
        return self.code, output, errors


def _written(stream: IO[bytes]) -> str:
    with stream:
        stream.seek(0)
        return stream.read().decode(errors="replace")


def _environment(path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}


def interpreter(folder: Path, path: Path) -> Path:
    """The same for Ansible: a Python to give modules to, in ``folder``; ``path`` is what they import from."""
    made = folder / "python"
    words = [PYTHON, "-I", "-S", str(Path(__file__).with_name("interpreter.py")), _forking(path)]
    made.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    made.chmod(0o755)
    return made


@functools.cache
def _forking(path: Path) -> str:
    """The socket of a process that forks runs; it ends with this one."""
    where = tempfile.mkdtemp(prefix="flatrun-forks-")
    atexit.register(os.rmdir, where)
    process = subprocess.Popen(
        [PYTHON, str(Path(__file__).with_name("forks.py")), f"{where}/socket"],
        env=_environment(path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    atexit.register(process.wait)
    atexit.register(process.stdin.close)
    atexit.register(os.unlink, f"{where}/socket")
    assert process.stdout.readline() == b"ready\n"
    return f"{where}/socket"
