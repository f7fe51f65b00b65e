"""A proxy before the engine's socket, that does something bad at a chosen request.

Each request gets a connection of its own to the engine, so that what is written to it is one request, whatever the
client thinks of keeping connections.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.flatrun.infra.tests.integration.faults.lab import SOCKET

_VERSION = re.compile(r"^/v[0-9.]+")
_NAMES = re.compile(r"(/(?:containers|networks)/)(?:frt[^/?]*|[0-9a-f]{64})|(/exec/)[0-9a-f]{64}")
# What happens at the chosen request: before the engine has heard of it, or after it has done it.
BEFORE, AFTER = "before", "after"

Fault = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Call:
    """One request to the engine; ``number`` counts those of the same kind."""

    method: str
    path: str
    number: int = 1

    @property
    def alters(self) -> bool:
        return self.method != "GET"

    def __str__(self) -> str:
        return f"{self.method} {self.path} #{self.number}"


def drop(client: socket.socket) -> None:
    """The connection breaks without an answer."""


def failing(client: socket.socket) -> None:
    body = b'{"message": "something broke inside"}'
    head = (
        f"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    client.sendall(head.encode() + body)


def telling(answer: Mapping[str, Any]) -> Fault:
    """An answer that is not the engine's."""

    def tell(client: socket.socket) -> None:
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)

    return tell


def half(client: socket.socket) -> None:
    """Half of an answer, with the length of a whole one."""
    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n[{"Id": "12')


def broken(client: socket.socket) -> None:
    """A whole answer with half a JSON in it."""
    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n[{"Id": "12')


def hang(client: socket.socket) -> None:
    """No answer, as long as the client has patience."""
    with contextlib.suppress(OSError):
        client.settimeout(120)
        while client.recv(65536):
            pass


@dataclass
class Proxy:
    """``at`` is the call that ``fault`` happens to, None for none."""

    path: Path
    at: Call | None = None
    when: str = BEFORE
    fault: Fault = drop
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def where(self) -> str:
        return f"unix://{self.path}"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.path.unlink()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head, body = _request(client)
            if not head:
                return
            call = self._count(head)
            chosen = call == self.at
            if chosen and self.when == BEFORE:
                self.fault(client)
                return
            with socket.socket(socket.AF_UNIX) as engine:
                engine.connect(SOCKET)
                engine.sendall(_alone(head) + body)
                if chosen:
                    for _part in _until_end(engine):
                        pass
                    self.fault(client)
                else:
                    _pump(client, engine)

    def _count(self, head: bytes) -> Call:
        method, path = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")[:2]
        plain = _NAMES.sub(r"\1\2*", _VERSION.sub("", path).split("?")[0])
        with self._lock:
            same = sum(call.method == method and call.path == plain for call in self.calls)
            call = Call(method, plain, same + 1)
            self.calls.append(call)
            return call


def _request(client: socket.socket) -> tuple[bytes, bytes]:
    """The head and the body of the one request; empty where the client went away."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = client.recv(65536)
        if not part:
            return b"", b""
        data += part
    head, body = data.split(b"\r\n\r\n", 1)
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    while len(body) < (int(found[1]) if found else 0) and (part := client.recv(65536)):
        body += part
    return head, body


def _alone(head: bytes) -> bytes:
    """The same head, asking the engine to close the connection afterwards; a hijacked one stays as it is."""
    if re.search(rb"(?i)\r\nupgrade:", head):
        return head + b"\r\n\r\n"
    return re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head) + b"\r\nConnection: close\r\n\r\n"


def _until_end(engine: socket.socket) -> Iterator[bytes]:
    while part := engine.recv(65536):
        yield part


def _pump(client: socket.socket, engine: socket.socket) -> None:
    for part in _until_end(engine):
        client.sendall(part)
