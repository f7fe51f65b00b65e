"""The world of flatrun_infra over the model of a host: what a run sees of it, and what each of its actions does there.

It keeps the order in which ``service.observe`` looks and ``service.apply`` acts, so that being killed between two
changes leaves here what it leaves there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Refused, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal, Room
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.service import adoption, catalog, settings, spec, state
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.service.plan import anchor, plan
from ansible_collections.flatrun.infra.plugins.module_utils.service.room import report
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import Infra, Network, Service
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import FORMER, Container, Found, World
from ansible_collections.flatrun.infra.plugins.module_utils.service.steps import meant, present_container
from ansible_collections.flatrun.infra.tests.unit.service.universe import Box, Universe, origin

GENERATED = "geN'erated\\ \"%C3 text"
BOOTSTRAP = "BootstrapLettersAndDigits42"
_FOREIGN = ("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD", "POSTGRES_PASSWORD")


def room(universe: Universe) -> Room[Infra, World]:
    """The room of flatrun_infra with its own parse, plan, report and anchor; only the world is another."""

    @contextmanager
    def world(asked: Infra) -> Iterator[Fake]:
        yield Fake(universe, asked)

    return Room(parse=_parse, world=world, plan=plan, report=report, anchor=anchor)


def _parse(params: dict[str, Any]) -> Infra:
    return _parsed(json.dumps(params))


@cache
def _parsed(params: str) -> Infra:
    return spec.parse(json.loads(params))


class Fake:
    """A ``core.runner.World``."""

    def __init__(self, universe: Universe, asked: Infra) -> None:
        self.universe, self.spec = universe, asked
        self.seen = World(frozenset(), {})

    @contextmanager
    def hold(self) -> Iterator[None]:
        yield

    def observe(self) -> World:
        services = {service.name: Eye(self.universe, self.spec, service).look() for service in self.spec.services}
        self.seen = World(frozenset(self.universe.networks), services, dict(self.universe.externals))
        return self.seen

    def apply(self, plan: Plan, done: Journal) -> None:
        for action in plan.unreached:
            raise Unreachable(action.reason, action.target)
        services = {service.name: service for service in self.spec.services}
        hands = {name: Hand(self.universe, self.spec, each, self.seen) for name, each in services.items()}
        for action in plan.actions:
            if action.item:
                getattr(hands[action.item], action.verb)(action)
            else:
                _prepare(self.universe, action)
            done(action)


def _prepare(universe: Universe, action: Action) -> None:
    if isinstance(action.detail, Network):
        universe.strike()
        universe.networks[action.detail.name] = action.detail.internal
    elif action.verb == "note":
        universe.strike()
        universe.externals = dict(action.detail)
    else:
        for path in action.detail:
            universe.make_folder(path, 0o755)


class Eye:
    """Looks at one service."""

    def __init__(self, universe: Universe, asked: Infra, service: Service) -> None:
        self.universe, self.spec, self.service, self.kind = universe, asked, service, service.type
        self.layout = Layout(asked.root_dir, service.container)

    def look(self) -> Found:
        service, boxes = self.service, self.universe.boxes
        if service.mode != spec.MANAGED:
            return Found(container=_container(boxes.get(service.container)))
        called = self.universe.names.get(service.container, "")
        box, former = boxes.get(service.container), _container(boxes.get(service.container + FORMER))
        renamed = self._renamed()
        record = self.universe.records.get(service.container, {})
        former = former if former and (former.ours or adoption.is_under_way(record, former)) else None
        found = Found(container=_container(box or boxes.get(renamed)), former=former, renamed=renamed, called=called)
        if service.whole:
            found = self._at_home(replace(found, image=self._image(), taken=self._taken(found)))
        elif box and box.settings and box.kind.secret:
            found = self._with_secrets(found, box.kind)
        taking_over = service.adopt and found.container and not found.container.ours
        return self.ask(found) if meant(service, found).state in spec.RUNNING_STATES or taking_over else found

    def _renamed(self) -> str:
        own = (self.service.container, self.service.container + FORMER)
        mine = (box.name for box in self.universe.boxes.values() if box.label == own[0] and box.name not in own)
        return next(mine, "")

    def _taken(self, found: Found) -> dict[str, str]:
        return dict(self.universe.taken) if meant(self.service, found).state in spec.RUNNING_STATES else {}

    def _image(self) -> state.Image | None:
        here, there = (all_.get(self.service.image) for all_ in (self.universe.images, self.universe.registry))
        newer = self.spec.pull == "always" and here != there
        return state.Image(here[0], here[1], newer) if here else None

    def _at_home(self, found: Found) -> Found:
        kind, container, universe = self.kind, found.container, self.universe
        assert kind is not None
        record = universe.records.get(self.service.container, {})
        foreign = container if container and not container.ours else None
        adopted = adoption.mounts(kind, foreign) if foreign else dict(record.get("mounts") or {})
        mounts = settings.mounts(self.service, kind, self.layout, adopted)
        wanted = (*settings.shared_folders(kind, self.spec.root_dir), *settings.folders(kind, self.layout))
        found = replace(
            self._configured(found),
            folders=frozenset(path for path in wanted if path in universe.folders),
            data=self._data(origin(mounts[kind.data])) if kind.data else None,
            adopting=adoption.is_under_way(record, foreign or found.former),
            adopted_mounts=adopted,
        )
        return self._with_secrets(found, kind)

    def _with_secrets(self, found: Found, kind: Any) -> Found:
        known, given = self.kept(kind.secret), self.service.secret(kind.secret)
        return replace(
            found,
            kept=known is not None,
            kept_is_wanted=known is not None and given in (None, known),
            kept_is_private=self.universe.secrets.get(f"{self.layout.secrets}/{kind.secret}", ("", 0o600))[1] == 0o600,
            next=self.kept(kind.secret + ".next") is not None,
            initialising=bool(self.universe.records.get(self.service.container, {}).get("initialising")),
        )

    def _configured(self, found: Found) -> Found:
        kind, container, configs = self.kind, found.container, self.universe.configs
        assert kind is not None
        if kind.released:
            current, aside = self.released(), self.set_aside() if found.former else {}
            return replace(found, config=current, config_before=current, config_aside=aside)
        if not kind.config:
            return found
        folder = settings.config_folder(settings.config_files(self.service, kind), self.layout)
        texts, written = configs.get(folder, ({}, 0))
        used = container.settings.get(settings.CONFIGURATION) if container else None
        before = configs.get(used, ({}, 0))[0] if used and used != folder else texts
        unread = bool(container and container.running and written > int(container.started_at))
        return replace(found, config=texts, config_before=before, config_unread=unread)

    def released(self) -> dict[str, str]:
        return dict(self.universe.configs.get(self.layout.releases, ({}, 0))[0])

    def set_aside(self) -> dict[str, str]:
        """What a former nginx has read, where its successor's configuration is the current one."""
        former, successor = self.universe.records.get(self.service.container, {}).get("releases") or ({}, {})
        return dict(former) if successor == self.released() else {}

    def _data(self, path: str) -> state.Data:
        server = self.universe.data.get(path)
        engine, series = (server.engine, server.series) if server else ("", "")
        # The files of these tell nothing of their server.
        engine = "" if engine in ("redis", "certbot") else engine
        return state.Data(path, path in self.universe.data, server is None, engine, series)

    def kept(self, name: str) -> Secret | None:
        return self.universe.secret(f"{self.layout.secrets}/{name}")

    def candidates(self, found: Found) -> dict[str, Secret]:
        kind, box = self.kind, self.universe.boxes.get(self.service.container)
        if not kind or not kind.secret:
            return {}
        env = box.env if box and not box.settings else {}
        foreign = next((Secret(env[name]) for name in _FOREIGN if name in env), None)
        known = {
            state.WANTED: self.service.secret(kind.secret) or self.kept(kind.secret),
            state.KEPT: self.kept(kind.secret),
            state.NEXT: self.kept(kind.secret + ".next"),
            state.BOOTSTRAP: self.kept(catalog.BOOTSTRAP),
            state.ADOPTED: foreign,
        }
        return {name: secret for name, secret in known.items() if secret is not None}

    def ask(self, found: Found) -> Found:
        box = self.universe.boxes.get(found.container.name) if found.container else None
        if box is None or not (self.kind or box.type):
            return found
        self.kind = self.kind or box.kind
        if not box.running or box.type != self.kind.name:
            return replace(found, words=f"it is {box.status}")
        if self.kind.released:
            current = self.universe.configs.get(self.layout.releases, ({}, 0))[0]
            answers = "nginx.conf" in box.loaded
            return replace(found, answers=answers, config_unread=answers and dict(box.loaded) != dict(current))
        if not self.kind.secret:
            return replace(found, answers=True)
        server = self.universe.server(box)
        if server and server.cut == "hangs":
            return replace(found, answers=False, login="", words="it does not answer")
        candidates = self.candidates(found)
        login = next((name for name, secret in candidates.items() if self.universe.takes(box, secret)), state.DENIED)
        return replace(found, answers=login != state.DENIED, login=login, words="" if login else "denied")


def _container(box: Box | None) -> Container | None:
    if box is None:
        return None
    return Container(
        name=box.name,
        id=box.id,
        status=box.status,
        image=box.image,
        image_id=box.image_id,
        started_at=str(box.started),
        networks=box.networks,
        severed=box.severed,
        settings=box.settings,
        root_dir=box.root_dir,
        service=box.service,
        type=box.type if box.settings else "",
        memory=box.memory,
        cpus=box.cpus,
        restart=box.restart,
        mounts=box.mounts,
    )


class Hand:
    """Does the actions of one service: a method for each verb of the plan."""

    def __init__(self, universe: Universe, asked: Infra, service: Service, seen: World) -> None:
        self.universe, self.spec, self.service = universe, asked, service
        self.found = seen.services[service.name]
        self.eye = Eye(universe, asked, service)
        self.layout, self.name = self.eye.layout, service.container
        self.candidate: dict[str, str] = {}

    def pull(self, action: Action) -> None:
        self.universe.pull(self.service.image)

    def generate(self, action: Action) -> None:
        self._keep(self._kind.secret + ".next", Secret(GENERATED))

    def write(self, action: Action) -> None:
        self.universe.write_config(settings.config_folder(action.detail.files, self.layout), action.detail.files)

    def release(self, action: Action) -> None:
        box, texts = self.universe.boxes.get(self.name), dict(action.detail.files)
        image = self.service.image if action.detail.anew or box is None else box.image
        if not self.universe.reads(image, texts):
            raise Refused("nginx does not take the configuration", f"container {self.name}")
        if action.detail.anew:
            self.candidate = texts
            return
        self.universe.switch_release(self.layout.releases, texts)
        if box and box.running and box.loaded:
            self.universe.change(self.name, loaded=texts)

    def _switch(self) -> None:
        if self.candidate:
            self.universe.switch_release(self.layout.releases, self.candidate)

    def _take_back(self) -> None:
        aside = self.eye.set_aside()
        if aside:
            self.universe.switch_release(self.layout.releases, aside)

    def create(self, action: Action) -> None:
        if not action.target.startswith("container "):
            for path in settings.folders(self._kind, self.layout):
                self.universe.make_folder(path, 0o700 if path == self.layout.secrets else 0o755)
            return
        try:
            self._switch()
            self._make(action, self.service.networks)
            if self.service.state in spec.RUNNING_STATES:
                self.start(action)
        except FlatrunError:
            self.universe.remove(self.name)
            raise

    def _make(self, action: Action, networks: tuple[str, ...]) -> None:
        made, kind = action.detail.settings, self._kind
        self.universe.create(
            Box(
                name=self.name,
                image=made["image"],
                image_id="",
                networks=frozenset(networks[:1]),
                settings=made,
                root_dir=self.spec.root_dir,
                type=kind.name,
                label=self.name,
                service=self.service.name,
                memory=made["memory"],
                cpus=made["cpus"],
                mounts=made["mounts"],
                env=made["env"],
            )
        )
        for count in range(1, len(networks)):
            self.universe.change(self.name, networks=frozenset(networks[: count + 1]))
        self._hand_over_secrets()

    def _hand_over_secrets(self) -> None:
        kind, data = self._kind, self.found.data
        if not kind.secret:
            return
        if kind.bootstrap and not self.eye.kept(catalog.BOOTSTRAP):
            self._keep(catalog.BOOTSTRAP, Secret(BOOTSTRAP))
        if kind.bootstrap and data and data.empty:
            self._keep_next()
            self.universe.remember(self.name, initialising=True)
        if kind.name == "redis" and data:
            server = self.universe.data[data.origin]
            if server is None or server.password is None:
                self._keep_next()
                self.universe.seed(data.origin, self._wanted())

    def _keep_next(self) -> None:
        if self._wanted() != self.eye.kept(self._kind.secret):
            self._keep(self._kind.secret + ".next", self._wanted())

    def replace(self, action: Action) -> None:
        before = self.found.container or self.found.former
        was_running = self.found.former is not None or bool(before and before.status in ("running", "restarting"))
        networks = (*self.service.networks, *sorted(before.networks - {"none"} if before else ()))
        if self._kind.released:
            both = (self.eye.released(), self.candidate) if self.candidate else None
            self.universe.remember(self.name, releases=both)
        self.universe.stop(self.name)
        self.universe.rename(self.name, self.name + FORMER)
        try:
            self._switch()
            self._make(action, tuple(dict.fromkeys(networks)))
            if was_running or self.service.state in spec.RUNNING_STATES:
                self.start(action, must=True)
        except FlatrunError as error:
            self._bring_back(was_running)
            if action.verb == "adopt":
                self.universe.remember(self.name, adopting=None, mounts=None)
            raise Refused(f"its successor failed: {error.sentence()}", f"container {self.name}") from None
        self.universe.remove(self.name + FORMER)

    def adopt(self, action: Action) -> None:
        if self._kind.secret and not self.found.adopting:
            found = self.eye.ask(self.found)
            known = self.eye.candidates(found)
            if found.login not in known:
                raise Refused(f"{self.name} can't be entered", f"secrets.{self._kind.secret}")
            self._keep(self._kind.secret, known[found.login])
        former = present_container(self.found)
        assert former is not None
        self.universe.remember(self.name, mounts=dict(action.detail.found.adopted_mounts), adopting=former.id)
        self.replace(action)
        self.universe.remember(self.name, adopting=None)

    def restore(self, action: Action) -> None:
        self._bring_back(True)

    def _bring_back(self, running: bool) -> None:
        self._take_back()
        if self.name + FORMER in self.universe.boxes:
            self.universe.remove(self.name)
            self.universe.rename(self.name + FORMER, self.name)
        if running:
            self.universe.start(self.name)

    def call(self, action: Action) -> None:
        self.universe.strike()
        self.universe.names[self.name] = self.service.name

    def rename(self, action: Action) -> None:
        self.universe.rename(self.found.renamed, self.name)

    def start_over(self, action: Action) -> None:
        self.universe.remove(self.name)
        if self.found.data:
            path = self.found.data.origin
            self.universe.strike()
            self.universe.data[f"{path}.incomplete-{self.universe.clock}"] = self.universe.data.pop(path)
            self.universe.folders.pop(path)
            self.universe.make_folder(path, 0o755)

    def connect(self, action: Action) -> None:
        network, severed = action.detail
        if severed:
            self.disconnect(action)
        box = self.universe.boxes[self.name]
        if "none" in box.networks:
            raise Refused("container cannot be connected to multiple networks with one in private (none) mode")
        self.universe.change(self.name, networks=box.networks | {network})

    def disconnect(self, action: Action) -> None:
        box, gone = self.universe.boxes[self.name], {action.detail[0]}
        self.universe.change(self.name, networks=box.networks - gone, severed=box.severed - gone)

    def start(self, action: Action, must: bool = False) -> None:
        if self.found.container and self.found.container.status == "created" and self.service.whole:
            self._hand_over_secrets()
        self.universe.start(self.name)
        self._await(must)

    def unpause(self, action: Action) -> None:
        self.universe.change(self.name, status="running")
        self._await()

    def restart(self, action: Action) -> None:
        self.universe.stop(self.name)
        self.start(action)

    def stop(self, action: Action) -> None:
        self.universe.stop(self.name)

    def remove(self, action: Action) -> None:
        self.universe.stop(action.detail.name)
        self.universe.remove(action.detail.name)

    def set_password(self, action: Action) -> None:
        kind, wanted, found = self._kind, self._wanted(), self._await(must=True)
        known = self.eye.candidates(found)
        if found.login not in known:
            raise Refused(f"{self.name} takes none of the passwords that are known", f"secrets.{kind.secret}")
        path = f"{self.layout.secrets}/{kind.secret}"
        if found.login == state.NEXT:
            self.universe.promote(f"{path}.next", path)
        self._keep(kind.secret + ".next", wanted)
        if found.next or found.initialising or known[found.login] != wanted:
            self.universe.alter(self.universe.boxes[self.name], wanted)
        self.universe.promote(f"{path}.next", path)
        self.universe.remember(self.name, initialising=None)

    rotate = set_password

    def protect(self, action: Action) -> None:
        self._keep(self._kind.secret, self._wanted())

    def _await(self, must: bool = False) -> Found:
        found = self.eye.ask(replace(self.found, container=_container(self.universe.boxes[self.name])))
        self.universe.fresh = ""
        if (self.spec.wait or must) and not found.answers and not found.login:
            raise Refused(f"it does not answer ({found.words})", f"container {self.name}")
        return found

    def _keep(self, name: str, secret: Secret) -> None:
        self.universe.keep(f"{self.layout.secrets}/{name}", secret)

    def _wanted(self) -> Secret:
        name = self._kind.secret
        known = self.service.secret(name) or self.eye.kept(name) or self.eye.kept(name + ".next")
        if known is None:
            raise Refused("no password is known", f"secrets.{name}")
        return known

    @property
    def _kind(self) -> Any:
        return self.eye.kind or self.universe.boxes[self.name].kind
