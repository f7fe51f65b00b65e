# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing the actions of one service. What may fail is tried beside what serves, and undone if it fails."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.service import containers, guards
from ansible_collections.flatrun.infra.plugins.module_utils.service.calling import call
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CATALOG, ServiceType, image_series
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import Engine
from ansible_collections.flatrun.infra.plugins.module_utils.service.home import Home
from ansible_collections.flatrun.infra.plugins.module_utils.service.observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.service.passwords import Keeper
from ansible_collections.flatrun.infra.plugins.module_utils.service.settings import config_folder, folders
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import RUNNING_STATES, Infra, Service
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import FORMER, Endpoint, Found
from ansible_collections.flatrun.infra.plugins.module_utils.service.steps import Order, present_container
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.serve import Nginx

# A server that was brought back had served before, so a short wait_timeout of its successor's is no measure for it.
_COMES_BACK = 60


class Hand:
    """Does the actions of one service, in the order of the plan."""

    def __init__(self, spec: Infra, service: Service, found: Found, engine: Engine) -> None:
        self.spec, self.service, self.found, self.engine = spec, service, found, engine
        self.observer = Observer(spec, service, engine)
        # An item that isn't whole does not say of which type its container is.
        self.observer.kind = service.type or (CATALOG.get(found.container.type) if found.container else None)
        self.home: Home = self.observer.home
        self.container = service.container
        # The release that a container which is yet to be made will read.
        self.candidate = ""
        # What was found once a former container was brought back.
        self.restored: Found | None = None

    def do(self, action: Action) -> None:
        handlers: Mapping[str, Callable[[Action], None]] = {
            "adopt": self._adopt,
            "call": self._call,
            "connect": self._connect,
            "create": self._create,
            "disconnect": self._disconnect,
            "generate": self._generate,
            "protect": self._keep_password,
            "pull": self._pull,
            "release": self._release,
            "remove": self._remove,
            "rename": self._rename,
            "replace": self._replace,
            "restart": self._restart,
            "restore": self._restore,
            "rotate": self._set_password,
            "set_password": self._set_password,
            "start": self._start,
            "start_over": self._start_over,
            "stop": self._stop,
            "unpause": self._unpause,
            "write": self._write,
        }
        handlers[action.verb](action)

    # Folders, secrets and configuration

    def _generate(self, action: Action) -> None:
        kind = self._kind
        owner = self.engine.account(self.container, kind.account) if self.found.container else 0
        self._keeper.generate(owner)

    def _write(self, action: Action) -> None:
        order: Order = action.detail
        self.home.write_config(config_folder(order.files, order.layout), order.files)

    def _release(self, action: Action) -> None:
        order: Order = action.detail
        release = self.home.stage(order.files)
        if order.anew:
            self._nginx(order).try_out(release, False)
            self.candidate = release
        else:
            found = self.restored or order.found
            running = found.container is not None and found.container.running and found.answers
            self._nginx(order).serve(release, running)

    def _nginx(self, order: Order) -> Nginx:
        """It tests in a container like the one that is to be, where that is another one."""

        def apart(command: list[str]) -> tuple[int, str]:
            return containers.try_out(
                self.engine, self.service, self._kind, order.settings, [*self._networks()], command
            )

        return Nginx(self.engine, self.container, self.home.releases, apart=apart if order.anew else None)

    def _networks(self) -> dict[str, Endpoint]:
        """Those that are asked for, and those that the container in its place is on, by what it is known there."""
        former = present_container(self.found)
        attached = sorted(former.networks - {"none"}) if former else ()
        endpoints = former.endpoints if former else {}
        return {name: endpoints.get(name, Endpoint()) for name in (*self.service.networks, *attached)}

    # The container

    def _create(self, action: Action) -> None:
        order: Order = action.detail
        if not action.target.startswith("container "):
            return self._folders(order)
        try:
            self._switch()
            self._make(order, dict.fromkeys(self.service.networks, Endpoint()))
            if self.service.state in RUNNING_STATES:
                containers.start(self.engine, self.container)
                self._await()
        except FlatrunError:
            # Nobody was told of it yet, and a server that can't start would only fill its log.
            containers.discard(self.engine, self.container, self.spec.root_dir, volumes=True)
            raise

    def _folders(self, order: Order) -> None:
        for path in folders(self._kind, order.layout):
            files.make_folder(path, 0o700 if path == order.layout.secrets else 0o755)

    def _make(self, order: Order, networks: Mapping[str, Endpoint]) -> None:
        kind = self._kind
        self._check_format(kind)
        containers.create(self.engine, self.service, kind, order.settings, self.spec.root_dir, networks)
        owner = self.engine.account(self.container, kind.account)
        self._keeper.hand_over(self.found, owner)

    def _check_format(self, kind: ServiceType) -> None:
        """Once more with the image at hand: it may have been pulled a moment ago, or not tell its version itself."""
        if self.found.data and self.found.data.format:
            image = self.engine.ask("inspect_image", self.service.image)
            environment = dict(entry.split("=", 1) for entry in image["Config"].get("Env") or () if "=" in entry)
            guards.data_format(self.service, kind, self.found, image_series(kind, environment))

    def _replace(self, action: Action) -> None:
        order: Order = action.detail
        former = present_container(self.found)
        self._check_format(self._kind)
        self._expect_release(order)
        self._keeper.write_out(self.found, self.spec.wait_timeout)
        was_running = bool(former and former.alive)
        containers.set_aside(self.engine, self.container)
        try:
            self._switch()
            self._make(order, self._networks())
            if was_running or self.service.state in RUNNING_STATES:
                containers.start(self.engine, self.container)
                # Whatever the task waits for: only one that answers takes the place of one that served.
                self._await(must=True)
        except FlatrunError as error:
            try:
                self.home.take_back()
            finally:
                containers.bring_back(self.engine, self.container, self.spec.root_dir, was_running)
            if action.verb == "adopt":
                self.home.remember(adopting=None, mounts=None)
            raise Refused(
                f"its successor failed, and the former container {self._outcome(was_running)}: {error.sentence()}",
                f"container {self.container}",
            ) from None
        self.engine.ask("remove_container", self.container + FORMER, v=False)
        self._forget_configs(order)

    def _expect_release(self, order: Order) -> None:
        """What the successor is to read is tested by now, and what the former one has read is found again."""
        if self._kind.released:
            if not self.candidate:
                self._nginx(order).require(self.home.releases.current(), False)
            self.home.expect(self.candidate)

    def _switch(self) -> None:
        if self.candidate:
            self.home.switch(self.candidate)

    def _outcome(self, was_running: bool) -> str:
        """What became of a container that was brought back; it serves when it answers, not when it is started."""
        if not was_running:
            return "is back"
        former = self.found.former or self.found.container
        if former and not former.tells(self._kind):
            return "runs again"
        until = time.monotonic() + max(self.spec.wait_timeout, _COMES_BACK)
        found = self.observer.settle(self.found, until)
        return "serves again" if found.answers or found.login else f"is back, but does not answer ({found.words})"

    def _forget_configs(self, order: Order) -> None:
        """Configurations that no container reads any more."""
        if self.candidate:
            self.home.releases.prune()
        if not self._kind.released and self._kind.config:
            files.keep_only(order.layout.config, config_folder(order.files, order.layout))

    def _adopt(self, action: Action) -> None:
        order: Order = action.detail
        if self._kind.secret and not self.found.adopting:
            self._keeper.take_over(self.found)
        former = present_container(self.found)
        self.home.remember(mounts=dict(order.found.adopted_mounts), adopting=former.id if former else None)
        self._replace(action)
        self.home.forget("adopting")

    def _restore(self, action: Action) -> None:
        """What was replaced may not have answered even then: whether it does now is seen when all is done."""
        self.home.take_back()
        containers.bring_back(self.engine, self.container, self.spec.root_dir, True)
        if self.found.former and self.found.former.ours:
            self.restored = self.observer.settle(self.found, time.monotonic() + self.spec.wait_timeout)

    def _call(self, action: Action) -> None:
        call(self.home.layout, self.service.name)

    def _rename(self, action: Action) -> None:
        self.engine.ask("rename", self.found.renamed, self.container)

    def _start_over(self, action: Action) -> None:
        containers.discard(self.engine, self.container, self.spec.root_dir, volumes=True)
        if self.found.data:
            self.home.put_aside(self.found.data.origin)
            files.make_folder(self.found.data.origin)

    def _connect(self, action: Action) -> None:
        network, severed = action.detail
        if severed:
            self._disconnect(action)
        known = self.found.container.endpoints if self.found.container else {}
        containers.connect(self.engine, self.container, network, known.get(network, Endpoint()))

    def _disconnect(self, action: Action) -> None:
        self.engine.ask("disconnect_container_from_network", self.container, action.detail[0], force=True)

    def _start(self, action: Action) -> None:
        if self.found.container and self.found.container.status == "created" and self.service.whole:
            # The run that made it may have been cut short before it had handed these over.
            self._keeper.hand_over(self.found, self.engine.account(self.container, self._kind.account))
        containers.start(self.engine, self.container)
        self._await()

    def _unpause(self, action: Action) -> None:
        self.engine.ask("unpause", self.container)
        self._await()

    def _restart(self, action: Action) -> None:
        self._stop(action)
        self._start(action)

    def _stop(self, action: Action) -> None:
        if self.found.container and self.found.container.status == "paused":
            self.engine.ask("unpause", self.container)
        containers.stop(self.engine, self.container)

    def _remove(self, action: Action) -> None:
        containers.stop(self.engine, action.detail.name)
        self.engine.ask("remove_container", action.detail.name, v=False)

    def _pull(self, action: Action) -> None:
        containers.pull(self.engine, self.service.image)

    # Readiness and the administrator's password

    def _await(self, must: bool = False) -> Found:
        """Until it answers; raises with its last lines."""
        if not (self.spec.wait or must):
            return self.found
        found = self.observer.settle(self.found, time.monotonic() + self.spec.wait_timeout)
        guards.started(self.service, found, self.spec.wait_timeout)
        return found

    def _set_password(self, action: Action) -> None:
        self._keeper.set(self._await(must=True))

    def _keep_password(self, action: Action) -> None:
        self._keeper.keep()

    @property
    def _keeper(self) -> Keeper:
        return Keeper(self.observer, self._kind)

    @property
    def _kind(self) -> ServiceType:
        kind: ServiceType | None = self.observer.kind
        if kind is None:
            raise Refused("its type is not known", "type")
        return kind
