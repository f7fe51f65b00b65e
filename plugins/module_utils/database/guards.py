# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be done, told before anything is: things of the server's own, and what others still use."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import sentence
from ansible_collections.flatrun.infra.plugins.module_utils.database.dialect import Dialect
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import DIFFERS, LOCKED, Grantee, State
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    ABSENT,
    ALWAYS,
    PRESENT,
    Task,
    WantedUser,
)

# As many as one still reads.
_SHOWN = 5


def check(task: Task, state: State, dialect: Dialect) -> None:
    """Raise Refused or InvalidParameter for the first thing that is not to be done."""
    dialect.check(task, state)
    for wanted in task.databases:
        if wanted.name in dialect.system_databases:
            raise Refused(f"{wanted.name} belongs to the server itself", f"{wanted.item}.name", "Choose another one.")
        blocks = state.in_use.get(wanted.name, ())
        if wanted.state == ABSENT and blocks and not wanted.force:
            raise Refused(f"{wanted.name} is in use by {_some(blocks)}", wanted.item, "End that, or say force: true.")
    for user in task.users:
        _user(user, task, state, dialect)


def _user(wanted: WantedUser, task: Task, state: State, dialect: Dialect) -> None:
    grantee = dialect.grantee(wanted.name, "" if wanted.is_role else wanted.host)
    where = f"{wanted.item}.name"
    found = state.users.get(grantee)
    if wanted.state == ABSENT:
        if dialect.is_system_user(grantee):
            raise Refused(f"{grantee} belongs to the server itself", where, "Leave it.")
        if wanted.name == state.administrator:
            raise Refused(f"{grantee} is the administrator that this task logs in as", where, "Log in as another one.")
        _possessions(wanted, grantee, task, state)
        return
    own = wanted.name == state.administrator and found is not None
    if own and found and (_locks_out(wanted) or any(found.acl.get(part) != some for part, some in wanted.acl.items())):
        raise Refused(
            f"{grantee} is the administrator that this task logs in as, and may lose none of its rights here",
            wanted.item,
            "Leave out its attributes and rules, or log in as another one.",
        )
    if own and found and wanted.update_password == ALWAYS and (found.password == DIFFERS or found.former):
        raise Refused(
            f"{grantee} is the administrator that this task logs in as, and a password changed here would lock the "
            "next task out",
            f"{wanted.item}.password",
            "Change it with flatrun.infra.flatrun_infra, which keeps it too.",
        )
    given = wanted.password or wanted.hash or wanted.is_role or wanted.plugin in ("unix_socket", "auth_socket")
    if found is None and not given:
        raise InvalidParameter(
            f"{grantee} does not exist, and without a password anybody could log in as it",
            f"{wanted.item}.password",
            "Give one.",
        )


def _locks_out(wanted: WantedUser) -> bool:
    return bool(wanted.attributes.get(LOCKED)) or wanted.is_role or wanted.attributes.get("SUPERUSER") is False


def _possessions(wanted: WantedUser, grantee: Grantee, task: Task, state: State) -> None:
    vanishing = {each.name for each in task.databases if each.state == ABSENT}
    passed_on = {each.name for each in task.databases if each.state == PRESENT and each.owner not in ("", wanted.name)}
    owned = [
        what
        for place, what in state.owned.get(grantee, ())
        if what and place not in vanishing and what.removeprefix("database ") not in vanishing | passed_on
    ]
    if owned and not wanted.force:
        raise Refused(f"{grantee} owns {_some(owned)}", wanted.item, "Give that to somebody else, or say force: true.")


def _some(blocks: tuple[str, ...] | list[str]) -> str:
    shown = list(blocks[:_SHOWN])
    return sentence([*shown, f"{len(blocks) - _SHOWN} more"] if len(blocks) > _SHOWN else shown)
