"""Servers that are silent or set otherwise, and queries that return much or take long."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, Server, started, steps
from ansible_collections.flatrun.infra.tests.integration.faults import modules
from ansible_collections.flatrun.infra.tests.integration.faults.lab import until

pytestmark = GROUP


def query(server: Server, statement: str, **more: Any) -> modules.Result:
    return modules.start("flatrun_db_query", {**server.reached, "query": statement, **more}, server.modules).finish()


@pytest.mark.parametrize("engine", ["mysql", "mariadb", "postgresql"])
def test_one_that_accepts_and_never_speaks(engine: str, servers: dict[str, Server]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        at = {"engine": engine, "login_host": "127.0.0.1", "login_port": port, "connect_timeout": 2}
        login = {"login_user": "x", "login_password": "of x"}
        begun = time.monotonic()
        ended = modules.start("flatrun_db", {**at, **login}, servers[engine].modules).finish()
    ended.refused(f"127.0.0.1:{port}")
    assert time.monotonic() - begun < 50


def test_a_query_that_sleeps_past_its_time(server: Server) -> None:
    sleeping = "SELECT pg_sleep(60)" if server.is_postgresql else "SELECT SLEEP(60)"
    for read_only in (True, False):
        begun = time.monotonic()
        query(server, sleeping, timeout=1, read_only=read_only).refused("did not end within 1 s", "timeout")
        assert time.monotonic() - begun < 50
    going = (
        "pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%'"
        if server.is_postgresql
        else ("information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%%'")
    )
    # The server is told to end it, and does so in its own time.
    until(lambda: server.ask(f"SELECT COUNT(*) FROM {going}") == [(0,)])


def test_a_query_that_returns_a_million_rows_and_every_kind_of_value(server: Server) -> None:
    if server.is_postgresql:
        many = "SELECT n FROM generate_series(1, 1000000) n"
        kinds = "SELECT '\\x00ff'::bytea AS bytes, NULL AS nothing, 1.10::numeric AS exact, true AS yes"
    else:
        many = (
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT a.i FROM n a, n b"
        )
        kinds = "SELECT X'00FF' AS bytes, NULL AS nothing, 1.10 AS exact, TRUE AS yes"
    told = query(server, many).good().said
    assert (len(told["rows"]), told["truncated"]) == (1000, True)
    (row,) = query(server, kinds).good().said["rows"]
    assert row == {"bytes": "AP8=", "nothing": None, "exact": "1.10", "yes": True if server.is_postgresql else 1}


@contextmanager
def otherwise(server: Server) -> Iterator[None]:
    """Settings by which SQL reads differently."""
    if server.is_postgresql:
        server.configure("ALTER SYSTEM SET standard_conforming_strings = off")
        yield
        server.configure("ALTER SYSTEM RESET standard_conforming_strings")
        return
    ((before,),) = server.ask("SELECT @@GLOBAL.sql_mode")
    server.say("SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'")
    yield
    server.say(f"SET GLOBAL sql_mode = '{before}'")


def test_settings_by_which_sql_reads_differently(server: Server) -> None:
    name, password = "q'u\"o`t\\e", "p'w\"\\"
    task = {
        "databases": [{"name": name}],
        "users": [{"name": name, "password": password}],
        "grants": [{"user": name, "database": name, "privileges": ["ALL"]}],
    }
    gone = {key: [{"name": name, "state": "absent", "force": True}] for key in ("databases", "users")}
    with otherwise(server):
        done = steps(server.settle(task))
        assert server.may_enter(name, password, name)
        server.settle(gone)
    assert steps(server.settle(task)) == done
    server.settle(gone)


def spelled(*, table: str, routine: str, columns: str) -> list[dict[str, Any]]:
    """Rights of each kind whose place has a name that a server may read in any case."""
    at = {"user": "folded", "database": "folded_1"}
    return [
        {**at, "object_type": "table", "objects": [table], "privileges": ["INSERT", f"SELECT ({columns})"]},
        {**at, "object_type": "procedure", "objects": [routine], "privileges": ["EXECUTE"]},
    ]


def folds(server: Server, first: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    """What is granted in one spelling is there in the other, and is gone when it is taken in that."""
    held = (
        "SELECT COUNT(*) FROM mysql.tables_priv WHERE User = 'folded' UNION ALL"
        " SELECT COUNT(*) FROM mysql.columns_priv WHERE User = 'folded' UNION ALL"
        " SELECT COUNT(*) FROM mysql.procs_priv WHERE User = 'folded'"
    )
    server.run({"databases": [{"name": "folded_1"}], "users": [{"name": "folded", "password": "of folded"}]})
    try:
        server.say(
            "CREATE TABLE Orders (Id int, `Länge` int)",
            "CREATE PROCEDURE MyProc() SELECT 1",
            database="folded_1",
        )
        server.settle({"grants": first})
        assert not server.run({"grants": other})
        assert not server.run({"grants": other, "grants_mode": "exclusive"})
        assert server.ask(held) == [(1,), (2,), (1,)]
        server.settle({"grants": other, "grants_mode": "subtract"})
        assert server.ask(held) == [(0,), (0,), (0,)]
    finally:
        gone = {"state": "absent", "force": True}
        server.run({"databases": [{"name": "folded_1", **gone}], "users": [{"name": "folded", **gone}]})


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_names_of_routines_and_columns_in_any_case(engine: str, servers: dict[str, Server]) -> None:
    first = spelled(table="Orders", routine="MyProc", columns="Id, Länge")
    folds(servers[engine], first, spelled(table="Orders", routine="mYpROC", columns="iD, lÄNGE"))


def test_names_of_tables_in_any_case(images: dict[str, str], servers: dict[str, Server]) -> None:
    modules = servers["mariadb"].modules
    with started(["mariadb"], images, modules, "lower_case_table_names=1\n") as found:
        first = spelled(table="Orders", routine="MyProc", columns="Id, Länge")
        folds(found["mariadb"], first, spelled(table="oRDERS", routine="myproc", columns="ID, länge"))
        owner = {"name": "folded", "password": "of folded"}
        found["mariadb"].settle({"databases": [{"name": "Shop", "owner": "folded"}], "users": [owner]})
        assert found["mariadb"].may_enter("folded", "of folded", "SHOP")


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_a_database_that_is_granted_by_its_name_and_as_a_pattern(engine: str, servers: dict[str, Server]) -> None:
    server = servers[engine]
    grant = {"user": "twice", "database": "twice_1", "privileges": ["SELECT"]}
    held = "SELECT Db FROM mysql.db WHERE User = 'twice'"
    server.run({"databases": [{"name": "twice_1"}], "users": [{"name": "twice", "password": "of twice"}]})
    try:
        for mode, left in (("append", []), ("exclusive", [("twice\\_1",)])):
            server.say("GRANT SELECT ON `twice_1`.* TO twice", "GRANT SELECT ON `twice\\_1`.* TO twice")
            server.settle({"grants": [{**grant, "state": "present" if left else "absent"}], "grants_mode": mode})
            assert server.ask(held) == left
    finally:
        gone = {"state": "absent", "force": True}
        server.run({"databases": [{"name": "twice_1", **gone}], "users": [{"name": "twice", **gone}]})


def test_a_database_whose_names_are_bytes_of_no_encoding(servers: dict[str, Server]) -> None:
    server, name, table = servers["postgresql"], "bytes_ä€", "tabelle_ö"
    bare = {"name": name, "encoding": "sql_ascii", "collation": "C", "owner": name}
    grants = [
        {"user": "leser_ü", "database": name, "privileges": ["CONNECT"]},
        {"user": "leser_ü", "database": name, "object_type": "table", "objects": [table], "privileges": ["SELECT (ß)"]},
    ]
    users = [{"name": each, "password": f"of {each}"} for each in (name, "leser_ü")]
    try:
        server.settle({"databases": [bare], "users": users, "grants": grants[:1]})
        server.say(f'CREATE TABLE "{table}" AS SELECT 1 AS "ß"', database=name)
        for mode in ("append", "exclusive", "subtract"):
            server.settle({"databases": [bare], "users": users, "grants": grants, "grants_mode": mode})
            assert server.may_enter("leser_ü", "of leser_ü", name) is (mode != "subtract")
    finally:
        gone = {"state": "absent", "force": True}
        server.settle({"databases": [{"name": name, **gone}], "users": [{**each, **gone} for each in users]})
