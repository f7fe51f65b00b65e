"""A reload is judged by what nginx said since it was told, and a way back is gone to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import serve
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.serve import Nginx

# 2026-01-01 12:00:00.5 UTC
BEGUN = 1767268800.5


class Clock:
    """Time passes only for whoever waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return BEGUN + self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Releases:
    """One release is served, and another one is there."""

    def __init__(self) -> None:
        self.now = "one"

    def current(self) -> str:
        return self.now

    def switch(self, release: str) -> None:
        self.now = release

    def size(self, _release: str) -> int:
        return 1

    def discard(self, _release: str) -> None:
        pass

    prune = discard


class Server:
    """An nginx, its engine and the manner to tell it: it takes nothing for ``busy`` seconds after it was told of
    "two", which has a port in it that it can't have, and then reads what is current, with workers of its own."""

    def __init__(self, clock: Clock, releases: Releases) -> None:
        self.clock, self.releases = clock, releases
        self.log, self.busy, self.free_at, self.generation = b"", 0.0, 0.0, 1

    def tell(self, _master: int) -> None:
        if self.releases.current() == "two":
            self.free_at = self.clock.now + self.busy
        else:
            self.generation += 1

    @contextmanager
    def trial(self, _release: str) -> Iterator[list[str]]:
        yield ["nginx", "-t"]

    def served(self) -> str:
        return "one"

    def workers(self, _master: int) -> frozenset[int]:
        return frozenset({self.generation if self.clock.now >= self.free_at else 1})

    def run(self, *_words: Any) -> tuple[int, str]:
        return 0, ""

    def find(self, method: str, *_words: Any, **_options: Any) -> Any:
        return self.log if method == "logs" else {"State": {"Pid": 1}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    clock = Clock()
    made = Server(clock, Releases())
    monkeypatch.setattr(serve, "time", clock)
    monkeypatch.setattr(serve.processes, "master", lambda _first: 1)
    monkeypatch.setattr(serve.processes, "listening", made.workers)
    return made


def refusal(server: Server) -> str:
    with pytest.raises(Refused) as caught:
        Nginx(server, "web", server.releases, manner=server).serve("two", running=True)
    return str(caught.value)


@pytest.mark.parametrize(
    "stamp", ["2026-01-01T12:00:00.700000001Z", "2026-01-01T13:00:00.700000001+01:00", "2026-01-01T12:00:01.000000000Z"]
)
def test_what_it_said_since_is_why(server: Server, stamp: str) -> None:
    server.log = f"2026-01-01T12:00:00.100000000Z a [emerg] old\n{stamp} b [emerg] new\n".encode()
    assert ": new" in refusal(server)
    assert server.releases.current() == "one"


def test_what_it_said_before_is_not(server: Server) -> None:
    """Also within the second in which it was told."""
    server.log = b"2026-01-01T12:00:00.490000000Z a [emerg] old\n"
    assert "it does not say why" in refusal(server)


def test_the_way_back_is_gone_to_its_end(server: Server) -> None:
    """The next reload would be blamed for what this one still says."""
    server.log, server.busy = b"2026-01-01T12:00:00.700000000Z a [emerg] taken\n", 2.5
    refusal(server)
    assert 2.5 <= server.clock.now < 3


def test_who_never_comes_back_is_not_waited_for_for_ever(server: Server) -> None:
    server.log, server.busy = b"2026-01-01T12:00:00.700000000Z a [emerg] taken\n", 10**6
    refusal(server)
    assert server.clock.now < 20
