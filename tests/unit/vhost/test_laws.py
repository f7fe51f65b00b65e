"""Laws of the vhost room, over a small state space in full."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import SHARED, State
from ansible_collections.flatrun.infra.tests.unit.vhost.world import (
    RELOADED,
    STAGED,
    SWITCHED,
    Killed,
    Server,
    params,
    room,
)

A = {"name": "a.example", "upstream": "one:80"}
A_CHANGED = {"name": "a.example", "upstream": "two:80", "websocket": False}
A_GONE = {"name": "a.example", "state": "absent"}
# The same upstream as A, and a name of its own.
B = {"name": "b", "domains": ["b.example", "*.b.example"], "upstream": "one:80", "timeouts": {"read": "5m"}}

TASKS = [
    (list(vhosts), exclusive)
    for vhosts, exclusive in product([(), (A,), (A_CHANGED,), (A_GONE,), (B,), (A, B), (A_GONE, B)], (False, True))
]
VERSIONS = [(1, 26, 3), (1, 30, 0)]


def run(server: Server, task: tuple[list[dict[str, Any]], bool], check_mode: bool = False) -> tuple[Walk[State], Any]:
    course: Walk[State] = Walk()
    here = room(server)
    return course, walk(here, here.parse(params(task[0], exclusive=task[1])), check_mode, course)


def servers(version: tuple[int, ...], before: tuple[list[dict[str, Any]], bool], status: str = "running") -> Server:
    server = Server(State(status=status, version=version, release="000001", served="000001"))
    run(server, before)
    server.reloads = 0
    server.switches.clear()
    return server


SPACE = list(product(VERSIONS, TASKS, TASKS))


def test_a_task_converges_and_the_second_run_does_nothing() -> None:
    for version, before, task in SPACE:
        server = servers(version, before)
        run(server, task)
        done = server.reloads, len(server.switches)
        course, result = run(server, task)
        assert not course.plan, (before, task, course.plan)
        assert result["live"]
        assert (server.reloads, len(server.switches)) == done


def test_what_is_asked_is_there_and_nothing_else_has_changed() -> None:
    for version, before, task in SPACE:
        server = servers(version, before)
        kept = dict(server.state.files.vhosts)
        run(server, task)
        wanted = {each["name"] for each in task[0] if each.get("state") != "absent"}
        listed = {each["name"] for each in task[0]}
        others = set() if task[1] else set(kept) - listed
        assert set(server.state.files.vhosts) == wanted | others
        assert all(server.state.files.vhosts[name] == kept[name] for name in others)
        assert (SHARED in server.state.files.texts) == bool(wanted | others)


def test_one_reload_at_most_and_none_without_a_change() -> None:
    for version, before, task in SPACE:
        server = servers(version, before)
        course, result = run(server, task)
        assert server.reloads == len(server.switches) == bool(course.plan)
        assert result["reloaded"] == bool(course.plan)


def test_every_action_is_needed() -> None:
    """Each differs from what was there; and each file that differs afterwards has its action."""
    for version, before, task in SPACE:
        server = servers(version, before)
        former = dict(server.state.files.texts)
        course, _result = run(server, task)
        shown = [action for action in course.plan.actions if action.verb != "release"]
        assert all(action.before != action.after for action in shown)
        after = server.state.files.texts
        changed = {name for name in {*former, *after} if former.get(name) != after.get(name)}
        assert len(shown) == len(changed)


def test_the_diff_is_what_is_then_observed_and_check_mode_says_the_same() -> None:
    for version, before, task in SPACE:
        server = servers(version, before)
        foretold, _result = run(server, task, check_mode=True)
        assert not server.switches
        course, _result = run(server, task)
        assert foretold.plan == course.plan
        for action in course.plan.actions:
            if action.item:
                assert server.state.files.vhosts.get(action.item) == action.after


def test_a_run_that_is_killed_anywhere_is_made_up_for() -> None:
    for version, before, task in SPACE:
        for point in (STAGED, SWITCHED, RELOADED):
            server = servers(version, before)
            server.killed_at = point
            try:
                run(server, task)
            except Killed:
                run(server, task)
            course, result = run(server, task)
            assert not course.plan
            assert result["live"]


def test_all_upstreams_that_are_used_are_defined_once_and_no_other_is() -> None:
    for version, before, task in SPACE:
        server = servers(version, before)
        run(server, task)
        shared = server.state.files.texts.get(SHARED, "")
        defined = [line.split()[1] for line in shared.splitlines() if line.startswith("upstream ")]
        used = {
            word.split("//")[1].rstrip(";/")
            for text in server.state.files.vhosts.values()
            for word in text.split()
            if word.startswith("http://flatrun_")
        }
        assert sorted(defined) == sorted({*used, *(["flatrun_upstreams"] if used else [])})


def test_without_an_nginx_check_mode_foretells_and_a_run_refuses() -> None:
    server = Server(State())
    course, result = run(server, ([A], False), check_mode=True)
    assert [action.verb for action in course.plan.actions] == ["reach", "add", "share", "release"]
    assert course.warnings
    assert not result["live"]
    with pytest.raises(FlatrunError, match="does not exist"):
        run(server, ([A], False))


def test_a_stopped_nginx_gets_its_release_and_no_reload() -> None:
    server = servers((1, 30, 0), ([], False), status="exited")
    _course, result = run(server, ([A], False))
    assert (len(server.switches), result["reloaded"], result["live"]) == (1, False, False)
    assert not run(server, ([A], False))[0].plan


def test_what_is_not_served_although_it_is_on_disk_is_reloaded() -> None:
    server = servers((1, 30, 0), ([A], False))
    server.state = State(**{**vars(server.state), "served": "000001"})
    course, result = run(server, ([A], False))
    assert [action.verb for action in course.plan.actions] == ["reload"]
    assert result["live"]
