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
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    Task,
    WantedDatabase,
    WantedGrant,
    WantedUser,
)


class Dialect(Protocol):
    """One engine. Everything here is pure."""

    @property
    def system_databases(self) -> frozenset[str]:
        """Databases that belong to the server itself."""

    @property
    def owners_are_granted(self) -> bool:
        """Whether owning a database is to have all rights on it, and not a property of it."""

    def is_system_user(self, grantee: Grantee) -> bool: ...

    def adapt(self, task: Task, state: State) -> Task:
        """The task in this server's own spellings."""

    def check(self, task: Task, state: State) -> None:
        """Refuse names and options that this engine can't have."""

    def grantee(self, name: str, host: str) -> Grantee: ...

    def new_database(self, wanted: WantedDatabase, state: State) -> Database: ...

    def altered_database(self, wanted: WantedDatabase, found: Database, state: State) -> Database:
        """What is to become of one that exists; raises Refused for what the server can't change in place."""

    def plugin(self, wanted: WantedUser, found: User | None, state: State) -> str:
        """How the user is to prove its password."""

    def first_rights(self, database: Database, state: State) -> Rights:
        """The rights in a database that was created a moment ago."""

    def usual_rights(self, task: Task, state: State) -> Rights:
        """The rights that come with users who don't exist yet."""

    def targets(
        self, wanted: WantedGrant, grantee: Grantee, task: Task, state: State
    ) -> list[tuple[Target, tuple[str, ...]]]:
        """What the grant is on, and the privileges on each."""

    def fold(self, target: Target, state: State) -> Target:
        """What all targets have in common that are one to the server, however it keeps them."""

    def options(self, target: Target, privileges: frozenset[str], state: State) -> dict[str, bool]:
        """The privileges as they are held by somebody who may grant them on."""

    def render(self, change: Change) -> tuple[Statement, ...]: ...
