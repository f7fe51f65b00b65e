# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, texts and statements as MySQL and MariaDB read them.

Sessions of ours have a sql_mode of their own, so a backslash always escapes in a text; a name is always in backticks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    AlterDatabase,
    AlterUser,
    Change,
    CreateDatabase,
    CreateUser,
    Credential,
    DiscardPassword,
    DropDatabase,
    DropUser,
    Grant,
    Revoke,
    SetPassword,
    Statement,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    GRANT_OPTION,
    LOCKED,
    MEMBER,
    PUBLIC,
    ROLE,
    Database,
    Grantee,
    Target,
)

_HASHES = {
    "mysql_native_password": re.compile(r"\*[0-9A-Fa-f]{40}"),
    "caching_sha2_password": re.compile(r"\$A\$[0-9A-F]{3}\$.{63}|0x(?:[0-9A-Fa-f]{2}){70}", re.DOTALL),
    "ed25519": re.compile(r"[A-Za-z0-9+/]{43}"),
}
_PLACES = {"table": "", "column": "", "procedure": "PROCEDURE ", "function": "FUNCTION "}


def plugin_of(digest: str) -> str:
    """The plugin that keeps passwords like this; empty for none."""
    return next((plugin for plugin, pattern in _HASHES.items() if pattern.fullmatch(digest)), "")


def is_made(plugin: str) -> bool:
    """Whether what the plugin keeps of a password can be made here, and so set and compared."""
    return plugin in _HASHES


def is_storable(text: str) -> bool:
    """Whether it can be a name at all: the server keeps names in utf8mb3, and fails to compare them with more."""
    return all(ord(character) <= 0xFFFF for character in text)


def name(text: str) -> str:
    return "`" + text.replace("`", "``") + "`"


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def account(grantee: Grantee) -> str:
    if grantee == PUBLIC:
        return "PUBLIC"
    return f"{literal(grantee.name)}@{literal(grantee.host)}" if grantee.host else literal(grantee.name)


def pattern(database: str) -> str:
    """A database's name where the server would take ``_`` and ``%`` for wildcards."""
    return database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


def unescaped(kept: str) -> str:
    """The database that such a pattern means, where its wildcards stand for themselves."""
    return re.sub(r"\\(.)", r"\1", kept)


def _place(target: Target) -> str:
    if target.kind == "server":
        return "*.*"
    if target.kind == "database":
        return f"{name(target.database)}.*"
    return f"{_PLACES[target.kind]}{name(target.database)}.{name(target.name)}"


def _privileges(names: list[str], target: Target) -> str:
    column = f" ({name(target.column)})" if target.column else ""
    return ", ".join(f"{each}{column}" for each in names)


def _database(verb: str, database: Database) -> str:
    charset = f" CHARACTER SET {literal(database.encoding)}" if database.encoding else ""
    collation = f" COLLATE {literal(database.collation)}" if database.collation else ""
    return f"{verb} DATABASE {name(database.name)}{charset}{collation}"


def _identified(credential: Credential, mariadb: bool, ways: tuple[str, ...] = ()) -> tuple[str | Credential, ...]:
    made: list[str | Credential] = []
    for way in ways or (credential.plugin,):
        made.append(f" OR {way}" if made else f" IDENTIFIED {'VIA' if mariadb else 'WITH'} {way}")
        if way == credential.plugin and not credential.is_empty:
            made += [" USING " if mariadb else " AS ", credential]
    return tuple(made)


def _options(attributes: Mapping[str, bool], limits: Mapping[str, str], tls: str) -> str:
    required = tls if "'" in tls else tls.upper()
    said = f" REQUIRE {required}" if tls else ""
    if limits:
        said += " WITH " + " ".join(f"{key.upper()} {value}" for key, value in sorted(limits.items()))
    if LOCKED in attributes:
        said += " ACCOUNT LOCK" if attributes[LOCKED] else " ACCOUNT UNLOCK"
    return said


def _create_user(change: CreateUser, mariadb: bool) -> Statement:
    who = account(change.grantee)
    if change.attributes.get(ROLE):
        return Statement((f"CREATE ROLE {who}",))
    identified = _identified(change.credential, mariadb) if change.credential else ()
    return Statement((f"CREATE USER {who}", *identified, _options(change.attributes, change.limits, change.tls)))


def _password(change: SetPassword | DiscardPassword, mariadb: bool) -> tuple[Statement, ...]:
    start = f"ALTER USER {account(change.credential.grantee)}"
    discard = Statement((f"{start} DISCARD OLD PASSWORD",))
    if isinstance(change, DiscardPassword):
        return (discard,)
    retain = (" RETAIN CURRENT PASSWORD",) if change.retain else ()
    whole = Statement((start, *_identified(change.credential, mariadb, change.ways), *retain))
    return (whole, discard) if change.discard else (whole,)


def _member(change: Grant, role: str) -> tuple[Statement, ...]:
    who = account(change.grantee)
    made = []
    if MEMBER in change.privileges:
        option = " WITH ADMIN OPTION" if change.privileges[MEMBER] else ""
        made.append(Statement((f"GRANT {role} TO {who}{option}",)))
    if change.active:
        # Otherwise the member would have to ask for the role each time it logs in.
        made.append(Statement((f"ALTER USER {who} DEFAULT ROLE {', '.join(map(account, change.active))}",)))
    return tuple(made)


def _grant(change: Grant) -> tuple[Statement, ...]:
    target, who = change.target, account(change.grantee)
    if target.kind == "role":
        return _member(change, account(Grantee(target.name, target.host)))
    option = " WITH GRANT OPTION" if GRANT_OPTION in change.privileges or any(change.privileges.values()) else ""
    plain = sorted(privilege for privilege in change.privileges if privilege != GRANT_OPTION)
    # MariaDB's ALL on a routine is not all that it knows there.
    whole = change.whole and target.kind in ("server", "database", "table")
    what = "ALL PRIVILEGES" if whole else _privileges(plain, target) or "USAGE"
    return (Statement((f"GRANT {what} ON {_place(target)} TO {who}{option}",)),)


def _revoke(change: Revoke, mariadb: bool) -> tuple[Statement, ...]:
    target, who = change.target, account(change.grantee)
    if target.kind == "role":
        role = account(Grantee(target.name, target.host))
        if change.only_option and mariadb:
            return (Statement((f"REVOKE ADMIN OPTION FOR {role} FROM {who}",)),)
        whole = Statement((f"REVOKE {role} FROM {who}",))
        # MySQL takes the whole membership only, so it is given anew.
        again = Grant(change.grantee, target, {MEMBER: False}, active=change.active)
        return (whole, *_member(again, role)) if change.only_option else (whole,)
    # A dynamic privilege has an option of its own, which goes with it alone and is mixed up by what takes the others'.
    back = dict.fromkeys(change.keeps, True) or dict.fromkeys(change.privileges if change.only_option else (), False)
    taken = [
        Statement((f"REVOKE {_privileges(some, target)} ON {_place(target)} FROM {who}",))
        for some in _apart(sorted({*change.privileges, *change.keeps}))
    ]
    return (*taken, *(_grant(Grant(change.grantee, target, back)) if back else ()))


def _apart(names: list[str]) -> list[list[str]]:
    """Beside dynamic privileges alone, MySQL doesn't heed that the option of all the others is to go."""
    if GRANT_OPTION not in names:
        return [names]
    dynamic = [each for each in names if "_" in each]
    return [some for some in (dynamic, [each for each in names if each not in dynamic]) if some]


def render(change: Change, mariadb: bool) -> tuple[Statement, ...]:
    if isinstance(change, CreateDatabase):
        return (Statement((_database("CREATE", change.database),)),)
    if isinstance(change, AlterDatabase):
        return (Statement((_database("ALTER", change.after),)),)
    if isinstance(change, DropDatabase):
        return (Statement((f"DROP DATABASE {name(change.name)}",)),)
    if isinstance(change, CreateUser):
        return (_create_user(change, mariadb),)
    if isinstance(change, AlterUser):
        options = _options(change.attributes, change.limits, change.tls)
        return (Statement((f"ALTER USER {account(change.grantee)}{options}",)),)
    if isinstance(change, (SetPassword, DiscardPassword)):
        return _password(change, mariadb)
    if isinstance(change, DropUser):
        kind = "ROLE" if change.is_role else "USER"
        return (Statement((f"DROP {kind} {account(change.grantee)}",)),)
    if isinstance(change, Grant):
        return _grant(change)
    if isinstance(change, Revoke):
        return _revoke(change, mariadb)
    raise FlatrunError(f"{type(change).__name__} is nothing that this server does")
