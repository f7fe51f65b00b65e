"""A module of the smallest kind, run as a process of its own by test_module.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.module_utils import basic
from ansible_collections.flatrun.infra.plugins.module_utils.core.arguments import Arguments
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.module import change, look
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan, reach
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal, Room
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import SECRET, Secret, disguises, parse_secret

ARGUMENTS = Arguments(
    {
        "does": {"type": "str", "default": "nothing"},
        "password": {"type": "str", "no_log": True},
        "users": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"name": {"type": "str"}, "token": {"type": "str", "no_log": True}},
        },
        "login": {"type": "dict", "options": {"token": {"type": "str", "no_log": True}}},
        "secrets": {"type": "dict", "default": {}, "no_log": True},
    }
)


class Door:
    """It is open, once somebody opened it."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params, self.open = params, params["does"] == "nothing"

    def observe(self) -> bool:
        return self.open

    @contextmanager
    def hold(self) -> Iterator[None]:
        yield

    def apply(self, plan: Plan, done: Journal) -> None:
        password = parse_secret(self.params["password"] or "none at all", "password")
        does = self.params["does"]
        done(plan.actions[0])
        if does == "quote":
            raise Unreachable("the server says: " + " | ".join(sorted(disguises(password.reveal()))), "door")
        if does == "break":
            raise ZeroDivisionError(f"with {password.reveal()}")
        self.open = True


def plan(params: dict[str, Any], is_open: bool) -> Plan:
    if is_open:
        return Plan(reason="it is open")
    first = reach("door", "it is not there") if params["does"] == "reach" else Action("open", "door", "it is closed")
    return Plan((first, Action("paint", "door", "it is bare", before=None, after={"password": SECRET})))


@contextmanager
def world(params: dict[str, Any]) -> Iterator[Door]:
    yield Door(params)


def report(params: dict[str, Any], is_open: bool, _plan: Plan) -> dict[str, Any]:
    return {"open": is_open, "password": Secret(params["password"] or "").__repr__(), "word": "a banana"}


def main() -> None:
    given = json.loads(sys.argv[1])
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode()
    # Read by ansible-core 2.19 and later, which serializes by profiles.
    basic._ANSIBLE_PROFILE = "legacy"
    if given.get("does") == "look":
        look(ARGUMENTS, lambda params: {"seen": params["users"][0]["name"]})
    change(ARGUMENTS, Room(parse=dict, world=world, plan=plan, report=report))


if __name__ == "__main__":
    main()
