# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of many changes nginx does not take, where its words name no file. It checks some things only at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from ansible_collections.flatrun.infra.plugins.module_utils.vhost.place import OURS, Place
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.render import needed
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.shared import parts_of, render_shared
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import SHARED
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.summary import summary_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version

Texts = Mapping[str, str]


def culprit(before: Texts, after: Texts, version: Version, is_bad: Callable[[Texts], bool], place: Place = OURS) -> str:
    """The vhost with whose change the set becomes bad, by halving; empty if it was bad before."""
    changed = sorted(name for name, text in after.items() if name != SHARED and before.get(name) != text)
    known = _parts(before, after)

    def is_bad_with(count: int) -> bool:
        return is_bad(_whole({**before, **{name: after[name] for name in changed[:count]}}, known, version, place))

    if not changed or is_bad_with(0):
        return ""
    good, bad = 0, len(changed)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if is_bad_with(middle) else (middle, bad)
    return changed[bad - 1].rpartition(".")[0]


def mentioned(texts: Texts, words: str) -> str:
    """The vhost whose certificate nginx complains of, which it names by its files alone."""
    for name, text in sorted(texts.items()):
        pair = summary_of(text).get("certificate") or {}
        if any(f'"{path}"' in words for path in pair.values()):
            return name.rpartition(".")[0]
    return ""


def without(before: Texts, after: Texts, vhost: str, version: Version, place: Place = OURS) -> dict[str, str]:
    """The set with one vhost as it was before, or not at all."""
    name = f"{vhost}.conf"
    rest = {key: text for key, text in after.items() if key != name}
    if name in before:
        rest[name] = before[name]
    return _whole(rest, _parts(before, after), version, place)


def _parts(before: Texts, after: Texts) -> dict[str, str]:
    return {**parts_of(before.get(SHARED, "")), **parts_of(after.get(SHARED, ""))}


def _whole(texts: Texts, known: Texts, version: Version, place: Place) -> dict[str, str]:
    """Vhosts with what they have in common, and no other's part of it: one that is bad would be everybody's."""
    own = {name: text for name, text in texts.items() if name != SHARED}
    return {**own, SHARED: render_shared(needed(own.values(), known), version, place)} if own else {}
