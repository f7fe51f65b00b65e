# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, texts and statements as PostgreSQL reads them, with standard_conforming_strings on."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    AddExtension,
    AlterDatabase,
    AlterSchema,
    AlterUser,
    Change,
    CreateDatabase,
    CreateSchema,
    CreateUser,
    Credential,
    DiscardPassword,
    DropDatabase,
    DropSchema,
    DropUser,
    Grant,
    OpenDatabase,
    Revoke,
    SetPassword,
    Statement,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    PUBLIC,
    UNFINISHED,
    Grantee,
    Target,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_places import TEMPLATE, template_of

_LIMITS = {"max_user_connections": "CONNECTION LIMIT", "valid_until": "VALID UNTIL"}
_ROUTINES = ("function", "procedure")


def name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def role(grantee: Grantee) -> str:
    return "PUBLIC" if grantee == PUBLIC else name(grantee.name)


def _one(text: str, database: str = "") -> tuple[Statement, ...]:
    return (Statement((text,), database),)


def _create(change: CreateDatabase) -> str:
    """Closed to everybody, and marked in the same statement, so that it is known again wherever a run dies."""
    database = change.database
    options = [f"OWNER {name(database.owner)}"] if database.owner else []
    options += [f"ENCODING {literal(database.encoding)}"] if database.encoding else []
    options += [f"LOCALE {literal(database.collation)}"] if database.collation else []
    template = template_of(database)
    options += [f"TEMPLATE {name(template)}"] if template != TEMPLATE else []
    options += [f"STRATEGY {change.strategy}"] if change.strategy else []
    options += ["ALLOW_CONNECTIONS false", f"CONNECTION LIMIT {UNFINISHED}"]
    return f"CREATE DATABASE {name(database.name)} {' '.join(options)}"


def _alter(change: AlterDatabase) -> tuple[Statement, ...]:
    before, after = change.before, change.after
    statements: list[str] = []
    if after.owner != before.owner:
        statements.append(f"ALTER DATABASE {name(after.name)} OWNER TO {name(after.owner)}")
    if after.connection_limit != before.connection_limit:
        statements.append(f"ALTER DATABASE {name(after.name)} CONNECTION LIMIT {after.connection_limit}")
    return tuple(Statement((statement,)) for statement in statements)


def _open(change: OpenDatabase) -> tuple[Statement, ...]:
    """The mark goes last."""
    place, limit = name(change.name), change.connection_limit
    if not change.heir:
        return _one(f"ALTER DATABASE {place} ALLOW_CONNECTIONS true CONNECTION LIMIT {limit}")
    return (
        Statement((f"ALTER DATABASE {place} ALLOW_CONNECTIONS true",)),
        Statement((f"ALTER SCHEMA public OWNER TO {name(change.heir)}",), change.name),
        Statement((f"ALTER DATABASE {place} CONNECTION LIMIT {limit}",)),
    )


def _extension(change: AddExtension) -> tuple[Statement, ...]:
    """Into the schema that everybody finds, unless the extension has one of its own.

    One that was made before may have brought it along.
    """
    return (
        *_one("SET LOCAL search_path = public", change.database),
        *_one(f"CREATE EXTENSION IF NOT EXISTS {name(change.name)} CASCADE", change.database),
        *_one("SET LOCAL search_path = pg_catalog", change.database),
    )


def _schema(change: CreateSchema | AlterSchema | DropSchema) -> tuple[Statement, ...]:
    schema, place = name(change.target.schema), change.target.database
    if isinstance(change, CreateSchema):
        owner = f" AUTHORIZATION {name(change.owner)}" if change.owner else ""
        return _one(f"CREATE SCHEMA {schema}{owner}", place)
    if isinstance(change, AlterSchema):
        return _one(f"ALTER SCHEMA {schema} OWNER TO {name(change.after)}", place)
    return _one(f"DROP SCHEMA {schema}{' CASCADE' if change.cascade else ''}", place)


def _options(attributes: Mapping[str, bool], limits: Mapping[str, str]) -> str:
    words = [word if holds else f"NO{word}" for word, holds in sorted(attributes.items())]
    for key, value in sorted(limits.items()):
        words.append(f"{_LIMITS[key]} {literal(value) if key == 'valid_until' else value}")
    return "".join(f" {word}" for word in words)


def _create_user(change: CreateUser) -> Statement:
    attributes = {"LOGIN": True, **change.attributes}
    start = f"CREATE ROLE {role(change.grantee)}{_options(attributes, change.limits)}"
    password: tuple[str | Credential, ...] = (" PASSWORD ", change.credential) if change.credential else ()
    return Statement((start, *password))


def _drop_user(change: DropUser) -> tuple[Statement, ...]:
    """What it owns goes to the heir; then only its rights are left to be dropped, in each database for itself."""
    who = role(change.grantee)
    statements = []
    for database in change.databases:
        if change.heir:
            statements.append(Statement((f"REASSIGN OWNED BY {who} TO {name(change.heir)}",), database))
        statements.append(Statement((f"DROP OWNED BY {who}",), database))
    return (*statements, Statement((f"DROP ROLE {who}",)))


def _place(target: Target) -> str:
    if target.kind == "database":
        return f"DATABASE {name(target.database)}"
    if target.kind == "schema":
        return f"SCHEMA {name(target.schema)}"
    if target.kind in _ROUTINES:
        # Its arguments are the server's own words for types, and need no quotes.
        routine, _bracket, arguments = target.name.rpartition("(")
        return f"ROUTINE {name(target.schema)}.{name(routine)}({arguments}"
    kind = "TABLE" if target.kind == "column" else target.kind.upper()
    return f"{kind} {name(target.schema)}.{name(target.name)}"


def _around(target: Target) -> tuple[str, str]:
    """What stands before GRANT and REVOKE, and what they are on."""
    if not target.kind.startswith("default_"):
        return "", _place(target)
    schema = f" IN SCHEMA {name(target.schema)}" if target.schema else ""
    future = target.kind.removeprefix("default_").upper()
    return f"ALTER DEFAULT PRIVILEGES FOR ROLE {name(target.name)}{schema} ", future


def _listed(names: list[str], target: Target) -> str:
    column = f" ({name(target.column)})" if target.column else ""
    return ", ".join(f"{each}{column}" for each in names)


def _inner(target: Target) -> str:
    return "" if target.kind in ("database", "role") else target.database


def _membership(change: Grant) -> str:
    """What isn't said of one that is there stays as it is; so where it is dormant, all is said."""
    admin = any(change.privileges.values())
    if change.inherit is None:
        return " WITH ADMIN OPTION" if admin else ""
    return f" WITH INHERIT {str(change.inherit).upper()}, SET TRUE{', ADMIN TRUE' if admin else ''}"


def _grant(change: Grant) -> tuple[Statement, ...]:
    """One statement for what may be granted on, one for the rest."""
    target, who = change.target, role(change.grantee)
    if target.kind == "role":
        return _one(f"GRANT {name(target.name)} TO {who}{_membership(change)}")
    made: list[Statement] = []
    before, place = _around(target)
    for grantable in (False, True):
        some = sorted(privilege for privilege, holds in change.privileges.items() if holds == grantable)
        if some:
            whole = change.whole and len(some) == len(change.privileges) and target.kind != "column"
            what = "ALL" if whole else _listed(some, target)
            tail = " WITH GRANT OPTION" if grantable else ""
            made += _one(f"{before}GRANT {what} ON {place} TO {who}{tail}", _inner(target))
    return tuple(made)


def _revoke(change: Revoke) -> tuple[Statement, ...]:
    """Once as the owner, and once more as each grantor whose grant the owner's word leaves alone."""
    target, who = change.target, role(change.grantee)
    if target.kind == "role":
        option = "ADMIN OPTION FOR " if change.only_option else ""
        by = sorted({grantor for grantors in change.grantors.values() for grantor in grantors})
        start = f"REVOKE {option}{name(target.name)} FROM {who}"
        return tuple(Statement((f"{start} GRANTED BY {name(grantor)}",)) for grantor in by) or _one(start)
    option = "GRANT OPTION FOR " if change.only_option else ""
    before, place = _around(target)
    made = [
        *_one(
            f"{before}REVOKE {option}{_listed(list(change.privileges), target)} ON {place} FROM {who}", _inner(target)
        )
    ]
    grantors = sorted({grantor for some in change.grantors.values() for grantor in some})
    for grantor in grantors:
        names = sorted(privilege for privilege, some in change.grantors.items() if grantor in some)
        made += _one(f"SET LOCAL ROLE {name(grantor)}", _inner(target))
        made += _one(f"REVOKE {option}{_listed(names, target)} ON {place} FROM {who}", _inner(target))
        made += _one("RESET ROLE", _inner(target))
    return tuple(made)


def _on_database(
    change: CreateDatabase | AlterDatabase | OpenDatabase | AddExtension | DropDatabase,
) -> tuple[Statement, ...]:
    if isinstance(change, CreateDatabase):
        return _one(_create(change))
    if isinstance(change, AlterDatabase):
        return _alter(change)
    if isinstance(change, OpenDatabase):
        return _open(change)
    if isinstance(change, AddExtension):
        return _extension(change)
    return _one(f"DROP DATABASE {name(change.name)}{' WITH (FORCE)' if change.force else ''}")


def render(change: Change) -> tuple[Statement, ...]:
    if isinstance(change, CreateUser):
        return (_create_user(change),)
    if isinstance(change, AlterUser):
        return _one(f"ALTER ROLE {role(change.grantee)}{_options(change.attributes, change.limits)}")
    if isinstance(change, SetPassword):
        return (Statement((f"ALTER ROLE {role(change.credential.grantee)} PASSWORD ", change.credential)),)
    if isinstance(change, DropUser):
        return _drop_user(change)
    if isinstance(change, Grant):
        return _grant(change)
    if isinstance(change, Revoke):
        return _revoke(change)
    if isinstance(change, (CreateSchema, AlterSchema, DropSchema)):
        return _schema(change)
    if isinstance(change, DiscardPassword):
        raise FlatrunError("PostgreSQL keeps one password of each role")
    return _on_database(change)
