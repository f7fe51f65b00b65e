# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes a plan is made of, and the statements they become. A statement never holds a secret's text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import SECRET, Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Database, Grantee, Target


@dataclass(frozen=True)
class Credential:
    """Where a statement has what the server keeps of a password; made just before it is sent."""

    grantee: Grantee
    plugin: str
    password: Secret

    def __str__(self) -> str:
        return f"'{SECRET}'"


Statement = tuple[Union[str, Credential], ...]


@dataclass(frozen=True)
class CreateDatabase:
    database: Database


@dataclass(frozen=True)
class AlterDatabase:
    before: Database
    after: Database


@dataclass(frozen=True)
class OpenDatabase:
    """PostgreSQL: let connections in, once those who shouldn't come are locked out."""

    name: str


@dataclass(frozen=True)
class DropDatabase:
    name: str


@dataclass(frozen=True)
class CreateUser:
    credential: Credential


@dataclass(frozen=True)
class SetPassword:
    credential: Credential


@dataclass(frozen=True)
class DropUser:
    grantee: Grantee


@dataclass(frozen=True)
class Grant:
    """``whole`` is True where these are all the privileges that the server knows on the target."""

    grantee: Grantee
    target: Target
    privileges: Mapping[str, bool]
    whole: bool = False


@dataclass(frozen=True)
class Revoke:
    grantee: Grantee
    target: Target
    privileges: tuple[str, ...]
    only_option: bool = False


Change = Union[
    CreateDatabase, AlterDatabase, OpenDatabase, DropDatabase, CreateUser, SetPassword, DropUser, Grant, Revoke
]


def shown(statement: Statement) -> str:
    """A statement as users see it."""
    return "".join(str(piece) for piece in statement)
