# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is asked and what was found to what is to be done. Pure: nothing here looks or acts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan, reach
from ansible_collections.flatrun.infra.plugins.module_utils.service import guards, steps
from ansible_collections.flatrun.infra.plugins.module_utils.service import spec as wanted
from ansible_collections.flatrun.infra.plugins.module_utils.service.settings import shared_folders
from ansible_collections.flatrun.infra.plugins.module_utils.service.sizes import fit
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import Infra, Service, located
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Found, World
from ansible_collections.flatrun.infra.plugins.module_utils.service.steps_password import first_password


def plan(spec: Infra, state: World) -> Plan:
    """The actions that lead from ``state`` to ``spec``; raises Refused where nothing may be done."""
    actions = [
        Action(
            "create",
            f"network {network.name}",
            "it does not exist",
            after={"internal": network.internal},
            detail=network,
        )
        for network in spec.networks
        if network.name not in state.networks
    ]
    actions += [*_shared(spec, state), *_notes(spec, state)]
    known = state.networks | {network.name for network in spec.networks}
    for index, service in enumerate(spec.services):
        try:
            guards.networks(service, known)
            guards.processors(service, state.cpus)
            actions += _service(spec, service, state.services[service.name])
        except FlatrunError as error:
            raise error.under(f"services[{index}]") if not error.where.startswith("/") else error from None
    if actions and state.distrusted:
        raise state.distrusted
    return Plan(tuple(actions), "every network and service is as asked")


def _shared(spec: Infra, state: World) -> Iterator[Action]:
    """The folders that several services have in common are nobody's alone."""
    missing = [
        path
        for service in spec.services
        if service.type and service.whole and service.mode == wanted.MANAGED and service.state != wanted.ABSENT
        for path in shared_folders(service.type, spec.root_dir)
        if path not in state.services[service.name].folders
    ]
    if missing:
        paths = tuple(dict.fromkeys(missing))
        yield Action("create", f"folders of {spec.root_dir}", "they are missing", after=list(paths), detail=paths)


def _notes(spec: Infra, state: World) -> Iterator[Action]:
    """What somebody else runs leaves no container of ours to be found by, so it is noted."""
    managed = {service.name for service in spec.services if service.mode == wanted.MANAGED}
    kept = {name: facts for name, facts in state.externals.items() if name not in managed}
    after = {**kept, **{service.name: _noted(service) for service in spec.services if service.mode != wanted.MANAGED}}
    if after != state.externals:
        target = f"external services of {spec.root_dir}"
        yield Action(
            "note", target, "they are not those that were noted", before=state.externals, after=after, detail=after
        )


def _noted(service: Service) -> dict[str, Any]:
    facts = {"type": service.type.name if service.type else "", "host": service.host, "container": service.container}
    return {key: value for key, value in {**facts, "port": service.port}.items() if value}


def anchor(spec: Infra, state: World) -> Infra:
    """Sizes follow the machine, and a restart is a condition too: started after what was seen first."""
    spec = located(fit(spec, state.memory), state.bearers)
    return replace(spec, services=tuple(_outliving(service, state.services[service.name]) for service in spec.services))


def _outliving(service: Service, found: Found) -> Service:
    runs = found.container is not None and found.container.status in ("running", "restarting", "paused")
    return replace(service, outlive=found.container.started_at) if runs and found.container else service


def _service(spec: Infra, service: Service, found: Found) -> Iterator[Action]:
    target = f"container {service.container}"
    if service.mode == wanted.HOST:
        return
    if service.mode == wanted.FOREIGN:
        if found.container is None:
            yield reach(target, "it is run by somebody else, and it is not there", service.name)
        return
    guards.ownership(service, found, spec.root_dir)
    service = steps.meant(service, found)
    if service.state == wanted.ABSENT:
        yield from steps.absent(service, found, target)
    elif service.whole and service.type:
        yield from steps.whole(spec, service, service.type, found, target)
    else:
        guards.there(service, found)
        if found.container:
            yield from steps.renamed(service, found, target)
            if service.state in wanted.RUNNING_STATES:
                guards.severed(service, found.container)
                yield from steps.networks(service, found.container, target)
            yield from steps.running(service, found, found.container, target, spec.wait)
            yield from first_password(service, found.container, found)
