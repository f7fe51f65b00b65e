# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes a plan is made of, and the statements they become. A statement never holds a secret's text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import SECRET, Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Database, Grantee, Target


@dataclass(frozen=True)
class Credential:
    """Where a statement has what the server keeps of a password; made just before it is sent.

    Made from ``password``, or ``hash`` as it was given; neither for a plugin that needs none.
    """

    grantee: Grantee
    plugin: str
    password: Secret | None = None
    hash: Secret | None = None

    def __str__(self) -> str:
        return f"'{SECRET}'"

    @property
    def is_empty(self) -> bool:
        return self.password is None and self.hash is None


@dataclass(frozen=True)
class Statement:
    """``database`` is where PostgreSQL has to run it, empty for wherever the administrator is."""

    pieces: tuple[str | Credential, ...]
    database: str = ""

    def __str__(self) -> str:
        """As users see it."""
        return "".join(str(piece) for piece in self.pieces)


@dataclass(frozen=True)
class CreateDatabase:
    """``strategy`` is PostgreSQL's way to copy the template (https://www.postgresql.org/docs/17/sql-createdatabase.html)."""

    database: Database
    strategy: str = ""


@dataclass(frozen=True)
class AlterDatabase:
    before: Database
    after: Database


@dataclass(frozen=True)
class OpenDatabase:
    """PostgreSQL: let connections in, once those who shouldn't come are locked out.

    ``heir`` is the owner who gets the schema public, where the server doesn't give it by itself.
    """

    name: str
    heir: str = ""
    connection_limit: int = -1


@dataclass(frozen=True)
class AddExtension:
    database: str
    name: str


@dataclass(frozen=True)
class CreateSchema:
    """``owner`` is empty for the administrator."""

    target: Target
    owner: str = ""


@dataclass(frozen=True)
class AlterSchema:
    target: Target
    before: str
    after: str


@dataclass(frozen=True)
class DropSchema:
    """``cascade``: with what is in it."""

    target: Target
    cascade: bool = False


@dataclass(frozen=True)
class DropDatabase:
    name: str
    force: bool = False


@dataclass(frozen=True)
class CreateUser:
    grantee: Grantee
    credential: Credential | None
    attributes: Mapping[str, bool] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    tls: str = ""
    acl: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class AlterUser:
    grantee: Grantee
    attributes: Mapping[str, bool] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    tls: str = ""
    acl: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class SetPassword:
    """``retain``: the one that worked before goes on working. ``discard``: a former one beside it worked too.

    ``ways`` are the plugins by which the user may then log in, where there are others beside the credential's.
    ``beside`` is what Redis has to be told to go on working.
    """

    credential: Credential
    retain: bool = False
    discard: bool = False
    ways: tuple[str, ...] = ()
    beside: tuple[Credential, ...] = ()


@dataclass(frozen=True)
class DiscardPassword:
    """Former passwords no longer work, but for those ``beside``; the present one does, and is the credential's."""

    credential: Credential
    beside: tuple[Credential, ...] = ()


@dataclass(frozen=True)
class DropUser:
    """``heir`` gets what it owns in ``databases``, where that is to be."""

    grantee: Grantee
    is_role: bool = False
    heir: str = ""
    databases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grant:
    """``whole`` is True where these are all the privileges that the server knows on the target.

    ``active`` are the roles that are active at each login afterwards, where MySQL has to be told. ``inherit`` wakes a
    dormant membership, with or without what is inherited.
    """

    grantee: Grantee
    target: Target
    privileges: Mapping[str, bool]
    whole: bool = False
    active: tuple[Grantee, ...] = ()
    inherit: bool | None = None


@dataclass(frozen=True)
class Revoke:
    """``grantors`` are those who gave a privilege, where the owner's word doesn't take it back.

    ``keeps`` are the dynamic privileges of MySQL that may still be granted on when all the others may not.
    """

    grantee: Grantee
    target: Target
    privileges: tuple[str, ...]
    only_option: bool = False
    grantors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    active: tuple[Grantee, ...] = ()
    keeps: tuple[str, ...] = ()


Change = Union[
    CreateDatabase,
    AlterDatabase,
    OpenDatabase,
    AddExtension,
    CreateSchema,
    AlterSchema,
    DropSchema,
    DropDatabase,
    CreateUser,
    AlterUser,
    SetPassword,
    DiscardPassword,
    DropUser,
    Grant,
    Revoke,
]
