"""Runs that are killed, or whose connection breaks, at a statement: what was done is told, and the next run converges.

A sample of the points is tried, spread over all of them. FLATRUN_TEST_POINTS says how many for each server and fault,
"all" for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, failure, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import DB
from ansible_collections.flatrun.infra.plugins.module_utils.database.room import ROOM
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, Server, filled, steps
from ansible_collections.flatrun.infra.tests.integration.faults.lab import until
from ansible_collections.flatrun.infra.tests.integration.wire import AFTER, BEFORE, SENT, Point, Wire, writes

pytestmark = GROUP
POINTS = os.environ.get("FLATRUN_TEST_POINTS", "3")
Task = dict[str, Any]


def tasks(postgresql: bool) -> tuple[Task, Task, Task]:
    """From nothing to something, from there to something else, and away with all of it."""
    grant = {"user": "cut_b", "database": "cut_1"}
    first: Task = {
        "databases": [{"name": "cut_1", "owner": "cut_a"}, {"name": "cut%2"}, {"name": "cut_3", "owner": "cut_c"}],
        "users": [
            {"name": "cut_a", "password": "first of a"},
            {"name": "cut_b", "password": "first of b"},
            {"name": "cut_c", "password": "first of c"},
            {"name": "cut_r", "attributes": ["ROLE"]},
        ],
        "grants": [
            {**grant, "privileges": ["CONNECT"] if postgresql else ["SELECT", "INSERT"], "grant_option": True},
            {"user": "cut_b", "object_type": "role", "objects": ["cut_r"]},
            {"user": "cut_r", "database": "cut%2", "privileges": ["ALL"]},
        ],
    }
    if postgresql:
        first["grants"].append({"user": "cut_r", "object_type": "schema", "database": "cut_1", "privileges": ["USAGE"]})
    second: Task = {
        "databases": [
            {"name": "cut_1", "owner": "cut_b", **({"connection_limit": 7} if postgresql else {"encoding": "latin1"})},
            {"name": "cut%2"},
            {"name": "cut_3", "state": "absent"},
            {"name": "cut_4", "owner": "cut_d"},
        ],
        "users": [
            {"name": "cut_a", "password": "second of a"},
            {"name": "cut_b", "password": "first of b", "limits": {"max_user_connections": 9}},
            {"name": "cut_c", "state": "absent"},
            {"name": "cut_d", "password": "first of d"},
        ],
        "grants": [
            {**grant, "privileges": ["TEMPORARY"] if postgresql else ["DELETE"]},
            {"user": "cut_r", "database": "cut_4", "privileges": ["ALL"], "grant_option": True},
            {"user": "cut_a", "database": "cut_4", "privileges": ["ALL"], "state": "absent"},
        ],
        "grants_mode": "exclusive",
    }
    gone = {"state": "absent", "force": True}
    last: Task = {
        "databases": [{"name": name, **gone} for name in ("cut_1", "cut%2", "cut_3", "cut_4")],
        "users": [{"name": f"cut_{letter}", **gone} for letter in "abcd"]
        + [{"name": "cut_r", "attributes": ["ROLE"], **gone}],
    }
    return first, second, last


class Course:
    """The three tasks one after the other; any of them may be the one that is interrupted."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.tasks = tasks(server.is_postgresql)

    def before(self, number: int) -> None:
        """Everything as it is when the task is begun."""
        self.server.run(self.tasks[2])
        for task in self.tasks[:number]:
            self.server.run(task)

    def statements(self, number: int) -> list[str]:
        """What the task sends, and then it is done."""
        self.before(number)
        with Wire(self.server) as wire:
            undisturbed(self.server, wire, self.tasks[number])
        return wire.statements

    def end(self, number: int) -> None:
        """Those who are to be there get in by their passwords, and those who aren't don't."""
        self.server.settle(self.tasks[number])
        for user in self.tasks[number]["users"]:
            if user.get("password"):
                assert self.server.may_enter(user["name"], user["password"]) is True, user
                assert self.server.may_enter(user["name"], "another") is None, user
            elif user.get("state") == "absent":
                assert self.server.may_enter(user["name"], f"first of {user['name'][-1]}") is None, user


def undisturbed(server: Server, wire: Wire, task: Task) -> None:
    walk(ROOM, ROOM.parse(filled(DB.options, {**server.through(wire.port), **task})), False, Walk())


def spread(points: Sequence[tuple[int, Point]]) -> list[tuple[int, Point]]:
    count = len(points) if POINTS == "all" else min(int(POINTS), len(points))
    return [points[(2 * index + 1) * len(points) // (2 * count)] for index in range(count)]


@pytest.fixture
def course(server: Server) -> Course:
    made = Course(server)
    yield made
    server.run(made.tasks[2])


def test_killed_at_a_statement(server: Server, course: Course) -> None:
    points = []
    for number in range(len(course.tasks)):
        count = sum(map(writes, course.statements(number)))
        points += [(number, Point(k, when)) for k in range(1, count + 1) for when in (SENT, AFTER)]
    for number, point in spread(points):
        course.before(number)
        with Wire(server, point) as wire:
            process = server.start(server.through(wire.port), course.tasks[number])
            wire.fault = process.kill
            ended = process.finish()
        assert wire.struck, (number, point, ended)
        assert ended.code == -9, (number, point, ended)
        course.end(number)


def test_killed_while_another_connection_is_at_work(servers: dict[str, Server]) -> None:
    """PostgreSQL drops several databases at once, and ends what it is at when nobody is there any more."""
    server = servers["postgresql"]
    names = {"cut_1", "cut_2"}
    server.run({"databases": [{"name": name} for name in names]})
    away = {"databases": [{"name": name, "state": "absent"} for name in names]}
    with ExitStack() as others:
        busy = {name: others.enter_context(server.opened()) for name in names}
        for name, other in busy.items():
            with other.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute(f"COMMENT ON DATABASE {name} IS 'being looked at'")
        killed = server.start(server.reached, away)
        until(lambda: len(dropping(server)) == 2)
        # The connection with the lock gets to its end, the other one doesn't.
        ended = dropping(server)["ExclusiveLock"]
        busy.pop(ended).cursor().execute("COMMIT")
        until(lambda: ended not in databases(server))
        killed.kill()
        assert killed.finish().code == -9
        until(lambda: list(dropping(server)) == ["ShareLock"])
        following = server.start(server.reached, away)
        until(lambda: server.ask("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
        assert databases(server) & names
    done = following.finish().good()
    assert not done.changed, done.actions
    assert not databases(server) & names


def databases(server: Server) -> set[str]:
    return {name for (name,) in server.ask("SELECT datname FROM pg_database")}


def dropping(server: Server) -> dict[str, str]:
    """What the connections of runs are dropping, each by the lock that it has."""
    rows = server.ask(
        "SELECT mode, query FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND state = 'active'"
    )
    return {mode: query.split()[-1].strip('"') for mode, query in rows if query.startswith("DROP DATABASE")}


def test_connection_broken_at_a_statement(server: Server, course: Course) -> None:
    points = []
    for number in range(len(course.tasks)):
        sent = course.statements(number)
        # Letting the lock go is the last thing, and nobody misses the answer.
        points += [
            (number, Point(k, BEFORE, of_writes=False)) for k, each in enumerate(sent, 1) if "LOCK(" not in each.upper()
        ]
        points += [(number, Point(k, AFTER)) for k in range(1, sum(map(writes, sent)) + 1)]
    for number, point in spread(points):
        course.before(number)
        task = course.tasks[number]
        foreseen = steps(server.run(task, check_mode=True))
        with Wire(server, point) as wire:
            told = broken(server, wire, task)
        left = steps(server.run(task, check_mode=True))
        done = [(action["action"], action["target"]) for action in told["actions"]]
        about = (number, str(point), wire.statements[-3:], told["msg"])
        assert "connection" in told["msg"], about
        assert "not known" not in told["msg"], about
        assert told["changed"] is bool(done), about
        # What was told is the truth: all that was done, and nothing that is still to be done.
        assert sorted({*done, *left}) == sorted({*foreseen, *left}), about
        assert not {*done} & {*left}, about
        course.end(number)


def test_connection_broken_for_good(server: Server, course: Course) -> None:
    """Where nobody can look what became of a statement, that is said."""
    course.before(0)
    with Wire(server, Point(1, AFTER), cut=True) as wire:
        told = broken(server, wire, course.tasks[0])
    assert "whether this was done is not known" in told["msg"]
    assert not told["changed"]
    assert not told["actions"]
    course.end(0)


def broken(server: Server, wire: Wire, task: Task) -> dict[str, Any]:
    """What the module returns, when the connection breaks under it."""
    walked: Walk[Any] = Walk()
    with pytest.raises(FlatrunError) as error:
        walk(ROOM, ROOM.parse(filled(DB.options, {**server.through(wire.port), **task})), False, walked)
    return failure(error.value, walked)


@contextmanager
def held(server: Server) -> Iterator[int]:
    """The lock of another run, and the number that its connection has."""
    take, who = ("GET_LOCK('flatrun.infra', 0)", "CONNECTION_ID()")
    if server.is_postgresql:
        take, who = (f"pg_advisory_lock({0x666C617472756E})", "pg_backend_pid()")
    with server.opened() as other, other.cursor() as cursor:
        cursor.execute(f"SELECT {who}, {take}")
        yield cursor.fetchone()[0]


def waiting(server: Server) -> int:
    asked = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT GET_LOCK%%'"
    if server.is_postgresql:
        asked = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return int(server.ask(asked)[0][0])


def test_two_runs_at_once_on_the_same_user(server: Server, course: Course) -> None:
    """Both have looked before either did anything, and both end right."""
    course.before(0)
    first, second = course.tasks[0], {**course.tasks[0], "grants": [{**course.tasks[1]["grants"][0], "user": "cut_c"}]}
    with held(server):
        runs = [server.start(server.reached, task) for task in (first, second)]
        until(lambda: waiting(server) == 2)
    ended = [each.finish().good() for each in runs]
    assert all(each.changed for each in ended), [each.actions for each in ended]
    made = [action["target"] for each in ended for action in each.actions if action["action"] == "create"]
    assert len(made) == len({*made})
    for task in (first, second):
        assert not server.run(task)
    course.end(0)


def test_who_is_at_work_is_told(server: Server) -> None:
    task = ROOM.parse(filled(DB.options, server.reached))
    with ROOM.world(task) as world, held(server) as number, pytest.raises(FlatrunError) as error:
        world.hold(1).__enter__()
    words = f"(process {number} of postgres from " if server.is_postgresql else f"(connection {number} of root from "
    assert f"another run is at work on it {words}" in error.value.sentence()
