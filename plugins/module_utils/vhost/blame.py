# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of many changes nginx does not take, where its words name no file. It checks some things only at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from ansible_collections.flatrun.infra.plugins.module_utils.vhost.shared import render_shared, upstreams_in
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import SHARED
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version


def culprit(
    before: Mapping[str, str], after: Mapping[str, str], version: Version, is_bad: Callable[[Mapping[str, str]], bool]
) -> str:
    """The vhost with whose change the set becomes bad, by halving; empty if it was bad before."""
    changed = sorted(name for name, text in after.items() if name != SHARED and before.get(name) != text)
    upstreams = {**upstreams_in(before.get(SHARED, "")), **upstreams_in(after.get(SHARED, ""))}
    base = {**before, SHARED: render_shared(upstreams, version)}

    def is_bad_with(count: int) -> bool:
        return is_bad({**base, **{name: after[name] for name in changed[:count]}})

    if not changed or is_bad_with(0):
        return ""
    good, bad = 0, len(changed)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if is_bad_with(middle) else (middle, bad)
    return changed[bad - 1].rpartition(".")[0]
