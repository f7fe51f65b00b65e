# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis, as far as a plan is concerned: it has users with rules, and nothing else that is managed here."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import (
    FlatrunError,
    InvalidParameter,
    Refused,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database import redis_acl as acl
from ansible_collections.flatrun.infra.plugins.module_utils.database import redis_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database import spec_administrators
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Change, Statement
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DEFAULT_USER,
    LOCKED,
    Database,
    Grantee,
    Rights,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    APPEND,
    Task,
    WantedDatabase,
    WantedGrant,
    WantedUser,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_acl import SPACES

_DIGEST = re.compile("[0-9a-f]{64}")
_OTHERS = {"plugin": "", "limits": {}, "tls": "", "force": False}
_NAMED = {"tls": "tls_requires"}


@dataclass(frozen=True)
class Redis:
    system_databases: frozenset[str] = frozenset()
    owners_are_granted: bool = False

    def is_system_user(self, grantee: Grantee) -> bool:
        return grantee.name == DEFAULT_USER

    def adapt(self, task: Task, state: State) -> Task:
        """Whoever says what a user may do means all of it, so no selector may allow more."""
        task = spec_administrators.redis(task, state.privileges.get(acl.COMMANDS, ()))
        users = [replace(each, acl={**each.acl, "selectors": ()} if each.acl else {}) for each in task.users]
        return replace(task, users=tuple(users))

    def check(self, task: Task, state: State) -> None:
        for key in ("databases", "grants"):
            if getattr(task, key):
                raise InvalidParameter(
                    "means nothing to Redis, which has users alone", key, "Leave it out; see keys, channels, commands."
                )
        if task.grants_mode != APPEND:
            raise InvalidParameter("means nothing to Redis, which has users alone", "grants_mode", "Leave it out.")
        for user in task.users:
            _check_user(user)
            for index, rule in enumerate(user.acl.get("commands", ()) if state.reached else ()):
                known = acl.strange(rule, state.privileges)
                if known:
                    kind = "category" if "@" in rule else "command"
                    where = f"{user.item}.commands[{index}]"
                    raise Refused(f"{rule[1:]} is not a {kind} of this server", where, known)

    def grantee(self, name: str, host: str) -> Grantee:
        return Grantee(name)

    def new_database(self, wanted: WantedDatabase, state: State) -> Database:
        raise FlatrunError("Redis makes no databases")

    def altered_database(self, wanted: WantedDatabase, found: Database, state: State) -> Database:
        raise FlatrunError("Redis makes no databases")

    def plugin(self, wanted: WantedUser, found: User | None, state: State) -> str:
        return "sha256"

    def first_rights(self, database: Database, state: State) -> Rights:
        return {}

    def usual_rights(self, task: Task, state: State) -> Rights:
        return {}

    def targets(
        self, wanted: WantedGrant, grantee: Grantee, task: Task, state: State
    ) -> list[tuple[Target, tuple[str, ...]]]:
        raise FlatrunError("Redis has no grants")

    def fold(self, target: Target, state: State) -> Target:
        return target

    def options(self, target: Target, privileges: frozenset[str], state: State) -> dict[str, bool]:
        raise FlatrunError("Redis has no grants")

    def render(self, change: Change) -> tuple[Statement, ...]:
        return text.render(change)


def _check_user(wanted: WantedUser) -> None:
    if any(character in SPACES for character in wanted.name):
        raise InvalidParameter("holds a space, which no user's name can", f"{wanted.item}.name", "Choose another one.")
    if wanted.host != "%":
        raise InvalidParameter("a user of Redis has no host", f"{wanted.item}.host", "Leave it out.")
    for key, usual in _OTHERS.items():
        if getattr(wanted, key) != usual:
            where = f"{wanted.item}.{_NAMED.get(key, key)}"
            raise InvalidParameter("means nothing to Redis", where, "Leave it out.")
    for word in wanted.attributes:
        if word != LOCKED:
            where = f"{wanted.item}.attributes"
            raise InvalidParameter(f"{word} is not an attribute of Redis", where, "It knows LOCKED and UNLOCKED.")
    if wanted.hash and not _DIGEST.fullmatch(wanted.hash.reveal()):
        raise InvalidParameter(
            "is not what Redis keeps of a password",
            f"{wanted.item}.password_hash",
            "Give SHA-256 as 64 hexadecimal digits in lower case.",
        )
