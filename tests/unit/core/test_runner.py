"""The corridor: where it ends, what it does on the way, and what it tells when it breaks off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, NotConverged, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan, reach
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal, Room, Walk, failure, walk


@dataclass(frozen=True)
class Spec:
    wanted: frozenset[str]
    seen_first: frozenset[str] = frozenset()


@dataclass
class Shelf:
    """A world of things that are there or aren't; ``calls`` tells what was asked of it."""

    things: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    stuck: str = ""
    breaks: str = ""
    meanwhile: str = ""

    def observe(self) -> frozenset[str]:
        self.calls.append("observe")
        return frozenset(self.things)

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.calls.append("hold")
        if self.meanwhile:
            self.things.add(self.meanwhile)
        yield
        self.calls.append("let go")

    def apply(self, plan: Plan, done: Journal) -> None:
        self.calls.append("apply")
        for action in plan.actions:
            if action.target == self.breaks:
                raise Refused("it is full", action.target)
            if action.target != self.stuck:
                self.things.add(action.target)
            done(action)


def room(shelf: Shelf) -> Room[Spec, frozenset[str]]:
    @contextmanager
    def world(_spec: Spec) -> Iterator[Shelf]:
        yield shelf
        shelf.calls.append("closed")

    def plan(spec: Spec, state: frozenset[str]) -> Plan:
        missing = sorted(spec.wanted - state)
        make = [Action("make", name, "it is missing") for name in missing if name != "far"]
        return Plan((*(reach(name, "it is far away") for name in missing if name == "far"), *make))

    return Room(
        parse=lambda params: Spec(frozenset(params["wanted"])),
        world=world,
        plan=plan,
        report=lambda spec, state, plan: {"there": sorted(state), "first": sorted(spec.seen_first)},
        anchor=lambda spec, state: replace(spec, seen_first=state),
    )


def go(shelf: Shelf, *wanted: str, check_mode: bool = False) -> tuple[dict[str, Any], Walk[Any]]:
    course: Walk[Any] = Walk()
    return walk(room(shelf), Spec(frozenset(wanted)), check_mode, course), course


def test_a_change_is_held_applied_and_looked_at_again() -> None:
    shelf = Shelf()
    result, course = go(shelf, "a", "b")
    assert result == {"there": ["a", "b"], "first": []}
    assert [action.target for action in course.done] == ["a", "b"]
    assert shelf.calls == ["observe", "hold", "observe", "apply", "observe", "let go", "closed"]


def test_nothing_to_do_takes_one_look_and_no_lock() -> None:
    shelf = Shelf({"a"})
    result, course = go(shelf, "a")
    assert (result["there"], bool(course.plan), course.done) == (["a"], False, [])
    assert shelf.calls == ["observe", "closed"]


def test_check_mode_only_looks() -> None:
    shelf = Shelf()
    result, course = go(shelf, "a", check_mode=True)
    assert shelf.calls == ["observe", "closed"]
    assert (result["there"], [action.target for action in course.plan.actions], course.done) == ([], ["a"], [])


def test_check_mode_warns_of_what_is_to_be_reached() -> None:
    _result, course = go(Shelf(), "a", "far", check_mode=True)
    assert course.warnings == ["far: it is far away"]


def test_what_another_run_did_while_the_lock_was_waited_for_is_not_done_again() -> None:
    shelf = Shelf(meanwhile="a")
    _result, course = go(shelf, "a", "b")
    assert [action.target for action in course.done] == ["b"]
    assert [action.target for action in course.plan.actions] == ["b"]


def test_where_another_run_did_all_of_it_meanwhile_nothing_is_applied() -> None:
    shelf = Shelf(meanwhile="a")
    _result, course = go(shelf, "a")
    assert (course.done, course.plan.actions) == ([], ())
    assert shelf.calls == ["observe", "hold", "observe", "let go", "closed"]


def test_the_first_look_anchors_the_spec() -> None:
    result, _course = go(Shelf({"a"}, meanwhile="b"), "a", "b", "c")
    assert result["first"] == ["a"]


def test_what_did_not_come_about_is_an_error() -> None:
    shelf = Shelf(stuck="b")
    with pytest.raises(
        NotConverged, match=r"^b: after 2 actions this is still to be done: make, because it is missing"
    ):
        go(shelf, "a", "b")
    assert shelf.things == {"a"}


def test_a_failure_tells_what_was_done_before() -> None:
    shelf, course = Shelf(breaks="b"), Walk()
    with pytest.raises(Refused) as caught:
        walk(room(shelf), Spec(frozenset("abc")), False, course)
    assert failure(caught.value, course) == {
        "msg": "b: it is full",
        "changed": True,
        "actions": [{"action": "make", "target": "a", "reason": "it is missing"}],
    }


def test_a_failure_before_any_change_is_none() -> None:
    assert failure(FlatrunError("no"), Walk()) == {"msg": "no", "changed": False, "actions": []}
