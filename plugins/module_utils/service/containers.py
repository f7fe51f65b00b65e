# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making, starting, replacing and removing containers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import ServiceType
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL, Engine
from ansible_collections.flatrun.infra.plugins.module_utils.service.settings import CONFIGURATION
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import Service
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import FORMER, Endpoint

# Enough to see what happened, and never the disk's end.
_LOG = {"type": "json-file", "config": {"max-size": "10m", "max-file": "3"}}


def create(
    engine: Engine,
    service: Service,
    kind: ServiceType,
    settings: Mapping[str, Any],
    root_dir: str,
    networks: Mapping[str, Endpoint],
) -> None:
    """Create the container on its networks, not started."""
    name, (first, *others) = service.container, [*networks] or [""]
    text = json.dumps(settings, sort_keys=True)
    labels = {
        f"{LABEL}service": service.name,
        f"{LABEL}type": kind.name,
        f"{LABEL}container": name,
        f"{LABEL}root_dir": root_dir,
        f"{LABEL}settings": text,
        f"{LABEL}hash": hashlib.sha256(text.encode()).hexdigest(),
    }
    engine.ask(
        "create_container",
        settings["image"],
        name=name,
        hostname=name,
        command=settings["command"] or None,
        entrypoint=settings["entrypoint"] or None,
        environment=settings["env"],
        labels=labels,
        host_config=_host_config(engine, service, kind, settings, [*networks]),
        networking_config=_networking_config(engine, first, networks.get(first, Endpoint())),
        ports=[(port.inner, port.protocol) for port in service.ports],
        healthcheck=settings["healthcheck"],
    )
    # Engines before API 1.44 take only one network when a container is created.
    for network in others:
        connect(engine, name, network, networks[network])


def connect(engine: Engine, name: str, network: str, endpoint: Endpoint) -> None:
    engine.ask("connect_container_to_network", name, network, **_known_by(endpoint))


def endpoint(raw: Mapping[str, Any], container: str, is_severed: bool) -> Endpoint:
    """A network that was made anew may have other addresses. Engines count the container's short id as an alias."""
    addresses = {} if is_severed else raw.get("IPAMConfig") or {}
    aliases = tuple(alias for alias in raw.get("Aliases") or () if alias != container[:12])
    return Endpoint(aliases, addresses.get("IPv4Address") or "", addresses.get("IPv6Address") or "")


def _networking_config(engine: Engine, network: str, endpoint: Endpoint) -> Any:
    if endpoint == Endpoint():
        return None
    return engine.api.create_networking_config({network: engine.api.create_endpoint_config(**_known_by(endpoint))})


def _known_by(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "aliases": list(endpoint.aliases) or None,
        "ipv4_address": endpoint.ipv4 or None,
        "ipv6_address": endpoint.ipv6 or None,
    }


def try_out(
    engine: Engine,
    service: Service,
    kind: ServiceType,
    settings: Mapping[str, Any],
    networks: Sequence[str],
    command: list[str],
) -> tuple[int, str]:
    """A command in a container like the one that is to be made, by which nobody is reached: its code and its words."""
    label = f"{LABEL}trial"
    for left in engine.ask("containers", all=True, filters={"label": f"{label}={service.container}"}):
        engine.find("remove_container", left["Id"], force=True, v=True)
    alone = {"port_bindings": None, "restart_policy": None}
    try:
        return engine.run_apart(
            settings["image"],
            command,
            networks[1:],
            environment=settings["env"],
            labels={label: service.container},
            host_config=_host_config(engine, service, kind, settings, networks, **alone),
        )
    except Refused as error:
        # The engine names it by an id that nobody ever saw.
        raise Refused(error.what, f"container {service.container}") from None


def _host_config(
    engine: Engine,
    service: Service,
    kind: ServiceType,
    settings: Mapping[str, Any],
    networks: Sequence[str],
    **other: Any,
) -> Any:
    mounts = dict(settings["mounts"])
    if settings[CONFIGURATION]:
        mounts[kind.config] = f"{settings[CONFIGURATION]}:ro"
    usual = {
        "binds": [_bind(target, mount) for target, mount in mounts.items()],
        "port_bindings": _bindings(service),
        "cap_drop": ["ALL"],
        "cap_add": settings["capabilities"],
        "security_opt": ["no-new-privileges"],
        "restart_policy": {"Name": "unless-stopped"},
        "log_config": _LOG,
        "mem_limit": settings["memory"] or None,
        "nano_cpus": round(settings["cpus"] * 10**9) or None,
        "network_mode": networks[0] if networks else "none",
    }
    return engine.api.create_host_config(**{**usual, **other})


def _bind(target: str, mount: str) -> str:
    source, mode = mount.rsplit(":", 1)
    return f"{source}:{target}:{mode}"


def _bindings(service: Service) -> dict[str, list[tuple[str, ...]]]:
    bindings: dict[str, list[tuple[str, ...]]] = {}
    for port in service.ports:
        bindings.setdefault(f"{port.inner}/{port.protocol}", []).append((port.address, str(port.outer)))
    return bindings


def start(engine: Engine, name: str) -> None:
    engine.ask("start", name)


def stop(engine: Engine, name: str) -> None:
    """Stop as the server likes it: with its own signal, and time to write what it holds."""
    raw = engine.find("inspect_container", name)
    if raw:
        labels = raw["Config"].get("Labels") or {}
        patience = json.loads(labels.get(f"{LABEL}settings", "{}")).get("stop_timeout", 10)
        # The SDK waits for the answer so much longer than usual.
        engine.ask("stop", name, timeout=patience)


def set_aside(engine: Engine, name: str) -> None:
    """Stop a container and keep it under another name, so that it can come back."""
    stop(engine, name)
    engine.ask("rename", name, name + FORMER)


def discard(engine: Engine, name: str, root_dir: str, volumes: bool = False) -> None:
    """Remove the container of this name if it is ours: somebody else's may have taken the name in the meantime."""
    raw = engine.find("inspect_container", name)
    labels = (raw["Config"].get("Labels") or {}) if raw else {}
    if raw and (labels.get(f"{LABEL}container"), labels.get(f"{LABEL}root_dir")) == (name, root_dir):
        engine.find("remove_container", raw["Id"], force=True, v=volumes)


def bring_back(engine: Engine, name: str, root_dir: str, running: bool) -> None:
    """The former container has its name again; what of ours took its place is removed."""
    if engine.find("inspect_container", name + FORMER):
        discard(engine, name, root_dir)
        if engine.find("inspect_container", name):
            raise Refused(
                f"somebody else's container has taken the name, so the former one is kept as {name}{FORMER}",
                f"container {name}",
                "Remove or rename that one, then run again.",
            )
        engine.ask("rename", name + FORMER, name)
    if running:
        start(engine, name)


def pull(engine: Engine, image: str) -> None:
    """Fetch an image that is wanted; raises Refused with what to do instead."""
    try:
        engine.pull(image)
    except FlatrunError as error:
        raise Refused(
            f"it is not on this engine and can't be pulled: {error.what}",
            f"image {image}",
            "Build it (playbook flatrun.infra.images), load it, or name another one.",
        ) from None
