# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between engines, as far as a plan is concerned: names, targets and the text of statements."""

from __future__ import annotations

from typing import Protocol

from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Change, Statement
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    Database,
    Grantee,
    Rights,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task, WantedDatabase, WantedUser


class Dialect(Protocol):
    """One engine. Everything here is pure."""

    @property
    def system_databases(self) -> frozenset[str]:
        """Databases that belong to the server itself."""

    @property
    def owners_are_granted(self) -> bool:
        """Whether owning a database is to have all rights on it, and not a property of it."""

    @property
    def option_is_privilege(self) -> bool:
        """Whether the option to grant on is a privilege of its own beside the others."""

    def is_system_user(self, grantee: Grantee, state: State) -> bool: ...

    def check(self, task: Task, state: State) -> None:
        """Refuse names and options that this engine can't have."""

    def grantee(self, name: str, host: str) -> Grantee: ...

    def database_target(self, name: str, grantee: Grantee, rights: Rights) -> Target: ...

    def new_database(self, wanted: WantedDatabase, state: State) -> Database: ...

    def altered_database(self, wanted: WantedDatabase, found: Database, state: State) -> Database:
        """What is to become of one that exists; raises Refused for what the server can't change in place."""

    def new_user(self, wanted: WantedUser, state: State) -> User: ...

    def first_rights(self, database: Database, state: State) -> Rights:
        """The rights on a database that was created a moment ago."""

    def render(self, change: Change) -> tuple[Statement, ...]: ...
