# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MySQL and MariaDB, as far as a plan is concerned."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Change, Statement
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    Database,
    Grantee,
    Rights,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task, WantedDatabase, WantedUser

_SYSTEM_USERS = frozenset({"mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys", "root"})
_LONGEST_NAME = 64
_LONGEST_HOST = 255


@dataclass(frozen=True)
class MySQL:
    mariadb: bool = False
    system_databases: frozenset[str] = frozenset({"mysql", "information_schema", "performance_schema", "sys"})
    owners_are_granted: bool = True
    option_is_privilege: bool = True

    def is_system_user(self, grantee: Grantee, state: State) -> bool:
        return grantee.name in _SYSTEM_USERS

    def check(self, task: Task, state: State) -> None:
        for database in task.databases:
            _check_name(database.name, f"{database.item}.name", _LONGEST_NAME)
            self._check_texts(database, state)
        longest = 128 if self.mariadb else 32
        for user in task.users:
            _check_name(user.name, f"{user.item}.name", longest)
            _check_host(user.host, f"{user.item}.host")
        for grant in task.grants:
            _check_name(grant.user, f"{grant.item}.user", longest)
            _check_host(grant.host, f"{grant.item}.host")
            _check_name(grant.database, f"{grant.item}.database", _LONGEST_NAME)

    def _check_texts(self, wanted: WantedDatabase, state: State) -> None:
        if not state.reached:
            return
        charsets = frozenset(state.collations.values())
        if wanted.encoding and _charset(wanted.encoding) not in charsets:
            raise Refused(
                f"{wanted.encoding!r} is not a character set of this server",
                f"{wanted.item}.encoding",
                f"It knows {', '.join(sorted(charsets))}.",
            )
        if wanted.collation and wanted.collation.lower() not in state.collations:
            raise Refused(f"{wanted.collation!r} is not a collation of this server", f"{wanted.item}.collation")
        charset = state.collations.get(wanted.collation.lower(), "")
        if wanted.encoding and charset not in ("", _charset(wanted.encoding)):
            raise Refused(
                f"{wanted.collation} is not a collation of {wanted.encoding}",
                f"{wanted.item}.collation",
                f"It belongs to {charset}.",
            )

    def grantee(self, name: str, host: str) -> Grantee:
        # Hosts are compared without regard to case, and kept in lower case.
        return Grantee(name, (host or "%").lower())

    def database_target(self, name: str, grantee: Grantee, rights: Rights) -> Target:
        """The server applies one row of its table only, so a grant on the name as it is counts as this one."""
        plain, escaped = Target("database", name), Target("database", text.pattern(name))
        return plain if not rights.get((grantee, escaped)) and rights.get((grantee, plain)) else escaped

    def new_database(self, wanted: WantedDatabase, state: State) -> Database:
        return Database(wanted.name, encoding=_charset(wanted.encoding), collation=wanted.collation.lower())

    def altered_database(self, wanted: WantedDatabase, found: Database, state: State) -> Database:
        charset = _charset(wanted.encoding) or state.collations.get(wanted.collation.lower(), found.encoding)
        if wanted.collation:
            return replace(found, encoding=charset, collation=wanted.collation.lower())
        # Another character set comes with its own collation.
        return found if charset == found.encoding else replace(found, encoding=charset, collation="")

    def new_user(self, wanted: WantedUser, state: State) -> User:
        return User(
            self.grantee(wanted.name, wanted.host),
            plugin="mysql_native_password" if self.mariadb else "caching_sha2_password",
        )

    def first_rights(self, database: Database, state: State) -> Rights:
        return {}

    def render(self, change: Change) -> tuple[Statement, ...]:
        return text.render(change, self.mariadb)


def _charset(given: str) -> str:
    """The server keeps utf8 as what it is."""
    charset = given.lower()
    return "utf8mb3" if charset == "utf8" else charset


def _check_name(name: str, where: str, longest: int) -> None:
    if len(name) > longest:
        raise InvalidParameter(f"has {len(name)} characters, and the server takes {longest}", where, "Shorten it.")
    if name.endswith(" "):
        raise InvalidParameter("ends with a space, which the server would cut off", where, "Choose another one.")
    if any(ord(character) > 0xFFFF for character in name):
        raise InvalidParameter("holds a character that the server's names can't (above U+FFFF)", where)


def _check_host(host: str, where: str) -> None:
    if len(host) > _LONGEST_HOST or any(character in "'\"`\\@ " or ord(character) < 33 for character in host):
        raise InvalidParameter(f"{host!r} is not a host or a pattern of hosts", where, "Write it like % or 10.0.0.%.")
