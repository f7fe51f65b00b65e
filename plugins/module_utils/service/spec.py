# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flatrun_infra is asked for, parsed and validated at the edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret, parse_secret
from ansible_collections.flatrun.infra.plugins.module_utils.service import values
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import (
    CATALOG,
    SECRETS,
    ServiceType,
    with_port,
)
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import FORMER

MANAGED, HOST, FOREIGN = "managed", "host", "foreign"
STARTED, PRESENT, STOPPED, RESTARTED, ABSENT = "started", "present", "stopped", "restarted", "absent"
STATES = (STARTED, PRESENT, STOPPED, RESTARTED, ABSENT)
RUNNING_STATES = (STARTED, RESTARTED)

# What may be said of a service that is only told to do something; any other key makes the item a whole specification.
_VERB_KEYS = {"name", "container", "state"}
# What may be said of a service that somebody else runs: how it is found, and nothing of what it is like.
_EXTERNAL_KEYS = {*_VERB_KEYS, "type", "mode", "host", "port"}
# What lies beside the services' folders, so that none of them may have these names.
_OTHERS = {"external.json", *(folder for kind in CATALOG.values() for folder, _mode in kind.shared.values())}


@dataclass(frozen=True)
class Network:
    name: str
    internal: bool = False


@dataclass(frozen=True)
class Service:
    """One item of ``services``. ``whole`` is False where all that is not said is to be kept."""

    name: str
    container: str
    state: str = STARTED
    mode: str = MANAGED
    type: ServiceType | None = None
    whole: bool = True
    # Its name was said, and not taken from its container or its type.
    named: bool = False
    # Only its own name was said, so the container is sought by it.
    sought: bool = False
    adopt: bool = False
    image: str = ""
    networks: tuple[str, ...] = ()
    ports: tuple[values.Port, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, Secret], ...] = ()
    config_files: tuple[tuple[str, str], ...] = ()
    volumes: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    memory: int = 0
    cpus: float = 0.0
    healthcheck: tuple[tuple[str, Any], ...] = ()
    host: str = ""
    port: int = 0
    # The start that a restart must outlive; set once the first State is known.
    outlive: str = ""

    def secret(self, name: str) -> Secret | None:
        return dict(self.secrets).get(name)


@dataclass(frozen=True)
class Infra:
    root_dir: str
    networks: tuple[Network, ...]
    services: tuple[Service, ...]
    pull: str
    wait: bool
    wait_timeout: int
    # How the engine is connected to: the options of the connection, as given.
    engine: Mapping[str, Any] = field(default_factory=dict, compare=False)


def parse(params: Mapping[str, Any]) -> Infra:
    """Parameters of flatrun_infra to its Spec; raises InvalidParameter naming the one that is wrong."""
    networks = tuple(
        Network(names.network_name(entry["name"], f"networks[{index}].name"), bool(entry.get("internal")))
        for index, entry in enumerate(params["networks"] or [])
    )
    services = tuple(_at(index, entry) for index, entry in enumerate(params["services"] or []))
    names.distinct((network.name for network in networks), "networks", "the network")
    names.distinct((service.name for service in services), "services", "the service")
    names.distinct((service.container for service in services if service.container), "services", "the container")
    _require_own_ports(services)
    if params["wait_timeout"] < 1:
        raise InvalidParameter("must be at least 1 second", "wait_timeout")
    root_dir = names.absolute_path(params["root_dir"], "root_dir")
    if root_dir == "/":
        raise InvalidParameter("must be a folder of its own", "root_dir", "Take one like /srv/flatrun.")
    return Infra(
        root_dir, networks, services, params["pull"], bool(params["wait"]), params["wait_timeout"], dict(params)
    )


def _require_own_ports(services: Sequence[Service]) -> None:
    """Of two services that are to run, one would start and the other fail."""
    running = [(index, each) for index, each in enumerate(services) if each.state in RUNNING_STATES]
    for (_first, one), (index, two) in combinations(running, 2):
        for port, other in product(one.ports, two.ports):
            if port.clashes(other):
                raise InvalidParameter(
                    f"{other} is published by {one.name} too, as {port}",
                    f"services[{index}].published_ports",
                    "Publish another port, or on another address.",
                )


def located(spec: Infra, bearers: Mapping[str, Sequence[str]]) -> Infra:
    """The spec with the containers that are sought; ``bearers`` are those of each service's name."""
    services = tuple(
        replace(service, container=_bearer(index, service, bearers.get(service.name, ())))
        if service.sought
        else service
        for index, service in enumerate(spec.services)
    )
    names.distinct((service.container for service in services if service.container), "services", "the container")
    return replace(spec, services=services)


def _bearer(index: int, service: Service, containers: Sequence[str]) -> str:
    if len(containers) > 1:
        raise InvalidParameter(
            f"several are of the service {service.name}: {', '.join(containers)}",
            f"services[{index}].container",
            "Name the one that is meant.",
        )
    return containers[0] if containers else service.container


def _at(index: int, entry: Mapping[str, Any]) -> Service:
    try:
        return _service({key: value for key, value in entry.items() if _is_given(key, value)})
    except FlatrunError as error:
        raise error.under(f"services[{index}]") from None


def _is_given(key: str, value: Any) -> bool:
    """An empty string means unset. No ports at all is a wish of its own, for nginx has some by default."""
    if key == "published_ports" or value is None or value is False:
        return value is not None and value is not False
    # A number is always given: 0 would be equal to False.
    return value not in ("", [], {}) and (key, value) != ("mode", "auto")


def _service(entry: Mapping[str, Any]) -> Service:
    kind = _type(entry)
    name = names.text(entry.get("name") or entry.get("container") or entry.get("type"), "name")
    mode = _mode(entry)
    container = "" if mode == HOST else entry.get("container") or _usual_container(name, kind)
    if container.endswith(FORMER):
        raise InvalidParameter(f"{container!r} ends like a container that is being replaced", "container")
    if container in _OTHERS:
        raise InvalidParameter(f"{container!r} is the name of a folder that services share", "container")
    state = entry.get("state", STARTED)
    if mode != MANAGED and state in (STOPPED, RESTARTED, ABSENT):
        raise InvalidParameter(
            f"{name} is external: it is connected to and never started, stopped or removed",
            "state",
            f"Leave out state {state!r}, or do it where the service is run.",
        )
    if entry.get("adopt") and state == ABSENT:
        raise InvalidParameter("takes over what is to go", "adopt", "Leave it out: whoever made it may remove it.")
    whole = not set(entry) <= _VERB_KEYS
    if whole and not kind and mode == MANAGED:
        raise InvalidParameter("is needed for a service that is specified", "type", f"One of: {', '.join(CATALOG)}.")
    _require_effect(entry, kind, mode)
    plain = Service(
        name=name,
        container=names.container_name(container, "container") if container else "",
        state=state,
        mode=mode,
        type=kind,
        whole=whole,
        named="name" in entry,
        sought=not whole and "container" not in entry,
        adopt=bool(entry.get("adopt")),
        host=names.text(entry["host"], "host") if "host" in entry else "",
    )
    return _specified(plain, kind, entry) if kind and whole else plain


def _require_effect(entry: Mapping[str, Any], kind: ServiceType | None, mode: str) -> None:
    """Refuse what is said in vain: nobody is to believe that it was heard."""
    for key in sorted(entry) if mode != MANAGED else ():
        if key not in _EXTERNAL_KEYS:
            raise InvalidParameter("has no effect on a service that somebody else runs", key, "Leave it out.")
    if mode != MANAGED or not kind:
        return
    vain = {
        "port": kind.released or not kind.port,
        "config_files": not kind.config,
        "command": bool(kind.entrypoint),
    }
    for key, is_vain in vain.items():
        if is_vain and key in entry:
            raise InvalidParameter(f"has no effect on {kind.name}", key, "Leave it out.")


def _usual_container(name: str, kind: ServiceType | None) -> str:
    return f"flatrun-{kind.name}" if kind else f"flatrun-{name}" if name in CATALOG else name


def _specified(plain: Service, kind: ServiceType, entry: Mapping[str, Any]) -> Service:
    port = names.port(entry["port"], "port") if "port" in entry else kind.port
    return Service(
        **{
            **vars(plain),
            "image": values.image(entry.get("image", kind.image)),
            "networks": values.networks(entry.get("networks", ())),
            "ports": values.ports(entry.get("published_ports", kind.published)),
            "env": tuple(sorted(values.env(entry.get("env", {})))),
            "secrets": tuple(_secret(key, value, kind) for key, value in sorted(entry.get("secrets", {}).items())),
            "config_files": tuple(sorted(values.config(entry.get("config_files", {})))),
            "volumes": _volumes(entry.get("volumes", ()), kind),
            "command": values.command(entry.get("command", ()), [with_port(word, port) for word in kind.command]),
            "memory": values.memory(entry.get("memory", 0)),
            "cpus": values.cpus(entry.get("cpus", 0)),
            "healthcheck": values.healthcheck(entry.get("healthcheck", {})),
            "port": port,
        }
    )


def _secret(key: str, value: Any, kind: ServiceType) -> tuple[str, Secret]:
    where = f"secrets.{key}"
    secret = parse_secret(value, where, "Leave it out to have one generated.")
    names.file_name(key, "secrets")
    if key != kind.secret:
        known = f"{kind.name} has only {kind.secret!r}" if kind.secret else f"{kind.name} has none"
        raise InvalidParameter(f"is not a secret that is known: {known}", where)
    if kind.longest and len(secret.reveal().encode()) > kind.longest:
        raise InvalidParameter(
            f"is longer than the {kind.longest} bytes with which one can log in to {kind.name}",
            where,
            "Choose a shorter one.",
        )
    return key, secret


def _volumes(wanted: Sequence[Any], kind: ServiceType) -> tuple[str, ...]:
    """What is mounted where the service's own files are would hide them, or be hidden."""
    own = {"/etc/nginx" if kind.released else kind.config: "Give its files as config_files."}
    if kind.secret:
        own[SECRETS] = "Mount it elsewhere."
    volumes = values.volumes(wanted)
    for index, target in enumerate(volume.split(":")[1] for volume in volumes):
        if target in own:
            raise InvalidParameter(f"{target} is where the files of {kind.name} are", f"volumes[{index}]", own[target])
    return volumes


def _type(entry: Mapping[str, Any]) -> ServiceType | None:
    if "type" not in entry:
        return None
    try:
        return CATALOG[entry["type"]]
    except KeyError:
        raise InvalidParameter(
            f"{entry['type']!r} is not a type of service", "type", f"Take one of: {', '.join(CATALOG)}."
        ) from None


def _mode(entry: Mapping[str, Any]) -> str:
    """managed, host (external, by address) or foreign (external, a container that somebody else runs)."""
    mode = entry.get("mode", "auto")
    if "host" in entry and "container" in entry:
        raise InvalidParameter(
            "both host and container are given, so it isn't clear which of them the service is",
            "host",
            "Keep one of them.",
        )
    if mode == "managed" and "host" in entry:
        raise InvalidParameter("a managed service has no host", "host", "Leave it out, or say mode: external.")
    if mode == "external" and "host" not in entry and "container" not in entry:
        raise InvalidParameter("an external service needs a host or a container", "mode")
    if "host" in entry:
        return HOST
    return FOREIGN if mode == "external" else MANAGED
