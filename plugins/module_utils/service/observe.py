# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at one service: its containers, its image, its folders, and whether it answers."""

from __future__ import annotations

import calendar
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import administrator
from ansible_collections.flatrun.infra.plugins.module_utils.host import files, ports
from ansible_collections.flatrun.infra.plugins.module_utils.service import (
    adoption,
    catalog,
    readiness,
    state,
    steps,
    volumes,
)
from ansible_collections.flatrun.infra.plugins.module_utils.service import settings as wanted
from ansible_collections.flatrun.infra.plugins.module_utils.service.calling import called
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CATALOG, ServiceType
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL, Engine
from ansible_collections.flatrun.infra.plugins.module_utils.service.home import Home
from ansible_collections.flatrun.infra.plugins.module_utils.service.inspection import container_of, environment_of
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.service.secret_files import NEXT
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import MANAGED, RUNNING_STATES, Infra, Service
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import FORMER, Container, Found, Image

Listing = Sequence[Mapping[str, Any]]

_PAUSE = 0.15
_ADMINISTRATORS = {"mysql": "root", "mariadb": "root", "postgresql": "postgres", "redis": ""}
# Where a container that somebody else made has its first password, in the clear or in a file.
_FOREIGN_PASSWORDS = ("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD", "POSTGRES_PASSWORD")


class Observer:
    """Looks at one service of a spec through one engine."""

    def __init__(
        self, spec: Infra, service: Service, engine: Engine, networks: Mapping[str, str] | None = None
    ) -> None:
        """``networks`` are those of the engine, name to id; without them a container's are not looked into."""
        self.spec, self.service, self.engine = spec, service, engine
        self.networks = networks or {}
        self.layout = Layout(spec.root_dir, service.container)
        self.home = Home(self.layout)
        self.kind = service.type

    def look(self, listing: Listing) -> Found:
        """All but whether it answers; nothing is waited for."""
        service, kind = self.service, self.service.type
        if service.mode != MANAGED:
            return Found(container=self._container(service.container) if service.container else None)
        container = self._container(service.container)
        former = self._former()
        renamed = self._renamed(listing)
        if renamed and not container:
            container = self._container(renamed)
        found = Found(container=container, former=former, renamed=renamed, called=called(self.layout))
        if not service.whole or not kind:
            return self._left_to_do(found)
        folders = (path for path in self._folders(kind) if os.path.isdir(path) and not os.path.islink(path))
        found = replace(found, image=self._image(), folders=frozenset(folders), taken=self._taken(listing, found))
        return self._at_home(found, kind)

    def _left_to_do(self, found: Found) -> Found:
        """Of the first password, which the task that made the container may have left to the one that starts it."""
        kind = CATALOG.get(found.container.type) if found.container else None
        return self._with_secrets(found, kind, self.home.record()) if kind and kind.secret else found

    def _folders(self, kind: ServiceType) -> tuple[str, ...]:
        return (*wanted.shared_folders(kind, self.spec.root_dir), *wanted.folders(kind, self.layout))

    def _container(self, name: str) -> Container | None:
        raw = self.engine.find("inspect_container", name)
        return container_of(raw, self.networks) if raw and raw["Name"] == f"/{name}" else None

    def _former(self) -> Container | None:
        """What was set aside to be replaced: a container of ours, or one that is being taken over."""
        former = self._container(self.service.container + FORMER)
        return former if former and (former.ours or adoption.is_under_way(self.home.record(), former)) else None

    def _renamed(self, listing: Listing) -> str:
        """The name under which our container runs, if it isn't its own."""
        own = {f"/{self.service.container}", f"/{self.service.container}{FORMER}"}
        for entry in listing:
            labels = entry.get("Labels") or {}
            mine = labels.get(f"{LABEL}container") == self.service.container
            if mine and labels.get(f"{LABEL}root_dir") == self.spec.root_dir and not own & set(entry["Names"]):
                return str(entry["Names"][0]).lstrip("/")
        return ""

    def _image(self) -> Image | None:
        raw = self.engine.find("inspect_image", self.service.image)
        if raw is None:
            return None
        newer = False
        if self.spec.pull == "always":
            known = {digest.rsplit("@", 1)[-1] for digest in raw.get("RepoDigests") or ()}
            newer = self.engine.digest(self.service.image) not in known
        return Image(raw["Id"], environment_of(raw["Config"]), newer)

    def _taken(self, listing: Listing, found: Found) -> dict[str, str]:
        if steps.meant(self.service, found).state not in RUNNING_STATES:
            return {}
        now = found.container.name if found.container else ""
        own = frozenset({self.service.container, self.service.container + FORMER, now})
        return ports.holders(self.service.ports, [dict(entry) for entry in listing], own)

    def _at_home(self, found: Found, kind: ServiceType) -> Found:
        container = found.container
        record = self.home.record()
        foreign = container if container and not container.ours else None
        adopted = adoption.mounts(kind, foreign) if foreign else dict(record.get("mounts") or {})
        folder, inside, unfit = self._data_place(replace(found, adopted_mounts=adopted))
        data = self.home.data(folder, inside) if kind.data else None
        paths = (*self._folders(kind), *([data.origin] if data else []))
        obstacles = (files.refusal(files.require_own, path) for path in paths)
        found = replace(found, obstacle=unfit or next(filter(None, obstacles), None))
        adopting = adoption.is_under_way(record, foreign or found.former)
        found = replace(found, data=data, adopting=adopting, adopted_mounts=adopted)
        return self._with_secrets(self._configured(found, kind), kind, record)

    def _with_secrets(self, found: Found, kind: ServiceType, record: Mapping[str, Any]) -> Found:
        known = self.home.secret(kind.secret) if kind.secret else None
        given = self.service.secret(kind.secret) if kind.secret else None
        return replace(
            found,
            kept=known is not None,
            kept_is_wanted=known is not None and given in (None, known),
            kept_is_private=not kind.secret or self.home.is_private(kind.secret),
            next=bool(kind.secret) and self.home.secret(kind.secret + NEXT) is not None,
            initialising=bool(record.get("initialising")),
        )

    def _configured(self, found: Found, kind: ServiceType) -> Found:
        if kind.released:
            released = self.home.released()
            aside = self.home.set_aside() if found.former else ""
            return replace(
                found, config=released, config_before=released, config_aside=self.home.released(aside) if aside else {}
            )
        if not kind.config:
            return found
        asked = wanted.config_files(self.service, kind)
        folder = wanted.config_folder(asked, self.layout)
        texts, youngest = self.home.config(folder)
        container = found.container
        used = container.settings.get(wanted.CONFIGURATION) if container else None
        before = self.home.config(used)[0] if used and used != folder else texts
        # What was edited by hand before the start will be written after it.
        edited = used == folder and texts != asked
        unread = bool(container and container.alive and (edited or youngest > _nanoseconds(container.started_at)))
        return replace(found, config=texts, config_before=before, config_unread=unread)

    def data_folder(self, found: Found) -> str:
        """Where the data lies on the host; of a new volume that is known once a container was made with it."""
        return self._data_place(found)[0]

    def _data_place(self, found: Found) -> tuple[str, str, Refused | None]:
        """The folder of the host that is mounted, the one in it, and what is wrong with the volume."""
        if not self.kind or not self.kind.data:
            return "", "", None
        mounts = wanted.mounts(self.service, self.kind, self.layout, found.adopted_mounts)
        target, inside = wanted.data_place(self.service, self.kind, mounts)
        target = target or self.kind.data
        folder, unfit = volumes.origin(self.engine, mounts[target], target)
        return folder, inside, unfit

    def candidates(self, found: Found) -> list[readiness.Candidate]:
        """The passwords that may be the right one, the wanted one first, each once.

        Before them none at all: a Redis that lets everybody in takes any password, too.
        """
        kind = self.kind
        if not kind or not kind.secret:
            return []
        known = [
            (state.OPEN, Secret("") if kind.name == "redis" else None),
            (state.WANTED, self.service.secret(kind.secret) or self.home.secret(kind.secret)),
            (state.KEPT, self.home.secret(kind.secret)),
            (state.NEXT, self.home.secret(kind.secret + NEXT)),
            (state.BOOTSTRAP, self.home.secret(catalog.BOOTSTRAP)),
            (state.ADOPTED, self.foreign_password(found)),
        ]
        once: dict[Secret, str] = {}
        for name, secret in known:
            if secret is not None:
                once.setdefault(secret, name)
        return [(name, secret) for secret, name in once.items()]

    def foreign_password(self, found: Found) -> Secret | None:
        if not found.container or found.container.ours:
            return None
        raw = self.engine.find("inspect_container", found.container.name) or {"Config": {}}
        environment = environment_of(raw["Config"])
        return next((Secret(environment[name]) for name in _FOREIGN_PASSWORDS if environment.get(name)), None)

    def administrator(self, container: Container | None) -> str:
        """The account that owns the server; PostgreSQL's is chosen at the first start."""
        kind = self.kind.name if self.kind else ""
        made_with = container.settings.get("env", {}) if container and not self.service.whole else {}
        chosen = {**made_with, **dict(self.service.env)}.get("POSTGRES_USER", "") if kind == "postgresql" else ""
        return chosen or _ADMINISTRATORS.get(kind, "")

    def ask(self, found: Found) -> Found:
        """Ask the service once."""
        container = found.container
        self.kind = self.kind or (CATALOG.get(container.type) if container else None)
        if not self.kind or not container or not container.running:
            return replace(found, answers=False, login="", words=f"it is {container.status}" if container else "")
        address = self.engine.address(container.name)
        user, candidates = self.administrator(container), self.candidates(found)
        answer = readiness.probe(self.kind, address, self.port(container), user, candidates)
        # A run may have been cut short between making a release the current one and nginx' reload.
        unread = bool(answer.release) and answer.release != self.home.releases.current()
        found = replace(found, config_unread=unread) if self.kind.released else found
        found = replace(found, answers=answer.answers, login=answer.login, words=answer.words)
        password = dict(candidates).get(answer.login)
        if password is None or container.ours or not self.service.adopt:
            return found
        account = administrator.Account(address, self.port(container), user, password)
        return adoption.with_whereabouts(self.kind, account, found)

    def port(self, container: Container | None) -> int:
        """Where the container listens now, which isn't where it shall if it is to be replaced."""
        now = container.settings.get("port") if container else None
        return int(now or self.service.port or (self.kind.port if self.kind else 0))

    def settle(self, found: Found, until: float) -> Found:
        """Wait until the service answers, refuses, or can't any more; ``until`` is of the monotonic clock."""
        starved = False
        while True:
            found = self.ask(replace(found, container=self._container(self.service.container)))
            container = found.container
            # The engine tells it of one that has ended, and no longer once that is started again.
            starved = starved or bool(container and container.out_of_memory)
            alive = container and container.alive and container.restarts <= state.RESTARTS
            if found.answers:
                return replace(found, log="")
            if found.login or not alive or time.monotonic() >= until:
                told = replace(container, out_of_memory=starved) if container else None
                return replace(found, container=told, log=self.engine.log(self.service.container))
            time.sleep(_PAUSE)


def _nanoseconds(moment: str) -> int:
    """The engine's RFC 3339 time, always UTC, in nanoseconds since the epoch."""
    whole, _dot, fraction = moment.rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)
