# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of an nginx in a container, as the host sees them: its master, and the workers that still listen."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

_MASTER = "nginx: master process"
_WORKER = "nginx: worker process"
_LEAVING = "is shutting down"


def master(first: int) -> int:
    """The master's process, which is a container's first one or comes from it; 0 where it can't be seen."""
    todo = [first]
    while todo:
        pid = todo.pop(0)
        if _title(pid).startswith(_MASTER):
            return pid
        todo += _children(pid)
    return 0


def command(of_master: int) -> list[str]:
    """What the master was started with: the program and its arguments."""
    return _title(of_master)[len(_MASTER) :].split()


def account(pid: int) -> int:
    """Who a process runs as, from proc(5) status; -1 where it can't be seen."""
    with suppress(OSError), open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as told:
        return next((int(line.split()[2]) for line in told if line.startswith("Uid:")), -1)
    return -1


def names(pid: int, folder: str) -> list[str]:
    """What a folder holds as a process sees it; nothing where it can't be seen."""
    with suppress(OSError):
        return sorted(os.listdir(f"/proc/{pid}/root{folder}"))
    return []


def listening(of_master: int) -> frozenset[int]:
    """The workers that take new connections; one that was told to leave says so in its title."""
    titles = {pid: _title(pid) for pid in _children(of_master)}
    return frozenset(pid for pid, title in titles.items() if title.startswith(_WORKER) and _LEAVING not in title)


def reload(of_master: int) -> bool:
    """Whether the master could be told to read its configuration again."""
    with suppress(OSError):
        os.kill(of_master, signal.SIGHUP)
        return True
    return False


def _children(pid: int) -> list[int]:
    """From proc(5) task/children; nothing for a process that is gone, or isn't this host's."""
    with suppress(OSError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as listed:
        return [int(word) for word in listed.read().split()]
    return []


def _title(pid: int) -> str:
    with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as command:
        return command.read().rstrip(b"\0").decode("utf-8", "replace")
    return ""
