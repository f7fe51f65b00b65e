# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, texts and statements as MySQL and MariaDB read them.

Sessions of ours have a sql_mode of their own, so a backslash always escapes in a text; a name is always in backticks.
"""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    AlterDatabase,
    Change,
    CreateDatabase,
    CreateUser,
    Credential,
    DropDatabase,
    DropUser,
    Grant,
    Revoke,
    SetPassword,
    Statement,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    GRANT_OPTION,
    Database,
    Grantee,
    Target,
)


def name(text: str) -> str:
    return "`" + text.replace("`", "``") + "`"


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def account(grantee: Grantee) -> str:
    return f"{literal(grantee.name)}@{literal(grantee.host)}" if grantee.host else literal(grantee.name)


def pattern(database: str) -> str:
    """A database's name where the server would take ``_`` and ``%`` for wildcards."""
    return database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


def _place(target: Target) -> str:
    return f"{name(target.database)}.*"


def _privileges(change: Grant | Revoke) -> str:
    return ", ".join(sorted(change.privileges))


def _database(verb: str, database: Database) -> Statement:
    charset = f" CHARACTER SET {literal(database.encoding)}" if database.encoding else ""
    collation = f" COLLATE {literal(database.collation)}" if database.collation else ""
    return (f"{verb} DATABASE {name(database.name)}{charset}{collation}",)


def _identified(verb: str, credential: Credential, mariadb: bool) -> Statement:
    how = f"VIA {credential.plugin} USING " if mariadb else f"WITH {name(credential.plugin)} AS "
    return (f"{verb} USER {account(credential.grantee)} IDENTIFIED {how}", credential)


def _grant(change: Grant) -> Statement:
    option = " WITH GRANT OPTION" if GRANT_OPTION in change.privileges else ""
    plain = sorted(privilege for privilege in change.privileges if privilege != GRANT_OPTION)
    what = "ALL PRIVILEGES" if change.whole and plain else ", ".join(plain) or "USAGE"
    return (f"GRANT {what} ON {_place(change.target)} TO {account(change.grantee)}{option}",)


def render(change: Change, mariadb: bool) -> tuple[Statement, ...]:
    if isinstance(change, CreateDatabase):
        return (_database("CREATE", change.database),)
    if isinstance(change, AlterDatabase):
        return (_database("ALTER", change.after),)
    if isinstance(change, DropDatabase):
        return ((f"DROP DATABASE {name(change.name)}",),)
    if isinstance(change, CreateUser):
        return (_identified("CREATE", change.credential, mariadb),)
    if isinstance(change, SetPassword):
        return (_identified("ALTER", change.credential, mariadb),)
    if isinstance(change, DropUser):
        return ((f"DROP USER {account(change.grantee)}",),)
    if isinstance(change, Grant):
        return (_grant(change),)
    if isinstance(change, Revoke):
        return ((f"REVOKE {_privileges(change)} ON {_place(change.target)} FROM {account(change.grantee)}",),)
    raise FlatrunError(f"{type(change).__name__} is nothing that this server does")
