"""What servers have beside what a task names, and values and statements at the edge of what drivers can do."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database import query as queries
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import DB, QUERY
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint, locate
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_connection import connection
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, Server, filled, run, steps
from ansible_collections.flatrun.infra.tests.integration.faults import modules

pytestmark = GROUP


@pytest.fixture
def edge(server: Server) -> Iterator[Server]:
    """A database and a user called so; both are gone afterwards."""
    server.run({"databases": [{"name": "edge"}], "users": [{"name": "edge", "password": "of edge"}]})
    yield server
    gone = {"name": "edge", "state": "absent", "force": True}
    server.run({"databases": [gone], "users": [gone, {**gone, "name": "Edge"}]})


def query(server: Server, statements: list[str], **more: Any) -> dict[str, Any]:
    database = "postgres" if server.is_postgresql else "edge"
    given = {**server.reached, "query": statements, "database": database, **more}
    return dict(modules.start("flatrun_db_query", given, server.modules).finish().good().said)


def test_a_user_whose_name_differs_by_case_alone(edge: Server) -> None:
    """The information schema compares without case, and tells of both."""
    other = {"name": "Edge", "password": "of Edge"}
    edge.run({"users": [other], "grants": [{"user": "Edge", "database": "edge", "privileges": ["ALL"]}]})
    assert not edge.run({"users": [{"name": "edge", "password": "of edge"}]})
    edge.run({"users": [{"name": "edge", "state": "absent"}]})
    assert edge.may_enter("Edge", "of Edge") is not None
    assert edge.may_enter("edge", "of edge") is None


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_names_that_are_the_servers_yes(engine: str, servers: dict[str, Server]) -> None:
    """Its tables hold a privilege as Y, beside the names of the database and the user."""
    server = servers[engine]
    server.run({"databases": [{"name": "Y"}], "users": [{"name": "Y", "password": "of Y"}]})
    try:
        server.say("GRANT SELECT, INSERT ON `Y`.* TO `Y`")
        grant = {"user": "Y", "database": "Y", "privileges": ["SELECT"]}
        assert steps(server.settle({"grants": [grant], "grants_mode": "exclusive"})) == [
            ("revoke", "Y@% on database Y"),
        ]
    finally:
        server.run({"users": [{"name": "Y", "state": "absent"}], "databases": [{"name": "Y", "state": "absent"}]})


def test_another_plugin_without_a_password_empties_none(edge: Server) -> None:
    plugin = {"mysql": "sha256_password", "mariadb": "ed25519", "postgresql": "md5"}[edge.engine]
    with pytest.raises(FlatrunError) as error:
        edge.run({"users": [{"name": "edge", "plugin": plugin}]})
    # MySQL 9 has one plugin with passwords, and no other is known.
    named = "users[0].plugin: " if edge.engine == "mysql" else "users[0].password: "
    assert error.value.sentence().startswith(named)
    assert edge.may_enter("edge", "of edge") is not None
    assert not edge.may_enter("edge", "")


def test_a_role_that_is_granted_makes_no_other_active(servers: dict[str, Server]) -> None:
    """MySQL takes the list of those that are active at a login as a whole, and one that everybody has may be in it."""
    server = servers["mysql"]
    names = ("edge_app", "edge_boss", "edge_all")
    roles = [{"name": name, "attributes": ["ROLE"]} for name in names]
    member = {"user": "edge", "object_type": "role", "objects": ["edge_app"]}
    listed = "SELECT DEFAULT_ROLE_USER FROM mysql.default_roles WHERE USER = 'edge' ORDER BY 1"
    server.run({"users": [{"name": "edge", "password": "of edge"}, *roles]})
    try:
        server.say(
            "SET GLOBAL mandatory_roles = 'edge_all'",
            "GRANT edge_boss TO edge",
            "ALTER USER edge DEFAULT ROLE edge_all",
        )
        server.settle({"grants": [{**member, "grant_option": True}]})
        assert server.ask(listed) == [("edge_all",), ("edge_app",)]
        server.settle({"grants": [{**member, "grant_option": True, "state": "absent"}]})
        assert server.ask(listed) == [("edge_all",), ("edge_app",)]
        server.say("ALTER USER edge DEFAULT ROLE NONE")
        server.settle({"grants": [{**member, "objects": ["edge_app", "edge_boss"]}]})
        assert server.ask(listed) == [("edge_app",), ("edge_boss",)]
    finally:
        server.say("SET GLOBAL mandatory_roles = DEFAULT")
        gone = [{"name": name, "state": "absent"} for name in ("edge", *names)]
        server.run({"users": gone})


def test_a_hash_that_another_user_has_lets_in_by_the_same_password(edge: Server) -> None:
    asked = {
        "mysql": "SELECT CONCAT('0x', HEX(authentication_string)) FROM mysql.user WHERE User = 'edge'",
        "mariadb": "SELECT authentication_string FROM mysql.user WHERE User = 'edge'",
        "postgresql": "SELECT rolpassword FROM pg_authid WHERE rolname = 'edge'",
    }
    ((kept,),) = edge.ask(asked[edge.engine])
    done = edge.settle({"users": [{"name": "Edge", "password_hash": kept}]})
    assert kept not in repr(done)
    assert edge.may_enter("Edge", "of edge") is not None
    assert not edge.run({"users": [{"name": "Edge", "password": "of edge"}]})
    edge.settle({"users": [{"name": "Edge", "password": "of Edge"}]})
    edge.settle({"users": [{"name": "Edge", "password_hash": kept}]})
    assert edge.may_enter("Edge", "of Edge") is None
    assert edge.may_enter("Edge", "of edge") is not None


def test_a_database_with_extensions_that_is_the_template_of_another(servers: dict[str, Server]) -> None:
    server = servers["postgresql"]
    first = {"name": "edge", "extensions": ["citext", "pgcrypto"]}
    more = ["earthdistance", "citext", "hstore", "cube", "hstore"]
    copy = {"name": "edge_copy", "template": "edge", "extensions": more}
    listed = "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1"
    try:
        server.settle({"databases": [{**first, "extensions": ["citext"]}]})
        assert steps(server.settle({"databases": [first]})) == [("create", "extension pgcrypto of database edge")]
        server.say("CREATE TABLE t AS SELECT 'A'::citext AS word", database="edge")
        done = server.settle({"databases": [copy]})
        assert ("create", "extension citext of database edge_copy") not in steps(done)
        there = ("citext", "cube", "earthdistance", "hstore", "pgcrypto")
        assert server.ask(listed, database="edge_copy") == [(name,) for name in there]
        assert server.ask("SELECT word = 'a' FROM t", database="edge_copy") == [(True,)]
    finally:
        server.run({"databases": [{"name": name, "state": "absent", "force": True} for name in ("edge", "edge_copy")]})


def test_a_copy_of_the_template_that_lets_nobody_look(servers: dict[str, Server]) -> None:
    """What a site has put into the usual template is not in it."""
    server = servers["postgresql"]
    server.say("CREATE EXTENSION pgcrypto", "REVOKE USAGE ON SCHEMA public FROM PUBLIC", database="template1")
    other, untouched = {"encoding": "UTF8", "collation": "C"}, {"template": "template0"}
    databases = [{"name": f"edge_{n}", "extensions": ["pgcrypto"], **each} for n, each in enumerate((other, untouched))]
    everybody = {"user": "PUBLIC", "database": "edge_0", "state": "absent"}
    grants = [
        {**everybody, "object_type": "schema", "privileges": ["USAGE"]},
        {**everybody, "object_type": "default_functions", "privileges": ["EXECUTE"]},
    ]
    listed = "SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public'"
    owners = "pg_database_owner=UC/pg_database_owner"
    try:
        server.settle({"databases": databases, "grants": grants})
        assert server.ask(listed, database="edge_0") == [(f"{{{owners}}}",)]
        assert server.ask(listed, database="edge_1") == [(f"{{{owners},=U/pg_database_owner}}",)]
    finally:
        server.say("DROP EXTENSION pgcrypto", "GRANT USAGE ON SCHEMA public TO PUBLIC", database="template1")
        server.run({"databases": [{"name": each["name"], "state": "absent"} for each in databases]})


def test_all_that_there_are_are_those_that_no_extension_brought(servers: dict[str, Server]) -> None:
    """So it is the same before the extension is there, and for an administrator to whom they don't belong."""
    server = servers["postgresql"]
    users = [{"name": "edge", "attributes": ["ROLE"]}]
    users += [{"name": "edge_boss", "password": "of edge_boss", "attributes": ["ADMINISTRATOR"]}]
    at = {"user": "edge", "database": "edge", "object_type": "table", "privileges": ["SELECT"]}
    kinds = {"function": "EXECUTE", "sequence": "USAGE", "type": "USAGE"}
    grants = [at, *({**at, "object_type": kind, "privileges": [name]} for kind, name in kinds.items())]
    views = ("pg_stat_statements", "pg_stat_statements_info")
    listed = "SELECT relname FROM pg_class WHERE relacl::text LIKE '%edge=r%' ORDER BY 1"
    try:
        server.settle({"users": users, "databases": [{"name": "edge", "owner": "edge_boss"}]})
        boss = {**server.reached, "login_user": "edge_boss", "login_password": "of edge_boss"}
        server.say("SET ROLE edge_boss", "CREATE TABLE own (a serial)", database="edge")
        for reached, extension in ((boss, "citext"), (server.reached, "pg_stat_statements")):
            task = {"databases": [{"name": "edge", "extensions": [extension]}], "grants": grants}
            assert run(reached, task)
            assert not run(reached, task)
        assert server.ask(listed, database="edge") == [("own",)]
        server.settle({"grants": [{**at, "objects": [*views]}]})
        assert server.ask(listed, database="edge") == [("own",), *((each,) for each in views)]
    finally:
        gone = {"state": "absent", "force": True}
        server.run(
            {"databases": [{"name": "edge", **gone}], "users": [{"name": each["name"], **gone} for each in users]}
        )


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_a_password_that_cannot_be_compared_is_refused(engine: str, servers: dict[str, Server]) -> None:
    server, user = servers[engine], {"name": "edge", "password": "of edge"}
    other = "IDENTIFIED WITH sha256_password BY 'other'" if engine == "mysql" else "IDENTIFIED VIA unix_socket"
    server.say(f"CREATE USER edge {other}")
    try:
        with pytest.raises(FlatrunError, match=r"^users\[0\].password: edge@% logs in by "):
            server.run({"users": [user]})
        server.settle(
            {"users": [{**user, "plugin": "mysql_native_password" if engine == "mariadb" else "caching_sha2_password"}]}
        )
        assert server.may_enter("edge", "of edge")
    finally:
        server.run({"users": [{"name": "edge", "state": "absent"}]})


def test_a_user_with_several_ways_to_log_in(servers: dict[str, Server]) -> None:
    """MariaDB's own root is one."""
    server, user, native = servers["mariadb"], {"name": "edge", "password": "of edge"}, "mysql_native_password"
    other = "USING PASSWORD('other')"
    none = "USING 'invalid'"
    ways = [
        f"unix_socket OR {native} {other}",
        f"{native} {other} OR unix_socket",
        f"{native} {none} OR unix_socket",
    ]
    digest = "[*][0-9A-F]{40}"
    try:
        for had in ways:
            server.say(f"CREATE OR REPLACE USER edge IDENTIFIED VIA {had}")
            server.settle({"users": [user]})
            ((found,),) = server.ask("SHOW CREATE USER edge")
            assert re.sub(digest, "invalid", found).endswith(f" VIA {had}".replace(other, none))
            assert server.may_enter("edge", "of edge") is not None
        server.say(f"CREATE OR REPLACE USER edge IDENTIFIED VIA ed25519 {other} OR unix_socket OR {native} {other}")
        for check_mode in (True, False):
            with pytest.raises(FlatrunError, match=r"^users\[0\].password: edge@% logs in by ed25519 or mysql_n"):
                server.run({"users": [user]}, check_mode)
        assert not server.run({"users": [{**user, "password": "other"}]})
        server.settle({"users": [{**user, "plugin": native}]})
        assert re.search(f" VIA {native} USING '{digest}' OR unix_socket$", server.ask("SHOW CREATE USER edge")[0][0])
    finally:
        server.run({"users": [{"name": "edge", "state": "absent"}]})


def test_a_role_goes_by_its_name_alone(server: Server) -> None:
    server.settle({"users": [{"name": "edge_team", "attributes": ["ROLE"]}]})
    assert server.settle({"users": [{"name": "edge_team", "state": "absent"}]})
    server.settle({"users": [{"name": "edge_team", "attributes": ["ROLE"], "state": "absent"}]})


def test_what_mariadb_lists_nowhere(servers: dict[str, Server]) -> None:
    """Rights of roles and of everybody on the whole server; a role tells of the roles it is a member of, too."""
    server = servers["mariadb"]
    roles = [{"name": name, "attributes": ["ROLE"]} for name in ("edge` team", "edge_more")]
    on = {"user": "edge` team", "object_type": "server"}
    everybody = {**on, "user": "public", "privileges": ["PROCESS"]}
    shown = "SHOW GRANTS FOR `edge`` team`"
    server.run({"users": roles})
    server.say("GRANT ALL ON *.* TO edge_more", "GRANT edge_more TO `edge`` team`", "GRANT FILE ON *.* TO PUBLIC")
    try:
        role_alone = "GRANT {} ON *.* TO `edge`` team`"
        every = {**on, "privileges": ["ALL"], "grant_option": True}
        server.settle({"grants": [every, everybody]})
        assert (role_alone.format("ALL PRIVILEGES") + " WITH GRANT OPTION",) in server.ask(shown)
        given = {**server.reached, "gather": ["grants"]}
        told = modules.start("flatrun_db_info", given, server.modules).finish().good().said["grants"]
        found = {who: [each for each in told if each["user"] == who] for who in ("PUBLIC", "edge` team", "edge_more")}
        assert [each["privilege"] for each in found["PUBLIC"]] == ["FILE", "PROCESS"]
        assert len(found["edge` team"]) == len(found["edge_more"]) + 1 > 30
        assert {each["grantable"] for each in found["edge` team"] if each["privilege"] != "MEMBER"} == {True}
        less = {**on, "privileges": ["SELECT"]}
        server.settle({"grants": [{**less, "state": "absent"}, {**everybody, "state": "absent"}]})
        assert server.ask("SHOW GRANTS FOR PUBLIC") == [("GRANT FILE ON *.* TO PUBLIC",)]
        server.settle({"grants": [{**less, "privileges": ["SELECT", "INSERT"]}], "grants_mode": "exclusive"})
        assert server.ask(shown) == [(role_alone.format("SELECT, INSERT"),)]
        server.settle({"grants": [less], "grants_mode": "subtract"})
        assert server.ask(shown) == [(role_alone.format("INSERT"),)]
    finally:
        server.say("REVOKE ALL ON *.* FROM PUBLIC")
        server.run({"users": [{**each, "state": "absent"} for each in roles]})


def test_a_collation_of_several_character_sets(servers: dict[str, Server]) -> None:
    server = servers["mariadb"]
    wanted = {"name": "edge", "encoding": "utf8", "collation": "uca1400_ai_ci"}
    try:
        server.settle({"databases": [wanted]})
        server.settle({"databases": [{**wanted, "encoding": "utf8mb4"}]})
        found = "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'edge'"
        assert server.ask(found) == [("utf8mb4_uca1400_ai_ci",)]
    finally:
        server.run({"databases": [{"name": "edge", "state": "absent"}]})


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_who_is_locked_and_has_no_password_is_no_role(engine: str, servers: dict[str, Server]) -> None:
    server = servers[engine]
    role = {"name": "edge_team", "attributes": ["ROLE"]}
    server.say("CREATE USER edge_idle ACCOUNT LOCK")
    server.run({"users": [role]})
    try:
        given = {**server.reached, "gather": ["users"]}
        told = modules.start("flatrun_db_info", given, server.modules).finish().good().said["users"]
        found = {each["name"]: each["role"] for each in told}
        assert (found["edge_idle"], found["edge_team"]) == (False, True)
        if engine == "mysql":
            with pytest.raises(FlatrunError, match="can't be turned into a role"):
                server.run({"users": [{**role, "name": "edge_idle"}]}, True)
    finally:
        server.say("DROP USER edge_idle")
        server.run({"users": [{**role, "state": "absent"}]})


def test_schemas_come_change_hands_and_go(servers: dict[str, Server]) -> None:
    server = servers["postgresql"]
    listed = (
        "SELECT nspname, nspowner::regrole::text FROM pg_namespace"
        " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1"
    )
    use = {"user": "edge_two", "database": "edge", "object_type": "schema", "schema": "a b", "privileges": ["USAGE"]}
    both = [{"name": "a b", "owner": "edge_one"}, {"name": "plain"}]
    with readers(server):
        done = steps(server.settle({"databases": [{"name": "edge", "schemas": both}], "grants": [use]}))
        assert done[:2] == [("create", "schema edge.a b"), ("create", "schema edge.plain")]
        assert server.ask(listed, database="edge") == [
            ("a b", "edge_one"),
            ("plain", "postgres"),
            ("public", "pg_database_owner"),
        ]
        other = [{"name": "a b", "owner": "edge_three"}, {"name": "plain", "state": "absent"}]
        server.settle({"databases": [{"name": "edge", "schemas": other}], "grants": [use], "grants_mode": "exclusive"})
        server.say('CREATE TABLE "a b".t (id int)', database="edge")
        gone = {"name": "edge", "schemas": [{"name": "a b", "state": "absent"}]}
        with pytest.raises(FlatrunError) as refusal:
            server.run({"databases": [gone]})
        says = 'databases[0].schemas[0]: a b is not empty: there is table "a b".t.'
        assert refusal.value.sentence().startswith(says)
        server.settle({"databases": [{**gone, "force": True}]})
        assert server.ask(listed, database="edge") == [("public", "pg_database_owner")]


def test_a_new_database_with_schemas_of_its_own(any_server: Server) -> None:
    schemas = [{"name": "app", "owner": "edge"}, {"name": "public", "state": "absent"}]
    user = {"name": "edge", "password": "of edge"}
    task = {"databases": [{"name": "edge", "owner": "edge", "schemas": schemas}], "users": [user]}
    if not any_server.is_postgresql:
        with pytest.raises(FlatrunError) as refusal:
            any_server.run(task)
        assert refusal.value.sentence().startswith("databases[0].schemas: is for PostgreSQL alone")
        return
    try:
        any_server.settle(task)
        with any_server.opened("edge", "of edge", "edge") as mine, mine.cursor() as cursor:
            cursor.execute("CREATE TABLE app.t (id int)")
        assert any_server.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'public'", database="edge") == [(0,)]
    finally:
        gone = {"name": "edge", "state": "absent", "force": True}
        any_server.run({"databases": [gone], "users": [gone]})


def test_the_administrator_by_its_name_has_the_password_that_is_kept(server: Server) -> None:
    name, _password = server.administrator
    found = locate(connection(filled(DB.options, {**server.reached, "login_user": name})))
    assert isinstance(found, Endpoint)
    assert found == server.endpoint
    other = locate(connection(filled(DB.options, {**server.reached, "login_user": "another"})))
    assert isinstance(other, Endpoint)
    assert other.passwords == ()


@pytest.mark.parametrize("engine", ["mysql", "postgresql", "redis"])
def test_an_engine_that_is_another_one(engine: str, servers: dict[str, Server]) -> None:
    server, name = (
        (servers["mariadb"], "MySQL or MariaDB") if engine == "postgresql" else (servers["postgresql"], "Postgre")
    )
    at = {"login_host": server.endpoint.host, "login_port": server.endpoint.port, "connect_timeout": 2}
    login = {"login_user": "edge", "login_password": "of edge"}
    with pytest.raises(FlatrunError) as error:
        run({"engine": engine, **at, **login}, {"users": [{"name": "edge", "password": "of edge"}]}, True)
    assert error.value.sentence().startswith(f"engine: server {at['login_host']}:{at['login_port']} is {name}")
    assert error.value.sentence().endswith(f"and engine says {engine}. Correct it.")


def test_a_query_to_a_container_that_is_not_there(servers: dict[str, Server]) -> None:
    server = servers["postgresql"]
    given = {**server.reached, "container": f"{server.container}-none", "query": "SELECT 1"}
    for read_only in (True, False):
        task = queries.ROOM.parse(filled(QUERY.options, {**given, "read_only": read_only}))
        with pytest.raises(Unreachable, match="it does not exist"):
            walk(queries.ROOM, task, False, Walk())
    course: Walk[Any] = Walk()
    walk(queries.ROOM, task, True, course)
    assert [action.verb for action in course.plan.actions] == ["reach", "run"]
    assert course.warnings == [f"container {server.container}-none: it does not exist"]


def test_times_that_python_has_not(edge: Server) -> None:
    if not edge.is_postgresql:
        far = "CAST('9999-12-31 23:59:59' AS DATETIME) AS far"
        film = "TIME('25:00:00') AS film, TIME('-00:00:01.5') AS before_it, TIME('838:59:59') AS longest"
        (found,) = query(edge, [f"SELECT {far}, {film}"])["results"]
        assert found["rows"] == [
            {"far": "9999-12-31T23:59:59", "film": "25:00:00", "before_it": "-00:00:01.5", "longest": "838:59:59"}
        ]
        return
    statement = (
        "SELECT date '0044-03-15 BC' AS bc, timestamptz 'infinity' AS never, date '12000-01-01' AS far,"
        " ARRAY[date '-infinity', date '2020-02-29'] AS some, interval '1 month' AS month, interval '90 min' AS film,"
        " timestamp '2020-02-29 12:00' AS plain, time '24:00' AS midnight, timetz '12:00+02' AS noon,"
        " ARRAY[interval '25 h', interval '1 day 1 h'] AS long"
    )
    for read_only in (True, False):
        (found,) = query(edge, [statement], read_only=read_only)["results"]
        assert found["rows"] == [
            {
                "bc": "0044-03-15 BC",
                "never": "infinity",
                "far": "12000-01-01",
                "some": ["-infinity", "2020-02-29"],
                "month": "1 mon",
                "film": "01:30:00",
                "plain": "2020-02-29T12:00:00",
                "midnight": "24:00:00",
                "noon": "12:00:00+02",
                "long": ["25:00:00", "1 day 01:00:00"],
            }
        ]


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_vectors_are_told_as_what_is_binary(engine: str, servers: dict[str, Server]) -> None:
    server = servers[engine]
    made = "STRING_TO_VECTOR('[1,2.5]')" if engine == "mysql" else "VEC_FromText('[1,2.5]')"
    kept = base64.b64encode(struct.pack("<2f", 1, 2.5)).decode()
    server.say("CREATE DATABASE vectors", "CREATE TABLE vectors.v (a int PRIMARY KEY, v vector(2))")
    server.say(f"INSERT INTO vectors.v VALUES (1, {made}), (2, {made})")
    try:
        asked = {**server.reached, "query": f"SELECT {made} AS v", "database": "vectors"}
        told = modules.start("flatrun_db_query", asked, server.modules).finish().good().said
        assert told["rows"] == [{"v": kept}]
        asked = {**server.reached, "database": "vectors", "table": "v", "gather": ["tables"]}
        told = modules.start("flatrun_db_info", asked, server.modules).finish().good().said
        assert told["rows"]["rows"] == [{"a": 1, "v": kept}, {"a": 2, "v": kept}]
    finally:
        server.say("DROP DATABASE vectors")


def test_what_writes_while_it_selects_does_so_for_all_rows(edge: Server) -> None:
    rows = "SELECT 1 AS n" + " UNION ALL SELECT 1" * 19
    if edge.is_postgresql:
        edge.say("CREATE SEQUENCE edge_counted")
        statements, asked = [f"SELECT nextval('edge_counted') FROM ({rows}) r"], "SELECT last_value FROM edge_counted"
    else:
        statements = [f"CREATE TABLE counted AS {rows}", "INSERT INTO counted SELECT n FROM counted"]
        asked = "SELECT COUNT(*) FROM edge.counted"
    try:
        found = query(edge, statements, read_only=False, max_rows=3)["results"]
        assert edge.ask(asked) == [(20 * len(statements),)]
        if edge.is_postgresql:
            assert (len(found[0]["rows"]), found[0]["truncated"]) == (3, True)
    finally:
        if edge.is_postgresql:
            edge.say("DROP SEQUENCE edge_counted")


def test_an_encoding_by_another_spelling(servers: dict[str, Server]) -> None:
    server = servers["postgresql"]
    wanted = {"name": "edge", "encoding": "euc-jp", "collation": "C", "template": "template0"}
    asked = "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'edge'"
    try:
        server.settle({"databases": [wanted]})
        assert server.ask(asked) == [("EUC_JP",)]
    finally:
        server.run({"databases": [{"name": "edge", "state": "absent"}]})


def test_a_locale_by_another_spelling(servers: dict[str, Server]) -> None:
    server, names = servers["postgresql"], ("edge", "edge_copy")
    first, copy = ({"name": name, "collation": "en_US.utf8"} for name in names)
    asked = "SELECT DISTINCT datcollate FROM pg_database WHERE datname LIKE 'edge%%'"
    try:
        server.settle({"databases": [first]})
        assert not server.run({"databases": [{**first, "collation": "en_US.UTF-8"}]})
        # A copy is made with its template's own spelling alone.
        server.settle({"databases": [{**copy, "collation": "en_US.UTF-8", "template": "edge"}]})
        assert server.ask(asked) == [("en_US.utf8",)]
    finally:
        server.run({"databases": [{"name": name, "state": "absent"} for name in names]})


@pytest.mark.parametrize(
    ("privileges", "state", "left"), [("CONNECT", "present", (True, False)), ("TEMP", "absent", (False, False))]
)
def test_everybody_has_in_a_new_database_what_is_asked_alone(
    privileges: str, state: str, left: tuple[bool, bool], servers: dict[str, Server]
) -> None:
    server = servers["postgresql"]
    grant = {"user": "PUBLIC", "database": "edge", "privileges": [privileges], "state": state}
    asked = ", ".join(f"has_database_privilege('public', 'edge', '{each}')" for each in ("CONNECT", "TEMPORARY"))
    try:
        server.settle({"databases": [{"name": "edge"}], "grants": [grant]})
        assert server.ask(f"SELECT {asked}") == [left]
    finally:
        server.run({"databases": [{"name": "edge", "state": "absent"}]})


def test_a_dormant_membership_is_none(servers: dict[str, Server]) -> None:
    server = servers["postgresql"]
    member = {"user": "edge", "object_type": "role", "objects": ["edge_team"]}
    granted = "GRANT edge_team TO edge WITH INHERIT FALSE, SET FALSE"
    left = "SELECT count(*) FROM pg_auth_members WHERE member = 'edge'::regrole"
    may = "SELECT pg_has_role('edge', 'edge_team', 'USAGE'), pg_has_role('edge', 'edge_team', 'SET')"
    users = [{"name": "edge", "password": "of edge"}]
    users += [{"name": name, "attributes": ["ROLE"]} for name in ("edge_team", "edge_boss")]
    server.run({"users": users})
    server.say("GRANT edge_team TO edge_boss WITH ADMIN OPTION")
    try:
        for mode, useful in (("append", True), ("subtract", False), ("exclusive", True)):
            server.say(granted, f"{granted} GRANTED BY edge_boss")
            assert server.ask(may) == [(False, False)]
            server.settle({"grants": [member], "grants_mode": mode})
            assert server.ask(may) == [(useful, useful)]
            server.settle({"grants": [member], "grants_mode": "subtract"})
            assert server.ask(left) == [(0,)]
    finally:
        server.run({"users": [{"name": each["name"], "state": "absent", "force": True} for each in users]})


def test_the_option_of_one_dynamic_privilege_goes_alone(servers: dict[str, Server]) -> None:
    server = servers["mysql"]
    grant = {"user": "edge", "object_type": "server", "privileges": ["BACKUP_ADMIN"], "grant_option": True}
    both = {**grant, "grant_option": False, "privileges": ["BACKUP_ADMIN", "ROLE_ADMIN"]}
    listed = "SELECT PRIV, WITH_GRANT_OPTION FROM mysql.global_grants WHERE USER = 'edge' ORDER BY 1"
    may = "SELECT Process_priv, Grant_priv FROM mysql.user WHERE User = 'edge'"
    server.run({"users": [{"name": "edge", "password": "of edge"}]})
    try:
        for mode, asked, left, plain in (
            ("append", {**grant, "state": "absent"}, {"BACKUP_ADMIN": "N", "ROLE_ADMIN": "Y"}, ("Y", "Y")),
            ("append", {**grant, "state": "absent", "privileges": ["PROCESS"]}, {"ROLE_ADMIN": "Y"}, ("Y", "N")),
            ("exclusive", both, {"BACKUP_ADMIN": "N", "ROLE_ADMIN": "N"}, ("N", "N")),
            ("exclusive", grant, {"BACKUP_ADMIN": "Y"}, ("N", "N")),
        ):
            server.say("GRANT BACKUP_ADMIN, ROLE_ADMIN, PROCESS ON *.* TO edge WITH GRANT OPTION")
            server.settle({"grants": [asked], "grants_mode": mode})
            assert {**dict(server.ask(listed)), **left} == dict(server.ask(listed)), (mode, asked)
            assert server.ask(may) == [plain], (mode, asked)
    finally:
        server.run({"users": [{"name": "edge", "state": "absent"}]})


def test_a_partial_revoke_is_not_lifted(servers: dict[str, Server]) -> None:
    server = servers["mysql"]
    database = {"user": "edge", "database": "edge", "privileges": ["INSERT"]}
    everywhere = {"user": "edge", "object_type": "server", "privileges": ["SELECT", "INSERT"]}
    server.run({"users": [{"name": "edge", "password": "of edge"}], "grants": [everywhere]})
    server.say("SET GLOBAL partial_revokes = ON", "REVOKE INSERT ON edge.* FROM edge")
    try:
        for grant in (database, everywhere):
            with pytest.raises(FlatrunError) as error:
                server.run({"grants": [grant]}, True)
            said = "grants[0]: a partial revoke keeps INSERT on database edge from edge@%. Lift that with "
            assert error.value.sentence().startswith(said)
        assert not server.run({"grants": [{**database, "state": "absent"}]})
        server.say(error.value.do.removeprefix("Lift that with ").removesuffix(", or leave it out."))
        server.settle({"grants": [database, everywhere]})
    finally:
        server.run({"users": [{"name": "edge", "state": "absent"}]})
        server.say("SET GLOBAL partial_revokes = OFF")


@contextmanager
def readers(server: Server) -> Iterator[dict[str, Any]]:
    """Users of PostgreSQL and a table in a database of its own; yields a grant on that."""
    names = ("edge_one", "edge_two", "edge_three")
    users = [{"name": name, "password": f"of {name}"} for name in names]
    server.run({"databases": [{"name": "edge"}], "users": users})
    server.say("CREATE TABLE t (a int, b int)", database="edge")
    try:
        yield {"database": "edge", "object_type": "table", "objects": ["t"]}
    finally:
        gone = {"state": "absent", "force": True}
        server.run({"databases": [{"name": "edge", **gone}], "users": [{"name": name, **gone} for name in names]})


def granted(server: Server, giver: str, what: str, taker: str) -> None:
    server.say(f"SET ROLE {giver}", f"GRANT {what} ON t TO {taker}", database="edge")


def test_what_was_granted_on_is_taken_from_its_end(servers: dict[str, Server]) -> None:
    server = servers["postgresql"]
    may = "SELECT has_table_privilege('edge_two', 't', 'SELECT'), has_column_privilege('edge_two', 't', 'a', 'UPDATE')"
    with readers(server) as table:
        one, two = ({**table, "user": f"edge_{name}", "privileges": ["SELECT", "UPDATE"]} for name in ("one", "two"))
        for task, left in (
            ({"grants": [{**one, "privileges": ["INSERT"]}, two], "grants_mode": "exclusive"}, (True, True)),
            ({"grants": [one, two], "grants_mode": "subtract"}, (False, False)),
            ({"grants": [{**one, "state": "absent", "grant_option": True}, two]}, (True, True)),
        ):
            server.settle({"grants": [{**one, "grant_option": True}]})
            granted(server, "edge_one", "SELECT, UPDATE (a)", "edge_two")
            server.settle(task)
            assert server.ask(may, database="edge") == [left]
        server.settle({"grants": [{**one, "grant_option": True}]})
        granted(server, "edge_one", "SELECT", "edge_two WITH GRANT OPTION")
        granted(server, "edge_two", "SELECT", "edge_three")
        with pytest.raises(FlatrunError) as refusal:
            server.run({"grants": [{**one, "state": "absent"}, {**two, "state": "absent"}]})
        says = "grants[1]: edge_three has SELECT on table edge.public.t from edge_two, who is to lose that."
        assert says in refusal.value.sentence()
        assert server.ask(may, database="edge")[0][0]


def test_to_be_exclusive_is_to_have_no_right_on_the_servers_own_objects(servers: dict[str, Server]) -> None:
    server = servers["postgresql"]
    may = (
        "SELECT has_function_privilege('edge_one', 'pg_read_file(text)', 'EXECUTE'),"
        " has_table_privilege('edge_one', 'pg_authid', 'SELECT'), has_table_privilege('edge_one', 'pg_class', 'SELECT')"
    )
    with readers(server) as table:
        server.say(
            "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO edge_one",
            "GRANT SELECT ON pg_authid TO edge_one",
            database="edge",
        )
        assert server.ask(may, database="edge") == [(True, True, True)]
        grants = [{**table, "user": "edge_one", "privileges": ["SELECT"]}]
        assert server.settle({"grants": grants})
        server.settle({"grants": grants, "grants_mode": "exclusive"})
        assert server.ask(may, database="edge") == [(False, False, True)]


def told_memberships(server: Server, user: str) -> list[tuple[str, str]]:
    given = {**server.reached, "gather": ["grants"]}
    told = modules.start("flatrun_db_info", given, server.modules).finish().good().said["grants"]
    return [(each["object"], each["privilege"]) for each in told if each["user"] == user]


def test_a_membership_that_gives_nothing_is_told_as_such(
    servers: dict[str, Server], other_lines: dict[str, Server]
) -> None:
    """Who creates a role without being a superuser gets one, from PostgreSQL 16 on."""
    for server, kind in ((servers["postgresql"], "DORMANT"), (other_lines["postgresql:15"], "MEMBER")):
        made = ["CREATE ROLE edge_maker CREATEROLE", "CREATE ROLE edge_made", "GRANT edge_made TO edge_maker"]
        if kind == "DORMANT":
            made[-1] += " WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"
        server.say(*made)
        try:
            assert told_memberships(server, "edge_maker") == [("edge_made", kind)]
            if kind == "DORMANT":
                server.say("GRANT edge_made TO edge_maker WITH SET TRUE")
                assert told_memberships(server, "edge_maker") == [("edge_made", "MEMBER")]
        finally:
            server.say("DROP ROLE edge_made", "DROP ROLE edge_maker")


def test_grants_are_told_on_everything_in_a_database(servers: dict[str, Server]) -> None:
    server = servers["postgresql"]
    with readers(server) as table:
        server.say(
            "CREATE PROCEDURE p(a int, b varchar) LANGUAGE sql AS 'SELECT 1'",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE TYPE mood AS ENUM ('fine')",
            "CREATE SEQUENCE s",
            database="edge",
        )
        given = {**table, "user": "edge_one", "privileges": ["USAGE"], "objects": []}
        future = {**given, "object_type": "default_tables", "privileges": ["SELECT"]}
        grants = [
            {**given, "object_type": "schema"},
            {**given, "object_type": "sequence", "objects": ["s"]},
            {**given, "object_type": "type", "objects": ["mood"]},
            {**given, "objects": ["t"], "privileges": ["SELECT (a)", "INSERT"]},
            {**given, "object_type": "procedure", "objects": ["p"], "privileges": ["EXECUTE"]},
            {**given, "object_type": "function", "objects": ["f"], "privileges": ["EXECUTE"], "grant_option": True},
            {**future, "objects": ["edge_two"]},
            {**future, "schema": "public", "objects": ["edge_two"]},
        ]
        server.run({"grants": grants})
        given = {**server.reached, "gather": ["grants"], "database": "edge"}
        told = modules.start("flatrun_db_info", given, server.modules).finish().good().said["grants"]
    keys = ("object_type", "object", "privilege", "grantable")
    assert [tuple(each[key] for key in keys) for each in told if each["user"] == "edge_one"] == [
        ("column", "public.t.a", "SELECT", False),
        ("default_tables", "edge_two", "SELECT", False),
        ("default_tables", "public.edge_two", "SELECT", False),
        ("function", "public.f()", "EXECUTE", True),
        ("procedure", "public.p(integer, character varying)", "EXECUTE", False),
        ("schema", "public", "USAGE", False),
        ("sequence", "public.s", "USAGE", False),
        ("table", "public.t", "INSERT", False),
        ("type", "public.mood", "USAGE", False),
    ]


def foretold(edge: Server) -> list[tuple[dict[str, Any], str]]:
    """Tasks that the server would refuse in the middle, and what is named of them."""
    given = {"user": "edge", "database": "edge"}
    table = {**given, "object_type": "table"}
    common = [
        (
            {"grants": [{**table, "objects": ["missing"], "privileges": ["SELECT"]}]},
            "grants[0].objects: there is no table",
        ),
        ({"grants": [{**table, "objects": ["kept"], "privileges": ["UPDATE (b)"]}]}, "there is no column edge."),
        (
            {"grants": [{**given, "object_type": "procedure", "objects": ["kept"], "privileges": ["EXECUTE"]}]},
            "grants[0].objects: there is no procedure",
        ),
        (
            {"grants": [{"user": "edge", "object_type": "role", "objects": ["nobody"]}]},
            "there is no role nobody",
        ),
        (
            {"databases": [{"name": "edge_new", "encoding": "SJIS" * edge.is_postgresql or "no"}]},
            "databases[0].encoding",
        ),
        ({"databases": [{"name": "edge_new", "collation": "xx_XX"}]}, "databases[0].collation: 'xx_"),
    ]
    if not edge.is_postgresql:
        return common
    new, everybody = {"name": "edge_new"}, {**given, "user": "PUBLIC"}
    return [
        *common,
        ({"databases": [{**new, "encoding": "LATIN1"}]}, "databases[0].encoding: en_US.utf8 is a locale of UTF8"),
        ({"databases": [{**new, "encoding": "LATIN1", "collation": "C.UTF-8"}]}, "databases[0].encoding: C.UTF-8 is"),
        ({"databases": [{**new, "collation": "C", "template": "template1"}]}, "databases[0].template: template1 has"),
        (
            {"grants": [{**everybody, "privileges": ["CONNECT"], "grant_option": True}]},
            "grants[0].grant_option: PUBLIC",
        ),
        ({"grants": [{"user": "PUBLIC", "object_type": "role", "objects": ["edge"]}]}, "grants[0].user: PUBLIC"),
        (
            {"grants": [{**given, "object_type": "default_schemas", "schema": "public", "privileges": ["USAGE"]}]},
            "grants[0].schema: future schemas",
        ),
    ]


def test_what_the_server_would_refuse_in_the_middle_is_foretold(edge: Server) -> None:
    edge.say("CREATE TABLE kept (a int)", database="edge")
    for task, says in foretold(edge):
        with pytest.raises(FlatrunError) as error:
            edge.run({"users": [{"name": "edge_new", "password": "of edge"}], **task}, True)
        assert says in error.value.sentence()
    parts = {"user": "edge", "database": "edge", "object_type": "table", "objects": ["kept"]}
    edge.settle({"grants": [{**parts, "privileges": ["UPDATE (a)", "SELECT"]}]})
    edge.settle({"grants": [{**parts, "privileges": ["UPDATE (b)"], "state": "absent"}]})
    if edge.is_postgresql:
        edge.settle({"databases": [{"name": "edge_new", "collation": "C.UTF-8"}]})
        edge.run({"databases": [{"name": "edge_new", "state": "absent"}]})
    else:
        # Whoever may create a table may be told so before.
        edge.settle({"grants": [{**parts, "objects": ["missing"], "privileges": ["CREATE", "SELECT"]}]})


def test_grants_are_told_on_routines_and_of_roles(edge: Server) -> None:
    edge.run({"users": [{"name": "edge_team", "attributes": ["ROLE"]}]})
    if not edge.is_postgresql:
        edge.say("CREATE PROCEDURE sum_up() SELECT 1", database="edge")
        routine = {"object_type": "procedure", "objects": ["sum_up"], "database": "edge", "privileges": ["EXECUTE"]}
        edge.run({"grants": [{"user": "edge", **routine, "grant_option": True}]})
    member = {"user": "edge", "object_type": "role", "objects": ["edge_team"], "privileges": ["MEMBER"]}
    try:
        edge.run({"grants": [member]})
        given = {**edge.reached, "gather": ["grants"]}
        told = modules.start("flatrun_db_info", given, edge.modules).finish().good().said["grants"]
        own = [each for each in told if each["user"] == "edge"]
        assert [each["object"] for each in own if each["privilege"] == "MEMBER"] == ["edge_team"]
        if not edge.is_postgresql:
            login = {"login_user": "edge", "login_password": "of edge"}
            less = modules.start("flatrun_db_info", {**given, **login}, edge.modules).finish().good().said["grants"]
            assert all(each["user"] == "edge" and each["object_type"] != "role" for each in less)
            (found,) = (each for each in own if each["object_type"] == "procedure")
            assert (found["database"], found["object"], found["privilege"]) == ("edge", "sum_up", "EXECUTE")
            assert found["grantable"] is True
    finally:
        edge.run({"users": [{"name": "edge_team", "attributes": ["ROLE"], "state": "absent"}]})


@pytest.mark.parametrize("time", ["2030-01-01 25:00", "2030-01-01 00:00+99", "2030-01-01 1:2:3:4"])
def test_a_time_that_the_server_does_not_know_is_named(time: str, servers: dict[str, Server]) -> None:
    users = [{"name": f"edge_{number}", "password": "of edge"} for number in range(3)]
    users[1]["limits"], users[2]["limits"] = {"valid_until": "2030-01-01 12:00"}, {"valid_until": time}
    with pytest.raises(FlatrunError) as refusal:
        servers["postgresql"].run({"users": users}, check_mode=True)
    assert refusal.value.sentence().startswith("users[2].limits.valid_until: the server says: ")
