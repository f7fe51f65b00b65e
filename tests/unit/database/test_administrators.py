"""Who does the work in place of root: what makes an administrator, what one has to join, and what none may lose."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database import change as changes
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    MARIADB,
    MYSQL,
    POSTGRESQL,
    Database,
    Grantee,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan import plan
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_joins import joins
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import parse
from ansible_collections.flatrun.infra.tests.unit.database.world import ADMINISTRATOR, Server, params, room

ENGINES = (MYSQL, MARIADB, POSTGRESQL)
DEPUTY = {"name": "ann", "password": "pw of ann", "attributes": ["ADMINISTRATOR"]}
BOSS = Grantee(ADMINISTRATOR)


def run(server: Server, **task: Any) -> Any:
    course: Walk[State] = Walk()
    here = room(server)
    walk(here, here.parse(params(**task)), False, course)
    return course.plan


def refusal(server: Server, **task: Any) -> str:
    held = server.copy().holds()
    with pytest.raises(FlatrunError) as error:
        run(server, **task)
    assert server.holds() == held
    return error.value.sentence()


@pytest.mark.parametrize(
    ("engine", "more", "says"),
    [
        (MYSQL, {"attributes": ["NOADMINISTRATOR"]}, "users[0].attributes: NOADMINISTRATOR says of no right"),
        (MARIADB, {"attributes": ["ADMINISTRATOR", "ROLE"], "password": None}, "users[0].attributes: nobody logs in"),
        (POSTGRESQL, {"attributes": ["ADMINISTRATOR", "NOLOGIN"]}, "users[0].attributes: nobody logs in"),
        (POSTGRESQL, {"attributes": ["ADMINISTRATOR", "NOCREATEDB"]}, "users[0].attributes: ADMINISTRATOR needs"),
    ],
)
def test_what_contradicts_it_is_refused(engine: str, more: dict[str, Any], says: str) -> None:
    assert refusal(Server(engine), users=[{**DEPUTY, **more}]).startswith(says)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_that_goes_is_asked_for_nothing(engine: str) -> None:
    server = Server(engine)
    before = server.copy().holds()
    run(server, users=[DEPUTY])
    assert [action.verb for action in run(server, users=[{**DEPUTY, "state": "absent"}]).actions] == ["drop"]
    assert server.holds() == before
    assert not run(server, users=[{**DEPUTY, "state": "absent"}])


@pytest.mark.parametrize("engine", ENGINES)
def test_who_is_not_named_by_grants_keeps_what_it_has(engine: str) -> None:
    """The mode is about the users of the grants: neither a database's owner nor an administrator is one by that."""
    server = Server(engine)
    privilege = "CONNECT" if engine == POSTGRESQL else "SELECT"
    grant = {"user": "ann", "database": "base", "privileges": [privilege]}
    databases = [{"name": "shop", "owner": "ann"}]
    run(server, users=[DEPUTY], databases=databases, grants=[grant])
    for mode in ("exclusive", "subtract"):
        assert not run(server, users=[DEPUTY], databases=databases, grants_mode=mode)
    done = run(server, users=[DEPUTY], databases=databases, grants=[grant], grants_mode="subtract")
    assert [action.target for action in done.actions] == [
        "ann on database base" if engine == POSTGRESQL else "ann@% on database base"
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("more", [{"state": "absent"}, {"grants_mode": "subtract"}, {"grants_mode": "exclusive"}])
def test_the_one_in_use_loses_nothing(engine: str, more: dict[str, str]) -> None:
    server = Server(engine)
    who = Grantee(ADMINISTRATOR) if engine == POSTGRESQL else Grantee(ADMINISTRATOR, "%")
    server.users[who] = User(who, attributes=frozenset({"SUPERUSER"} if engine == POSTGRESQL else ()))
    privilege = "CONNECT" if engine == POSTGRESQL else "SELECT"
    for name in ("base", "other"):
        server.rights[who, Target("database", name)] = {privilege: False}
    more = dict(more)
    mode = more.pop("grants_mode", "append")
    grant = {"user": ADMINISTRATOR, "database": "base", "privileges": [privilege], **more}
    said = refusal(server, grants=[grant], grants_mode=mode)
    assert "the administrator that this task logs in as, and may lose none of its rights" in said


def test_a_server_without_patterns_has_none() -> None:
    grant = {"user": "eve", "database": "s%", "pattern": True, "privileges": ["SELECT"]}
    for item, task in (("users[0]", {"users": [DEPUTY]}), ("grants[0]", {"grants": [grant]})):
        with pytest.raises(FlatrunError) as error:
            plan(parse(params(**task)), State(MYSQL, literal_patterns=True))
        assert error.value.sentence().startswith(f"{item}: this server has partial_revokes on")


def joined(change: changes.Change, state: State) -> list[str]:
    action = Action("do", "it", "it must be", "grants[0]", None, {}, change)
    return [each.detail.target.name for each in joins(parse(params()), state, [action])]


def test_whose_member_it_has_to_be() -> None:
    shop = Target("database", "shop")
    state = State(
        POSTGRESQL,
        administrator=ADMINISTRATOR,
        databases={"shop": Database("shop", "ann")},
        users={Grantee("king"): User(Grantee("king"), attributes=frozenset({"SUPERUSER"}))},
        administers=frozenset({"CREATEDB", "CREATEROLE"}),
        member_of=frozenset({"bob"}),
    )
    assert joined(changes.AddExtension("shop", "hstore"), state) == ["ann"]
    assert joined(changes.Grant(Grantee("eve"), shop, {"CONNECT": False}), state) == ["ann"]
    assert joined(changes.Grant(Grantee("eve"), Target("role", name="ann"), {"MEMBER": False}), state) == []
    # What others gave is taken back as them; nobody joins a superuser, or whose member it is.
    others = {"CONNECT": ("bob", "dan", "king", ADMINISTRATOR)}
    assert joined(changes.Revoke(Grantee("eve"), shop, ("CONNECT",), False, others), state) == ["ann", "dan"]
