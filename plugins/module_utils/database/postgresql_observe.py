# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PostgreSQL server holds, read with a constant number of statements."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import passwords
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DIFFERS,
    POSTGRESQL,
    PUBLIC,
    SAME,
    UNFINISHED,
    UNKNOWN,
    Database,
    Grantee,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task

_DATABASES = """
SELECT d.datname, r.rolname, pg_encoding_to_char(d.encoding), d.datcollate, d.datconnlimit
FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
"""
# NULL means the default. An owner may grant on what it has, which the list itself doesn't tell.
_RIGHTS = """
SELECT d.datname, coalesce(r.rolname, ''), a.privilege_type, bool_or(a.is_grantable OR a.grantee = d.datdba)
FROM pg_database d
CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE d.datname = ANY(%s)
GROUP BY 1, 2, 3
"""


@dataclass
class Observer:
    """Reads the state; remembers which password belonged to what is stored, for comparing is what takes time."""

    session: Session
    task: Task
    compared: dict[tuple[str, Secret], bool] = field(default_factory=dict)

    def look(self) -> State:
        return State(
            engine=POSTGRESQL,
            version=self.session.version,
            administrator=str(self.session.rows("SELECT current_user")[0][0]),
            databases=self._databases(),
            users=self._users(),
            rights=self._rights(),
            privileges={"database": frozenset({"CONNECT", "CREATE", "TEMPORARY"})},
        )

    def _databases(self) -> dict[str, Database]:
        rows = self.session.rows(_DATABASES)
        return {
            name: Database(name, owner, encoding, collation, limit == UNFINISHED)
            for name, owner, encoding, collation, limit in rows
        }

    def _users(self) -> dict[Grantee, User]:
        wanted = {user.name: user.password for user in self.task.users}
        rows = self.session.rows("SELECT rolname, rolpassword FROM pg_authid")
        return {
            Grantee(name): User(Grantee(name), self._compare(name, stored, wanted.get(name)), "scram-sha-256")
            for name, stored in rows
        }

    def _compare(self, user: str, stored: str | None, password: Secret | None) -> str:
        if password is None:
            return UNKNOWN
        if stored is None:
            return DIFFERS
        key = (stored, password)
        if key not in self.compared:
            self.compared[key] = passwords.matches_postgresql(password.reveal(), user, stored)
        return SAME if self.compared[key] else DIFFERS

    def _rights(self) -> dict[tuple[Grantee, Target], dict[str, bool]]:
        databases = {wanted.name for wanted in self.task.databases} | {grant.database for grant in self.task.grants}
        found: dict[tuple[Grantee, Target], dict[str, bool]] = {}
        for database, role, privilege, grantable in self.session.rows(_RIGHTS, (sorted(databases),)):
            grantee = Grantee(role) if role else PUBLIC
            found.setdefault((grantee, Target("database", database)), {})[privilege] = grantable
        return found
