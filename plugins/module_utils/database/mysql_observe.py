# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a MySQL or MariaDB server holds, read with a constant number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import passwords
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DIFFERS,
    SAME,
    UNKNOWN,
    Database,
    Grantee,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_dialect import MySQL
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task

# Columns of the server's tables whose names aren't those of the privileges.
_NAMED = {"CREATE TMP TABLE": "CREATE TEMPORARY TABLES", "GRANT": "GRANT OPTION"}
_OPTION = "GRANT OPTION"


@dataclass
class Observer:
    """Reads the state; remembers which password belonged to what is stored, for comparing is what takes time."""

    session: Session
    task: Task
    mariadb: bool
    compared: dict[tuple[bytes, Secret], bool | None] = field(default_factory=dict)

    def look(self) -> State:
        names = sorted({user.name for user in self.task.users} | self._granted())
        accounts = self._accounts(names)
        columns = self.session.rows("SHOW COLUMNS FROM mysql.db")
        known = frozenset(filter(None, (_privilege(column["Field"]) for column in columns)))
        return State(
            engine=self.session.engine,
            version=self.session.version,
            administrator=self.session.endpoint.user,
            databases=self._databases(),
            users=accounts,
            rights=self._rights(names),
            privileges={"database": known - {_OPTION}},
            collations=self._collations(),
        )

    def _granted(self) -> set[str]:
        owners = {database.owner for database in self.task.databases if database.owner}
        return {grant.user for grant in self.task.grants} | owners

    def _databases(self) -> dict[str, Database]:
        rows = self.session.rows(
            "SELECT SCHEMA_NAME AS name, DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation"
            " FROM information_schema.SCHEMATA"
        )
        return {row["name"]: Database(row["name"], "", row["charset"], row["collation"]) for row in rows}

    def _collations(self) -> dict[str, str]:
        rows = self.session.rows(
            "SELECT COLLATION_NAME AS name, CHARACTER_SET_NAME AS charset"
            " FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
        )
        found = {str(row["name"]): str(row["charset"]) for row in rows}
        if self.mariadb:
            # MariaDB's newer collations are one for several character sets, with the short name alone or in full.
            full = self.session.rows(
                "SELECT FULL_COLLATION_NAME AS name, CHARACTER_SET_NAME AS charset"
                " FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
            )
            found.update({str(row["name"]): str(row["charset"]) for row in full})
        return found

    def _accounts(self, names: Iterable[str]) -> dict[Grantee, User]:
        wanted = {MySQL().grantee(user.name, user.host): user.password for user in self.task.users}
        rows = self._of(names, "SELECT User, Host, plugin, CAST(authentication_string AS BINARY) AS kept", "user")
        found = {}
        for row in rows:
            grantee = MySQL().grantee(row["User"], row["Host"])
            stored = bytes(row["kept"] or b"")
            found[grantee] = User(grantee, self._compare(row["plugin"], stored, wanted.get(grantee)), row["plugin"])
        return found

    def _compare(self, plugin: str, stored: bytes, password: Secret | None) -> str:
        if password is None:
            return UNKNOWN
        key = (stored, password)
        if key not in self.compared:
            self.compared[key] = passwords.matches_mysql(plugin, password.reveal().encode(), stored)
        matches = self.compared[key]
        return UNKNOWN if matches is None else SAME if matches else DIFFERS

    def _rights(self, names: Iterable[str]) -> dict[tuple[Grantee, Target], Mapping[str, bool]]:
        found: dict[tuple[Grantee, Target], Mapping[str, bool]] = {}
        for row in self._of(names, "SELECT *", "db"):
            held = [_privilege(column) for column, value in row.items() if value == "Y"]
            key = MySQL().grantee(row["User"], row["Host"]), Target("database", row["Db"])
            found[key] = {privilege: False for privilege in held if privilege}
        return found

    def _of(self, names: Iterable[str], select: str, table: str) -> list[dict[str, Any]]:
        """Rows of the accounts that the task is about; one statement however many they are."""
        wanted = list(names)
        if not wanted:
            return []
        marks = ", ".join(["%s"] * len(wanted))
        return self.session.rows(f"{select} FROM mysql.{table} WHERE User IN ({marks})", wanted)


def _privilege(column: str) -> str:
    """``Create_view_priv`` is CREATE VIEW; empty for what is no privilege."""
    if not column.endswith("_priv"):
        return ""
    words = column[: -len("_priv")].replace("_", " ").upper()
    return _NAMED.get(words, words)
