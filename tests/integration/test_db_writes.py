"""What a second run sends to a server, by the server's own log: nothing that writes, and no more for more users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, Server, run
from ansible_collections.flatrun.infra.tests.integration.wire import writes

pytestmark = GROUP
# What a session of ours says of itself when it begins, and no more.
SESSION = ("SET NAMES ", "SET AUTOCOMMIT = 1", "SET sql_mode=")


def many(server: Server, count: int) -> dict[str, Any]:
    """Databases with a user each, who also has rights in the next one's database."""
    names = [f"many_{count}_{number}" for number in range(count)]
    privileges = ["CONNECT", "TEMPORARY"] if server.is_postgresql else ["SELECT", "CREATE VIEW"]
    return {
        "databases": [{"name": name, "owner": name} for name in names],
        "users": [{"name": name, "password": f"of {name}"} for name in names],
        "grants": [
            {"user": name, "database": other, "privileges": privileges}
            for name, other in zip(names, names[1:] + names[:1])
        ],
    }


@contextmanager
def read_only(server: Server) -> Iterator[dict[str, str]]:
    """A server that refuses to write, whoever asks, and how it is reached then."""
    if server.is_postgresql:
        server.configure("ALTER SYSTEM SET default_transaction_read_only = on")
        try:
            yield server.reached
        finally:
            server.say("SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only")
            server.configure()
        return
    if server.engine == "mysql":
        server.say("SET GLOBAL super_read_only = ON")
        reached = server.reached
    else:
        # Its administrator may write all the same, so this is one who may do all but that.
        server.say(
            "CREATE USER many_admin IDENTIFIED BY 'many of them'",
            "GRANT ALL ON *.* TO many_admin WITH GRANT OPTION",
            "REVOKE READ_ONLY ADMIN, SUPER ON *.* FROM many_admin",
            "SET GLOBAL read_only = ON",
        )
        reached = {**server.reached, "login_user": "many_admin", "login_password": "many of them"}
    try:
        yield reached
    finally:
        server.say("SET GLOBAL read_only = OFF")


def test_a_second_run_writes_nothing_and_asks_no_more_for_more(server: Server) -> None:
    few, more = many(server, 5), many(server, 50)
    with server.logging() as log:
        server.run(few)
        # The log does tell of what writes.
        assert sum(map(writes, log.statements())) > len(few["users"])
        assert not server.run(few)
        asked_for_few = log.statements()
        server.run(more)
        log.statements()
        assert not server.run(more)
        asked_for_more = log.statements()
    for statement in asked_for_few + asked_for_more:
        assert not writes(statement), statement
        assert not statement.startswith("SET") or statement.startswith(SESSION), statement
    assert asked_for_few
    assert len(asked_for_few) == len(asked_for_more), (asked_for_few, asked_for_more)
    with read_only(server) as reached:
        with pytest.raises(Refused):
            run(reached, {"users": [{"name": "many_too", "password": "x"}]})
        assert not run(reached, few)
        assert not run(reached, more)
