"""What goes from real servers together with its grants, and what doesn't go because something needs it still."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, Server

pytestmark = GROUP

USERS = [{"name": "leaving", "password": "of leaving"}, {"name": "leaving_team", "attributes": ["ROLE"]}]
ON = {"user": "leaving", "database": "leaving_1"}
MEMBER = {"user": "leaving", "object_type": "role", "objects": ["leaving_team"]}
TABLE = {**ON, "object_type": "table", "objects": ["t"], "privileges": ["SELECT", "UPDATE (a)"]}
POSTGRESQLS = [
    {**ON, "object_type": "schema", "schema": "old", "privileges": ["USAGE"]},
    {**ON, "object_type": "table", "schema": "old", "privileges": ["SELECT"]},
    {**ON, "object_type": "default_tables", "objects": ["leaving_team"], "privileges": ["SELECT"]},
    {
        **ON,
        "user": "PUBLIC",
        "object_type": "default_functions",
        "objects": ["leaving_team"],
        "privileges": ["EXECUTE"],
    },
]


def gone(*items: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**item, "state": "absent"} for item in items]


@pytest.fixture
def leaving(server: Server) -> Iterator[Server]:
    """Two databases and their users are gone afterwards, whatever the test left."""
    yield server
    databases = [{"name": name, "force": True} for name in ("leaving_1", "leaving_2")]
    server.run({"databases": gone(*databases), "users": gone(*({**user, "force": True} for user in USERS))})


def test_what_goes_with_its_grants_goes_once(leaving: Server) -> None:
    schemas = [{"name": "old"}] if leaving.is_postgresql else []
    databases = [{"name": "leaving_1", "schemas": schemas}]
    leaving.run({"databases": databases, "users": USERS})
    leaving.say("CREATE TABLE t (a int, b int)", database="leaving_1")
    grants = [{**ON, "privileges": ["ALL"]}, MEMBER, TABLE, *(POSTGRESQLS if schemas else [])]
    assert leaving.settle({"grants": grants})
    if schemas:
        old = [{"name": "leaving_1", "schemas": gone({"name": "old"})}]
        assert leaving.settle({"databases": old, "grants": gone(*POSTGRESQLS[:2])})
    task = {"databases": gone({"name": "leaving_1"}), "users": gone(*USERS), "grants": gone(*grants)}
    foreseen = leaving.run(task, check_mode=True)
    assert leaving.settle(task).diff() == foreseen.diff()
    assert not leaving.run({"grants": grants, "grants_mode": "subtract"})


def test_a_template_may_go_when_its_copy_is_there(servers: dict[str, Server]) -> None:
    server, copy = servers["postgresql"], {"name": "leaving_2", "template": "leaving_1"}
    try:
        server.run({"databases": [{"name": "leaving_1"}]})
        assert server.settle({"databases": [copy, *gone({"name": "leaving_1"})]})
        assert not server.run({"databases": [copy]})
    finally:
        server.run({"databases": gone({"name": "leaving_1"}, {"name": "leaving_2"})})
