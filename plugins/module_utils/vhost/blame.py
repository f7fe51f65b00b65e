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
    parts = {**parts_of(before.get(SHARED, "")), **parts_of(after.get(SHARED, ""))}
    base = {**before, SHARED: render_shared(parts, version, place)}

    def is_bad_with(count: int) -> bool:
        return is_bad({**base, **{name: after[name] for name in changed[:count]}})

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
    rest = {key: text for key, text in after.items() if key not in (name, SHARED)}
    if name in before:
        rest[name] = before[name]
    known = {**parts_of(before.get(SHARED, "")), **parts_of(after.get(SHARED, ""))}
    return {**rest, SHARED: render_shared(needed(rest.values(), known), version, place)} if rest else {}
