# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flatrun_infra is asked for, parsed and validated at the edge."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret, parse_secret
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CATALOG, ServiceType

MANAGED, HOST, FOREIGN = "managed", "host", "foreign"
STARTED, PRESENT, STOPPED, RESTARTED, ABSENT = "started", "present", "stopped", "restarted", "absent"
STATES = (STARTED, PRESENT, STOPPED, RESTARTED, ABSENT)
RUNNING_STATES = (STARTED, RESTARTED)

# What may be said of a service that is only told to do something; any other key makes the item a whole specification.
_VERB_KEYS = {"name", "container", "state"}
_PUBLISHED = re.compile(
    r"(?:(?P<address>\*|[0-9.]+|\[[0-9a-fA-F:]+\]):)?(?:(?P<outer>\d+):)?(?P<inner>\d+)(?:/(?P<protocol>tcp|udp))?"
)
_IMAGE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._/:@-]{0,254}")
_DURATION = re.compile(r"(\d+)(ms|s|m|h)?")
_UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


@dataclass(frozen=True)
class Network:
    name: str
    internal: bool = False


@dataclass(frozen=True)
class Port:
    """A published port. The address is empty for all of the host's, IPv4 and IPv6."""

    address: str
    outer: int
    inner: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return f"{self.address or '*'}:{self.outer}:{self.inner}/{self.protocol}"


@dataclass(frozen=True)
class Service:
    """One item of ``services``. ``whole`` is False where all that is not said is to be kept."""

    name: str
    container: str
    state: str = STARTED
    mode: str = MANAGED
    type: ServiceType | None = None
    whole: bool = True
    adopt: bool = False
    image: str = ""
    networks: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
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
    if params["wait_timeout"] < 1:
        raise InvalidParameter("must be at least 1 second", "wait_timeout")
    root_dir = names.absolute_path(params["root_dir"], "root_dir")
    return Infra(
        root_dir, networks, services, params["pull"], bool(params["wait"]), params["wait_timeout"], dict(params)
    )


def _at(index: int, entry: Mapping[str, Any]) -> Service:
    try:
        return _service({key: value for key, value in entry.items() if _is_given(key, value)})
    except FlatrunError as error:
        raise error.under(f"services[{index}]") from None


def _is_given(key: str, value: Any) -> bool:
    """An empty string means unset. No ports at all is a wish of its own, for nginx has some by default."""
    return value is not None if key == "published_ports" else value not in (None, "", [], {}, False, "auto")


def _service(entry: Mapping[str, Any]) -> Service:
    kind = _type(entry)
    name = names.text(entry.get("name") or entry.get("container") or entry.get("type"), "name")
    mode = _mode(entry)
    container = "" if mode == HOST else entry.get("container") or _usual_container(name, kind)
    state = entry.get("state", STARTED)
    if mode != MANAGED and state in (STOPPED, RESTARTED, ABSENT):
        raise InvalidParameter(
            f"{name} is external: it is connected to and never started, stopped or removed",
            "state",
            f"Leave out state {state!r}, or do it where the service is run.",
        )
    whole = not set(entry) <= _VERB_KEYS
    if whole and not kind and mode == MANAGED:
        raise InvalidParameter("is needed for a service that is specified", "type", f"One of: {', '.join(CATALOG)}.")
    plain = Service(
        name=name,
        container=names.container_name(container, "container") if container else "",
        state=state,
        mode=mode,
        type=kind,
        whole=whole,
        adopt=bool(entry.get("adopt")),
        host=names.text(entry["host"], "host") if "host" in entry else "",
    )
    return _specified(plain, kind, entry) if kind and whole else plain


def _usual_container(name: str, kind: ServiceType | None) -> str:
    return f"flatrun-{kind.name}" if kind else f"flatrun-{name}" if name in CATALOG else name


def _specified(plain: Service, kind: ServiceType, entry: Mapping[str, Any]) -> Service:
    secrets = {key: parse_secret(value, f"secrets.{key}") for key, value in sorted(entry.get("secrets", {}).items())}
    for key in secrets:
        names.file_name(key, "secrets")
        if key != kind.secret:
            known = f"{kind.name} has only {kind.secret!r}" if kind.secret else f"{kind.name} has none"
            raise InvalidParameter(f"is not a secret that is known: {known}", f"secrets.{key}")
    return Service(
        **{
            **vars(plain),
            "image": _image(entry.get("image", kind.image)),
            "networks": tuple(names.network_name(name, "networks") for name in entry.get("networks", ())),
            "ports": _ports(entry.get("published_ports", kind.published)),
            "env": tuple(sorted(_env(entry.get("env", {})))),
            "secrets": tuple(secrets.items()),
            "config_files": tuple(sorted(_config(entry.get("config_files", {})))),
            "volumes": tuple(_volume(value, f"volumes[{i}]") for i, value in enumerate(entry.get("volumes", ()))),
            "command": _command(entry.get("command", ())),
            "memory": names.size(entry["memory"], "memory") if "memory" in entry else 0,
            "cpus": _cpus(entry.get("cpus", 0)),
            "healthcheck": _healthcheck(entry.get("healthcheck", {})),
            "port": names.port(entry["port"], "port") if "port" in entry else kind.port,
        }
    )


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
    if "host" in entry and "container" in entry and mode != "external":
        raise InvalidParameter(
            "both host and container are given, so it isn't clear whether the service is managed or external",
            "host",
            "Keep one of them, or say mode: external.",
        )
    if mode == "managed" and "host" in entry:
        raise InvalidParameter("a managed service has no host", "host", "Leave it out, or say mode: external.")
    if mode == "external" and "host" not in entry and "container" not in entry:
        raise InvalidParameter("an external service needs a host or a container", "mode")
    if "host" in entry:
        return HOST
    return FOREIGN if mode == "external" else MANAGED


def _image(value: Any) -> str:
    reference = names.text(value, "image")
    if not _IMAGE.fullmatch(reference) or ".." in reference:
        raise InvalidParameter(f"{reference!r} is not an image", "image", "Write it like mysql:9.7 or name@sha256:...")
    last = reference.rsplit("/", 1)[-1]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


def _ports(values: Any) -> tuple[Port, ...]:
    ports = []
    for index, value in enumerate(values):
        where = f"published_ports[{index}]"
        found = _PUBLISHED.fullmatch(str(value))
        if not found:
            raise InvalidParameter(f"{value!r} is not a port to publish", where, "Write 80, 8080:80 or 0.0.0.0:80:80.")
        inner = names.port(found["inner"], where)
        outer = names.port(found["outer"], where) if found["outer"] else inner
        # A port without an address is for this host alone: the engine's own default passes every firewall.
        address = {"*": "", None: "127.0.0.1"}.get(found["address"], found["address"] or "").strip("[]")
        ports.append(Port(address, outer, inner, found["protocol"] or "tcp"))
    names.distinct((str(port) for port in ports), "published_ports", "the port")
    return tuple(ports)


def _env(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    for key, value in values.items():
        if not isinstance(value, str):
            raise InvalidParameter(f"must be a string, and {value!r} is not", f"env.{key}", "Put it into quotes.")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(key)) or "\0" in value:
            raise InvalidParameter("is not the name and the text of a variable", f"env.{key}")
    return [(str(key), value) for key, value in values.items()]


def _config(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    for key, value in values.items():
        names.file_name(key, f"config_files.{key}")
        if not isinstance(value, str):
            raise InvalidParameter("must be the text of the file", f"config_files.{key}")
    return [(str(key), value) for key, value in values.items()]


def _volume(value: Any, where: str) -> str:
    """``source:target[:ro]``; the source is a volume's name or an absolute path."""
    parts = names.text(value, where).split(":")
    if len(parts) not in (2, 3) or parts[2:] not in ([], ["ro"], ["rw"]):
        raise InvalidParameter(f"{value!r} is not a volume", where, "Write source:target or source:target:ro.")
    source = names.absolute_path(parts[0], where) if parts[0].startswith("/") else names.container_name(parts[0], where)
    return ":".join([source, names.absolute_path(parts[1], where), (parts[2:] or ["rw"])[0]])


def _command(value: Any) -> tuple[str, ...]:
    words = shlex.split(value) if isinstance(value, str) else list(value)
    return tuple(names.text(word, f"command[{index}]") for index, word in enumerate(words))


def _cpus(value: Any) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not 0 <= number <= 4096:
        raise InvalidParameter(f"{value!r} is not a number of processors", "cpus", "Write it like 1.5.")
    return number


def _healthcheck(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The keys of the engine's own health check, durations in nanoseconds."""
    known = {
        "test": "Test",
        "interval": "Interval",
        "timeout": "Timeout",
        "retries": "Retries",
        "start_period": "StartPeriod",
    }
    parsed: dict[str, Any] = {}
    for key, value in values.items():
        where = f"healthcheck.{key}"
        if key not in known:
            raise InvalidParameter("is not known", where, f"Take of: {', '.join(known)}.")
        if key == "test":
            parsed[known[key]] = ["CMD-SHELL", value] if isinstance(value, str) else list(value)
        elif key == "retries":
            parsed[known[key]] = names.port(value, where)
        else:
            found = _DURATION.fullmatch(str(value))
            if not found:
                raise InvalidParameter(f"{value!r} is not a duration", where, "Write it like 10s.")
            parsed[known[key]] = int(found[1]) * _UNITS[found[2] or "s"]
    return tuple(sorted(parsed.items()))
