# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has what from whom: PostgreSQL takes nothing away that somebody has granted on, but from the end of the chain."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Grantee, Target


class Dependents:
    """``grantors`` are those of each privilege, but for the owner, whom nobody takes anything from."""

    def __init__(self, grantors: Mapping[tuple[Grantee, Target, str], tuple[str, ...]]) -> None:
        self._given: dict[tuple[Grantee, Target], list[tuple[Grantee, Target, str]]] = {}
        for (who, target, name), givers in grantors.items():
            for giver in givers:
                self._given.setdefault((Grantee(giver), whole(target)), []).append((who, target, name))

    def of(
        self, giver: Grantee, target: Target, privileges: Collection[str]
    ) -> dict[tuple[Grantee, Target], list[str]]:
        """What falls when somebody loses privileges on a target; a table's are lost on its columns too.

        Of a role, every membership falls, of use or not.
        """
        found: dict[tuple[Grantee, Target], list[str]] = {}
        for who, place, name in self._given.get((giver, whole(target)), ()):
            if (name in privileges or target.kind == "role") and target in (place, whole(place)):
                found.setdefault((who, place), []).append(name)
        return found


def whole(target: Target) -> Target:
    """A column's table; all else is whole by itself."""
    return replace(target, kind="table", column="") if target.kind == "column" else target
