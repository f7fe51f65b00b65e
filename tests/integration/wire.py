"""A proxy before a database server that reads the statements which pass, and breaks the connection at one of them.

It knows as much of the protocols as that takes: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
and https://www.postgresql.org/docs/current/protocol-message-formats.html, both without TLS.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ansible_collections.flatrun.infra.tests.integration.databases import Server

# When the connection breaks: before the server has the statement, once it has it, or after it has answered.
BEFORE, SENT, AFTER = "before", "sent", "after"
_QUERY = 0x03
_READY = b"Z\x00\x00\x00\x05"
_READS = ("SELECT", "SHOW", "SET", "WITH")
# Longer than a server takes for any of these statements on a busy machine.
_PATIENCE = 120


def writes(statement: str) -> bool:
    return statement.split(None, 1)[0].upper() not in _READS


@dataclass(frozen=True)
class Point:
    """The ``number``-th of all statements, or of those that write, counted from one."""

    number: int
    when: str
    of_writes: bool = True

    def __str__(self) -> str:
        return f"{self.when} {'writing ' if self.of_writes else ''}statement {self.number}"


@dataclass
class Wire:
    """Listens on a port of its own. At the point ``fault`` is called, and then every connection breaks.

    Those that come later are let through, unless it is ``cut``.
    """

    server: Server
    at: Point | None = None
    cut: bool = False
    fault: Callable[[], None] = lambda: None
    # Seconds that each message to the server is on its way.
    delay: float = 0.0
    statements: list[str] = field(default_factory=list)
    struck: bool = False

    def __enter__(self) -> Wire:
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        _end(self._listener)
        self._break()
        for thread in self._threads:
            thread.join(_PATIENCE)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                endpoint = self.server.endpoint
                server = socket.create_connection((endpoint.host, endpoint.port))
                with self._lock:
                    self._open += [client, server]
                    if self.struck and self.cut:
                        _end(client)
                        _end(server)
                pair = _Pair(self, client, server)
                more = [threading.Thread(target=pair.ask), threading.Thread(target=pair.answer)]
                self._threads += more
                for thread in more:
                    thread.start()

    def chosen(self, statement: str) -> bool:
        with self._lock:
            self.statements.append(statement)
            if self.at is None or self.struck or (self.at.of_writes and not writes(statement)):
                return False
            same = [each for each in self.statements if writes(each) or not self.at.of_writes]
            self.struck = len(same) == self.at.number
            return self.struck

    def strike(self) -> None:
        self.fault()
        self._break()

    def _break(self) -> None:
        with self._lock:
            for each in self._open:
                _end(each)


class _Pair:
    """One connection: from the client to the server, and from the server to the client."""

    def __init__(self, wire: Wire, client: socket.socket, server: socket.socket) -> None:
        self.wire, self.client, self.server = wire, client, server
        self.muted = False
        self.answered = threading.Event()

    def ask(self) -> None:
        messages = _postgresql(self.client) if self.wire.server.is_postgresql else _mysql(self.client)
        with contextlib.suppress(OSError):
            for raw, statement in messages:
                if statement and self.wire.chosen(statement):
                    self._fault(raw)
                    return
                time.sleep(self.wire.delay)
                self.server.sendall(raw)
        _end(self.server)

    def _fault(self, raw: bytes) -> None:
        assert self.wire.at
        if self.wire.at.when != BEFORE:
            self.muted = True
            self.server.sendall(raw)
        if self.wire.at.when == AFTER:
            self.answered.wait(_PATIENCE)
        self.wire.strike()

    def answer(self) -> None:
        tail = b""
        with contextlib.suppress(OSError):
            while part := self.server.recv(65536):
                tail = (tail + part)[-6:]
                if not self.muted:
                    self.client.sendall(part)
                elif not self.wire.server.is_postgresql or tail.startswith(_READY):
                    self.answered.set()
        self.answered.set()
        _end(self.client)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _mysql(client: socket.socket) -> Iterator[tuple[bytes, str]]:
    """Packets, each with its statement: a length of three bytes and a number, which is 0 where a command begins."""
    while head := _exactly(client, 4):
        body = _exactly(client, int.from_bytes(head[:3], "little"))
        is_query = head[3] == 0 and body[:1] == bytes([_QUERY])
        yield head + body, body[1:].decode("utf-8", "replace") if is_query else ""


def _postgresql(client: socket.socket) -> Iterator[tuple[bytes, str]]:
    """Messages, each with its statement: a type, but for the first of all, and a length that counts itself."""
    kind = b""
    while length := _exactly(client, 4):
        body = _exactly(client, int.from_bytes(length, "big") - 4)
        yield kind + length + body, body[:-1].decode("utf-8", "replace") if kind == b"Q" else ""
        kind = _exactly(client, 1)


def _exactly(source: socket.socket, size: int) -> bytes:
    """So many bytes; none where the other side has gone."""
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            return b""
        data += part
    return data
