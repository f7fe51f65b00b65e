# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that breaks may take the answer along: then what was done is looked for through another one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Callable, Protocol

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import State
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan import plan
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task


class Held(Protocol):
    def observe(self) -> State: ...

    def hold(self, patience: int = ...) -> AbstractContextManager[None]: ...


Anew = Callable[[], AbstractContextManager[Held]]


def resolve(error: FlatrunError, doubtful: Sequence[Action], task: Task, anew: Anew, done: Journal) -> FlatrunError:
    """Tell ``done`` which of the actions under way were done, and return the error that says the rest.

    The broken connection holds the server's lock for as long as its statement runs, so having the lock is to know
    that it has ended.
    """
    if not isinstance(error, Unreachable) or not doubtful:
        return error
    try:
        with anew() as world, world.hold(task.connection.timeout):
            left = {(action.verb, action.target) for action in plan(task, world.observe()).actions}
    except FlatrunError:
        return Unreachable(f"{error.what}; whether this was done is not known", error.where, error.do)
    for action in doubtful:
        if (action.verb, action.target) not in left:
            done(action)
    return error
