# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users who do what this module does, in place of the server's own administrator, and have no rights beyond that."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import ADMINISTRATOR, ALL, MEMBER
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    PRESENT,
    Task,
    WantedGrant,
    WantedUser,
)

# Databases of the server's own: what is said of one goes before what is said of all.
_READ = ("mysql", "performance_schema", "sys")
_SERVER = ("CREATE USER", "PROCESS")
# MySQL: granting roles, and removing users that something runs as.
_WHERE_KNOWN = ("ROLE_ADMIN", "ALLOW_NONEXISTENT_DEFINER")
_ATTRIBUTES = {"CREATEDB": True, "CREATEROLE": True}
# PostgreSQL: seeing who uses a database, and ending that.
_ROLES = ("pg_read_all_stats", "pg_signal_backend")
_RULES = ("+acl", "+command|list", "+config|rewrite", "+ping", "+multi", "+exec", "+discard", "+client|setinfo")


def mysql(task: Task, known: Collection[str]) -> Task:
    """All that databases have, to be granted on; of the server's own databases only what has to be read."""
    grants: list[WantedGrant] = []
    for user in _named(task):
        one = WantedGrant(item=user.item, user=user.name, privileges=(), host=user.host)
        server = (*_SERVER, *(name for name in _WHERE_KNOWN if name in known))
        grants.append(replace(one, object_type="server", privileges=tuple((name, ()) for name in server)))
        grants.append(replace(one, database="%", pattern=True, privileges=((ALL, ()),), grant_option=True))
        grants += [replace(one, database=name, privileges=(("SELECT", ()),)) for name in _READ]
    return _without_the_word(replace(task, grants=(*task.grants, *grants)), {})


def postgresql(task: Task) -> Task:
    for user in _named(task):
        for word in _ATTRIBUTES:
            if user.attributes.get(word) is False:
                raise InvalidParameter(
                    f"{ADMINISTRATOR} needs {word}", f"{user.item}.attributes", f"Leave NO{word} out."
                )
    grants = [
        WantedGrant(user.item, user.name, ((MEMBER, ()),), object_type="role", objects=_ROLES) for user in _named(task)
    ]
    return _without_the_word(replace(task, grants=(*task.grants, *grants)), _ATTRIBUTES)


def redis(task: Task, known: Collection[str]) -> Task:
    """``known`` are the server's commands, for an older one lacks some; none where it isn't reached yet."""
    for user in _named(task):
        if user.acl:
            raise InvalidParameter(
                f"{ADMINISTRATOR} has rules of its own", f"{user.item}.{min(user.acl)}", "Leave one of them out."
            )
    named = {user.item for user in _named(task)}
    rules = {"keys": (), "channels": (), "commands": tuple(each for each in _RULES if not known or each[1:] in known)}
    users = tuple(replace(user, acl=rules) if user.item in named else user for user in task.users)
    return _without_the_word(replace(task, users=users), {})


def _named(task: Task) -> list[WantedUser]:
    return [user for user in task.users if user.attributes.get(ADMINISTRATOR) and user.state == PRESENT]


def _without_the_word(task: Task, instead: dict[str, bool]) -> Task:
    users = []
    for user in task.users:
        words = {word: holds for word, holds in user.attributes.items() if word != ADMINISTRATOR}
        users.append(replace(user, attributes={**words, **instead}) if ADMINISTRATOR in user.attributes else user)
    return replace(task, users=tuple(users))
