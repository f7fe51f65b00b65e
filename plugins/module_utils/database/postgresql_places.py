# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Into which databases of PostgreSQL a task has to look, and what is inside of one that is to come."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    PUBLIC,
    Database,
    Grantee,
    Inside,
    State,
    Target,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import PRESENT, Task, WantedDatabase

TEMPLATE, EMPTY = "template1", "template0"
_SCHEMA, _OWNER = Target("schema", EMPTY, "public"), Grantee("pg_database_owner")
# What is in the template that lets nobody look, and is never changed, so that it is as each server begins.
UNTOUCHED = Inside(
    frozenset({"plpgsql"}),
    frozenset({_SCHEMA}),
    {_SCHEMA: _OWNER},
    {(PUBLIC, _SCHEMA): {"USAGE": False}, (_OWNER, _SCHEMA): {"CREATE": True, "USAGE": True}},
)


def template_of(database: WantedDatabase | Database) -> str:
    """What a new database is a copy of."""
    # Another encoding or locale than template1's can only be had from the template without texts.
    usual = EMPTY if database.encoding or database.collation else TEMPLATE
    return database.template or usual


def inside_of(database: str, task: Task, state: State) -> Inside:
    """What is in a database, or will be, as a copy of its template."""
    if database in state.insides:
        return state.insides[database]
    wanted = next((each for each in task.databases if each.name == database), None)
    template = template_of(wanted) if wanted else TEMPLATE
    return state.insides.get(template, Inside()).named(database)


def looked_into(task: Task, present: Mapping[str, Database]) -> set[str]:
    """The databases whose inside the task is about; for one that is to come, its template."""
    named = {grant.database for grant in task.grants if grant.object_type not in ("database", "role", "server")} | {
        each.name for each in task.databases if (each.extensions or each.schemas) and each.state == PRESENT
    }
    templates = {each.name: template_of(each) for each in task.databases if each.state == PRESENT}
    # One that was left closed can't be looked into, and is as its template still.
    closed = {name for name in named if name in present and present[name].unfinished}
    return {name for name in named if name in present} - closed | {
        templates[name] for name in named if name in templates and (name not in present or name in closed)
    }
