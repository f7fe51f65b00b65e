"""Servers that are silent or set otherwise, and queries that return much or take long."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, Server, steps
from ansible_collections.flatrun.infra.tests.integration.faults import modules

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
        ended = modules.start("flatrun_db", {**at, **login}, servers[engine].modules).finish(60)
    ended.refused(f"127.0.0.1:{port}")
    assert time.monotonic() - begun < 30


def test_a_query_that_sleeps_past_its_time(server: Server) -> None:
    sleeping = "SELECT pg_sleep(60)" if server.is_postgresql else "SELECT SLEEP(60)"
    for read_only in (True, False):
        begun = time.monotonic()
        query(server, sleeping, timeout=1, read_only=read_only).refused("did not end within 1 s", "timeout")
        assert time.monotonic() - begun < 30
    going = (
        "pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%'"
        if server.is_postgresql
        else ("information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%%'")
    )
    assert server.ask(f"SELECT COUNT(*) FROM {going}") == [(0,)]


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
        server.say("ALTER SYSTEM SET standard_conforming_strings = off", "SELECT pg_reload_conf()")
        yield
        server.say("ALTER SYSTEM RESET standard_conforming_strings", "SELECT pg_reload_conf()")
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
