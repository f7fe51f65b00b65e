"""strace as a witness of every change to files, and as an executioner at one of them."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

# All that alters names, owners, modes or what is on the disk. A kill is at the entry of the call, so that the state
# it leaves is the one after all calls before: with a file just made and empty it is killed at its fchmod.
_ALTERING = (
    "mkdir,mkdirat,rename,renameat,renameat2,symlink,symlinkat,link,linkat,unlink,unlinkat,rmdir,"
    "chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,fsync,fdatasync"
)
# PID, call, arguments; -y writes a descriptor as 5</its/path>.
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)$")
_PATHS = re.compile(r'<(/[^>]*)>|"(/[^"]*)"')


# Names that are others in every run: of a file that isn't in its place yet, and of a release.
_PASSING = re.compile(r"/\.flatrun-|/\.current\.|/releases/\d+")


@dataclass(frozen=True)
class Step:
    """The ``number``-th call of its name that a thread makes in ``folder``, or anywhere where that is empty."""

    call: str
    folder: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} #{self.number}" + (f" in {self.folder}" if self.folder else "")


def recording(log: Path) -> list[str]:
    """What to run a process by, so that ``steps`` can be read afterwards."""
    return [
        "strace",
        "-f",
        "-y",
        "-qq",
        "--seccomp-bpf",
        "-e",
        f"trace={_ALTERING}",
        "-e",
        "signal=none",
        "-o",
        str(log),
    ]


def steps(log: Path, root: str) -> list[Step]:
    """Every altering call below ``root``, in order, told by the folder that it names, each once."""
    found: dict[Step, None] = {}
    counts: Counter[tuple[str, str, str]] = Counter()
    for parts in filter(None, map(_LINE.match, log.read_text(errors="replace").splitlines())):
        pid, call, path = parts[1], parts[2], _path(parts[3])
        counts.update([(pid, call, path), (pid, call, "")])
        if path.startswith(root):
            known = "" if _PASSING.search(path) else path
            found[Step(call, known, counts[pid, call, known])] = None
    return list(found)


def killing(step: Step) -> list[str]:
    """What to run a process by, so that it is killed when it enters the step."""
    place = ["-P", step.folder] if step.folder else []
    killed = f"inject={step.call}:signal=KILL:when={step.number}"
    return [
        "strace",
        "-f",
        "-qq",
        *place,
        "-e",
        f"trace={step.call}",
        "-e",
        "signal=none",
        "-e",
        killed,
        "-o",
        "/dev/null",
    ]


def _path(arguments: str) -> str:
    """The path that strace's -P would know the call by: of a descriptor, or as it is written."""
    found = _PATHS.search(arguments)
    return (found[1] or found[2]) if found else ""


def is_usable() -> bool:
    return subprocess.run(["strace", "-qq", "true"], check=False, capture_output=True).returncode == 0
