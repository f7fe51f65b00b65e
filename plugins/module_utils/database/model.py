# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database server holds, as values that MySQL, MariaDB and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret

MYSQL, MARIADB, POSTGRESQL, REDIS = "mysql", "mariadb", "postgresql", "redis"
SQL = (MYSQL, MARIADB, POSTGRESQL)
# Redis' administrator, without whom no connection begins.
DEFAULT_USER = "default"
ALL = "ALL"
GRANT_OPTION = "GRANT OPTION"
# A membership in a role, and that it holds without being asked for at each login. A dormant one lets nobody have what
# the role has, nor become it: PostgreSQL's, from 16 on, WITH INHERIT FALSE, SET FALSE.
MEMBER, ACTIVE, DORMANT = "MEMBER", "ACTIVE", "DORMANT"
# What is known of a user's password: it is the wanted one, it isn't, or nobody may look.
SAME, DIFFERS, UNKNOWN = "same", "differs", "unknown"
ROLE, LOCKED = "ROLE", "LOCKED"
# Plugins of MySQL and MariaDB by which the operating system's user gets in.
WITHOUT_PASSWORD = ("unix_socket", "auth_socket")
# A word of this collection: whoever has the rights that its work needs.
ADMINISTRATOR = "ADMINISTRATOR"
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


# No role can be called so, and MariaDB's is called so.
PUBLIC = Grantee("PUBLIC", "")


@dataclass(frozen=True, order=True)
class Target:
    """What rights are on. For MySQL and MariaDB ``database`` is a pattern, as the server keeps it.

    A role that somebody is a member of has its name and, for MySQL, its host. Default privileges have in ``name``
    the role whose future objects they are on.
    """

    kind: str
    database: str = ""
    schema: str = ""
    name: str = ""
    column: str = ""
    host: str = ""

    def __str__(self) -> str:
        words = ".".join(part for part in (self.database, self.schema, self.name, self.column) if part)
        return f"{self.kind.replace('_', ' ')} {words}{'@' if self.host else ''}{self.host}".strip()


# Who may do what on what, and whether each may be granted on.
Rights = Mapping[tuple[Grantee, Target], Mapping[str, bool]]


@dataclass(frozen=True)
class Database:
    name: str
    owner: str = ""
    encoding: str = ""
    collation: str = ""
    template: str = ""
    connection_limit: int = -1
    unfinished: bool = False


@dataclass(frozen=True)
class User:
    """``password`` tells how the one it has compares to the one that is asked for.

    ``attributes`` are the words that hold, such as CREATEDB, LOCKED or ROLE. ``checked_by`` says how the password was
    compared: with what is stored, or by a login. ``former`` is whether another password works beside it. ``acl`` is
    what Redis' rules are, by their parts, and ``kept`` what it has of each password that works, the present one last.
    ``ways`` are ``plugin`` and those by which a user of MariaDB gets in without a password, in their order, and
    ``rivals`` those that keep something of their own as ``plugin`` does. ``restricted`` is what MySQL's partial revokes
    keep from it in a database.
    """

    grantee: Grantee
    password: str = UNKNOWN
    plugin: str = ""
    attributes: frozenset[str] = frozenset()
    limits: Mapping[str, str] = field(default_factory=dict)
    tls: str = "none"
    checked_by: str = "stored"
    former: bool = False
    acl: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ways: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    restricted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    kept: tuple[Secret, ...] = ()


@dataclass(frozen=True)
class Inside:
    """What PostgreSQL keeps inside a database: its extensions, and the objects that rights can be on."""

    extensions: frozenset[str] = frozenset()
    objects: frozenset[Target] = frozenset()
    owners: Mapping[Target, Grantee] = field(default_factory=dict)
    rights: Rights = field(default_factory=dict)
    # What a task wrote (schema and object) to the one that is meant.
    meant: Mapping[tuple[str, str, str], Target] = field(default_factory=dict)
    # What is in the schemas that are to go, in words.
    contents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # The objects that came with an extension.
    brought: frozenset[Target] = frozenset()

    def named(self, database: str) -> Inside:
        """The same inside another database: what a copy of this one will hold."""
        return Inside(
            self.extensions,
            frozenset(replace(each, database=database) for each in self.objects),
            {replace(target, database=database): owner for target, owner in self.owners.items()},
            {(who, replace(target, database=database)): held for (who, target), held in self.rights.items()},
            {key: replace(target, database=database) for key, target in self.meant.items()},
            self.contents,
            frozenset(replace(each, database=database) for each in self.brought),
        )


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
    owners: Mapping[Target, Grantee] = field(default_factory=dict)
    # Who granted it, where that wasn't the owner: the owner's REVOKE doesn't take it away.
    grantors: Mapping[tuple[Grantee, Target, str], tuple[str, ...]] = field(default_factory=dict)
    insides: Mapping[str, Inside] = field(default_factory=dict)
    # Kind of target to the privileges that this server knows on it, and those of them it grants on one by one.
    privileges: Mapping[str, frozenset[str]] = field(default_factory=dict)
    dynamic: frozenset[str] = frozenset()
    collations: Mapping[str, str] = field(default_factory=dict)
    # MariaDB: collations of several character sets, whose full names have the set's in front.
    shared_collations: frozenset[str] = frozenset()
    # PostgreSQL: what a new database may have as its collation, each with its encoding.
    locales: Mapping[str, str] = field(default_factory=dict)
    plugins: frozenset[str] = frozenset()
    extensions: frozenset[str] = frozenset()
    # Of what grants are on, what there is; None where it isn't known, or known from the insides.
    objects: frozenset[Target] | None = None
    # What is in the way of a removal: a database's or a user's, in words.
    in_use: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owned: Mapping[Grantee, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    # How this server reads names: database names without regard to case, ``_`` and ``%`` in grants as they are.
    folds_case: bool = False
    literal_patterns: bool = False
    roles_are_active: bool = False
    # MySQL: of the roles that everybody has, those that are active when this one logs in.
    mandatory: Mapping[Grantee, frozenset[Grantee]] = field(default_factory=dict)
    # PostgreSQL: attributes of the administrator, and whose member it is; None for a superuser, who needs neither.
    administers: frozenset[str] = frozenset()
    member_of: frozenset[str] | None = None
