# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The corridor every module walks: observe, plan, report or apply, observe again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Callable, Generic, Protocol, TypeVar

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, NotConverged
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan

Spec = TypeVar("Spec")
State = TypeVar("State")
Seen_co = TypeVar("Seen_co", covariant=True)
Journal = Callable[[Action], None]


class World(Protocol[Seen_co]):
    """What a room needs of the outside; the tests have one in memory."""

    def observe(self) -> Seen_co: ...

    def hold(self) -> AbstractContextManager[object]:
        """Keep other runs away from what is about to change."""

    def apply(self, plan: Plan, done: Journal) -> None:
        """Do the plan; call ``done`` after each action, so that a failure can say how far it came."""


@dataclass(frozen=True)
class Room(Generic[Spec, State]):
    """One module: how its parameters are read, its world opened, its plan made and its result told.

    ``anchor`` turns a verb into a condition once the first State is known: "restarted" becomes "started after that".
    """

    parse: Callable[[dict[str, Any]], Spec]
    world: Callable[[Spec], AbstractContextManager[World[State]]]
    plan: Callable[[Spec, State], Plan]
    report: Callable[[Spec, State, Plan], dict[str, Any]]
    anchor: Callable[[Spec, State], Spec] = lambda spec, _state: spec


@dataclass
class Walk(Generic[State]):
    """How far a run came; it is filled in as the run goes, so that an error can be told with it."""

    plan: Plan = Plan()
    done: list[Action] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def walk(room: Room[Spec, State], spec: Spec, check_mode: bool, course: Walk[State]) -> dict[str, Any]:
    """Go once through the room and return its report; raises FlatrunError."""
    with room.world(spec) as world:
        state = world.observe()
        spec = room.anchor(spec, state)
        course.plan = room.plan(spec, state)
        if check_mode:
            course.warnings = [f"{action.target}: {action.reason}" for action in course.plan.unreached]
        elif course.plan:
            with world.hold():
                # Another run may have been at work until a moment ago: what counts is what is there now.
                former, state = state, world.observe()
                course.plan = course.plan if state == former else room.plan(spec, state)
                if course.plan:
                    world.apply(course.plan, course.done.append)
                    state = world.observe()
            _require_nothing_left(room.plan(spec, state), course.plan)
        return room.report(spec, state, course.plan)


def _require_nothing_left(rest: Plan, plan: Plan) -> None:
    for left in rest.actions:
        raise NotConverged(
            f"after {len(plan.actions)} actions this is still to be done: {left.verb}, because {left.reason}",
            left.target,
            "Something else changes it at the same time, or the server did not take it; run again with -vvv.",
        )


def failure(error: FlatrunError, course: Walk[Any]) -> dict[str, Any]:
    """What a failed run returns: the sentence, and the truth about what was done before."""
    return {"msg": error.sentence(), "changed": bool(course.done), "actions": [act.summary() for act in course.done]}
