# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found of the services and of the host around them, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import ServiceType

# How an administrator's login ended, by the password that was tried. An open server lets everybody in without any.
WANTED, KEPT, NEXT, BOOTSTRAP, ADOPTED, DENIED = "wanted", "kept", "next", "bootstrap", "adopted", "denied"
OPEN = "open"

FORMER = ".former"

# So often may a server be started again by the engine before it counts as a crash loop.
RESTARTS = 2


@dataclass(frozen=True)
class Endpoint:
    """What a container is known by on a network, besides its name; the addresses are those that were asked for."""

    aliases: tuple[str, ...] = ()
    ipv4: str = ""
    ipv6: str = ""


@dataclass(frozen=True)
class Container:
    """``settings`` are those it was created with, as its label tells; empty for a container that isn't ours."""

    name: str
    status: str
    image: str
    image_id: str
    id: str = ""
    started_at: str = ""
    networks: frozenset[str] = frozenset()
    # Networks that were removed while it was on them; it can't be started before it is off them. Those of which another
    # has the name now are among ``networks`` too.
    severed: frozenset[str] = frozenset()
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    root_dir: str = ""
    # Where a PostgreSQL has its data in the container, as its environment tells.
    pgdata: str = ""
    type: str = ""
    # The service that it was made for.
    service: str = ""
    # As the engine has them now, for whoever ran "docker update".
    memory: int = 0
    cpus: float = 0.0
    restart: str = "unless-stopped"
    mounts: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0
    restarts: int = 0
    out_of_memory: bool = False

    @property
    def ours(self) -> bool:
        return bool(self.settings)

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def alive(self) -> bool:
        """It runs, or is about to: between two attempts of a crash loop the engine calls it restarting."""
        return self.status in ("running", "restarting")

    def tells(self, kind: ServiceType) -> bool:
        """Whether its server can be asked: an nginx that isn't ours does not tell what it serves."""
        return self.ours or not kind.released

    @property
    def looping(self) -> bool:
        return self.status == "restarting" or self.restarts > RESTARTS


@dataclass(frozen=True)
class Image:
    """What the wanted reference stands for on the engine; ``newer`` is True when the registry has another by now."""

    id: str
    env: Mapping[str, str] = field(default_factory=dict)
    newer: bool = False


@dataclass(frozen=True)
class Data:
    """A data folder of the host; ``engine`` and ``series`` tell which server wrote it, empty where that is unknown."""

    origin: str
    there: bool = False
    empty: bool = True
    engine: str = ""
    series: str = ""

    @property
    def format(self) -> str:
        return f"{self.engine} {self.series}".strip()


@dataclass(frozen=True)
class Found:
    """All that was found of one service."""

    container: Container | None = None
    former: Container | None = None
    renamed: str = ""
    # The service's name, where it has got another since its container was made.
    called: str = ""
    image: Image | None = None
    folders: frozenset[str] = frozenset()
    # What is wrong with one of its folders, or with the volume of its data.
    obstacle: FlatrunError | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    # True when a file of the configuration is younger than the server that should have read it.
    config_unread: bool = False
    # What an nginx that was set aside reads once it is back, where its successor's is the current one.
    config_aside: Mapping[str, str] = field(default_factory=dict)
    # What the configuration in use says; for the diff, when another takes its place.
    config_before: Mapping[str, str] = field(default_factory=dict)
    data: Data | None = None
    kept: bool = False
    kept_is_wanted: bool = False
    kept_is_private: bool = True
    next: bool = False
    initialising: bool = False
    # A run began to take the container over, and has kept what is needed to end that.
    adopting: bool = False
    adopted_mounts: Mapping[str, str] = field(default_factory=dict)
    # Of one that is to be taken over: where its server says that it has its data, by Redis' names for that.
    told: Mapping[str, str] = field(default_factory=dict)
    login: str = ""
    answers: bool = False
    words: str = ""
    log: str = ""
    # A published port that the service can't have, to its holder.
    taken: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    networks: frozenset[str]
    services: Mapping[str, Found]
    # The services that somebody else runs, as they were noted: name to type, and host and port, or container.
    externals: Mapping[str, Any] = field(default_factory=dict)
    # Of the machine, the first in bytes; 0 where they aren't known.
    memory: int = 0
    cpus: int = 0
    # Names of services to their containers.
    bearers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Why nothing is to be written into root_dir.
    distrusted: FlatrunError | None = None
