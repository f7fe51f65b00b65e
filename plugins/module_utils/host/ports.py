# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has a port of the host: a container, as the engine tells, or a process, as the kernel does."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

_LISTEN = "0A"
_EVERYWHERE = ("", "0.0.0.0", "::")


class Port(Protocol):
    """What is asked of a published port; an empty address means all of the host's."""

    @property
    def address(self) -> str: ...

    @property
    def outer(self) -> int: ...

    @property
    def protocol(self) -> str: ...


def holders(ports: Iterable[Port], listing: Iterable[dict[str, Any]], own: frozenset[str]) -> dict[str, str]:
    """The ports that can't be had, each with its holder; ``own`` are the containers that may have them."""
    published = [entry for entry in listing if not own & {name.lstrip("/") for name in entry.get("Names") or ()}]
    taken: dict[str, str] = {}
    for port in ports:
        holder = _container(port, published) or ("" if _is_own(port, listing, own) else _process(port))
        if holder:
            taken[str(port)] = holder
    return taken


def _overlaps(port: Port, address: str) -> bool:
    return address == port.address or address in _EVERYWHERE or port.address in _EVERYWHERE


def _publishes(port: Port, entry: dict[str, Any]) -> bool:
    return any(
        mapping.get("PublicPort") == port.outer
        and mapping.get("Type") == port.protocol
        and _overlaps(port, mapping.get("IP", ""))
        for mapping in entry.get("Ports") or ()
    )


def _container(port: Port, listing: Iterable[dict[str, Any]]) -> str:
    found = (entry["Names"][0].lstrip("/") for entry in listing if _publishes(port, entry))
    return next((f"the container {name}" for name in found), "")


def _is_own(port: Port, listing: Iterable[dict[str, Any]], own: frozenset[str]) -> bool:
    names = ({name.lstrip("/") for name in entry.get("Names") or ()} for entry in listing if _publishes(port, entry))
    return any(own & each for each in names)


def _process(port: Port) -> str:
    inodes = {
        inode
        for address, number, inode in _listening(port.protocol)
        if number == port.outer and _overlaps(port, address)
    }
    return _owner(inodes) if inodes else ""


def _listening(protocol: str) -> Iterator[tuple[str, int, str]]:
    """Address, port and inode of each socket that waits for peers, from proc(5) net/tcp and net/udp."""
    for family, table in ((socket.AF_INET, protocol), (socket.AF_INET6, f"{protocol}6")):
        try:
            with open(f"/proc/net/{table}", encoding="ascii") as lines:
                rows = [line.split() for line in lines][1:]
        except FileNotFoundError:
            continue
        for row in rows:
            address, number = row[1].split(":")
            if protocol == "udp" or row[3] == _LISTEN:
                yield _readable(family, address), int(number, 16), row[9]


def _readable(family: socket.AddressFamily, hexadecimal: str) -> str:
    """The kernel prints addresses as words of the machine's byte order."""
    words = (hexadecimal[start : start + 8] for start in range(0, len(hexadecimal), 8))
    return socket.inet_ntop(family, b"".join(struct.pack("=I", int(word, 16)) for word in words))


def _owner(inodes: set[str]) -> str:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(os.readlink(f"/proc/{pid}/fd/{number}") in wanted for number in os.listdir(f"/proc/{pid}/fd")):
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as name:
                    return f"the process {name.read().strip()} ({pid})"
        except OSError:
            continue
    return "a process of the host"
