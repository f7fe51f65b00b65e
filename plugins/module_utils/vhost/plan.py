# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the vhosts that are asked for and those that are there to one new release. Pure: nothing here looks or acts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Union

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan, reach
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import SECRET
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import guards
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.htpasswd import PasswordFile, resolve
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.pairs import Pair, folder_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.place import OURS, Place
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.render import Rendered, needed, render
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.shared import parts_of, render_shared
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import ABSENT, FAIL, ROLLED_BACK, Vhost, Vhosts
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import SHARED, Files, State, owner_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.summary import copy_in, shown, summary_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tls import PLACEHOLDER
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version

# What is rendered for while there is no nginx that could tell its version.
_ASSUMED: Version = (1, 30, 0)
AUTH = "auth/"
Content = Union[str, PasswordFile]


@dataclass(frozen=True)
class Order:
    """What apply needs: all files of vhosts as they are to be, and the items they come from, for an error."""

    texts: Mapping[str, str]
    extras: Mapping[str, Content]
    # The certificates that the texts read copies of, by the copies' folders.
    pairs: Mapping[str, Pair] = field(default_factory=dict)
    version: Version = _ASSUMED
    place: Place = OURS
    places: Mapping[str, str] = field(default_factory=dict)
    rejected: Mapping[str, FlatrunError] = field(default_factory=dict)


def anchor(spec: Vhosts, state: State) -> Vhosts:
    """A way back is a condition too: another release than the one that was there first."""
    return replace(spec, outlive=state.release)


def plan(spec: Vhosts, state: State) -> Plan:
    """The actions that lead from ``state`` to ``spec``; raises Refused where nothing may be done."""
    target = f"configuration of {spec.container}"
    order = _former(spec, state) if spec.state == ROLLED_BACK else _wanted(spec, state)
    actions = list(_differences(spec, state, order))
    held_back = [
        Action("quarantine", f"vhost {name}", str(error), name, detail=order) for name, error in order.rejected.items()
    ]
    reason = why_released(spec, state, order)
    if reason:
        actions.append(Action("release", target, reason, detail=order))
    elif state.running and not state.live:
        served = f"release {state.served}" if state.served else "nothing that tells its release"
        reason = f"release {state.release or '(none)'} is on disk, and {served} is served"
        actions.append(Action("reload", target, reason, before=state.served or None, after=state.release, detail=order))
    if held_back and not actions:
        raise guards.quarantined(order.rejected)
    actions = held_back + actions
    if not state.status and actions:
        reason = f"it is {state.found}" if state.found else "it does not exist"
        actions.insert(0, reach(f"container {spec.container}", reason))
    return Plan(tuple(actions), "every vhost is as asked")


def why_released(spec: Vhosts, state: State, order: Order) -> str:
    """Why there is to be another release; empty if there isn't."""
    if (order.texts, order.extras) != (state.files.texts, state.files.extras):
        return "the former vhosts are asked for" if spec.state == ROLLED_BACK else "its vhosts change"
    if _unsigned(state, order) or not state.copies.issuperset(order.pairs):
        return "a certificate that it reads is missing"
    if state.exposed.intersection(order.extras):
        return "others may read its passwords"
    return "nginx may not read its passwords" if state.withheld.intersection(order.extras) else ""


def _former(spec: Vhosts, state: State) -> Order:
    """The vhosts of the former release; once the release is another, they are those that are there."""
    if state.release and state.release != spec.outlive:
        return Order(state.files.texts, state.files.extras, place=state.place)
    if state.former is None:
        raise Refused(
            f"no earlier release of {spec.container} is kept that had other vhosts", "state", "List them under vhosts."
        )
    return Order(state.former.texts, state.former.extras, place=state.place)


def _wanted(spec: Vhosts, state: State) -> Order:
    version = state.version or _ASSUMED
    there = state.files.vhosts
    rendered, rejected = _rendered(spec, state, version)
    listed = {vhost.name for vhost in spec.vhosts} - set(rejected)
    kept = [name for name in there if name not in listed and (name in rejected or not spec.exclusive)]
    texts = {name: there[name] for name in kept}
    known = parts_of(state.files.texts.get(SHARED, ""))
    parts = needed(texts.values(), known)
    extras: dict[str, Content] = {path: text for name in kept for path, text in state.files.extras_of(name).items()}
    for name, each in rendered.items():
        texts[name] = each.text
        parts.update(each.parts)
        for path, content in each.extras.items():
            extras[path] = content if isinstance(content, str) else resolve(content, state.files.extras.get(path, ""))
    files = {f"{name}.conf": text for name, text in texts.items()}
    if files:
        files[SHARED] = render_shared(parts, version, state.place)
    places = {vhost.name: vhost.where for vhost in spec.vhosts}
    return Order(files, extras, _pairs(spec, state, rendered), version, state.place, places, rejected)


def _pairs(spec: Vhosts, state: State, rendered: Mapping[str, Rendered]) -> dict[str, Pair]:
    """The certificates that copies are to be there of, by the copies' folders."""
    pairs: dict[str, Pair] = {}
    for vhost in spec.vhosts:
        tls = vhost.tls
        found = state.certificates.get(tls.certificate) if tls else None
        if not (tls and found and found.pair and vhost.name in rendered):
            continue
        folder = folder_of(tls.name, found.pair)
        if copy_in(rendered[vhost.name].text, tls.source).endswith(f"/{folder}"):
            pairs[folder] = found.pair
    return pairs


def _unsigned(state: State, order: Order) -> bool:
    """Whether the self-signed certificate is needed, and not there; once made it stays."""
    pairs = (summary_of(text).get("certificate") or {} for text in order.texts.values())
    return not state.signed and any(str(pair.get("fullchain")).endswith(f"/{PLACEHOLDER}") for pair in pairs)


def _rendered(spec: Vhosts, state: State, version: Version) -> tuple[dict[str, Rendered], dict[str, FlatrunError]]:
    rendered: dict[str, Rendered] = {}
    rejected: dict[str, FlatrunError] = {}
    todo = [vhost for vhost in spec.vhosts if vhost.state != ABSENT]
    while todo:
        # One that is held back keeps the names it has, which others may have counted on.
        holders = guards.Holders(spec, state, rejected)
        held_back = len(rejected)
        for vhost in todo:
            try:
                rendered[vhost.name] = _checked(vhost, state, version, holders)
            except FlatrunError as error:
                if spec.on_invalid == FAIL:
                    raise
                rejected[vhost.name] = error
        todo = [vhost for vhost in todo if vhost.name not in rejected] if len(rejected) > held_back else []
    return {name: each for name, each in rendered.items() if name not in rejected}, rejected


def _checked(vhost: Vhost, state: State, version: Version, holders: guards.Holders) -> Rendered:
    if vhost.error:
        raise vhost.error
    holders.require_free(vhost)
    vhost = guards.with_placeholder(guards.with_copy(vhost, state), state)
    rendered = render(vhost, version, state.place)
    # An expired certificate is no reason to refuse a vhost that stays as it is.
    if rendered.text != state.files.texts.get(f"{vhost.name}.conf"):
        guards.certificate(vhost, state)
    return rendered


def _differences(spec: Vhosts, state: State, order: Order) -> Iterator[Action]:
    before, after = state.files, Files(order.texts)
    listed = [vhost.name for vhost in spec.vhosts]
    there, wanted = before.vhosts, after.vhosts
    for name in [*listed, *sorted({*there, *wanted} - set(listed))]:
        old, new = there.get(name), wanted.get(name)
        if old == new:
            continue
        if shown(old) == shown(new):
            known = (f"{SECRET} former", f"{SECRET} new")
            yield Action("certify", f"certificate of vhost {name}", "another one is there", name, *known)
        else:
            verb, reason = _told(old, new, name in listed or spec.state == ROLLED_BACK)
            yield Action(verb, f"vhost {name}", reason, name, shown(old), shown(new))
    yield from _extras(state, order)
    if _unsigned(state, order):
        yield Action(
            "sign", f"placeholder of {spec.container}", "a vhost's own certificate is not there yet", after=SECRET
        )
    old, new = before.texts.get(SHARED), order.texts.get(SHARED)
    if old != new:
        reason = "what the vhosts have in common differs"
        yield Action("share", f"{SHARED} of {spec.container}", reason, before=old, after=new)


def _extras(state: State, order: Order) -> Iterator[Action]:
    for path in sorted({*state.files.extras, *order.extras}):
        old, new = state.files.extras.get(path), order.extras.get(path)
        name = owner_of(path)
        if old == new and path in state.exposed | state.withheld:
            is_open = path in state.exposed
            reason, whose = ("others may read it", "all") if is_open else ("nginx may not read it", "others")
            shown_as = (f"{SECRET} of {whose}", f"{SECRET} of nginx alone")
            yield Action("protect", f"passwords {path}", reason, name, *shown_as)
        if old == new:
            continue
        reason = "it does not exist" if old is None else "it is not needed any more" if new is None else "it differs"
        if path.startswith(AUTH):
            known = (old and f"{SECRET} former", new and f"{SECRET} new")
            yield Action("protect", f"passwords {path}", reason, name, *known)
        else:
            yield Action("write", f"page {path}", reason, name, old, new)


def _told(before: str | None, after: str | None, listed: bool) -> tuple[str, str]:
    if before is None:
        return "add", "it does not exist"
    if after is None:
        return "remove", "it is to be absent" if listed else "it is not listed, and the list is exclusive"
    return "change", "it differs"
