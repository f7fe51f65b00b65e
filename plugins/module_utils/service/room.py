# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The room of flatrun_infra: its world is the host and its engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Plan, item_report
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal, Room
from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.host.lock import locked
from ansible_collections.flatrun.infra.plugins.module_utils.service import plan as planning
from ansible_collections.flatrun.infra.plugins.module_utils.service import steps
from ansible_collections.flatrun.infra.plugins.module_utils.service.apply import Hand
from ansible_collections.flatrun.infra.plugins.module_utils.service.calling import service_of
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL, Engine
from ansible_collections.flatrun.infra.plugins.module_utils.service.external import externals
from ansible_collections.flatrun.infra.plugins.module_utils.service.observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.service.prepare import prepare
from ansible_collections.flatrun.infra.plugins.module_utils.service.sizes import fit
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import (
    HOST,
    MANAGED,
    RUNNING_STATES,
    Infra,
    Service,
    located,
    parse,
)
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Found, World

_SIDE_BY_SIDE = 16


class Host:
    """The engine and the folders of one root_dir."""

    def __init__(self, spec: Infra, engine: Engine) -> None:
        self.spec, self.engine = fit(spec, engine.memory), engine
        self.networks: dict[str, str] = {}
        self.seen = World(frozenset(), {})
        # How long each start of a container is waited for, whatever is looked at again for the lock's sake.
        self.patience: dict[tuple[str, str], float] = {}

    def observe(self) -> World:
        self.networks = {network["Name"]: network["Id"] for network in self.engine.ask("networks")}
        listing = self.engine.ask("containers", all=True)
        bearers = _bearers(listing, self.spec.root_dir)
        self.spec = located(self.spec, bearers)
        services = {service.name: self._look(service, listing) for service in self.spec.services}
        self.seen = World(
            frozenset(self.networks),
            self._settled(services),
            externals(self.spec.root_dir),
            self.engine.memory,
            self.engine.cpus,
            bearers,
            files.refusal(files.require_trusted, self.spec.root_dir),
        )
        return self.seen

    def _look(self, service: Service, listing: Sequence[Mapping[str, Any]]) -> Found:
        if service.mode == HOST:
            return Found()
        return self._observer(service).look(listing)

    def _observer(self, service: Service) -> Observer:
        return Observer(self.spec, service, self.engine, self.networks)

    def _settled(self, services: dict[str, Found]) -> dict[str, Found]:
        """Ask each that is to run, all at once; wait for those with which nothing else is wrong."""
        until = time.monotonic() + self.spec.wait_timeout
        asked = [service for service in self.spec.services if _is_asked(service, services[service.name])]
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            answers = pool.map(lambda service: self._answer(service, services[service.name], until), asked)
            return {**services, **dict(zip((service.name for service in asked), answers))}

    def _answer(self, service: Service, found: Found, until: float) -> Found:
        observer = self._observer(service)
        now = observer.ask(found)
        if now.answers or now.login:
            return now
        # Whether a first start was cut short, or isn't over yet, can't be told sooner.
        meant = steps.meant(service, found)
        worthwhile = found.initialising or (self.spec.wait and steps.is_settled(self.spec, meant, found))
        return observer.settle(now, self._once(service, found, until)) if worthwhile else now

    def _once(self, service: Service, found: Found, until: float) -> float:
        """A server that was waited for in vain isn't waited for again: it is asked, and that was it."""
        started_at = found.container.started_at if found.container else ""
        return self.patience.setdefault((service.name, started_at), until)

    def hold(self) -> AbstractContextManager[None]:
        return locked(self.spec.root_dir, self.spec.wait_timeout)

    def apply(self, plan: Plan, done: Journal) -> None:
        for action in plan.unreached:
            raise Unreachable(action.reason, action.target, "Start it where it is run.")
        for action in plan.actions:
            if not action.item:
                prepare(self.spec, self.engine, action)
                done(action)
        guard = threading.Lock()

        def work(service: Service) -> None:
            hand = Hand(self.spec, service, self.seen.services[service.name], self.engine)
            for action in plan.of(service.name):
                hand.do(action)
                with guard:
                    done(action)

        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            jobs = [(service, pool.submit(work, service)) for service in self.spec.services]
        errors = [error for error in (job.exception() for _service, job in jobs) if error]
        if errors:
            raise errors[0] if len(errors) == 1 else _together(errors)


def _bearers(listing: Sequence[Mapping[str, Any]], root_dir: str) -> dict[str, tuple[str, ...]]:
    """The containers of this root_dir by the service that they are, each by its own name."""
    bearers: dict[str, set[str]] = {}
    for labels in (entry.get("Labels") or {} for entry in listing):
        if labels.get(f"{LABEL}root_dir") == root_dir and f"{LABEL}service" in labels:
            bearers.setdefault(service_of(labels), set()).add(labels[f"{LABEL}container"])
    return {name: tuple(sorted(containers)) for name, containers in bearers.items()}


def _is_asked(service: Service, found: Found) -> bool:
    container = found.container
    if service.mode != MANAGED or container is None:
        return False
    return steps.meant(service, found).state in RUNNING_STATES or (service.adopt and not container.ours)


def _together(errors: Sequence[BaseException]) -> BaseException:
    """Several services failed side by side: all are said; what nobody foresaw goes first."""
    strange = [error for error in errors if not isinstance(error, FlatrunError)]
    return strange[0] if strange else FlatrunError("; ".join(str(error) for error in errors))


@contextmanager
def _world(spec: Infra) -> Iterator[Host]:
    engine = Engine(spec.engine)
    try:
        engine.require_local()
        yield Host(spec, engine)
    finally:
        engine.close()


def report(spec: Infra, state: World, plan: Plan) -> dict[str, Any]:
    """The result: networks, and each service with what was done to it."""
    networks = [
        {"name": network.name, "changed": any(action.detail == network for action in plan.actions)}
        for network in spec.networks
    ]
    return {
        "networks": networks,
        "services": [_told(service, state.services[service.name], plan) for service in spec.services],
    }


def _told(service: Service, found: Found, plan: Plan) -> dict[str, Any]:
    container = found.container
    return {
        "name": service.name,
        "type": service.type.name if service.type else "",
        "container": service.container,
        "managed": service.mode == MANAGED,
        "status": ("running" if container.running else "stopped")
        if container
        else ("external" if service.mode == HOST else "absent"),
        **item_report(plan, service.name),
    }


ROOM = Room(parse=parse, world=_world, plan=planning.plan, report=report, anchor=planning.anchor)
