# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights as a plan leaves them, step by step."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Grantee, Rights, Target

Held = dict[str, bool]


class Ledger:
    """The rights as they will be at a point of the plan: those that were found, and what came before."""

    def __init__(self, rights: Rights) -> None:
        self._rights = {key: dict(held) for key, held in rights.items()}

    @property
    def rights(self) -> dict[tuple[Grantee, Target], Held]:
        return self._rights

    def held(self, grantee: Grantee, target: Target) -> Held:
        return self._rights.setdefault((grantee, target), {})

    def add(self, rights: Rights) -> None:
        for (grantee, target), privileges in rights.items():
            self.held(grantee, target).update(privileges)

    def hand_over(self, database: str, before: str, after: str) -> None:
        """A new owner gets what the former one had, as PostgreSQL does it."""
        target = Target("database", database)
        self.held(Grantee(after), target).update(self._rights.pop((Grantee(before), target), {}))
