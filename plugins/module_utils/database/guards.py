# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be done, told before anything is: things of the server's own, and what others still use."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import sentence
from ansible_collections.flatrun.infra.plugins.module_utils.database.dialect import Dialect
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DIFFERS,
    LOCKED,
    ROLE,
    WITHOUT_PASSWORD,
    Grantee,
    State,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_users import turns_to
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
    other_plugin = found is not None and turns_to(wanted, found, dialect.plugin(wanted, found, state))
    if found and wanted.name == state.administrator:
        _own(wanted, found, other_plugin)
    if found and wanted.is_role and "LOGIN" not in wanted.attributes and ROLE not in found.attributes:
        raise Refused(
            f"{grantee} is a user, and can't be turned into a role", f"{wanted.item}.attributes", "Choose another name."
        )
    given = wanted.password or wanted.hash or wanted.is_role or wanted.plugin in WITHOUT_PASSWORD
    if found and other_plugin and not given:
        raise InvalidParameter(
            f"{grantee} logs in by {found.plugin}, and what it has there is nothing to {wanted.plugin}",
            f"{wanted.item}.password",
            "Give one, or leave plugin out.",
        )
    if found is None and not given:
        raise InvalidParameter(
            f"{grantee} does not exist, and without a password anybody could log in as it",
            f"{wanted.item}.password",
            "Give one.",
        )


def _own(wanted: WantedUser, found: User, other_plugin: bool) -> None:
    """The administrator in use: whatever goes wrong later, the next task can log in."""
    if other_plugin or _takes_away(wanted, found):
        raise Refused(
            f"{found.grantee} is the administrator that this task logs in as, and may lose none of its rights here",
            wanted.item,
            "Leave out its attributes, limits and rules and how it logs in, or log in as another one.",
        )
    if wanted.update_password == ALWAYS and (found.password == DIFFERS or found.former):
        raise Refused(
            f"{found.grantee} is the administrator that this task logs in as, and a password changed here would lock "
            "the next task out",
            f"{wanted.item}.password",
            "Change it with flatrun.infra.flatrun_infra, which keeps it too.",
        )


def _takes_away(wanted: WantedUser, found: User) -> bool:
    """Whether the user has less of anything afterwards, or other conditions to log in on."""
    loses = any(word in found.attributes and not holds for word, holds in wanted.attributes.items() if word != LOCKED)
    limited = any(found.limits.get(key, "") != value for key, value in wanted.limits.items())
    ruled = any(found.acl.get(part) != some for part, some in wanted.acl.items())
    tls = bool(wanted.tls) and wanted.tls != found.tls
    return bool(wanted.attributes.get(LOCKED)) or wanted.is_role or loses or limited or ruled or tls


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
