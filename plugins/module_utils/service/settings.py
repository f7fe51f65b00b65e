# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container a service is to have: its folders, and the settings it is created with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.service import catalog
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import ServiceType, with_port
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import Service

CONFIGURATION = "configuration"


def shared_folders(kind: ServiceType, root: str) -> tuple[str, ...]:
    """The folders that a service has in common with others; parents first."""
    return (root, *(f"{root}/{folder}" for folder, _mode in kind.shared.values()))


def folders(kind: ServiceType, layout: Layout) -> tuple[str, ...]:
    """The folders that must be there before the container is; parents first."""
    wanted = [layout.home, layout.config, layout.secrets]
    wanted += [layout.data] if kind.data else []
    wanted += [layout.releases, f"{layout.releases}/conf.d"] if kind.released else []
    return tuple(wanted)


def config_files(service: Service, kind: ServiceType) -> dict[str, str]:
    """The files of the configuration: the catalog's, and over them those of the item."""
    base = {name: with_port(content, service.port) for name, content in kind.files.items()}
    return {**base, **dict(service.config_files)}


def config_folder(files: Mapping[str, str], layout: Layout) -> str:
    """A folder per content, so that the former container still has its own configuration to go back to."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{content}\0".encode())
    return f"{layout.config}/{digest.hexdigest()[:12]}"


def mounts(service: Service, kind: ServiceType, layout: Layout, kept: Mapping[str, str]) -> dict[str, str]:
    """Path in the container to ``source:mode``. ``kept`` are the mounts of a container that was adopted."""
    wanted: dict[str, str] = {}
    if kind.released:
        wanted = {"/etc/nginx": f"{layout.releases}:ro", kind.config: f"{layout.config}:ro"}
    if kind.data:
        wanted[kind.data] = f"{layout.data}:rw"
    if kind.secret:
        wanted[catalog.SECRETS] = f"{layout.secrets}:ro"
    wanted.update({path: f"{layout.root}/{folder}:{mode}" for path, (folder, mode) in kind.shared.items()})
    wanted.update(kept)
    for volume in service.volumes:
        source, target, mode = volume.split(":")
        wanted[target] = f"{source}:{mode}"
    return wanted


def data_path(service: Service, kind: ServiceType) -> str:
    """Where the server has its data in the container; PostgreSQL's variable may name a folder below the mount."""
    chosen = dict(service.env).get("PGDATA", "") if "PGDATA" in kind.env else ""
    return chosen.rstrip("/") or kind.data


def data_place(service: Service, kind: ServiceType, mounted: Mapping[str, str]) -> tuple[str, str]:
    """The mount that holds the data, and the folder in it; both are empty where none does."""
    return place(data_path(service, kind), mounted)


def place(path: str, mounted: Mapping[str, str]) -> tuple[str, str]:
    """The mount that holds a path in the container, and what of it lies in there."""
    target = max((each for each in mounted if f"{path}/".startswith(f"{each}/")), key=len, default="")
    return target, path[len(target) :].strip("/") if target else ""


def source(path: str, mounted: Mapping[str, str]) -> str:
    """The folder of the host, or of a volume, that is a path in the container; empty where it is in no mount."""
    target, inside = place(path, mounted)
    return f"{mounted[target].rsplit(':', 1)[0]}/{inside}".rstrip("/") if target else ""


def settings(service: Service, kind: ServiceType, layout: Layout, kept: Mapping[str, str]) -> dict[str, Any]:
    """What the container is created with, as plain data: what differs from its label has drifted.

    No secret is in here, nor anything that only the engine can know.
    """
    environment = {**kind.env, **dict(service.env)}
    if kind.bootstrap:
        environment[kind.bootstrap] = f"{catalog.SECRETS}/{catalog.BOOTSTRAP}"
    own_folder = bool(kind.config) and not kind.released
    return {
        "image": service.image,
        # Its name tells the content apart, and says nothing to people: the diff has the texts instead.
        CONFIGURATION: config_folder(config_files(service, kind), layout) if own_folder else "",
        "entrypoint": list(kind.entrypoint),
        "command": [with_port(word, service.port) for word in service.command or kind.command],
        "env": environment,
        "port": service.port,
        "mounts": mounts(service, kind, layout, kept),
        "published_ports": sorted(str(port) for port in service.ports),
        "memory": service.memory,
        "cpus": service.cpus,
        "healthcheck": _healthcheck(service, kind),
        "capabilities": sorted(kind.capabilities),
        "stop_timeout": kind.stop_timeout,
    }


def _healthcheck(service: Service, kind: ServiceType) -> dict[str, Any]:
    second = 10**9
    usual = {
        "Test": [with_port(word, service.port) for word in kind.healthcheck],
        # Each check is a process in the container, some 60 ms of a processor: often enough, and not for nothing.
        "Interval": 10 * second,
        "Timeout": 5 * second,
        "Retries": 6,
        "StartPeriod": 120 * second,
    }
    return {**usual, **dict(service.healthcheck)}
