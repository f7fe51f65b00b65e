"""Ports that nothing here listens on, and that nobody else is given meanwhile.

A port that the kernel gives out may be given to another one before it is used, or be a client's. These are below those
that it gives to clients, each worker has a range of its own, and takes one after the other.
"""

from __future__ import annotations

import os
import random
import socket
import sys

_FIRST, _EACH = 20000, 1000
# Beyond the workers' that a run may have.
MOLECULE = 11
# Runs beside each other begin at other places.
_taken = random.SystemRandom().randrange(_EACH)


def free_ports(count: int, share: int | None = None) -> tuple[int, ...]:
    """The second host has none at all in use, so they are free there too."""
    global _taken
    begin = _FIRST + _EACH * (share if share is not None else _worker())
    found: list[int] = []
    for _try in range(_EACH):
        if len(found) == count:
            return tuple(found)
        _taken = (_taken + 1) % _EACH
        if _is_free(begin + _taken):
            found.append(begin + _taken)
    raise AssertionError(f"of the ports from {begin} only {len(found)} are free")


def free_port() -> int:
    return free_ports(1)[0]


def _worker() -> int:
    """Which of pytest-xdist's this is, from 1 on; 0 where there is none."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "")
    return int(name.removeprefix("gw")) % 10 + 1 if name else 0


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("", port))
        except OSError:
            return False
        return True


if __name__ == "__main__":
    sys.stdout.write(" ".join(map(str, free_ports(int(sys.argv[1]), MOLECULE))) + "\n")
