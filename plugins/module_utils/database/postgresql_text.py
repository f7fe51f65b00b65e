# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, texts and statements as PostgreSQL reads them, with standard_conforming_strings on."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    AlterDatabase,
    Change,
    CreateDatabase,
    CreateUser,
    DropDatabase,
    DropUser,
    Grant,
    OpenDatabase,
    Revoke,
    SetPassword,
    Statement,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import PUBLIC, UNFINISHED, Database, Grantee


def name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def role(grantee: Grantee) -> str:
    return "PUBLIC" if grantee == PUBLIC else name(grantee.name)


def _create(database: Database) -> Statement:
    """Closed to everybody, and marked in the same statement, so that it is known again wherever a run dies."""
    options = [f"OWNER {name(database.owner)}"] if database.owner else []
    options += [f"ENCODING {literal(database.encoding)}"] if database.encoding else []
    options += [f"LOCALE {literal(database.collation)}"] if database.collation else []
    # Another encoding or locale than template1's can only be had from the template without texts.
    options += ["TEMPLATE template0"] if database.encoding or database.collation else []
    options += ["ALLOW_CONNECTIONS false", f"CONNECTION LIMIT {UNFINISHED}"]
    return (f"CREATE DATABASE {name(database.name)} {' '.join(options)}",)


def _privileges(change: Grant | Revoke) -> str:
    return ", ".join(sorted(change.privileges))


def _grants(change: Grant) -> tuple[Statement, ...]:
    """One statement for what may be granted on, one for the rest."""
    made: list[Statement] = []
    for option in (False, True):
        some = sorted(privilege for privilege, grantable in change.privileges.items() if grantable == option)
        if some:
            what = "ALL" if change.whole and len(some) == len(change.privileges) else ", ".join(some)
            tail = " WITH GRANT OPTION" if option else ""
            place = f"DATABASE {name(change.target.database)}"
            made.append((f"GRANT {what} ON {place} TO {role(change.grantee)}{tail}",))
    return tuple(made)


def render(change: Change) -> tuple[Statement, ...]:
    if isinstance(change, CreateDatabase):
        return (_create(change.database),)
    if isinstance(change, AlterDatabase):
        return ((f"ALTER DATABASE {name(change.after.name)} OWNER TO {name(change.after.owner)}",),)
    if isinstance(change, OpenDatabase):
        return ((f"ALTER DATABASE {name(change.name)} ALLOW_CONNECTIONS true CONNECTION LIMIT -1",),)
    if isinstance(change, DropDatabase):
        return ((f"DROP DATABASE {name(change.name)}",),)
    if isinstance(change, CreateUser):
        return ((f"CREATE ROLE {role(change.credential.grantee)} LOGIN PASSWORD ", change.credential),)
    if isinstance(change, SetPassword):
        return ((f"ALTER ROLE {role(change.credential.grantee)} PASSWORD ", change.credential),)
    if isinstance(change, DropUser):
        return ((f"DROP ROLE {role(change.grantee)}",),)
    if isinstance(change, Grant):
        return _grants(change)
    if isinstance(change, Revoke):
        option = "GRANT OPTION FOR " if change.only_option else ""
        place = f"DATABASE {name(change.target.database)}"
        return ((f"REVOKE {option}{_privileges(change)} ON {place} FROM {role(change.grantee)}",),)
    raise FlatrunError(f"{type(change).__name__} is nothing that this server does")
