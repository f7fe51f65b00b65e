# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a MySQL or MariaDB server holds, read with a constant number of statements, and one for each role of MariaDB."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_accounts as accounts
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_server_rights as server_rights
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database import passwords
from ansible_collections.flatrun.infra.plugins.module_utils.database.drivers import Forbidden
from ansible_collections.flatrun.infra.plugins.module_utils.database.logins import Logins
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    ACTIVE,
    DIFFERS,
    GRANT_OPTION,
    LOCKED,
    MARIADB,
    MEMBER,
    ROLE,
    SAME,
    UNKNOWN,
    Database,
    Grantee,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_dialect import MySQL
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_inside import look_inside
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_roles import mandatory, memberships
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_session import Session, try_login
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import ABSENT, Task, WantedUser

# What the server's own tables call by another name.
_NAMED = {
    "CREATE TMP TABLE": "CREATE TEMPORARY TABLES",
    "DELETE VERSIONING ROWS": "DELETE HISTORY",
    "GRANT": GRANT_OPTION,
}
_KNOWN = """
SELECT TABLE_NAME AS place, COLUMN_NAME AS name, COLUMN_TYPE AS kind FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME IN ('db', 'tables_priv', 'columns_priv', 'procs_priv')
AND COLUMN_NAME LIKE '%priv'
"""
_DEFINED = """
SELECT DEFINER AS who, 'routine' AS kind, ROUTINE_SCHEMA AS place, ROUTINE_NAME AS name
FROM information_schema.ROUTINES WHERE DEFINER IN %(who)s
UNION ALL SELECT DEFINER, 'view', TABLE_SCHEMA, TABLE_NAME FROM information_schema.VIEWS WHERE DEFINER IN %(who)s
UNION ALL SELECT DEFINER, 'trigger', TRIGGER_SCHEMA, TRIGGER_NAME FROM information_schema.TRIGGERS
WHERE DEFINER IN %(who)s
UNION ALL SELECT DEFINER, 'event', EVENT_SCHEMA, EVENT_NAME FROM information_schema.EVENTS WHERE DEFINER IN %(who)s
"""
# What the columns that hold a privilege end in.
_PRIV = "_priv"
Found = dict[tuple[Grantee, Target], dict[str, bool]]


class Observer:
    """Reads the state; remembers which password belonged to what is stored, for comparing is what takes time."""

    def __init__(self, session: Session, task: Task) -> None:
        self.session, self.task = session, task
        self.mariadb = session.engine == MARIADB
        self.dialect = MySQL(self.mariadb)
        self.compared: dict[tuple[str, bytes, Secret], bool | None] = {}
        self.logins = Logins(session.endpoint)
        owners = {database.owner for database in task.databases if database.owner}
        named = {user.name for user in task.users} | {grant.user for grant in task.grants} | owners
        # Whoever is to have rights; MariaDB's everybody is called so in any case.
        named = {self.dialect.grantee(name, "").name for name in named}
        self.holders = {Grantee(name) for name in named}
        named |= {name for grant in task.grants if grant.object_type == "role" for name in grant.objects}
        self.names = sorted(filter(text.is_storable, named))

    def look(self) -> State:
        known = self._known()
        variables = self._variables()
        folds_case = variables.get("lower_case_table_names", "0") != "0"
        users = self._users()
        collations, shared = self._collations()
        dynamic = frozenset(name for name in known["server"] if "_" in name and not self.mariadb)
        return State(
            engine=self.session.engine,
            version=self.session.version,
            administrator=self.session.endpoint.user,
            databases=self._databases(),
            users=users,
            rights=self._rights(users, dynamic, known["server"]) if self.names else {},
            privileges=known,
            dynamic=dynamic,
            collations=collations,
            shared_collations=shared,
            plugins=self._plugins(),
            objects=look_inside(self.session, self.task, folds_case),
            in_use=self._in_use(),
            owned=self._owned(users),
            folds_case=folds_case,
            literal_patterns=variables.get("partial_revokes", "OFF") == "ON",
            mandatory=mandatory(self.session, self.names, variables.get("mandatory_roles", "")),
            roles_are_active=variables.get("activate_all_roles_on_login", "OFF") == "ON",
        )

    def _variables(self) -> dict[str, str]:
        names = ("lower_case_table_names", "partial_revokes", "activate_all_roles_on_login", "mandatory_roles")
        rows = self.session.rows("SHOW VARIABLES WHERE Variable_name IN %s", (names,))
        return {row["Variable_name"]: row["Value"] for row in rows}

    def _known(self) -> dict[str, frozenset[str]]:
        """The privileges of each kind of target, in the server's own words."""
        found: dict[str, set[str]] = {"database": set(), "table": set(), "column": set(), "procedure": set()}
        kinds = {"Table_priv": "table", "Proc_priv": "procedure"}
        for row in self.session.rows(_KNOWN):
            if row["place"] == "db":
                found["database"].add(privilege(row["name"][: -len(_PRIV)]))
            elif row["place"] == "columns_priv" or row["name"] in kinds:
                words = re.findall(r"'([^']+)'", row["kind"])
                found[kinds.get(row["name"], "column")] |= {privilege(word) for word in words}
        found["server"] = {*server_rights.listed(self.session)}
        # MariaDB grants this one on a routine too, but keeps it nowhere, so a restart takes it away.
        found["procedure"] -= {"SHOW CREATE ROUTINE"}
        found["function"] = found["procedure"]
        return {kind: frozenset(names - {GRANT_OPTION}) for kind, names in found.items()} | {
            "role": frozenset({MEMBER, ACTIVE})
        }

    def _databases(self) -> dict[str, Database]:
        rows = self.session.rows(
            "SELECT SCHEMA_NAME AS name, DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation"
            " FROM information_schema.SCHEMATA"
        )
        return {row["name"]: Database(row["name"], "", row["charset"], row["collation"]) for row in rows}

    def _collations(self) -> tuple[dict[str, str], frozenset[str]]:
        # MariaDB's newer collations are for several character sets, so their full name has the set's in front.
        column = "FULL_COLLATION_NAME" if self.mariadb and self.session.version >= (10, 10) else "COLLATION_NAME"
        rows = self.session.rows(
            f"SELECT COLLATION_NAME AS short, {column} AS name, CHARACTER_SET_NAME AS charset"
            " FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
        )
        shared = frozenset(row["short"] for row in rows if row["short"] != row["name"])
        return {str(row["name"]): str(row["charset"]) for row in rows}, shared

    def _plugins(self) -> frozenset[str]:
        rows = self.session.rows(
            "SELECT PLUGIN_NAME AS name FROM information_schema.PLUGINS"
            " WHERE PLUGIN_TYPE = 'AUTHENTICATION' AND PLUGIN_STATUS = 'ACTIVE'"
        )
        return frozenset(row["name"] for row in rows)

    def _users(self) -> dict[Grantee, User]:
        if not self.names:
            return {}
        rows = [accounts.read(row, self.mariadb) for row in self._account_rows()]
        wanted = {self.dialect.grantee(user.name, user.host): user for user in self.task.users}
        found = [(self.dialect.grantee(each.name, each.host), each) for each in rows]
        self._compare([(each, wanted[who].password) for who, each in found if who in wanted and each.seen])
        accounts_of = Counter(who.name for who, _each in found)
        return {
            who: User(
                who,
                self._password(who, each, wanted.get(who), accounts_of[who.name] == 1),
                each.own[0],
                each.attributes,
                each.limits,
                each.tls,
                checked_by="stored" if each.seen else "login",
                former=each.former,
                ways=each.lasting,
                rivals=each.rivals,
                restricted=each.restricted,
            )
            for who, each in found
        }

    def _account_rows(self) -> list[dict[str, Any]]:
        whole, limited = accounts.QUERIES[self.session.engine]
        try:
            return self._of_names(whole)
        except Forbidden:
            # That is where MariaDB keeps whether an account is locked, too.
            if self.mariadb and any(LOCKED in user.attributes for user in self.task.users):
                raise
            return self._of_names(limited)

    def _compare(self, asked: Sequence[tuple[accounts.Account, Secret | None]]) -> None:
        keys = [(plugin, kept, secret) for each, secret in asked if secret for plugin, kept in each.ways]
        new = [key for key in dict.fromkeys(keys) if key not in self.compared]
        work = [(plugin, secret.reveal().encode(), kept) for plugin, kept, secret in new]
        self.compared.update(zip(new, passwords.matches_mysql(work)))

    def _password(self, who: Grantee, found: accounts.Account, wanted: WantedUser | None, only: bool) -> str:
        if not found.seen:
            telling = only and who.host == "%" and found.tls == "none"
            password = wanted.password if wanted else None
            return self.logins.tell(who, password, lambda endpoint: try_login(endpoint, str(who), telling))
        if wanted and wanted.hash:
            given = wanted.hash.reveal()
            digest = bytes.fromhex(given[2:]) if given.startswith("0x") else given.encode()
            return SAME if digest in [kept for _plugin, kept in found.ways] else DIFFERS
        if not wanted or not wanted.password:
            return UNKNOWN
        answers = [self.compared[plugin, kept, wanted.password] for plugin, kept in found.ways]
        return SAME if True in answers else DIFFERS if False in answers else UNKNOWN

    def _rights(self, users: dict[Grantee, User], dynamic: frozenset[str], known: frozenset[str]) -> Found:
        found = self._server_rights(users, dynamic, known)
        for row in self._of_names("SELECT * FROM mysql.db WHERE User IN %s"):
            held = [column for column, value in row.items() if column.endswith(_PRIV) and value == "Y"]
            names = [privilege(column[: -len(_PRIV)]) for column in held]
            found[self._who(row), Target("database", row["Db"])] = dict.fromkeys(names, False)
        for row in self._of_names("SELECT * FROM mysql.tables_priv WHERE User IN %s AND Table_priv <> ''"):
            target = Target("table", row["Db"], name=row["Table_name"])
            found[self._who(row), target] = dict.fromkeys(_words(row["Table_priv"]), False)
        for row in self._of_names("SELECT * FROM mysql.columns_priv WHERE User IN %s"):
            target = Target("column", row["Db"], name=row["Table_name"], column=row["Column_name"])
            found[self._who(row), target] = dict.fromkeys(_words(row["Column_priv"]), False)
        for row in self._of_names("SELECT * FROM mysql.procs_priv WHERE User IN %s"):
            target = Target(row["Routine_type"].lower(), row["Db"], name=row["Routine_name"])
            found[self._who(row), target] = dict.fromkeys(_words(row["Proc_priv"]), False)
        found.update(memberships(self.session, self.names, self.mariadb))
        return found

    def _of_names(self, query: str) -> list[dict[str, Any]]:
        return self.session.rows(query, (self.names,))

    def _who(self, row: dict[str, Any]) -> Grantee:
        return self.dialect.grantee(row["User"], row["Host"])

    def _server_rights(self, users: dict[Grantee, User], dynamic: frozenset[str], known: frozenset[str]) -> Found:
        found = server_rights.of_accounts(self.session, users, dynamic)
        for who in sorted(self.holders & {*users}):
            if self.mariadb and ROLE in users[who].attributes:
                found[who] = server_rights.of_role(self.session, who, known)
        return {(who, Target("server")): held for who, held in found.items()}

    def _in_use(self) -> dict[str, tuple[str, ...]]:
        named = [database.name for database in self.task.databases if database.state == ABSENT]
        going = list(filter(text.is_storable, named))
        if not going:
            return {}
        place = "information_schema.PROCESSLIST" if self.mariadb else "performance_schema.processlist"
        rows = self.session.rows(
            f"SELECT DISTINCT DB AS place, USER AS who, HOST AS whence FROM {place}"
            " WHERE DB IN %s AND ID <> CONNECTION_ID()",
            (going,),
        )
        found: dict[str, tuple[str, ...]] = {}
        for row in rows:
            found[row["place"]] = (*found.get(row["place"], ()), f"{row['who']} from {row['whence']}")
        return found

    def _owned(self, users: dict[Grantee, User]) -> dict[Grantee, tuple[tuple[str, str], ...]]:
        """What would run as a user that is gone, and so no longer run."""
        going = {self.dialect.grantee(user.name, user.host) for user in self.task.users if user.state == ABSENT}
        by_text = {str(who): who for who in going & set(users)}
        found: dict[Grantee, tuple[tuple[str, str], ...]] = {}
        for row in self.session.rows(_DEFINED, {"who": sorted(by_text)}) if by_text else ():
            who = by_text.get(row["who"])
            if who:
                found[who] = (*found.get(who, ()), (row["place"], f"the {row['kind']} {row['place']}.{row['name']}"))
        return found


def privilege(word: str) -> str:
    """``Create_view`` of a column's name and ``Create View`` of a set are CREATE VIEW."""
    words = word.replace("_", " ").upper()
    return _NAMED.get(words, words)


def _words(kept: str) -> list[str]:
    return [privilege(word) for word in kept.split(",") if word]
