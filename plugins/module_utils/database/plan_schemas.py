# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas of PostgreSQL: which are missing, which are another's, and which are to go."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    AlterSchema,
    CreateSchema,
    DropSchema,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Grantee, State, Target
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_ledger import Ledger
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_places import inside_of
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    ABSENT,
    PRESENT,
    Task,
    WantedDatabase,
    WantedSchema,
)


def owners(task: Task, state: State) -> dict[Target, Grantee]:
    """Whose the schemas are that the task is about, once it is done."""
    return {
        target: Grantee(schema.owner) if schema.owner else found or Grantee(state.administrator)
        for _wanted, schema, target, found in _each(task, state)
        if schema.state == PRESENT
    }


def arrivals(task: Task, state: State, ledger: Ledger) -> Iterator[Action]:
    for wanted, schema, target, found in _each(task, state):
        if schema.state == ABSENT:
            continue
        if found is None:
            owner = Grantee(schema.owner or state.administrator)
            ledger.add({(owner, target): dict.fromkeys(state.privileges.get("schema", ()), True)})
            change = CreateSchema(target, schema.owner)
            yield Action("create", str(target), "it does not exist", wanted.item, None, {"owner": owner.name}, change)
        elif schema.owner not in ("", found.name):
            ledger.hand_over(target, found.name, schema.owner)
            before, after = {"owner": found.name}, {"owner": schema.owner}
            alteration = AlterSchema(target, found.name, schema.owner)
            yield Action("alter", str(target), f"its owner is {found}", wanted.item, before, after, alteration)


def departures(task: Task, state: State) -> Iterator[Action]:
    for wanted, schema, target, found in _each(task, state):
        if schema.state == ABSENT and found:
            change = DropSchema(target, wanted.force)
            yield Action("drop", str(target), "it exists", wanted.item, {"owner": found.name}, None, change)


def _each(task: Task, state: State) -> Iterator[tuple[WantedDatabase, WantedSchema, Target, Grantee | None]]:
    """Each schema with the one who owns it, if it is there."""
    for wanted in task.databases:
        if wanted.schemas and wanted.state == PRESENT:
            there = inside_of(wanted.name, task, state).owners
            for schema in wanted.schemas:
                target = Target("schema", wanted.name, schema.name)
                yield wanted, schema, target, there.get(target)
