"""Privileges of every kind on real servers: each step is foreseen as it is done, and done once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, Server

pytestmark = GROUP


def user(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "password": f"pw-{name}", **more}


def gone(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, "state": "absent", "force": True, **more} for name in names]


TABLE = {"user": "b", "object_type": "table", "database": "d_1", "objects": ["t"]}
INNER = [
    {**TABLE, "privileges": ["SELECT (id, b)", "INSERT", "UPDATE (b)"]},
    {**TABLE, "privileges": ["ALL"], "grant_option": True},
]
COLUMNS = {**TABLE, "privileges": ["SELECT (id, b)"], "grant_option": True}
MEMBER = {"user": "a", "object_type": "role", "objects": ["r"]}

MYSQL_STEPS: list[dict[str, Any]] = [
    {
        "databases": [{"name": "d_1", "owner": "a"}],
        "users": [
            user("a"),
            user("b", host="10.%"),
            user("c", attributes=["LOCKED"], limits={"max_queries_per_hour": 7}, tls_requires="ssl"),
            {"name": "r", "attributes": ["ROLE"]},
        ],
        "grants": [
            {"user": "b", "database": "d_1", "privileges": ["SELECT", "insert"], "grant_option": True},
            {"user": "c", "object_type": "server", "privileges": ["ALL"]},
            {
                "user": "a",
                "object_type": "server",
                "privileges": ["REPLICATION CLIENT", "process"],
                "grant_option": True,
            },
            {"user": "r", "database": "d%", "pattern": True, "privileges": ["SELECT"]},
            {"user": "r", "object_type": "server", "privileges": ["PROCESS", "FILE"], "grant_option": True},
            {**MEMBER, "grant_option": True},
        ],
    },
    {"grants": [*INNER, {**TABLE, "object_type": "procedure", "objects": ["p"], "privileges": ["ALL"]}]},
    {"grants": INNER[:1], "grants_mode": "exclusive"},
    {"grants": INNER[:1], "grants_mode": "subtract"},
    {"grants": [COLUMNS], "grants_mode": "exclusive"},
    {"grants": [{**COLUMNS, "state": "absent"}]},
    {"users": [user("c", attributes=["UNLOCKED"], tls_requires={"issuer": "/C=a'b", "subject": "x"})]},
    {"users": [user("c", tls_requires="none", limits={"max_queries_per_hour": 0})]},
    {"grants": [{**MEMBER, "grant_option": True, "state": "absent"}]},
    {"grants": [{**MEMBER, "state": "absent"}]},
    {"grants": [{"user": "r", "object_type": "server", "privileges": ["FILE"]}], "grants_mode": "exclusive"},
    {"databases": [{"name": "d_1", "encoding": "ascii"}]},
    {"databases": [{"name": "d_1", "collation": "utf8_general_ci"}]},
    {"databases": [{"name": "d_1", "collation": "utf8mb4_bin"}]},
    {
        "databases": gone("d_1"),
        "users": [*gone("a", "c"), *gone("b", host="10.%"), *gone("r", attributes=["ROLE"])],
    },
]
POSTGRESQL_STEPS: list[dict[str, Any]] = [
    {
        "databases": [
            {"name": "d_1", "owner": "a", "connection_limit": 20},
            {"name": "d2", "encoding": "latin1", "collation": "C"},
        ],
        "users": [
            user("a"),
            user("b", attributes=["CREATEDB", "noinherit"], limits={"valid_until": "2030-01-01 00:00:00+01"}),
            user("m", plugin="md5"),
            {"name": "r", "attributes": ["ROLE"]},
        ],
        "grants": [
            {"user": "b", "database": "d_1", "privileges": ["CONNECT", "temp"], "grant_option": True},
            {"user": "r", "object_type": "schema", "database": "d_1", "privileges": ["ALL"]},
            {"user": "b", "object_type": "role", "objects": ["r", "pg_read_all_data"], "grant_option": True},
            {"user": "r", "object_type": "default_tables", "database": "d_1", "privileges": ["SELECT"]},
            {
                "user": "PUBLIC",
                "object_type": "default_functions",
                "database": "d_1",
                "privileges": ["EXECUTE"],
                "state": "absent",
            },
        ],
    },
    {
        "grants": [
            *INNER,
            {**TABLE, "object_type": "procedure", "objects": ["p"], "privileges": ["ALL"]},
            {**TABLE, "object_type": "function", "objects": ["f(int4)"], "privileges": ["EXECUTE"]},
            {**TABLE, "object_type": "sequence", "objects": [], "privileges": ["USAGE"]},
        ]
    },
    {"grants": INNER[:1], "grants_mode": "exclusive"},
    {"grants": INNER[:1], "grants_mode": "subtract"},
    {"users": [user("b", attributes=["NOCREATEDB", "INHERIT"], limits={"valid_until": "infinity"})]},
    {"databases": [{"name": "d_1", "owner": "b", "connection_limit": -1}]},
    {"users": gone("a", "b", "m", "r")},
    {"databases": gone("d_1", "d2")},
]
INSIDE = {
    "mysql": ("CREATE TABLE t (id int, b int)", "CREATE PROCEDURE p() SELECT 1"),
    "postgresql": (
        "CREATE TABLE t (id int, b int)",
        "CREATE SEQUENCE s",
        "CREATE PROCEDURE p(a int, b varchar) LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ),
}
REFUSED = {
    "mysql": [
        ({"users": [{"name": "root", "state": "absent"}]}, "users[0].name"),
        ({"databases": [{"name": "mysql", "state": "absent"}]}, "databases[0].name"),
        ({"grants": [{"user": "a", "database": "d_1", "privileges": ["FLY"]}]}, "grants[0].privileges"),
    ],
    "postgresql": [
        ({"users": [{"name": "a", "state": "absent"}]}, "owns database d_1"),
        ({"databases": [{"name": "d_1", "encoding": "LATIN1"}]}, "databases[0].encoding"),
        ({"databases": [{"name": "d2", "extensions": ["nothing"]}]}, "databases[0].extensions[0]"),
        ({"grants": [{**TABLE, "objects": ["nope"], "privileges": ["SELECT"]}]}, "grants[0].objects"),
    ],
}


def test_every_step_is_foreseen_and_done_once(any_server: Server) -> None:
    server = any_server
    family = "postgresql" if server.is_postgresql else "mysql"
    for number, step in enumerate(POSTGRESQL_STEPS if server.is_postgresql else MYSQL_STEPS):
        foreseen = server.run(step, check_mode=True)
        done = server.run(step)
        assert done, step
        assert done.diff() == foreseen.diff(), step
        again = server.run(step)
        assert not again, (step, again.actions)
        if number == 0:
            server.say(*INSIDE[family], database="d_1")
            for task, says in REFUSED[family]:
                with pytest.raises(FlatrunError) as refusal:
                    server.run(task)
                assert says in refusal.value.sentence()
