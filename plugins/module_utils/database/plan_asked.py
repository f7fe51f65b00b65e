# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A grant of a task for one account on one object, with its privileges as the server knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import ALL, Grantee, Target
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import WantedGrant


@dataclass(frozen=True)
class Asked:
    """One grant for one account on one object. ``option`` is the item's own, ``known`` what the server knows there."""

    item: str
    grantee: Grantee
    target: Target
    privileges: Mapping[str, bool]
    known: frozenset[str]
    taken: bool
    option: bool


def expand(wanted: WantedGrant, given: frozenset[str], known: frozenset[str], target: Target) -> frozenset[str]:
    """ALL is what the server knows on such a target. A privilege it doesn't know is refused with those it does."""
    if not known:
        # The server isn't there yet, so nobody can tell.
        return given
    strange = sorted(given - known - {ALL})
    if strange:
        raise Refused(
            f"{strange[0]} is not a privilege that this server knows on a {target.kind.replace('_', ' ')}",
            f"{wanted.item}.privileges",
            f"It knows {', '.join(sorted(known))}.",
        )
    return known if ALL in given else given
