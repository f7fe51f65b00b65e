"""Rights whose meaning a server tells in its own way: what is left alone, and what goes along."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    ACTIVE,
    DORMANT,
    GRANT_OPTION,
    MEMBER,
    MYSQL,
    POSTGRESQL,
    PUBLIC,
    Grantee,
    Target,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_dependents import Dependents
from ansible_collections.flatrun.infra.tests.unit.database.world import Server, params, room

ANN, TEAM, BOSS = Grantee("ann", "%"), Grantee("team", "%"), Grantee("dba", "%")


def statements(server: Server, **task: Any) -> list[str]:
    course: Walk[Any] = Walk()
    here = room(server)
    return list(walk(here, here.parse(params(**task)), False, course)["statements"])


@pytest.fixture
def mysql() -> Server:
    """With two roles, of which one is there for when it is asked for alone."""
    made = Server(MYSQL)
    roles = [{"name": role.name, "attributes": ["ROLE"]} for role in (TEAM, BOSS)]
    statements(made, users=[{"name": "ann", "password": "of ann"}, *roles])
    made.rights[ANN, Target("role", name="dba", host="%")] = {MEMBER: False}
    return made


def test_a_role_that_is_granted_makes_no_other_active(mysql: Server) -> None:
    member = {"user": "ann", "object_type": "role", "objects": ["team"]}
    assert statements(mysql, grants=[{**member, "grant_option": True}]) == [
        "GRANT 'team'@'%' TO 'ann'@'%' WITH ADMIN OPTION",
        "ALTER USER 'ann'@'%' DEFAULT ROLE 'team'@'%'",
    ]
    assert statements(mysql, grants=[{**member, "grant_option": True, "state": "absent"}]) == [
        "REVOKE 'team'@'%' FROM 'ann'@'%'",
        "GRANT 'team'@'%' TO 'ann'@'%'",
        "ALTER USER 'ann'@'%' DEFAULT ROLE 'team'@'%'",
    ]
    assert statements(mysql, grants=[{**member, "objects": ["dba"]}])[-1:] == [
        "ALTER USER 'ann'@'%' DEFAULT ROLE 'dba'@'%', 'team'@'%'",
    ]
    assert mysql.rights[ANN, Target("role", name="dba", host="%")] == {MEMBER: False, ACTIVE: False}


def test_what_a_server_keeps_in_another_spelling_is_taken_and_counts_as_given(mysql: Server) -> None:
    at = {"user": "ann", "database": "s_p"}
    column = {**at, "object_type": "table", "objects": ["t"], "privileges": ["SELECT (a)", "SELECT (B)"]}
    kept = [Target("column", "s_p", name="t", column=each) for each in ("A", "b")]
    twice = [Target("database", each) for each in ("s_p", "s\\_p")]
    mysql.rights.update({(ANN, target): {"SELECT": False} for target in (*kept, *twice)})
    grants = [column, {**at, "privileges": ["SELECT"]}]
    assert not statements(mysql, grants=grants)
    assert statements(mysql, grants=grants, grants_mode="subtract") == [
        "REVOKE SELECT ON `s\\_p`.* FROM 'ann'@'%'",
        "REVOKE SELECT ON `s_p`.* FROM 'ann'@'%'",
        "REVOKE SELECT (`A`) ON `s_p`.`t` FROM 'ann'@'%'",
        "REVOKE SELECT (`b`) ON `s_p`.`t` FROM 'ann'@'%'",
    ]


@pytest.mark.parametrize("mode", ["append", "exclusive"])
def test_columns_are_granted_on_by_their_tables_option(mysql: Server, mode: str) -> None:
    table, column = Target("table", "d", name="t"), Target("column", "d", name="t", column="a")
    grant = {"user": "ann", "database": "d", "object_type": "table", "objects": ["t"], "privileges": ["SELECT (a)"]}
    statements(mysql, grants=[{**grant, "grant_option": True}], grants_mode=mode)
    assert (mysql.rights[ANN, table], mysql.rights[ANN, column]) == ({GRANT_OPTION: False}, {"SELECT": False})
    assert not statements(mysql, grants=[{**grant, "grant_option": True}], grants_mode=mode)
    assert statements(mysql, grants=[grant], grants_mode=mode)[:1] == (
        ["REVOKE GRANT OPTION ON `d`.`t` FROM 'ann'@'%'"] if mode == "exclusive" else []
    )
    mysql.rights[ANN, table] = {"INSERT": False, GRANT_OPTION: False}
    assert statements(mysql, grants=[{**grant, "privileges": ["INSERT"], "state": "absent"}]) == [
        "REVOKE INSERT ON `d`.`t` FROM 'ann'@'%'"
    ]
    assert statements(mysql.copy(), grants=[{**grant, "state": "absent"}]) == [
        "REVOKE SELECT (`a`) ON `d`.`t` FROM 'ann'@'%'",
        "REVOKE GRANT OPTION ON `d`.`t` FROM 'ann'@'%'",
    ]
    assert statements(mysql, grants=[{**grant, "grant_option": True, "state": "absent"}]) == [
        "REVOKE GRANT OPTION ON `d`.`t` FROM 'ann'@'%'"
    ]
    assert mysql.rights[ANN, column] == {"SELECT": False}


@pytest.mark.parametrize(
    ("grants", "mode", "left"),
    [
        ([], "append", {}),
        ([{"privileges": ["CONNECT"]}], "append", {"CONNECT": False}),
        ([{"privileges": ["TEMP"], "state": "absent"}], "append", {}),
        ([{"privileges": ["CONNECT"]}], "subtract", {}),
        ([{"privileges": ["ALL"]}], "exclusive", dict.fromkeys(("CONNECT", "CREATE", "TEMPORARY"), False)),
    ],
)
def test_everybody_has_in_a_new_database_what_is_asked_alone(grants: list[Any], mode: str, left: Any) -> None:
    server = Server(POSTGRESQL)
    given = [{"user": "PUBLIC", "database": "s_p", **each} for each in grants]
    task = {"databases": [{"name": "s_p"}], "grants": given, "grants_mode": mode}
    statements(server, **task)
    assert server.rights[PUBLIC, Target("database", "s_p")] == left
    assert not statements(server, **task)


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"name": "s" * 64}, "databases[0].schemas[0].name: has 64 bytes"),
        ({"name": "pg_app"}, "databases[0].schemas[0].name: pg_app belongs to the server itself"),
        ({"name": "app", "owner": "bob"}, "databases[0].schemas[0].owner: there is no role bob"),
        ({"name": "app", "owner": "ann", "state": "absent"}, "databases[0].schemas[0].owner: what is to go"),
        ({"name": "public", "state": "absent"}, "databases[0].schemas[0]: public is not empty: there is table t"),
        ({"name": "app", "state": "absent"}, "grants[0].schema: app is to go"),
        ({"name": ""}, "databases[0].schemas[0].name: must be a name"),
    ],
)
def test_schemas_that_are_refused(schema: dict[str, Any], says: str) -> None:
    grant = {"user": "ann", "database": "base", "object_type": "schema", "schema": "app", "privileges": ["USAGE"]}
    task = {
        "databases": [{"name": "base", "schemas": [schema]}],
        "users": [{"name": "ann", "password": "of ann"}],
        "grants": [grant] if schema["name"] == "app" else [],
    }
    with pytest.raises(FlatrunError) as refusal:
        statements(Server(POSTGRESQL), **task)
    assert refusal.value.sentence().startswith(says)


@pytest.mark.parametrize("objects", [[], ["*"]])
@pytest.mark.parametrize("mode", ["append", "exclusive", "subtract"])
@pytest.mark.parametrize("engine", [MYSQL, POSTGRESQL])
def test_a_privilege_on_columns_needs_their_table(engine: str, mode: str, objects: list[str]) -> None:
    grant = {"user": "ann", "database": "base", "object_type": "table", "objects": objects}
    grant["privileges"] = ["INSERT", "SELECT (a)"]
    users = [{"name": "ann", "password": "of ann"}]
    with pytest.raises(FlatrunError, match=r"^grants\[0\]\.objects: is needed"):
        statements(Server(engine), users=users, grants=[grant], grants_mode=mode)


@pytest.mark.parametrize("admin", [False, True])
def test_a_dormant_membership_is_none_and_is_woken_or_taken(admin: bool) -> None:
    server, ann, team = Server(POSTGRESQL), Grantee("ann"), Target("role", name="team")
    users = [{"name": "ann", "password": "of ann"}, {"name": "team", "attributes": ["ROLE"]}]
    statements(server, users=users)
    member = {"user": "ann", "object_type": "role", "objects": ["team"]}
    for grant, mode, left in (
        (member, "append", {MEMBER: admin}),
        ({**member, "grant_option": True}, "append", {MEMBER: True}),
        (member, "exclusive", {MEMBER: False}),
        (member, "subtract", {}),
        ({**member, "grant_option": True, "state": "absent"}, "append", {DORMANT: False}),
    ):
        server.rights[ann, team] = {DORMANT: admin}
        statements(server, grants=[grant], grants_mode=mode)
        assert server.rights[ann, team] == left, (grant, mode)
        assert not statements(server, grants=[grant], grants_mode=mode)
    server.rights[ann, team] = {DORMANT: admin}
    assert statements(server, grants=[{**member, "grant_option": True}]) == [
        'GRANT "team" TO "ann" WITH INHERIT FALSE, SET TRUE, ADMIN TRUE'
    ]


def test_the_option_of_one_dynamic_privilege_goes_alone(mysql: Server) -> None:
    mysql.rights[ANN, Target("server")] = {"ROLE_ADMIN": True, "PROCESS": False, "GRANT OPTION": False}
    grant = {"user": "ann", "object_type": "server", "privileges": ["ROLE_ADMIN"]}
    anew = ["REVOKE ROLE_ADMIN ON *.* FROM 'ann'@'%'", "GRANT ROLE_ADMIN ON *.* TO 'ann'@'%'"]
    other = mysql.copy()
    assert statements(mysql, grants=[{**grant, "grant_option": True, "state": "absent"}]) == anew
    third = other.copy()
    assert statements(third, grants=[{**grant, "grant_option": True}], grants_mode="exclusive")[-3:] == [
        "REVOKE ROLE_ADMIN ON *.* FROM 'ann'@'%'",
        "REVOKE GRANT OPTION, PROCESS ON *.* FROM 'ann'@'%'",
        "GRANT ROLE_ADMIN ON *.* TO 'ann'@'%' WITH GRANT OPTION",
    ]
    assert statements(other, grants=[grant], grants_mode="exclusive")[-3:] == [
        *anew,
        "REVOKE GRANT OPTION, PROCESS ON *.* FROM 'ann'@'%'",
    ]


def test_what_falls_is_what_was_granted_on() -> None:
    ann, bob, cid = (Grantee(name) for name in ("ann", "bob", "cid"))
    table, role = Target("table", "d", "public", "t"), Target("role", name="team")
    column = Target("column", "d", "public", "t", "a")
    found = Dependents(
        {
            (bob, table, "SELECT"): ("ann",),
            (bob, column, "UPDATE"): ("ann", "cid"),
            (cid, table, "UPDATE"): ("ann",),
            (cid, role, DORMANT): ("ann",),
        }
    )
    assert found.of(ann, table, ["SELECT"]) == {(bob, table): ["SELECT"]}
    assert found.of(ann, table, ["UPDATE"]) == {(bob, column): ["UPDATE"], (cid, table): ["UPDATE"]}
    assert found.of(ann, column, ["UPDATE"]) == {(bob, column): ["UPDATE"]}
    assert found.of(ann, role, [MEMBER]) == {(cid, role): [DORMANT]}
    assert not found.of(bob, table, ["SELECT", "UPDATE"])
