# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Into which databases of PostgreSQL a task has to look, and what is inside of one that is to come."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Database, Inside, State
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import PRESENT, Task

TEMPLATE = "template1"


def inside_of(database: str, task: Task, state: State) -> Inside:
    """What is in a database, or will be, as a copy of its template."""
    if database in state.insides:
        return state.insides[database]
    template = next((each.template for each in task.databases if each.name == database), "") or TEMPLATE
    return state.insides.get(template, Inside()).named(database)


def looked_into(task: Task, present: Mapping[str, Database]) -> set[str]:
    """The databases whose inside the task is about; for one that is to come, its template."""
    named = {grant.database for grant in task.grants if grant.object_type not in ("database", "role", "server")} | {
        each.name for each in task.databases if (each.extensions or each.schemas) and each.state == PRESENT
    }
    templates = {each.name: each.template or TEMPLATE for each in task.databases if each.state == PRESENT}
    # One that was left closed can't be looked into, and is as its template still.
    closed = {name for name in named if name in present and present[name].unfinished}
    return {name for name in named if name in present} - closed | {
        templates[name] for name in named if name in templates and (name not in present or name in closed)
    }
