# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the vhosts that are asked for and those that are there to one new release. Pure: nothing here looks or acts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan, reach
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.render import render, summary_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.shared import render_shared, upstreams_in
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import ABSENT, Vhosts
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import SHARED, State
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version

# What is rendered for while there is no nginx that could tell its version.
_ASSUMED: Version = (1, 30, 0)
_UPSTREAM = re.compile(r"\bflatrun_[0-9a-f]{12}\b")


@dataclass(frozen=True)
class Order:
    """What apply needs: the whole set of files below ``vhosts/``, and the items they come from, for an error."""

    files: Mapping[str, str]
    places: Mapping[str, str]


def plan(spec: Vhosts, state: State) -> Plan:
    """The actions that lead from ``state`` to ``spec``; raises Refused where nothing may be done."""
    target = f"configuration of {spec.container}"
    order = Order(_wanted(spec, state), {vhost.name: vhost.where for vhost in spec.vhosts})
    actions = list(_differences(spec, state, order.files))
    if order.files != state.files:
        actions.append(Action("release", target, "its vhosts change", detail=order))
    elif state.running and not state.live:
        served = f"release {state.served}" if state.served else "nothing that tells its release"
        reason = f"release {state.release} is on disk, and {served} is served"
        actions.append(Action("reload", target, reason, before=state.served or None, after=state.release, detail=order))
    if not state.status and actions:
        actions.insert(0, reach(f"container {spec.container}", "it does not exist"))
    return Plan(tuple(actions), "every vhost is as asked")


def _wanted(spec: Vhosts, state: State) -> dict[str, str]:
    """All files of the set as it is to be."""
    version = state.version or _ASSUMED
    listed = {vhost.name for vhost in spec.vhosts}
    kept = {name: text for name, text in state.vhosts.items() if name not in listed and not spec.exclusive}
    _require_free_names(spec, kept)
    known = upstreams_in(state.files.get(SHARED, ""))
    used = {name for text in kept.values() for name in _UPSTREAM.findall(text)}
    upstreams = {name: text for name, text in known.items() if name in used}
    texts = dict(kept)
    for vhost in spec.vhosts:
        if vhost.state != ABSENT:
            rendered = render(vhost, version)
            texts[vhost.name] = rendered.text
            upstreams.update(rendered.upstreams)
    files = {f"{name}.conf": text for name, text in texts.items()}
    return {**files, SHARED: render_shared(upstreams, version)} if files else {}


def _require_free_names(spec: Vhosts, kept: Mapping[str, str]) -> None:
    """nginx only warns of a name that two servers have, and one of them would never be asked."""
    holders = {name: vhost for vhost, text in kept.items() for name in summary_of(text).get("server_names", ())}
    for vhost in spec.vhosts:
        for index, name in enumerate(vhost.server_names):
            if name in holders:
                raise Refused(
                    f"{name} is a name of the vhost {holders[name]}, which is there already",
                    f"{vhost.where}.server_names[{index}]",
                    f"Remove {holders[name]}, or choose another name.",
                )


def _differences(spec: Vhosts, state: State, files: Mapping[str, str]) -> Iterator[Action]:
    there = state.vhosts
    listed = [vhost.name for vhost in spec.vhosts]
    for name in [*listed, *sorted(set(there) - set(listed))]:
        before, after = there.get(name), files.get(f"{name}.conf")
        if before == after:
            continue
        verb, reason = _told(before, after, name in listed)
        yield Action(verb, f"vhost {name}", reason, name, before, after)
    before, after = state.files.get(SHARED), files.get(SHARED)
    if before != after:
        yield Action("share", f"{SHARED} of {spec.container}", reason, "", before, after)


def _told(before: str | None, after: str | None, listed: bool) -> tuple[str, str]:
    if before is None:
        return "add", "it does not exist"
    if after is None:
        return "remove", "it is to be absent" if listed else "it is not listed, and the list is exclusive"
    return "change", "it differs"
