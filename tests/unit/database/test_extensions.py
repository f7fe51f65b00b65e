"""Extensions of PostgreSQL, and the databases that they come with."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    POSTGRESQL,
    PUBLIC,
    Database,
    Grantee,
    Inside,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan import plan
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_dialect import privileges
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_places import UNTOUCHED, looked_into
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import parse
from ansible_collections.flatrun.infra.tests.unit.database.world import ADMINISTRATOR, Server, params, room


def statements(**database: Any) -> list[str]:
    """What is foreseen for a database to come."""
    here = room(Server(POSTGRESQL))
    spec = here.parse(params(databases=[{"name": "shop", **database}]))
    return list(walk(here, spec, True, Walk())["statements"])


def added(**database: Any) -> list[str]:
    return [each for each in statements(**database) if "EXTENSION" in each]


def test_an_extension_may_be_named_twice_and_before_what_it_brings_along() -> None:
    extensions = ["earthdistance", "cube", "earthdistance"]
    assert added(extensions=extensions) == [
        'CREATE EXTENSION IF NOT EXISTS "earthdistance" CASCADE',
        'CREATE EXTENSION IF NOT EXISTS "cube" CASCADE',
    ]


@pytest.mark.parametrize(
    ("database", "template", "missing"),
    [
        ({}, "template1", ["cube"]),
        ({"encoding": "UTF8"}, "template0", ["cube", "hstore"]),
        ({"collation": "C"}, "template0", ["cube", "hstore"]),
        ({"template": "template0"}, "template0", ["cube", "hstore"]),
        ({"template": "template1", "encoding": "UTF8"}, "template1", ["cube"]),
    ],
)
@pytest.mark.parametrize("unfinished", [False, True])
def test_what_a_database_is_a_copy_of(
    database: dict[str, Any], template: str, missing: list[str], unfinished: bool
) -> None:
    """The same for what is planned, for what is looked into and for the statement; also where a run died in between."""
    ann = Grantee("ann")
    there = {name: Database(name, "ann", "UTF8", "C") for name in ("template0", "template1")}
    there.update({"shop": Database("shop", "ann", "UTF8", "C", unfinished=True)} if unfinished else {})
    site = Target("schema", "template1", "site")
    state = State(
        POSTGRESQL,
        version=(17, 0),
        administrator="ann",
        databases=there,
        users={ann: User(ann)},
        privileges=privileges((17, 0)),
        insides={"template0": UNTOUCHED, "template1": Inside(frozenset({"hstore"}), frozenset({site}), {site: ann})},
        collations={"UTF8": ""},
        locales={"C": ""},
        extensions=frozenset({"cube", "hstore"}),
    )
    spec = parse(params(databases=[{"name": "shop", "extensions": ["cube", "hstore"], **database}]))
    assert looked_into(spec, there) == {template}
    actions = plan(spec, state).actions
    assert [each.detail.name for each in actions if each.target.startswith("extension")] == missing
    schema = {"user": "ann", "database": "shop", "object_type": "schema", "privileges": ["USAGE"]}
    for name, holds in (("public", template == "template0"), ("site", template == "template1")):
        given = [{**schema, "schema": name}]
        spec = parse(params(databases=[{"name": "shop", **database}], grants=given))
        if holds:
            assert plan(spec, state)
            continue
        with pytest.raises(Refused, match="there is no schema"):
            plan(spec, state)


@pytest.mark.parametrize("gone", [False, True])
def test_what_an_extension_brought_is_meant_by_its_name_alone(gone: bool) -> None:
    ann, mine, other = Grantee("ann"), *(Target("table", "shop", "public", name) for name in ("mine", "its"))
    schema, held = Target("schema", "shop", "public"), {"SELECT": False}
    objects = {each: Grantee(ADMINISTRATOR) for each in (mine, other, schema)}
    rights = {(ann, mine): held, (ann, other): held} if gone else {}
    state = State(
        POSTGRESQL,
        version=(17, 0),
        administrator=ADMINISTRATOR,
        databases={"shop": Database("shop", ADMINISTRATOR, "UTF8", "C")},
        users={ann: User(ann)},
        privileges=privileges((17, 0)),
        insides={"shop": Inside(frozenset({"cube"}), frozenset(objects), objects, rights, brought=frozenset({other}))},
    )
    grant = {"user": "ann", "database": "shop", "object_type": "table", "privileges": ["SELECT"]}
    grant["state"] = "absent" if gone else "present"
    for named, meant in (([], [mine]), (["*"], [mine]), (["its"], [other]), (["its", "mine"], [other, mine])):
        actions = plan(parse(params(grants=[{**grant, "objects": named}])), state).actions
        assert [each.detail.target for each in actions] == meant


def test_the_template_is_named_where_it_is_not_the_usual_one() -> None:
    assert "TEMPLATE" not in statements()[0]
    for database in ({"encoding": "UTF8"}, {"collation": "C"}):
        assert ' TEMPLATE "template0" ' in statements(**database)[0]


def test_what_everybody_may_do_in_future_in_a_copy_of_the_untouched_template() -> None:
    taken = {"user": "PUBLIC", "database": "shop", "object_type": "default_functions", "objects": [ADMINISTRATOR]}
    taken.update(privileges=["EXECUTE"], state="absent")
    here = room(Server(POSTGRESQL))
    spec = here.parse(params(databases=[{"name": "shop", "encoding": "UTF8"}], grants=[taken]))
    course: Walk[Any] = Walk()
    walk(here, spec, True, course)
    (revoked,) = (each.detail for each in course.plan.actions if each.verb == "revoke" and "default" in each.target)
    assert (revoked.grantee, revoked.privileges) == (PUBLIC, ("EXECUTE",))
