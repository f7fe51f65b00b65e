"""Administrators who are not root: one with the rights that the work needs, and those of clouds, who have fewer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2
import pymysql
import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import DB
from ansible_collections.flatrun.infra.plugins.module_utils.database.room import ROOM
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, Server, filled, run, steps

pytestmark = GROUP
ADMINISTRATOR = {"name": "least", "password": "of the least", "attributes": ["ADMINISTRATOR"]}
USERS = ("app_a", "app_b", "app_r", "app_c")
DATABASES = ("app_1", "app%2")


def user(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "password": f"pw of {name}", **more}


def work(postgresql: bool) -> list[dict[str, Any]]:
    """What is done for apps every day, and undone."""
    read = ["CONNECT"] if postgresql else ["SELECT", "SHOW VIEW"]
    grant = {"user": "app_b", "database": "app_1", "privileges": read}
    member = {"user": "app_b", "object_type": "role", "objects": ["app_r"]}
    role = {"user": "app_r", "database": "app_1", "privileges": ["ALL"]}
    inner = (
        [
            {**grant, "object_type": "schema", "privileges": ["USAGE"]},
            {**grant, "object_type": "default_tables", "privileges": ["SELECT"]},
        ]
        if postgresql
        else [{**grant, "object_type": "table", "objects": ["t"], "privileges": ["SELECT (id)", "INSERT"]}]
    )
    return [
        {
            "databases": [{"name": "app_1", "owner": "app_a"}, {"name": "app%2"}],
            "users": [user("app_a"), user("app_b"), {"name": "app_r", "attributes": ["ROLE"]}],
            "grants": [{**grant, "grant_option": True}, member, role],
        },
        {"grants": inner},
        {"users": [user("app_a", password="another"), user("app_b", limits={"max_user_connections": 5})]},
        {"users": [user("app_c")], "databases": [{"name": "app_1", "owner": "app_c"}]},
        {"grants": [grant], "grants_mode": "exclusive"},
        {"grants": [{**grant, "state": "absent"}, {**role, "state": "absent"}]},
        {
            "databases": [{"name": name, "state": "absent"} for name in DATABASES],
            "users": [
                {"name": name, "state": "absent", "attributes": ["ROLE"] if name == "app_r" else []} for name in USERS
            ],
        },
    ]


BEYOND = {
    "mysql": [
        "SHUTDOWN",
        "SET GLOBAL max_connections = 50",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "UPDATE mysql.user SET account_locked = 'N'",
        "DROP TABLE mysql.user",
        "DROP DATABASE sys",
        "ALTER USER root@localhost ACCOUNT LOCK",
        "GRANT root@localhost TO least",
        "GRANT SUPER ON *.* TO app_b",
        "GRANT ALL ON mysql.* TO app_b",
        "FLUSH PRIVILEGES",
    ],
    "mariadb": [
        "SHUTDOWN",
        "SET GLOBAL max_connections = 50",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "UPDATE mysql.global_priv SET Priv = '{}'",
        "DROP TABLE mysql.global_priv",
        "DROP DATABASE sys",
        "GRANT SUPER ON *.* TO app_b",
        "GRANT ALL ON mysql.* TO app_b",
        "FLUSH PRIVILEGES",
    ],
    "postgresql": [
        "ALTER SYSTEM SET max_connections = 50",
        "SELECT pg_read_file('PG_VERSION')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT rolpassword FROM pg_authid",
        "CREATE ROLE other SUPERUSER",
        "ALTER ROLE postgres NOLOGIN",
        "ALTER ROLE least SUPERUSER",
        "DROP DATABASE postgres",
        "GRANT pg_read_server_files TO app_b",
    ],
}


@contextmanager
def prepared(server: Server, administrator: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """How a task logs in as the administrator; afterwards nothing of the tests is left."""
    try:
        yield {
            **server.reached,
            "login_user": administrator["name"],
            "login_password": administrator["password"],
        }
    finally:
        server.run(
            {
                "databases": [{"name": name, "state": "absent", "force": True} for name in DATABASES],
                "users": [
                    {
                        "name": name,
                        "state": "absent",
                        "force": True,
                        "attributes": ["ROLE"] if name == "app_r" else [],
                    }
                    for name in (*USERS, administrator["name"])
                ],
            }
        )


def test_an_administrator_does_the_work_and_nothing_beyond(any_server: Server) -> None:
    server = any_server
    foreseen = server.run({"users": [ADMINISTRATOR]}, check_mode=True)
    done = server.settle({"users": [ADMINISTRATOR]})
    assert done.diff() == foreseen.diff()
    with prepared(server, ADMINISTRATOR) as place:
        # What it is already, it need not be told by root.
        assert not run(place, {"users": [ADMINISTRATOR]})
        for number, task in enumerate(work(server.is_postgresql)):
            foreseen = run(place, task, check_mode=True)
            done = run(place, task)
            assert done, task
            assert done.diff() == foreseen.diff()
            again = run(place, task)
            assert not again, (task, steps(again))
            if number == 0:
                server.say("CREATE TABLE t (id int, b int)", database="app_1")
                assert server.may_enter("app_a", "pw of app_a", "app_1") is True
                assert server.may_enter("app_b", "pw of app_b", "app_1") is True
                assert server.may_enter("app_b", "pw of app_b", "app%2") is False
                hold_what_is_beyond(server)


def hold_what_is_beyond(server: Server) -> None:
    with server.opened(ADMINISTRATOR["name"], ADMINISTRATOR["password"]) as made, made.cursor() as cursor:
        for statement in BEYOND[server.engine]:
            if "pg_read_server_files" in statement and made.server_version < 160000:
                # Before PostgreSQL 16, CREATEROLE gives any role that is no superuser, as docs/databases.md says.
                continue
            with pytest.raises((psycopg2.Error, pymysql.err.MySQLError)) as refusal:
                cursor.execute(statement)
            said = str(refusal.value).lower()
            assert any(word in said for word in ("denied", "must be owner", "permission", "superuser", "only")), said


CLOUD = {"name": "cloud", "password": "of the cloud"}
# All but what is kept of passwords.
COLUMNS = {
    "mysql": "User, Host, ssl_type, ssl_cipher, x509_issuer, x509_subject, max_questions, max_updates,"
    " max_connections, max_user_connections, plugin, account_locked, password_expired",
    "mariadb": "User, Host, ssl_type, ssl_cipher, x509_issuer, x509_subject, max_questions, max_updates,"
    " max_connections, max_user_connections, plugin, is_role",
}
OTHERS = ("db", "tables_priv", "columns_priv", "procs_priv", "role_edges", "default_roles", "roles_mapping")


def give_a_cloud(server: Server) -> None:
    """An administrator who may see rights, and nothing that is kept of passwords."""
    server.settle({"users": [{**CLOUD, "attributes": ["ADMINISTRATOR"]}]})
    if server.is_postgresql:
        return
    there = {
        name for (name,) in server.ask("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'mysql'")
    }
    server.say(
        "REVOKE SELECT ON mysql.* FROM cloud",
        f"GRANT SELECT ({COLUMNS[server.engine]}) ON mysql.user TO cloud",
        *(f"GRANT SELECT ON mysql.{name} TO cloud" for name in OTHERS if name in there),
        # Before all databases come those that are named.
        "GRANT SHOW VIEW ON mysql.* TO cloud",
    )


def told(place: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    return walk(ROOM, ROOM.parse(filled(DB.options, {**place, **task})), False, Walk())


def test_where_nothing_kept_may_be_seen_a_login_tells(server: Server) -> None:
    give_a_cloud(server)
    with prepared(server, CLOUD) as place:
        assert run(place, {"users": [user("app_a"), user("app_b")]})
        assert not run(place, {"users": [user("app_a"), user("app_b")]})
        assert steps(run(place, {"users": [user("app_a", password="another"), user("app_b")]})) == [
            ("set_password", "user app_a" if server.is_postgresql else "user app_a@%")
        ]
        found = told(place, {"users": [user("app_a", password="another")]})
        assert [each["checked_by"] for each in found["users"]] == ["login"]
        assert [each["checked_by"] for each in told(server.reached, {"users": [user("app_b")]})["users"]] == ["stored"]
        assert server.may_enter("app_a", "another") is True
        assert server.may_enter("app_a", "pw of app_a") is None
        if not server.is_postgresql:
            hold_what_is_told_of_the_locked(server, place)


def hold_what_is_told_of_the_locked(server: Server, place: Mapping[str, Any]) -> None:
    """Of an account with a name that a refusal shows, too."""
    locked = user("Account is locked", attributes=["LOCKED"])
    if server.engine == "mariadb":
        with pytest.raises(FlatrunError, match="global_priv"):
            run(place, {"users": [locked]})
        return
    assert run(place, {"users": [locked]})
    assert not run(place, {"users": [locked]})
    assert [verb for verb, _target in steps(run(place, {"users": [{**locked, "password": "another"}]}))] == [
        "set_password"
    ]
    assert run(place, {"users": [{**locked, "state": "absent"}]})


def test_what_an_administrator_lacks_is_named(server: Server) -> None:
    """Before anything is done where the server tells it, else at the first statement."""
    name = {"name": "cloud", "password": "of the cloud"}
    server.settle({"users": [name]})
    if not server.is_postgresql:
        server.say("GRANT SELECT ON mysql.* TO cloud")
    expected = {
        "databases": "CREATEDB" if server.is_postgresql else "CREATE on the database",
        "users": "CREATEROLE" if server.is_postgresql else "CREATE USER",
    }
    with prepared(server, name) as place:
        for task, lacks in (
            ({"databases": [{"name": "app_1"}]}, expected["databases"]),
            ({"users": [user("app_a")]}, expected["users"]),
        ):
            with pytest.raises(FlatrunError) as refusal:
                run(place, task)
            assert lacks in refusal.value.sentence()
            assert "cloud" in refusal.value.sentence()


def test_a_former_password_works_until_it_is_discarded(server: Server) -> None:
    try:
        if server.engine != "mysql":
            with pytest.raises(FlatrunError, match="retain_password"):
                server.run({"users": [user("app_a", retain_password=True)]})
            return
        server.settle({"users": [user("app_a", password="one", retain_password=True)]})
        server.settle({"users": [user("app_a", password="two", retain_password=True)]})
        assert [server.may_enter("app_a", word) for word in ("one", "two", "six")] == [True, True, None]
        server.settle({"users": [user("app_a", password="three", retain_password=True)]})
        assert [server.may_enter("app_a", word) for word in ("one", "two", "three")] == [None, True, True]
        assert steps(server.settle({"users": [user("app_a", password="three")]})) == [("discard", "user app_a@%")]
        assert [server.may_enter("app_a", word) for word in ("two", "three")] == [None, True]
        server.settle({"users": [user("app_a", password="four", retain_password=True)]})
        server.settle({"users": [user("app_a", password="five")]})
        assert [server.may_enter("app_a", word) for word in ("three", "four", "five")] == [None, None, True]
    finally:
        server.run({"users": [{"name": "app_a", "state": "absent"}]})


def test_to_subtract_takes_nothing_from_an_owner(server: Server) -> None:
    made = {"databases": [{"name": "app_1", "owner": "app_a"}], "users": [user("app_a"), user("app_b")]}
    grant = {"user": "app_b", "database": "app_1", "privileges": ["ALL"]}
    server.settle({**made, "grants": [grant]})
    try:
        done = server.settle({**made, "grants": [grant], "grants_mode": "subtract"})
        assert [action.verb for action in done.actions] == ["revoke"]
        assert server.may_enter("app_a", "pw of app_a", "app_1") is True
        assert server.may_enter("app_b", "pw of app_b", "app_1") is False
    finally:
        gone = [{"name": name, "state": "absent", "force": True} for name in ("app_a", "app_b")]
        server.run({"databases": [{"name": "app_1", "state": "absent", "force": True}], "users": gone})


@pytest.mark.parametrize("engine", ["postgresql"])
def test_what_others_gave_is_taken_back_as_them(engine: str, servers: dict[str, Server]) -> None:
    """By an administrator who has to become a member of them for that."""
    server = servers[engine]
    server.settle({"users": [ADMINISTRATOR]})
    grant = {"user": "app_b", "database": "app_1", "privileges": ["CONNECT"], "grant_option": True}
    with prepared(server, ADMINISTRATOR) as place:
        users = [user(name) for name in ("app_a", "app_b", "app_c")]
        run(place, {"users": users, "databases": [{"name": "app_1", "owner": "app_a"}], "grants": [grant]})
        with server.opened("app_b", "pw of app_b", "app_1") as made, made.cursor() as cursor:
            cursor.execute("GRANT CONNECT ON DATABASE app_1 TO app_c")
        assert server.may_enter("app_c", "pw of app_c", "app_1") is True
        taken = {"grants": [{**grant, "user": "app_c", "grant_option": False, "state": "absent"}]}
        done = run(place, taken)
        assert steps(done) == [("grant", "least on role app_b"), ("revoke", "app_c on database app_1")]
        assert server.may_enter("app_c", "pw of app_c", "app_1") is False
        assert not run(place, taken)
