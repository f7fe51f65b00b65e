"""What goes from PostgreSQL together with its grants, or with what still needs it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    POSTGRESQL,
    Grantee,
    Inside,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan import plan
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import parse
from ansible_collections.flatrun.infra.tests.unit.database.world import Server, params, room

APP = {"name": "app", "password": "of app"}
READERS = {"name": "readers", "attributes": ["ROLE"]}
ABSENT = {"state": "absent"}
# All that a grant may be on, in the database that goes.
ON = {"user": "app", "database": "shop"}
GRANTS = [
    {**ON, "privileges": ["ALL"]},
    {**ON, "object_type": "schema", "privileges": ["ALL"]},
    {**ON, "object_type": "table", "privileges": ["SELECT"]},
    {**ON, "object_type": "default_tables", "privileges": ["SELECT"]},
    {**ON, "object_type": "default_tables", "objects": ["readers"], "privileges": ["SELECT"]},
]
EVERYBODYS = {**ON, "user": "PUBLIC", "object_type": "default_functions", "privileges": ["EXECUTE"], **ABSENT}


def statements(server: Server, **task: Any) -> list[str]:
    here = room(server)
    return list(walk(here, here.parse(params(**task)), False, Walk())["statements"])


def gone(*items: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**item, **ABSENT} for item in items]


def grants(mode: str, *given: dict[str, Any]) -> dict[str, Any]:
    return {"grants": list(given) if mode == "subtract" else gone(*given), "grants_mode": mode}


@pytest.mark.parametrize("mode", ["append", "subtract"])
def test_what_goes_with_its_grants_goes_once(mode: str) -> None:
    server, shop, member = Server(POSTGRESQL), {"name": "shop"}, {**ON, "object_type": "role", "objects": ["readers"]}
    member["database"] = None
    statements(server, databases=[shop], users=[APP, READERS], grants=[GRANTS[0], *GRANTS[3:], member])
    task = {"databases": gone(shop), "users": gone(APP, READERS), **grants(mode, *GRANTS, member)}
    assert statements(server, **task)[-3:] == ['DROP DATABASE "shop"', 'DROP ROLE "app"', 'DROP ROLE "readers"']
    assert not statements(server, **task)


@pytest.mark.parametrize("mode", ["append", "subtract"])
def test_grants_on_what_is_gone_are_nothing_to_do(mode: str) -> None:
    server = Server(POSTGRESQL)
    statements(server, users=[APP])
    inner = [{**each, "database": "base", "schema": "old", "objects": ["gone"]} for each in GRANTS[2:4]]
    inner.append({**inner[0], "privileges": ["SELECT (a)"]})
    inner.append({**inner[0], "object_type": "function", "privileges": ["EXECUTE"]})
    place = {**GRANTS[1], "database": "base", "schema": "old"}
    assert not statements(server, **grants(mode, *GRANTS, *inner, place, EVERYBODYS))
    # Of a role that isn't there nobody takes the rights that would have come with it.
    assert not statements(server, grants=[{**EVERYBODYS, "objects": ["readers"]}])
    assert not statements(server, grants=[{**EVERYBODYS, "database": "base", "objects": ["readers"]}])
    assert not statements(server, users=[APP], grants=[{**EVERYBODYS, "objects": ["app"]}])


@pytest.mark.parametrize("mode", ["append", "subtract"])
def test_a_schema_goes_with_its_grants(mode: str) -> None:
    server, use = Server(POSTGRESQL), {**GRANTS[1], "database": "base", "schema": "old"}
    base = {"name": "base", "schemas": [{"name": "old"}]}
    statements(server, databases=[base], users=[APP], grants=[use])
    task = {"databases": [{**base, "schemas": gone({"name": "old"})}], **grants(mode, use)}
    assert statements(server, **task)[-1] == 'DROP SCHEMA "old"'
    assert not statements(server, **task)


def test_a_database_goes_with_the_owner_of_its_schema() -> None:
    server, shop = Server(POSTGRESQL), {"name": "shop", "schemas": [{"name": "app", "owner": "app"}]}
    statements(server, databases=[shop], users=[APP])
    task = {"databases": gone(shop), "users": gone(APP)}
    assert statements(server, **task) == ['DROP DATABASE "shop"', 'DROP ROLE "app"']
    assert not statements(server, **task)


def test_a_template_may_go_when_its_copy_is_there() -> None:
    server, copy = Server(POSTGRESQL), {"name": "new", "template": "tpl"}
    statements(server, databases=[{"name": "tpl"}])
    assert statements(server, databases=[copy, {"name": "tpl", **ABSENT}])[-1] == 'DROP DATABASE "tpl"'
    assert not statements(server, databases=[copy, {"name": "tpl", **ABSENT}])
    assert not statements(server, databases=[copy])
    with pytest.raises(FlatrunError, match=r"^databases\[0\]\.template: there is no database tpl"):
        statements(server, databases=[{**copy, "name": "newer"}])


def test_a_routine_that_could_be_either_is_not_taken_for_none() -> None:
    routines = frozenset(Target("function", "base", "public", f"f({kind})") for kind in ("integer", "text"))
    names = {Grantee(name): User(Grantee(name)) for name in ("app", "boss")}
    server = Server(POSTGRESQL).seen(parse(params()))
    found = State(POSTGRESQL, users=names, databases=server.databases, insides={"base": Inside(objects=routines)})
    grant = {"user": "app", "database": "base", "object_type": "function", "privileges": ["EXECUTE"], **ABSENT}
    with pytest.raises(FlatrunError, match=r"^grants\[0\]\.objects: there is no function base\.public\.f"):
        plan(parse(params(grants=[{**grant, "objects": ["f"]}])), found)
    assert not plan(parse(params(grants=[{**grant, "objects": ["g"]}])), found)


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (
            {"databases": gone({"name": "shop"}), "users": [APP], "grants": GRANTS[:1]},
            "grants[0].database: the database shop is to go",
        ),
        (
            {"databases": gone({"name": "shop"}), "users": [APP], "grants": GRANTS[3:4]},
            "grants[0].database: the database shop is to go",
        ),
        (
            {
                "users": [APP, *gone(READERS)],
                "grants": [{"user": "app", "object_type": "role", "objects": ["readers"]}],
            },
            "grants[0].objects[0]: the role readers is to go",
        ),
        (
            {"users": [APP, *gone(READERS)], "grants": [{**GRANTS[4], "database": "base"}]},
            "grants[0].objects[0]: the role readers is to go",
        ),
        (
            {"databases": [{"name": "d9", "owner": "app"}], "users": gone({**APP, "force": True})},
            "databases[0].owner: the role app is to go",
        ),
        (
            {"databases": [{"name": "base", "schemas": [{"name": "s", "owner": "app"}]}], "users": gone(APP)},
            "databases[0].schemas[0].owner: the role app is to go",
        ),
    ],
)
def test_what_goes_is_relied_on_by_nothing_that_comes(task: dict[str, Any], says: str) -> None:
    server = Server(POSTGRESQL)
    statements(server, databases=[{"name": "shop"}], users=[APP, READERS])
    held = server.holds()
    for found in (server.seen(parse(params(**task))), State(POSTGRESQL, reached=False, words="nothing is there")):
        with pytest.raises(FlatrunError) as refusal:
            plan(parse(params(**task)), found)
        assert refusal.value.sentence().startswith(says)
    with pytest.raises(FlatrunError):
        statements(server, **task)
    assert server.holds() == held
