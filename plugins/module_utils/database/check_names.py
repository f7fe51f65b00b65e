# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that a task relies on: nothing is given to somebody, or granted on something, that isn't there afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import State
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    PRESENT,
    Task,
    WantedDatabase,
    WantedUser,
)

# Each name that is known, and whether it is there when the task is done.
Fates = Mapping[str, bool]


def databases(task: Task, state: State) -> Fates:
    return _fates(state.databases, task.databases)


def roles(task: Task, state: State) -> Fates:
    return _fates((each.name for each in state.users), task.users)


def _fates(found: Iterable[str], wanted: Iterable[WantedDatabase | WantedUser]) -> Fates:
    return {**dict.fromkeys(found, True), **{each.name: each.state == PRESENT for each in wanted}}


def require(name: str, fates: Fates, state: State, kind: str, where: str, do: str) -> None:
    """Raise Refused for what goes, and for what isn't there; whether it is, nobody knows before a server is reached."""
    if not fates.get(name, True):
        raise Refused(f"the {kind} {name} is to go", where, "Keep one of the two.")
    if state.reached and name not in fates:
        raise Refused(f"there is no {kind} {name}", where, do)
