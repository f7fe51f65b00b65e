# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database server holds, as values that MySQL, MariaDB and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MYSQL, MARIADB, POSTGRESQL = "mysql", "mariadb", "postgresql"
ALL = "ALL"
GRANT_OPTION = "GRANT OPTION"
# What is known of a user's password: it is the wanted one, it isn't, or nobody may look.
SAME, DIFFERS, UNKNOWN = "same", "differs", "unknown"
# PostgreSQL takes no connection limit of this size seriously, for there can't be so many connections (262,143): a
# database that has it was created here, and the run died before it was opened.
UNFINISHED = 2_000_000_417


@dataclass(frozen=True, order=True)
class Grantee:
    """Who has rights: an account of MySQL and MariaDB with its host, a role without."""

    name: str
    host: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.host}" if self.host else self.name


PUBLIC = Grantee("PUBLIC", "")


@dataclass(frozen=True, order=True)
class Target:
    """What rights are on. For MySQL and MariaDB ``database`` is a pattern, as the server keeps it."""

    kind: str
    database: str = ""
    schema: str = ""
    name: str = ""
    column: str = ""

    def __str__(self) -> str:
        words = ".".join(part for part in (self.database, self.schema, self.name, self.column) if part)
        return f"{self.kind.replace('_', ' ')} {words}".strip()


# Who may do what on what, and whether each may be granted on.
Rights = Mapping[tuple[Grantee, Target], Mapping[str, bool]]


@dataclass(frozen=True)
class Database:
    name: str
    owner: str = ""
    encoding: str = ""
    collation: str = ""
    unfinished: bool = False


@dataclass(frozen=True)
class User:
    """``password`` tells how the one it has compares to the one that is asked for."""

    grantee: Grantee
    password: str = UNKNOWN
    plugin: str = ""


@dataclass(frozen=True)
class State:
    """One server. ``reached`` is False where nothing answers yet, and ``words`` then says why."""

    engine: str
    reached: bool = True
    words: str = ""
    version: tuple[int, ...] = ()
    administrator: str = ""
    databases: Mapping[str, Database] = field(default_factory=dict)
    users: Mapping[Grantee, User] = field(default_factory=dict)
    rights: Rights = field(default_factory=dict)
    # Kind of target to the privileges that this server knows on it.
    privileges: Mapping[str, frozenset[str]] = field(default_factory=dict)
    collations: Mapping[str, str] = field(default_factory=dict)
