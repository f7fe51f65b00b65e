# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What MySQL and MariaDB would refuse a grant on in the middle of a run, because it isn't there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import CreateUser, Grant
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Grantee, State, Target


def refuse_missing(actions: Iterable[Action], state: State, fold: Callable[[Target], Target]) -> None:
    """Raise Refused for the first grant of a plan that is on nothing; ``fold`` spells in one way what is the same."""
    if state.objects is None:
        return
    objects = {fold(target) for target in state.objects}
    coming = {action.detail.grantee for action in actions if isinstance(action.detail, CreateUser)}
    for action in actions:
        if not isinstance(action.detail, Grant):
            continue
        target = fold(action.detail.target)
        if not _is_there(action.detail, target, objects, coming | {*state.users}):
            raise Refused(
                f"there is no {action.detail.target}", f"{action.item}.objects", "Create it, or name one that exists."
            )


def _is_there(change: Grant, target: Target, objects: Collection[Target], users: Collection[Grantee]) -> bool:
    if target.kind == "role":
        return Grantee(target.name, target.host) in users
    # Whoever may create a table may be told so before it is there.
    to_come = target.kind == "table" and "CREATE" in change.privileges
    return target.kind in ("server", "database") or to_come or target in objects
