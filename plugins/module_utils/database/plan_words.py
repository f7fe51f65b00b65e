# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a plan tells of a grant or a revocation: why, and what was held before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Grant, Revoke
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import ALL, DORMANT


def reason_to_grant(missing: Mapping[str, bool], before: Mapping[str, bool], known: frozenset[str]) -> str:
    if DORMANT in before:
        return "its membership lets it neither have what the role has nor become it"
    if {*missing} <= {*before}:
        return "it may not grant them on"
    return "it lacks all privileges" if known and known <= {*missing} else f"it lacks {listed(missing)}"


def listed(privileges: Iterable[str]) -> str:
    return ", ".join(sorted(privileges))


def step(
    item: str,
    change: Grant | Revoke,
    before: Mapping[str, bool],
    after: Mapping[str, bool],
    why: str,
    known: frozenset[str],
) -> Action:
    verb = "grant" if isinstance(change, Grant) else "revoke"
    target = f"{change.grantee} on {change.target}"
    return Action(verb, target, why, item, _lines(before, known), _lines(after, known), change)


def _lines(privileges: Mapping[str, bool], known: frozenset[str]) -> list[str]:
    """What the diff shows: ALL for all that the server knows, because nobody reads twenty lines for each user."""
    shown = dict(privileges)
    values = {shown.get(name) for name in known}
    if len(known) > 1 and len(values) == 1 and None not in values:
        shown = {ALL: shown[min(known)], **{name: option for name, option in shown.items() if name not in known}}
    return [f"{name} with grant option" if grantable else name for name, grantable in sorted(shown.items())]
