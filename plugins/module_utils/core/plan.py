# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan is data: what will be done, to what, and why. Everything a user sees is made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

REACH = "reach"


@dataclass(frozen=True)
class Action:
    """One step.

    ``item`` is the entry of the task's list the step belongs to. ``before`` and ``after`` are what the diff shows
    (``None``: it isn't there); they hold only what is known beforehand and no secret. ``detail`` is what apply
    needs, typed by the room, and is never shown.
    """

    verb: str
    target: str
    reason: str
    item: str = ""
    before: Any = None
    after: Any = None
    detail: Any = None

    def summary(self) -> dict[str, str]:
        return {"action": self.verb, "target": self.target, "reason": self.reason}


@dataclass(frozen=True)
class Plan:
    """Actions in the order they are to be done; with none, ``reason`` says why nothing is to be done."""

    actions: tuple[Action, ...] = ()
    reason: str = "everything is as asked"

    def __bool__(self) -> bool:
        return bool(self.actions)

    def of(self, item: str) -> tuple[Action, ...]:
        return tuple(self._by_item.get(item, ()))

    @cached_property
    def _by_item(self) -> dict[str, list[Action]]:
        found: dict[str, list[Action]] = {}
        for action in self.actions:
            found.setdefault(action.item, []).append(action)
        return found

    @property
    def unreached(self) -> tuple[Action, ...]:
        """What has to be there before the rest can be done, and isn't yet."""
        return tuple(action for action in self.actions if action.verb == REACH)

    def diff(self) -> list[dict[str, Any]]:
        """Ansible's diff, one entry per action that changes something visible."""
        return [
            {
                "before_header": action.target,
                "after_header": f"{action.target} ({action.verb})",
                "before": _shown(action.before),
                "after": _shown(action.after),
            }
            for action in self.actions
            if action.before != action.after
        ]


def reach(target: str, reason: str, item: str = "", detail: Any = None) -> Action:
    """The first step of a plan for what isn't there yet; apply refuses it if it still isn't."""
    return Action(REACH, target, reason, item, detail=detail)


def item_report(plan: Plan, item: str) -> dict[str, Any]:
    """What each entry of a result carries: ``changed`` and its ``actions``."""
    actions = plan.of(item)
    return {"changed": bool(actions), "actions": [action.summary() for action in actions]}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ, sorted."""
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))


def sentence(parts: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    words = list(parts)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _shown(value: Any) -> Any:
    """Ansible prints a mapping as JSON and everything else as lines of text."""
    if isinstance(value, dict):
        return value
    lines = [] if value is None else [value] if isinstance(value, str) else value
    return "".join(f"{line}\n" for line in lines)
