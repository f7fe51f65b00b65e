# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What forbids a vhost, each with its sentence."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.certificate import objection
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.domains import spelled_out
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.pairs import COPIES, folder_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import Vhost, Vhosts
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import State
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.summary import copy_in, summary_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tls import PLACEHOLDER


class Holders:
    """Who has which name already. nginx only warns of a name that two servers have, and never asks one of them."""

    def __init__(self, spec: Vhosts, state: State, held_back: Collection[str] = ()) -> None:
        listed = {vhost.name for vhost in spec.vhosts}
        kept = {
            name: text
            for name, text in state.files.vhosts.items()
            if name in held_back or (name not in listed and not spec.exclusive)
        }
        self.vhosts = {
            name: vhost
            for vhost, text in kept.items()
            for name in spelled_out(summary_of(text).get("server_names", ()))
        }
        self.foreign = {
            (name, port): each.place
            for each in state.foreign
            for name in spelled_out([each.name])
            for port in each.ports
        }

    def require_free(self, vhost: Vhost) -> None:
        ports = ("80", "443") if vhost.tls else ("80",)
        named = [(index, name) for index, each in enumerate(vhost.server_names) for name in spelled_out([each])]
        for index, name in named:
            where = f"{vhost.where}.server_names[{index}]"
            if name in self.vhosts:
                other = self.vhosts[name]
                raise Refused(
                    f"{name} is a name of the vhost {other}, which is there already",
                    where,
                    f"Remove {other}, or choose another name.",
                )
            place = next((self.foreign[name, port] for port in ports if (name, port) in self.foreign), "")
            if place:
                raise Refused(
                    f"{name} of the vhost {vhost.name} is a name of the server in {place} too",
                    where,
                    "Take it out of one of them.",
                )


def with_copy(vhost: Vhost, state: State) -> Vhost:
    """The vhost with the copy that its certificate is read from; the one it has, where the certificate won't do."""
    found = state.certificates.get(vhost.tls.certificate) if vhost.tls else None
    if not (vhost.tls and found):
        return vhost
    copy = copy_in(state.files.texts.get(f"{vhost.name}.conf", ""), vhost.tls.source)
    if found.pair and not (copy and objection(found, vhost.server_names, state.now)):
        copy = f"{state.place.folder}/{COPIES}/{folder_of(vhost.tls.name, found.pair)}"
    return replace(vhost, tls=replace(vhost.tls, copy=copy))


def with_placeholder(vhost: Vhost, state: State) -> Vhost:
    """The vhost as it is to be until its certificate is there, if that is asked for."""
    found = state.certificates.get(vhost.tls.certificate) if vhost.tls and vhost.tls.placeholder else None
    if not (vhost.tls and found and found.missing and not vhost.tls.copy):
        return vhost
    return replace(vhost, tls=vhost.tls.until_it_is_there(f"{state.place.folder}/{PLACEHOLDER}"))


def certificate(vhost: Vhost, state: State) -> None:
    """Refuse a certificate with which clients would turn away, or nginx would not start."""
    found = state.certificates.get(vhost.tls.certificate) if vhost.tls else None
    words = objection(found, vhost.server_names, state.now) if found else ""
    if words and vhost.tls:
        name = vhost.tls.name or vhost.tls.certificate
        raise Refused(
            f"the certificate {name} won't do: {words}",
            f"{vhost.where}.tls.certificate",
            "Get one, have a placeholder until then, or leave out tls."
            if found and found.missing
            else "Get one, or leave out tls.",
        )


def quarantined(rejected: Mapping[str, FlatrunError]) -> FlatrunError:
    """What the task fails with when all that could go live is live."""
    words = "; ".join(str(error) for error in rejected.values())
    return Refused(f"held back {len(rejected)} of the vhosts, which stay as they were: {words}")
