# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What MySQL and MariaDB keep of an account, each in its own way, read to the same values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import LOCKED, MARIADB, MYSQL, ROLE
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_values import tls_text

_LIMITS = {
    "max_questions": "max_queries_per_hour",
    "max_updates": "max_updates_per_hour",
    "max_connections": "max_connections_per_hour",
    "max_user_connections": "max_user_connections",
}
_COMMON = "u.User, u.Host, u.ssl_type, u.ssl_cipher, u.x509_issuer, u.x509_subject, " + ", ".join(
    f"u.{column}" for column in _LIMITS
)
_SHUT = "u.account_locked = 'Y' AND u.password_expired = 'Y'"
# A role of MySQL is an account that nobody can log in as, because it is locked, expired and without a password.
IS_ROLE = {MYSQL: f"{_SHUT} AND COALESCE(u.authentication_string, '') = ''", MARIADB: "u.is_role = 'Y'"}
_MYSQL = f"""
SELECT {_COMMON}, u.plugin, CAST(u.authentication_string AS BINARY) AS kept, u.account_locked, {IS_ROLE[MYSQL]} AS role,
u.User_attributes AS more FROM mysql.user u WHERE u.User IN %s
"""
# The view mysql.user shows one way to log in; the table beneath it has all of them, and what is locked.
_MARIADB = f"""
SELECT {_COMMON}, {IS_ROLE[MARIADB]} AS role, g.Priv AS priv
FROM mysql.user u JOIN mysql.global_priv g ON g.User = u.User AND g.Host = u.Host WHERE u.User IN %s
"""
# For each, the whole, and what an administrator gets who may not see what is kept of passwords, as in a cloud.
QUERIES = {
    MYSQL: (
        _MYSQL,
        f"SELECT {_COMMON}, u.plugin, u.account_locked, {_SHUT} AS role FROM mysql.user u WHERE u.User IN %s",
    ),
    MARIADB: (
        _MARIADB,
        f"SELECT {_COMMON}, u.plugin, {IS_ROLE[MARIADB]} AS role FROM mysql.user u WHERE u.User IN %s",
    ),
}


@dataclass(frozen=True)
class Account:
    """``ways`` are the ways to log in, each a plugin with what it keeps; ``former``: a password before works too.

    What is kept may not have been ``seen``.
    """

    name: str
    host: str
    ways: tuple[tuple[str, bytes], ...]
    attributes: frozenset[str]
    limits: Mapping[str, str]
    tls: str
    former: bool
    seen: bool
    restricted: Mapping[str, frozenset[str]]

    @property
    def own(self) -> tuple[str, bytes]:
        """Of several ways the one with a password."""
        return max(self.ways, key=_worth)

    @property
    def rivals(self) -> tuple[str, ...]:
        """What else keeps something, which a new password would leave as it is or take away."""
        return tuple(way[0] for way in self.ways if way[1] and way is not self.own)

    @property
    def lasting(self) -> tuple[str, ...]:
        """The way of a new password, and those that need none: what could keep one and doesn't takes an empty one."""
        return tuple(way[0] for way in self.ways if way is self.own or not (way[1] or text.is_made(way[0])))


def _worth(way: tuple[str, bytes]) -> tuple[bool, bool]:
    plugin, kept = way
    return bool(kept), text.is_made(plugin)


def read(row: Mapping[str, Any], mariadb: bool) -> Account:
    ways, attributes = _mariadb(row) if mariadb else _mysql(row)
    limits = {key: str(int(row[column] or 0)) for column, key in _LIMITS.items()}
    more = json.loads(row.get("more") or "{}")
    former = "additional_password" in more
    restricted = {each["Database"]: frozenset(each["Privileges"]) for each in more.get("Restrictions", ())}
    seen = "kept" in row or "priv" in row
    return Account(row["User"], row["Host"], ways, attributes, limits, _tls(row), former, seen, restricted)


def _mysql(row: Mapping[str, Any]) -> tuple[tuple[tuple[str, bytes], ...], frozenset[str]]:
    kept, locked = bytes(row.get("kept") or b""), row["account_locked"] == "Y"
    return ((row["plugin"], kept),), frozenset({ROLE, LOCKED} if row["role"] else {LOCKED} if locked else ())


def _mariadb(row: Mapping[str, Any]) -> tuple[tuple[tuple[str, bytes], ...], frozenset[str]]:
    facts = json.loads(row.get("priv") or "{}") or {"plugin": row["plugin"]}
    words = {ROLE} if row["role"] else set()
    words |= {LOCKED} if facts.get("account_locked") else set()
    # The empty one among the alternatives stands for what is said beside them.
    ways = [way if way.get("plugin") else facts for way in facts.get("auth_or") or [facts]]
    return (
        tuple((way.get("plugin", ""), str(way.get("authentication_string", "")).encode()) for way in ways),
        frozenset(words),
    )


def _tls(row: Mapping[str, Any]) -> str:
    kind = str(row["ssl_type"] or "").upper()
    if kind == "SPECIFIED":
        parts = {"cipher": "ssl_cipher", "issuer": "x509_issuer", "subject": "x509_subject"}
        return tls_text({name: _text(row[column]) for name, column in parts.items()})
    return {"ANY": "ssl", "X509": "x509"}.get(kind, "none")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
