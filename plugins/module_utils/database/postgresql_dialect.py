# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL, as far as a plan is concerned."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database import postgresql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Change, Statement
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    PUBLIC,
    Database,
    Grantee,
    Rights,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    PRESENT,
    Task,
    WantedDatabase,
    WantedUser,
)

_LONGEST_NAME = 63
_DATABASE_PRIVILEGES = frozenset({"CONNECT", "CREATE", "TEMPORARY"})
_EVERYBODYS = {"CONNECT": False, "TEMPORARY": False}


@dataclass(frozen=True)
class PostgreSQL:
    system_databases: frozenset[str] = frozenset({"postgres", "template0", "template1"})
    owners_are_granted: bool = False
    option_is_privilege: bool = False

    def is_system_user(self, grantee: Grantee, state: State) -> bool:
        return grantee.name.startswith("pg_") or grantee.name == "postgres"

    def check(self, task: Task, state: State) -> None:
        roles = {user.name for user in task.users if user.state == PRESENT} | {each.name for each in state.users}
        for database in task.databases:
            _check_name(database.name, f"{database.item}.name")
            if database.owner and state.reached and database.state == PRESENT and database.owner not in roles:
                raise Refused(
                    f"there is no role {database.owner}",
                    f"{database.item}.owner",
                    "Put it into users, or name another.",
                )
        for user in task.users:
            _check_role(user.name, f"{user.item}.name")
            _check_host(user.host, f"{user.item}.host")
        databases = {each.name for each in task.databases if each.state == PRESENT} | {*state.databases}
        for grant in task.grants:
            _check_name(grant.user, f"{grant.item}.user")
            _check_host(grant.host, f"{grant.item}.host")
            if state.reached and grant.database not in databases:
                raise Refused(
                    f"there is no database {grant.database}", f"{grant.item}.database", "Put it into databases."
                )

    def grantee(self, name: str, host: str) -> Grantee:
        return PUBLIC if name.upper() == PUBLIC.name else Grantee(name)

    def database_target(self, name: str, grantee: Grantee, rights: Rights) -> Target:
        return Target("database", name)

    def new_database(self, wanted: WantedDatabase, state: State) -> Database:
        return Database(wanted.name, wanted.owner, encoding(wanted.encoding), wanted.collation, unfinished=True)

    def altered_database(self, wanted: WantedDatabase, found: Database, state: State) -> Database:
        for key, asked in (("encoding", encoding(wanted.encoding)), ("collation", wanted.collation)):
            present = getattr(found, key)
            if asked and asked != present:
                raise Refused(
                    f"{wanted.name} has {present}, and PostgreSQL can't change that of a database that exists",
                    f"{wanted.item}.{key}",
                    "Move its content to a new one, or leave this out.",
                )
        return replace(found, owner=wanted.owner or found.owner)

    def new_user(self, wanted: WantedUser, state: State) -> User:
        return User(Grantee(wanted.name), plugin="scram-sha-256")

    def first_rights(self, database: Database, state: State) -> Rights:
        target = Target("database", database.name)
        owner = Grantee(database.owner or state.administrator)
        return {(PUBLIC, target): _EVERYBODYS, (owner, target): dict.fromkeys(_DATABASE_PRIVILEGES, True)}

    def render(self, change: Change) -> tuple[Statement, ...]:
        return text.render(change)


def encoding(given: str) -> str:
    """The name by which the server tells it: UTF-8 and utf8 are UTF8."""
    plain = given.upper().replace("-", "").replace("_", "")
    return {"UNICODE": "UTF8", "SQLASCII": "SQL_ASCII"}.get(plain, plain)


def _check_name(name: str, where: str) -> None:
    size = len(name.encode())
    if size > _LONGEST_NAME:
        # The server would cut it off and take what is left.
        raise InvalidParameter(f"has {size} bytes, and PostgreSQL takes {_LONGEST_NAME}", where, "Shorten it.")


def _check_role(name: str, where: str) -> None:
    _check_name(name, where)
    if name.startswith("pg_") or name.lower() in ("public", "none"):
        raise InvalidParameter(f"{name!r} is a name that PostgreSQL keeps to itself", where, "Choose another one.")


def _check_host(host: str, where: str) -> None:
    if host not in ("", "%"):
        raise InvalidParameter(
            "a role of PostgreSQL has no host", where, "Leave it out; pg_hba.conf says who comes from where."
        )
