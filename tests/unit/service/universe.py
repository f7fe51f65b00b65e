"""A small model of a host in memory: an engine, folders, and servers that behave as the real ones where it matters.

Each change goes through ``strike``, so that it is known how a run leaves the host that is killed before that change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CATALOG, image_series

_ONLY = re.compile(r"^# only (\S+)$", re.MULTILINE)
VOLUMES = "/var/lib/docker/volumes"


@dataclass(frozen=True)
class Server:
    """What a server keeps in its data folder. Redis without its ACL file has no password of its own.

    ``lagging`` is the password that the administrator's other account has, or Redis' file, where another has been set.
    ``cut`` is what a server whose first start was cut short does from then on: it "denies", "dies" or "hangs".
    """

    engine: str
    series: str = ""
    password: Secret | None = None
    cut: str = ""
    serial: int = 0
    lagging: Secret | None = None


@dataclass(frozen=True)
class Box:
    """A container, as the engine knows it; ``loaded`` is the configuration that its server has read."""

    name: str
    image: str
    image_id: str
    id: str = ""
    status: str = "created"
    started: int = 0
    networks: frozenset[str] = frozenset()
    severed: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    root_dir: str = ""
    type: str = ""
    label: str = ""
    service: str = ""
    memory: int = 0
    cpus: float = 0.0
    restart: str = "unless-stopped"
    mounts: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    loaded: Mapping[str, str] = field(default_factory=dict)
    # The password that a Redis of somebody else has on its command line.
    password: Secret | None = None
    broken: bool = False

    @property
    def kind(self) -> Any:
        return CATALOG[self.type]

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def configuration(self) -> str:
        """The folder of the host that its server reads its configuration from."""
        return self.source("/etc/nginx") if self.kind.released else str(self.settings.get("configuration", ""))

    def source(self, target: str) -> str:
        """The folder of the host behind a path in the container."""
        return origin(self.mounts[target]) if target in self.mounts else ""


def origin(mount: str) -> str:
    source = mount.rsplit(":", 1)[0]
    return source if source.startswith("/") else f"{VOLUMES}/{source}/_data"


@dataclass
class Universe:
    """All there is. Values are never changed in place, so a copy of the mappings is a copy of it all."""

    networks: dict[str, bool] = field(default_factory=dict)
    registry: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    images: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    boxes: dict[str, Box] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, tuple[Secret, int]] = field(default_factory=dict)
    configs: dict[str, tuple[Mapping[str, str], int]] = field(default_factory=dict)
    data: dict[str, Server | None] = field(default_factory=dict)
    records: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    externals: dict[str, Any] = field(default_factory=dict)
    # Services that have another name than their containers were made with.
    names: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    clock: int = 0
    # The data folder that is being initialised for the first time.
    fresh: str = ""
    # What there was before each change, where it is filmed.
    film: list[Universe] | None = None

    def copy(self) -> Universe:
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "film"}
        return Universe(**{name: dict(value) if isinstance(value, dict) else value for name, value in values.items()})

    def lasting(self) -> tuple[Any, ...]:
        """What can be compared: all but the clock and what only counts."""
        counted = ("clock", "fresh", "film")
        return tuple(getattr(self, each.name) for each in fields(self) if each.name not in counted)

    def called(self, container: str) -> str:
        """The name of the service that a container is."""
        return self.names.get(container) or self.boxes[container].service

    def strike(self) -> None:
        """Called before each change."""
        if self.film is not None:
            self.film.append(self.copy())
        self.clock += 1

    # Folders and files

    def make_folder(self, path: str, mode: int) -> None:
        if path not in self.folders:
            self.strike()
            self.folders[path] = mode
            if path.endswith("/data"):
                self.data.setdefault(path, None)

    def keep(self, path: str, secret: Secret, mode: int = 0o600) -> None:
        self._require_folder(path.rsplit("/", 1)[0])
        self.strike()
        self.secrets[path] = (secret, mode)

    def secret(self, path: str) -> Secret | None:
        return self.secrets[path][0] if path in self.secrets else None

    def promote(self, old: str, new: str) -> None:
        self.strike()
        self.secrets[new] = self.secrets.pop(old)

    def write_config(self, folder: str, texts: Mapping[str, str]) -> None:
        """File by file, as it is on a disk; what isn't listed goes first."""
        self.make_folder(folder, 0o755)
        present, _written = self.configs.get(folder, ({}, 0))
        kept = {name: text for name, text in present.items() if name in texts}
        for content in (kept, *({**kept, **dict(list(texts.items())[: n + 1])} for n in range(len(texts)))):
            if content != self.configs.get(folder, (None, 0))[0]:
                self.strike()
                self.configs[folder] = (content, self.clock)

    def switch_release(self, folder: str, texts: Mapping[str, str]) -> None:
        """A release is written aside and takes the place of the current one at once."""
        self.strike()
        self.configs[folder] = (dict(texts), self.clock)

    def remember(self, container: str, **facts: Any) -> None:
        record = {key: value for key, value in {**self.records.get(container, {}), **facts}.items() if value}
        if record != self.records.get(container, {}):
            self.strike()
            self.records[container] = record

    def _require_folder(self, path: str) -> None:
        """The engine would make the missing source of a mount, with an owner and a mode that nobody chose."""
        if path not in self.folders and path not in self.data:
            raise Refused("no such folder", path)

    # The engine

    def pull(self, image: str) -> None:
        if image not in self.registry:
            raise Refused("it can't be pulled", f"image {image}")
        self.strike()
        self.images[image] = self.registry[image]

    def create(self, box: Box) -> None:
        if box.image not in self.images:
            raise Refused("no such image", f"image {box.image}")
        if box.name in self.boxes:
            raise Refused("that name is in use", f"container {box.name}")
        self.strike()
        self.boxes[box.name] = replace(box, image_id=self.images[box.image][0])

    def change(self, name: str, **facts: Any) -> None:
        self.strike()
        self.boxes[name] = replace(self.boxes[name], **facts)

    def remove(self, name: str) -> None:
        if name in self.boxes:
            self.strike()
            del self.boxes[name]

    def rename(self, old: str, new: str) -> None:
        if new in self.boxes:
            raise Refused("that name is in use", f"container {new}")
        self.strike()
        self.boxes[new] = replace(self.boxes.pop(old), name=new)

    def stop(self, name: str) -> None:
        if name in self.boxes and self.boxes[name].status in ("running", "restarting", "paused"):
            self.change(name, status="exited")

    def start(self, name: str) -> None:
        box = self.boxes[name]
        if box.running:
            return
        if box.status == "paused":
            raise Refused("cannot start a paused container, try unpause instead", f"container {name}")
        if box.severed:
            raise Refused(f"network {sorted(box.severed)} not found", f"container {name}")
        for folder in (*(box.source(target) for target in box.mounts), box.configuration):
            if folder:
                self._require_folder(folder)
        self.strike()
        status, loaded = self._boot(box)
        self.boxes[name] = replace(box, status=status, started=self.clock, loaded=loaded)

    # The servers

    @staticmethod
    def reads(image: str, texts: Mapping[str, str]) -> bool:
        """Whether an nginx of this image takes a configuration: some are for one image alone."""
        return {name for text in texts.values() for name in _ONLY.findall(text)} <= {image}

    def _boot(self, box: Box) -> tuple[str, Mapping[str, str]]:
        """What becomes of a server that is started: its container's status, and the configuration it has read."""
        kind = box.kind
        if box.broken:
            return "restarting", {}
        texts = self.configs.get(box.configuration, ({}, 0))[0]
        if kind.released and box.settings and not (texts and self.reads(box.image, texts)):
            return "restarting", {}
        if kind.data and not self._opens(box):
            return "restarting", texts
        return "running", texts

    def _opens(self, box: Box) -> bool:
        """Whether the server can work with its data; the image's entrypoint makes it where there is none."""
        kind, path = box.kind, box.source(box.kind.data)
        server = self.data[path]
        if server is None and kind.bootstrap:
            password = self.secret(f"{box.source('/run/secrets')}/bootstrap")
            if password:
                series = image_series(kind, self.images[box.image][1]) or ""
                self.data[path], self.fresh = Server(kind.name, series, password, serial=self.clock), path
            return password is not None
        if kind.secret and box.password is None and (server is None or server.password is None):
            return False
        if server is not None and server.engine != kind.name:
            raise AssertionError(f"{box.name} was given the data of {server.engine}")
        if server is not None and server.lagging and kind.name == "redis":
            self.data[path] = replace(server, password=server.lagging, lagging=None)
        return server is None or server.cut != "dies"

    def server(self, box: Box) -> Server | None:
        return self.data.get(box.source(box.kind.data))

    def takes(self, box: Box, secret: Secret) -> bool:
        """Whether an administrator gets in with this password."""
        server = self.server(box)
        known = box.password or (server.password if server and not server.cut else None)
        return box.running and known == secret

    def seed(self, path: str, secret: Secret) -> None:
        """Redis' ACL file, from which it has its password at the next start."""
        self.strike()
        server = self.data[path] or Server("redis", serial=self.clock)
        self.data[path] = replace(server, password=secret)

    def alter(self, box: Box, secret: Secret) -> None:
        """MySQL has two accounts of its administrator's name; what Redis is told it saves when it is told to."""
        path = box.source(box.kind.data)
        server = self.data[path]
        assert server is not None
        lagging = server.password if server.password != secret else server.lagging
        for left in (lagging, None):
            self.strike()
            self.data[path] = replace(server, password=secret, lagging=left)

    def cut_first_start(self, cut: str) -> None:
        """The host went down with the run, in the middle of a server's first start."""
        server = self.data[self.fresh]
        assert server is not None
        self.data[self.fresh] = replace(server, cut=cut)
        for name, box in self.boxes.items():
            if box.running and box.type and box.kind.data and box.source(box.kind.data) == self.fresh:
                self.boxes[name] = replace(box, status="restarting" if cut == "dies" else "running")
