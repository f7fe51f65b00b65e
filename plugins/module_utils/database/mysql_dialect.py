# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MySQL and MariaDB, as far as a plan is concerned."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database import (
    check_schemas,
    mysql_check,
    spec_administrators,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Change, Statement
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    ACTIVE,
    ALL,
    GRANT_OPTION,
    MEMBER,
    PUBLIC,
    ROLE,
    Database,
    Grantee,
    Rights,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    PRESENT,
    SUBTRACT,
    Task,
    WantedDatabase,
    WantedGrant,
    WantedUser,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_values import Privilege

# The same privilege under another name, as MariaDB takes it.
_ALIASES = {
    "DELETE VERSIONING ROWS": "DELETE HISTORY",
    "REPLICATION CLIENT": "BINLOG MONITOR",
    "REPLICATION REPLICA": "REPLICATION SLAVE",
    "REPLICATION REPLICA ADMIN": "REPLICATION SLAVE ADMIN",
    "REPLICA MONITOR": "SLAVE MONITOR",
}


@dataclass(frozen=True)
class MySQL:
    mariadb: bool = False
    system_databases: frozenset[str] = frozenset({"mysql", "information_schema", "performance_schema", "sys"})
    owners_are_granted: bool = True

    def is_system_user(self, grantee: Grantee) -> bool:
        return grantee.name in mysql_check.SYSTEM_ACCOUNTS | {"root"}

    def adapt(self, task: Task, state: State) -> Task:
        task = spec_administrators.mysql(task, state.privileges.get("server", ()))

        def named(one: str) -> str:
            return one.lower() if state.folds_case else one

        databases = [
            replace(each, name=named(each.name), encoding=_charset(each.encoding), collation=_collation(each, state))
            for each in task.databases
        ]
        # Shop and shop are one database where the server keeps names in lower case.
        names.distinct((each.name for each in databases), "databases", "the database")
        grants = [
            replace(
                each,
                database=named(each.database),
                objects=tuple(map(named, each.objects)) if each.object_type == "table" else each.objects,
                privileges=tuple(self._privilege(one, state) for one in each.privileges if one[0] != "USAGE"),
            )
            for each in task.grants
        ]
        return replace(task, databases=tuple(databases), grants=tuple(grants))

    def _privilege(self, privilege: Privilege, state: State) -> Privilege:
        name, columns = privilege
        known = state.privileges.get("server", frozenset())
        other = _ALIASES.get(name, "")
        return (other if name not in known and other in known else name), columns

    def check(self, task: Task, state: State) -> None:
        mysql_check.check(task, state, self.mariadb)
        check_schemas.refuse(task)

    def grantee(self, name: str, host: str) -> Grantee:
        if self.mariadb and name.upper() == PUBLIC.name and host in ("", "%"):
            return PUBLIC
        # Hosts are compared without regard to case, and kept in lower case. Roles of MariaDB have none.
        return Grantee(name, host.lower() or ("" if self.mariadb else "%"))

    def new_database(self, wanted: WantedDatabase, state: State) -> Database:
        return Database(wanted.name, encoding=wanted.encoding, collation=wanted.collation)

    def altered_database(self, wanted: WantedDatabase, found: Database, state: State) -> Database:
        charset = wanted.encoding or state.collations.get(wanted.collation, found.encoding)
        if wanted.collation:
            same = wanted.collation == found.collation
            return found if same else replace(found, encoding=charset, collation=wanted.collation)
        # Another character set comes with its own collation.
        return found if charset == found.encoding else replace(found, encoding=charset, collation="")

    def plugin(self, wanted: WantedUser, found: User | None, state: State) -> str:
        usual = "mysql_native_password" if self.mariadb else "caching_sha2_password"
        by_hash = text.plugin_of(wanted.hash.reveal()) if wanted.hash else ""
        return wanted.plugin or by_hash or (found.plugin if found and found.plugin else usual)

    def first_rights(self, database: Database, state: State) -> Rights:
        return {}

    def usual_rights(self, task: Task, state: State) -> Rights:
        return {}

    def targets(
        self, wanted: WantedGrant, grantee: Grantee, task: Task, state: State
    ) -> list[tuple[Target, tuple[str, ...]]]:
        if wanted.state == PRESENT and not (wanted.item.startswith("grants") and task.grants_mode == SUBTRACT):
            _refuse_restricted(wanted, state.users.get(grantee))
        plain = tuple(name for name, columns in wanted.privileges if not columns)
        if wanted.object_type == "server":
            return [(Target("server"), plain)]
        if wanted.object_type == "role":
            names = [MEMBER] if self.mariadb or state.roles_are_active or self._is_role(grantee, task, state) else []
            return [(self._role(name), tuple(names or (MEMBER, ACTIVE))) for name in wanted.objects]
        if wanted.object_type == "database":
            exact = wanted.pattern or state.literal_patterns
            return [(Target("database", wanted.database if exact else text.pattern(wanted.database)), plain)]
        return list(_inside(wanted, plain))

    def _is_role(self, grantee: Grantee, task: Task, state: State) -> bool:
        found = state.users.get(grantee)
        named = any(user.is_role and user.name == grantee.name for user in task.users)
        return named or bool(found and ROLE in found.attributes)

    def _role(self, name: str) -> Target:
        return Target("role", name=name, host="" if self.mariadb else "%")

    def fold(self, target: Target, state: State) -> Target:
        """Routines and columns go by their names in any case, and wildcards of a database's name mean it as well."""
        if target.kind in ("procedure", "function"):
            return replace(target, name=target.name.lower())
        if target.kind == "column":
            return replace(target, column=target.column.lower())
        if target.kind == "database" and not state.literal_patterns:
            return replace(target, database=text.unescaped(target.database))
        return target

    def options(self, target: Target, privileges: frozenset[str], state: State) -> dict[str, bool]:
        if target.kind in ("role", "column"):
            # What is granted on columns is granted on by an option of the table.
            return {name: name == MEMBER for name in privileges}
        # One option for all that is held on a target, except for the dynamic privileges: each has its own.
        held = {name: target.kind == "server" and name in state.dynamic for name in privileges}
        return held if held and all(held.values()) else {**held, GRANT_OPTION: False}

    def render(self, change: Change) -> tuple[Statement, ...]:
        return text.render(change, self.mariadb)


def _refuse_restricted(wanted: WantedGrant, found: User | None) -> None:
    """GRANT lifts a partial revoke, and grants nothing then; whether it may go is for whoever made it to say."""
    names = {name for name, columns in wanted.privileges if not columns}
    for database, kept in sorted(found.restricted.items()) if found else ():
        meant = wanted.object_type == "server" or (wanted.object_type, wanted.database) == ("database", database)
        lacks = ", ".join(sorted(kept if ALL in names else kept & names))
        if found and meant and lacks:
            what = f"GRANT {lacks} ON {text.name(database)}.* TO {text.account(found.grantee)}"
            raise Refused(
                f"a partial revoke keeps {lacks} on database {database} from {found.grantee}",
                wanted.item,
                f"Lift that with {what}, or leave it out.",
            )


def _charset(given: str) -> str:
    """The server keeps utf8 as what it is."""
    charset = given.lower()
    return "utf8mb3" if charset == "utf8" else charset


def _collation(wanted: WantedDatabase, state: State) -> str:
    """In full, as the server keeps it."""
    collation = wanted.collation.lower()
    if collation.startswith("utf8_") and collation not in state.collations:
        return f"utf8mb3_{collation.removeprefix('utf8_')}"
    charset = _charset(wanted.encoding)
    return f"{charset}_{collation}" if charset and collation in state.shared_collations else collation


def _inside(wanted: WantedGrant, plain: tuple[str, ...]) -> list[tuple[Target, tuple[str, ...]]]:
    """Tables with their columns, and routines. A table's name is never a pattern, and has the option of its columns."""
    found: dict[Target, list[str]] = {}
    for name in wanted.objects:
        whole = Target(wanted.object_type, wanted.database, name=name)
        if plain or wanted.grant_option or not wanted.privileges:
            found[whole] = list(plain)
        for privilege, columns in wanted.privileges:
            for column in columns:
                found.setdefault(Target("column", wanted.database, name=name, column=column), []).append(privilege)
    return [(target, tuple(names)) for target, names in found.items()]
