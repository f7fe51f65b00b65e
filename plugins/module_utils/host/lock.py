# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time on the same thing. The kernel lets go of the lock when its holder dies."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused

_FOLDER = "/run/flatrun"
_PAUSE = 0.1


@contextmanager
def locked(what: str, patience: float) -> Iterator[None]:
    """Hold the lock named ``what``; wait at most ``patience`` seconds for it, then say who has it."""
    path = f"{_FOLDER}/{hashlib.sha256(what.encode()).hexdigest()[:16]}.lock"
    try:
        os.makedirs(_FOLDER, 0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except PermissionError:
        raise Refused("can't be locked without root's rights", what, "Run the task with become: true.") from None
    try:
        _take(descriptor, what, time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, what: str, until: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise Refused(
                    f"another run is at work on it ({_holder(os.fstat(descriptor).st_ino)})",
                    what,
                    "Wait until it is done, then run again.",
                ) from None
            time.sleep(_PAUSE)


def _holder(inode: int) -> str:
    """The process that has the lock, from proc(5) locks: the sixth field is device:inode, the fifth its PID."""
    with open("/proc/locks", encoding="ascii") as table:
        for line in table:
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
                return f"process {fields[4]}"
    return "a process that can't be seen from here"
