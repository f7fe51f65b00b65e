"""Laws of the database room, over a small state space in full: what a task leaves, and what the next one finds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Plan
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import AlterSchema, CreateSchema
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import MARIADB, MYSQL, POSTGRESQL, State
from ansible_collections.flatrun.infra.tests.unit.database.world import ADMINISTRATOR, Killed, Server, params, room

# The last is PostgreSQL with an administrator who is no superuser.
LIMITED = f"limited {POSTGRESQL}"
ENGINES = (MYSQL, MARIADB, POSTGRESQL, LIMITED)
PASSWORDS = ("fir'st\\ \"pa$$word", "sec'ond\\ \"pa$$word")

ANN = {"name": "ann", "password": PASSWORDS[0]}
OTHER = {"name": "ann", "password": PASSWORDS[1], "limits": {"max_user_connections": 3}}
KEPT = {"name": "ann", "password": PASSWORDS[1], "update_password": "on_create"}
GONE = {"name": "ann", "state": "absent", "force": True}
TEAM = {"name": "team", "attributes": ["ROLE"]}
SHOP = {"name": "s_p", "owner": "ann"}
PLAIN = {"name": "s_p"}
CLOSED = {"name": "s_p", "state": "absent"}

READ = {MYSQL: ["SELECT"], MARIADB: ["SELECT"], POSTGRESQL: ["CONNECT"]}


def tasks(engine: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What may have been asked before, and what is asked then: users and databases, and what may be done there."""
    read = {"user": "ann", "database": "base", "privileges": READ[engine]}
    every = {"user": "ann", "database": "base", "privileges": ["ALL"], "grant_option": True}
    table = {"user": "ann", "database": "base", "object_type": "table", "objects": ["t"]}
    columns = {**table, "privileges": ["SELECT (a, b)", "UPDATE (b)"]}
    whole = {**table, "privileges": ["SELECT", "UPDATE"]}
    member = {"user": "ann", "object_type": "role", "objects": ["team"]}
    mine = {"user": "ann", "database": "s_p", "privileges": READ[engine]}
    grants: list[list[dict[str, Any]]] = [
        [],
        [read],
        [every],
        [{**every, "state": "absent"}],
        [{**read, "state": "absent"}, member],
        [columns],
        [whole, columns],
        [{**whole, "state": "absent"}],
        [{**member, "grant_option": True}, mine],
    ]
    if engine == POSTGRESQL:
        grants.append([{"user": "PUBLIC", "database": "s_p", "privileges": ["CONNECT"]}])
    else:
        grants.append([{"user": "ann", "object_type": "server", "privileges": ["PROCESS", "ROLE_ADMIN"]}, read])
        grants.append([{**every, "object_type": "server", "database": None}])
    plain = [{"users": [ANN, TEAM], "databases": [SHOP], "grants": given} for given in grants]
    deputy = {**ANN, "attributes": ["ADMINISTRATOR"]}
    other = [{**task, "grants_mode": mode} for task in plain for mode in ("exclusive", "subtract")]
    more: list[dict[str, Any]] = []
    if engine == POSTGRESQL:
        schemas = [{"name": "app", "owner": "ann"}, {"name": "old"}]
        use = {"user": "team", "database": "s_p", "object_type": "schema", "schema": "app", "privileges": ["USAGE"]}
        made = {"users": [ANN, TEAM], "databases": [{**SHOP, "schemas": schemas}], "grants": [use]}
        less = [{"name": "app", "owner": "team"}, {"name": "old", "state": "absent"}]
        more = [made, {**made, "databases": [{**SHOP, "schemas": less}], "grants_mode": "exclusive"}]
    first = [
        {},
        *plain,
        *more,
        {"users": [OTHER, TEAM], "databases": [PLAIN]},
        {"users": [GONE], "databases": [CLOSED]},
    ]
    return first, [
        *first,
        *other,
        {"users": [KEPT]},
        {"users": [deputy]},
        {"users": [GONE]},
        {"databases": [{**PLAIN, "encoding": "latin1"}]},
    ]


def run(server: Server, task: dict[str, Any], check_mode: bool = False) -> tuple[Walk[State], dict[str, Any]]:
    course: Walk[State] = Walk()
    here = room(server)
    return course, walk(here, here.parse(params(**task)), check_mode, course)


@dataclass(frozen=True)
class Case:
    """A task that comes to a server, and what is foreseen."""

    server: Server
    before: dict[str, Any]
    task: dict[str, Any]
    foreseen: Plan

    def prepared(self) -> Server:
        return self.server.copy()


@lru_cache
def cases(engine: str) -> tuple[list[Case], int]:
    """The whole space, and how much of it is refused: that has no plan to be judged, and changes nothing."""
    found, refused = [], 0
    limited, engine = engine == LIMITED, engine.split()[-1]
    befores, asked = tasks(engine)
    for before in befores:
        server = Server(engine, limited=limited)
        run(server, before)
        held = server.holds()
        for task in asked:
            try:
                course, _result = run(server, task, check_mode=True)
                found.append(Case(server, before, task, course.plan))
            except Refused:
                refused += 1
            assert server.holds() == held
    return found, refused


@pytest.mark.parametrize("engine", ENGINES)
def test_most_of_the_space_is_done(engine: str) -> None:
    found, refused = cases(engine)
    assert len(found) > 400
    assert refused < len(found) / 10


@pytest.mark.parametrize("engine", ENGINES)
def test_a_task_converges_and_is_as_it_was_foreseen(engine: str) -> None:
    for case in cases(engine)[0]:
        server = case.prepared()
        course, result = run(server, case.task)
        assert course.plan.diff() == case.foreseen.diff(), (case.before, case.task)
        held, writes = server.holds(), server.writes
        assert writes == len(case.foreseen.actions)
        again, result = run(server, case.task)
        assert not again.plan, (case.before, case.task, again.plan.actions)
        assert result["statements"] == []
        assert (server.holds(), server.writes) == (held, writes)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_diff_tells_what_is_then_there(engine: str) -> None:
    for case in cases(engine)[0]:
        server = case.prepared()
        run(server, case.task)
        last = {action.target: action for action in case.foreseen.actions if action.verb in ("grant", "revoke")}
        shown = {target: bool(action.after) for target, action in last.items()}
        there = {f"{who} on {target}" for (who, target), held in server.rights.items() if held}
        # What a table loses, its columns lose with it.
        wrong = {target for target, after in shown.items() if after != (target in there)}
        # A user that goes takes its rights along.
        assert not wrong or case.task["users"] == [GONE], (case.before, case.task, wrong)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_action_could_be_left_out(engine: str) -> None:
    for case in cases(engine)[0]:
        whole = case.prepared()
        run(whole, case.task)
        for left_out in range(len(case.foreseen.actions)):
            server = case.prepared()
            try:
                for number, action in enumerate(case.foreseen.actions):
                    if number != left_out:
                        server.do(action)
            except (AssertionError, KeyError):
                continue
            assert server.holds() != whole.holds(), (case.before, case.task, case.foreseen.actions[left_out])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_may_die_after_any_action(engine: str) -> None:
    for case in cases(engine)[0]:
        whole = case.prepared()
        run(whole, case.task)
        for lives in range(len(case.foreseen.actions)):
            server = case.prepared()
            server.lives = lives
            with pytest.raises(Killed):
                run(server, case.task)
            server.lives = 10**9
            run(server, case.task)
            assert server.holds() == whole.holds(), (case.before, case.task, lives)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_output_holds_a_password(engine: str) -> None:
    for case in cases(engine)[0]:
        server = case.prepared()
        course, result = run(server, case.task)
        told = repr((course, result, case.foreseen, case.foreseen.diff()))
        assert not any(password[:6] in told or password[6:] in told for password in PASSWORDS), (case.before, case.task)


@pytest.mark.parametrize("engine", ENGINES)
def test_nobody_has_rights_before_a_password_nor_an_open_database_before_its_rights(engine: str) -> None:
    for case in cases(engine)[0]:
        verbs = [(action.verb, action.detail) for action in case.foreseen.actions]
        rank = {"create": 0, "set_password": 0, "alter": 0, "grant": 1, "revoke": 1, "open": 2, "drop": 3}
        outer = [
            rank[verb]
            for verb, detail in verbs
            if not (verb in ("grant", "revoke") and detail.target.kind not in ("database", "role", "server"))
            and not isinstance(detail, (CreateSchema, AlterSchema))
            # Before it can do what is left to do, the administrator becomes a member of others.
            and not (verb == "grant" and detail.grantee.name == ADMINISTRATOR)
        ]
        assert outer == sorted(outer), verbs


@pytest.mark.parametrize(("count", "version", "copied"), [(128, (17, 0), 128), (127, (17, 0), 0), (128, (14, 9), 0)])
def test_so_many_databases_that_they_fill_the_log_are_copied(count: int, version: tuple[int, ...], copied: int) -> None:
    server = Server(POSTGRESQL, version)
    _course, result = run(server, {"databases": [{"name": f"d{number}"} for number in range(count)]})
    assert sum("STRATEGY FILE_COPY" in statement for statement in result["statements"]) == copied
