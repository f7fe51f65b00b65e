"""A plan is data, and all that a user sees is made from it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import (
    Action,
    Plan,
    changes,
    item_report,
    reach,
    sentence,
)


def test_an_empty_plan_is_false_and_has_a_reason() -> None:
    assert not Plan()
    assert Plan().reason
    assert Plan((Action("create", "x", "it is missing"),))


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (None, {"a": 1}, ("", {"a": 1})),
        ({"a": 1}, None, ({"a": 1}, "")),
        ("one", "two", ("one\n", "two\n")),
        (None, "a\nb", ("", "a\nb\n")),
        (["a"], ["a", "b"], ("a\n", "a\nb\n")),
    ],
)
def test_a_diff_shows_what_differs(before: Any, after: Any, shown: tuple[Any, Any]) -> None:
    (entry,) = Plan((Action("replace", "container x", "it differs", before=before, after=after),)).diff()
    assert (entry["before"], entry["after"]) == shown
    assert entry["before_header"] == "container x"
    assert entry["after_header"] == "container x (replace)"


@pytest.mark.parametrize("same", [None, "x", {"a": 1}, []])
def test_what_looks_the_same_is_not_in_the_diff(same: Any) -> None:
    assert Plan((Action("restart", "x", "it was asked for", before=same, after=same),)).diff() == []


def test_details_are_never_shown() -> None:
    plan = Plan((Action("create", "x", "it is missing", "item", detail="hidden"),))
    assert "hidden" not in str(plan.diff()) + str(item_report(plan, "item")) + str(plan.actions[0].summary())


def test_each_item_has_its_own_actions() -> None:
    plan = Plan((Action("create", "x", "r", "one"), Action("start", "y", "s", "two"), Action("create", "net", "t")))
    assert item_report(plan, "one") == {
        "changed": True,
        "actions": [{"action": "create", "target": "x", "reason": "r"}],
    }
    assert item_report(plan, "three") == {"changed": False, "actions": []}


def test_what_is_to_be_reached() -> None:
    plan = Plan((reach("container x", "it is not there"), Action("create", "y", "r")))
    assert [action.target for action in plan.unreached] == ["container x"]


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1}, []),
        ({"b": 1, "a": 1}, {"b": 2, "c": 1}, ["a", "b", "c"]),
        ({"a": None}, {}, []),
    ],
)
def test_changes(before: dict[str, Any], after: dict[str, Any], keys: list[str]) -> None:
    assert changes(before, after) == keys


@pytest.mark.parametrize(
    ("parts", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_sentence(parts: list[str], said: str) -> None:
    assert sentence(parts) == said
