"""Servers that are slow, full, or at work: what can't be done is said, nothing is half done, the next run ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2
import pymysql
import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused, Unreachable
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, Server, run, started
from ansible_collections.flatrun.infra.tests.integration.faults.lab import module_path, others_long, until
from ansible_collections.flatrun.infra.tests.integration.faults.modules import WAIT
from ansible_collections.flatrun.infra.tests.integration.wire import Wire

pytestmark = GROUP
LATENCY = 0.5
NAME = "tr_ouble"
TASK: dict[str, Any] = {"databases": [{"name": NAME, "owner": NAME}], "users": [{"name": NAME, "password": "in it"}]}


@pytest.fixture
def cleared(server: Server) -> Iterator[None]:
    yield
    gone = {"name": NAME, "state": "absent", "force": True}
    server.run({"databases": [gone], "users": [gone]})


def test_half_a_second_away(servers: dict[str, Server]) -> None:
    """All three at once, as most of it is waiting: each statement takes its time there, and is none too many."""
    failures: list[str] = []

    def far(server: Server) -> None:
        with Wire(server, delay=LATENCY) as wire:
            at = server.through(wire.port)
            if not run(at, TASK) or run(at, TASK):
                failures.append(f"{server.line} does not converge")
            if len(wire.statements) > 80:
                failures.append(f"{server.line} was sent {len(wire.statements)} statements")

    threads = [threading.Thread(target=far, args=(server,)) for server in servers.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert not failures
    finally:
        for server in servers.values():
            server.run({key: [{"name": NAME, "state": "absent"}] for key in ("databases", "users")})


@contextmanager
def occupied(server: Server) -> Iterator[None]:
    """Somebody holds every connection that the server has, the one that is the administrator's among them."""
    with ExitStack() as held:
        first = held.enter_context(server.opened())
        if not server.is_postgresql:
            ((before,),) = server.ask("SELECT @@GLOBAL.max_connections")
            first.cursor().execute("SET GLOBAL max_connections = 12")
            held.callback(first.cursor().execute, f"SET GLOBAL max_connections = {before}")
        with suppress(psycopg2.OperationalError, pymysql.err.OperationalError):
            while True:
                held.enter_context(server.opened())
        yield


@pytest.mark.usefixtures("cleared")
def test_out_of_connections(server: Server) -> None:
    with occupied(server), pytest.raises(Unreachable, match=r"(?i)too many (connections|clients)"):
        server.run(TASK)
    server.settle(TASK)


# MariaDB waits for somebody to make room, and a run for MariaDB: five minutes.
@pytest.mark.parametrize("line", others_long(["mysql", "postgresql"], "postgresql"))
def test_a_full_disk(images: dict[str, str], tmp_path: Path, line: str) -> None:
    """The server's own words; with room again all of it comes true."""
    with started([line], images, module_path(tmp_path), space="800m") as found:
        server = found[line]
        filled = Path(server.root, "filled")
        with suppress(OSError), filled.open("wb", buffering=0) as stream:
            while True:
                stream.write(bytes(2**20))
        many = {"databases": [{"name": f"{NAME}_{number}"} for number in range(20)]}
        ended = server.start({**server.reached, "connect_timeout": 5}, many).finish()
        ended.refused("the server says")
        filled.unlink()
        until(lambda: server.may_enter(*server.administrator), WAIT)
        server.settle(many)


@pytest.mark.usefixtures("cleared")
def test_a_database_in_use_stays_unless_it_is_forced(server: Server) -> None:
    """Who is at work in it is named, and thrown out where that is asked for."""
    server.settle(TASK)
    gone = {"databases": [{"name": NAME, "state": "absent"}]}
    with server.opened(NAME, "in it", NAME) as made:
        made.cursor().execute("CREATE TABLE kept (n int)")
        with pytest.raises(Refused, match="is in use by") as refusal:
            server.run(gone)
        assert "databases[0]" in refusal.value.sentence()
        assert server.may_enter(NAME, "in it", NAME)
        gone["databases"][0]["force"] = True
        server.settle(gone)
    assert not server.may_enter(NAME, "in it", NAME)


@pytest.mark.usefixtures("cleared")
def test_a_role_that_owns_things_stays_unless_it_is_forced(server: Server) -> None:
    server.settle(TASK)
    user = {"name": NAME, "state": "absent"}
    if server.is_postgresql:
        with pytest.raises(Refused, match=NAME) as refusal:
            server.run({"users": [user]})
        assert "users[0]" in refusal.value.sentence()
        assert server.may_enter(NAME, "in it", NAME)
    server.settle({"users": [{**user, "force": True}]})
    assert server.may_enter(NAME, "in it") is None
