# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights as a plan leaves them, step by step."""

from __future__ import annotations

from typing import Callable

from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Grantee, Rights, Target

Held = dict[str, bool]


class Ledger:
    """The rights as they will be at a point of the plan: those that were found, and what came before."""

    def __init__(self, rights: Rights, fold: Callable[[Target], Target] = lambda target: target) -> None:
        self._fold = fold
        self._rights: dict[tuple[Grantee, Target], Held] = {}
        self._targets: dict[Grantee, list[Target]] = {}
        self._spelled: dict[tuple[Grantee, Target], list[Target]] = {}
        self.add(rights)

    @property
    def rights(self) -> dict[tuple[Grantee, Target], Held]:
        return self._rights

    def held(self, grantee: Grantee, target: Target) -> Held:
        if (grantee, target) not in self._rights:
            self._rights[grantee, target] = {}
            self._targets.setdefault(grantee, []).append(target)
            self._spelled.setdefault((grantee, self._fold(target)), []).append(target)
        return self._rights[grantee, target]

    def targets(self, grantee: Grantee) -> list[Target]:
        """Everything on which somebody has rights, or had some."""
        return list(self._targets.get(grantee, ()))

    def spelled(self, grantee: Grantee, target: Target) -> list[Target]:
        """This target in each spelling under which somebody has rights on it; where there is none, as first asked."""
        self.held(grantee, target)
        known = self._spelled[grantee, self._fold(target)]
        there = [each for each in known if self._rights[grantee, each]]
        return sorted(there, key=lambda each: each != target) or known[:1]

    def add(self, rights: Rights) -> None:
        for (grantee, target), privileges in rights.items():
            self.held(grantee, target).update(privileges)

    def hand_over(self, target: Target, before: str, after: str) -> None:
        """A new owner gets what the former one had, as PostgreSQL does it."""
        former = self.held(Grantee(before), target)
        self.held(Grantee(after), target).update(former)
        former.clear()
