# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be done, told before anything is: names that can't be, things of the server's own."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database.dialect import Dialect
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import DIFFERS, State
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import ABSENT, ALWAYS, PRESENT, Task


def check(task: Task, state: State, dialect: Dialect) -> None:
    """Raise Refused or InvalidParameter for the first thing that is not to be done."""
    dialect.check(task, state)
    for wanted in task.databases:
        if wanted.name in dialect.system_databases:
            raise Refused(f"{wanted.name} belongs to the server itself", f"{wanted.item}.name", "Choose another one.")
    _users(task, state, dialect)


def _users(task: Task, state: State, dialect: Dialect) -> None:
    for wanted in task.users:
        grantee = dialect.grantee(wanted.name, wanted.host)
        where = f"{wanted.item}.name"
        found = state.users.get(grantee)
        if dialect.is_system_user(grantee, state) and wanted.state == ABSENT:
            raise Refused(f"{grantee} belongs to the server itself", where, "Leave it.")
        if wanted.name == state.administrator and wanted.state == ABSENT:
            raise Refused(f"{grantee} is the administrator that this task logs in as", where, "Log in as another one.")
        own = wanted.name == state.administrator and wanted.update_password == ALWAYS
        if own and found and found.password == DIFFERS:
            raise Refused(
                f"{grantee} is the administrator that this task logs in as, and a password changed here would lock the "
                "next task out",
                f"{wanted.item}.password",
                "Change it with flatrun.infra.flatrun_infra, which keeps it too.",
            )
        if wanted.state == PRESENT and found is None and wanted.password is None:
            raise InvalidParameter(
                f"{grantee} does not exist, and without a password anybody could log in as it",
                f"{wanted.item}.password",
                "Give one.",
            )
