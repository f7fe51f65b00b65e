# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator of PostgreSQL without SUPERUSER has to be a member of, so that the server takes its word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    AddExtension,
    AlterDatabase,
    AlterSchema,
    AlterUser,
    CreateDatabase,
    CreateSchema,
    CreateUser,
    DropDatabase,
    DropSchema,
    DropUser,
    Grant,
    OpenDatabase,
    Revoke,
    SetPassword,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    MEMBER,
    Grantee,
    Inside,
    State,
    Target,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task

_NEEDS = {
    "CREATEDB": (CreateDatabase,),
    "CREATEROLE": (CreateUser, AlterUser, SetPassword, DropUser),
}


def joins(task: Task, state: State, actions: Sequence[Action]) -> Iterator[Action]:
    """Only a member of its owner may do what an owner may; a superuser is taken for a member of all."""
    if state.member_of is None:
        return
    for action in actions:
        _require_attribute(action, state)
    joined = {*state.member_of, state.administrator}
    owners = {name: found.owner for name, found in state.databases.items()}
    owners.update((wanted.name, wanted.owner) for wanted in task.databases if wanted.owner)
    for action in actions:
        for role in _owners(action, owners, state):
            if role and role not in joined and _may_join(role, state):
                joined.add(role)
                target = Target("role", name=role)
                change = Grant(Grantee(state.administrator), target, {MEMBER: False})
                why = f"only a member may {action.verb} {action.target}"
                shown = f"{state.administrator} on {target}"
                yield Action("grant", shown, why, action.item, [], [MEMBER], change)


def _may_join(role: str, state: State) -> bool:
    """Nobody but a superuser joins one, and the server's own roles aren't for an owner's work."""
    found = state.users.get(Grantee(role))
    return not role.startswith("pg_") and (found is None or "SUPERUSER" not in found.attributes)


def _require_attribute(action: Action, state: State) -> None:
    for attribute, changes in _NEEDS.items():
        if isinstance(action.detail, changes) and attribute not in state.administers:
            raise Refused(
                f"{state.administrator} lacks {attribute}, without which it can't {action.verb} {action.target}",
                action.item,
                f"Give it that (ALTER ROLE ... {attribute}), or log in as another one.",
            )


def _owners(action: Action, owners: Mapping[str, str], state: State) -> tuple[str, ...]:
    """The roles for whose members an action is; ``owners`` are those that databases have or are to have."""
    change = action.detail
    if isinstance(change, CreateDatabase):
        return (change.database.owner,)
    if isinstance(change, AlterDatabase):
        return change.before.owner, change.after.owner
    if isinstance(change, (OpenDatabase, DropDatabase)):
        return (owners.get(change.name, ""),)
    if isinstance(change, AddExtension):
        return (owners.get(change.database, ""),)
    if isinstance(change, CreateSchema):
        return owners.get(change.target.database, ""), change.owner
    if isinstance(change, AlterSchema):
        return owners.get(change.target.database, ""), change.before, change.after
    if isinstance(change, DropSchema):
        return _givers(change.target, owners, state)
    if isinstance(change, DropUser):
        return (change.grantee.name,) if change.databases else ()
    if isinstance(change, Revoke):
        # What others granted is taken back as them.
        others = {grantor for some in change.grantors.values() for grantor in some}
        return (*_givers(change.target, owners, state), *sorted(others))
    return _givers(change.target, owners, state) if isinstance(change, Grant) else ()


def _givers(target: Target, owners: Mapping[str, str], state: State) -> tuple[str, ...]:
    if target.kind == "role":
        return ()
    if target.kind == "database":
        return (owners.get(target.database, ""),)
    if target.kind.startswith("default_"):
        return (target.name,)
    found = state.insides.get(target.database, Inside()).owners.get(target)
    if found and found.name == "pg_database_owner":
        return (owners.get(target.database, ""),)
    return (found.name,) if found else ()
