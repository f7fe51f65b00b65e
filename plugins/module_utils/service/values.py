# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of a service's options, each checked and named where it is wrong."""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter

_PUBLISHED = re.compile(
    r"(?:(?P<address>\*|\d+(?:\.\d+){3}|\[[0-9a-fA-F:]+\]):)?(?:(?P<outer>\d+):)?(?P<inner>\d+)(?:/(?P<protocol>tcp|udp))?"
)
_IMAGE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._/:@-]{0,254}")
_ENGINE_NETWORKS = ("default", "host", "none")
_DURATION = re.compile(r"(\d+)(ms|s|m|h)?")
# What the engine takes at the least, other than none at all.
_LEAST_MEMORY, _LEAST_CPUS = 6 * 1024**2, 0.01
_UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


@dataclass(frozen=True)
class Port:
    """A published port. The address is empty for all of the host's, IPv4 and IPv6."""

    address: str
    outer: int
    inner: int
    protocol: str = "tcp"

    def clashes(self, other: Port) -> bool:
        """Whether only one of both can be had."""
        if (self.outer, self.protocol) != (other.outer, other.protocol):
            return False
        if self.address == other.address or not (self.address and other.address):
            return True
        one, two = ipaddress.ip_address(self.address), ipaddress.ip_address(other.address)
        return one.version == two.version and (one.is_unspecified or two.is_unspecified)

    def __str__(self) -> str:
        return f"{self.address or '*'}:{self.outer}:{self.inner}/{self.protocol}"


def image(value: Any) -> str:
    reference = names.text(value, "image")
    if not _IMAGE.fullmatch(reference) or ".." in reference:
        raise InvalidParameter(f"{reference!r} is not an image", "image", "Write it like mysql:9.7 or name@sha256:...")
    last = reference.rsplit("/", 1)[-1]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


def ports(values: Any) -> tuple[Port, ...]:
    ports = []
    for index, value in enumerate(values):
        where = f"published_ports[{index}]"
        found = _PUBLISHED.fullmatch(str(value))
        if not found:
            raise InvalidParameter(f"{value!r} is not a port to publish", where, "Write 80, 8080:80 or 0.0.0.0:80:80.")
        inner = names.port(found["inner"], where)
        outer = names.port(found["outer"], where) if found["outer"] else inner
        # A port without an address is for this host alone: the engine's own default passes every firewall.
        ports.append(Port(_address(found["address"] or "127.0.0.1", where), outer, inner, found["protocol"] or "tcp"))
    for one, two in combinations(ports, 2):
        if one.clashes(two):
            raise InvalidParameter(f"{one} and {two} are the same port of the host", "published_ports", "Keep one.")
    return tuple(ports)


def _address(text: str, where: str) -> str:
    try:
        return "" if text == "*" else str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise InvalidParameter(f"{text!r} is not an IP address", where, "Write one of the host's, or *.") from None


def networks(wanted: Sequence[Any]) -> tuple[str, ...]:
    for index, name in enumerate(wanted):
        if names.network_name(name, f"networks[{index}]") in _ENGINE_NETWORKS:
            raise InvalidParameter(
                f"{name!r} is no network that containers share",
                f"networks[{index}]",
                "Name one that is.",
            )
    names.distinct(wanted, "networks", "the network")
    return tuple(wanted)


def env(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    for key, value in values.items():
        if not isinstance(value, str):
            raise InvalidParameter(f"must be a string, and {value!r} is not", f"env.{key}", "Put it into quotes.")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(key)) or "\0" in value:
            raise InvalidParameter("is not the name and the text of a variable", f"env.{key}")
    return [(str(key), value) for key, value in values.items()]


# A share of the machine's memory in a configuration file.
SHARE = re.compile(r"%\{memory:(?:([1-9]\d?|100)%\})?")


def config(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    for key, value in values.items():
        names.file_name(key, f"config_files.{key}")
        if not isinstance(value, str):
            raise InvalidParameter("must be the text of the file", f"config_files.{key}")
        if any(not found[1] for found in SHARE.finditer(value)):
            raise InvalidParameter(
                "holds a share of the memory that is no whole percentage from 1 to 100",
                f"config_files.{key}",
                "Write it like %{memory:25%}.",
            )
    return [(str(key), value) for key, value in values.items()]


def volumes(wanted: Sequence[Any]) -> tuple[str, ...]:
    found = tuple(volume(value, f"volumes[{index}]") for index, value in enumerate(wanted))
    names.distinct((each.split(":")[1] for each in found), "volumes", "the target")
    return found


def volume(value: Any, where: str) -> str:
    """``source:target[:ro]``; the source is a volume's name or an absolute path."""
    parts = names.text(value, where).split(":")
    if len(parts) not in (2, 3) or parts[2:] not in ([], ["ro"], ["rw"]):
        raise InvalidParameter(f"{value!r} is not a volume", where, "Write source:target or source:target:ro.")
    source = names.absolute_path(parts[0], where) if parts[0].startswith("/") else names.container_name(parts[0], where)
    return ":".join([source, names.absolute_path(parts[1], where), (parts[2:] or ["rw"])[0]])


def command(value: Any, needed: Sequence[str]) -> tuple[str, ...]:
    """``needed`` are the words by which the server reads its configuration, and so knows whom it lets in."""
    words = shlex.split(value) if isinstance(value, str) else list(value)
    words = [names.text(word, f"command[{index}]") for index, word in enumerate(words)]
    if words and words[: len(needed)] != [*needed]:
        raise InvalidParameter(
            "leaves out what has the server read its configuration, and with it who is let in",
            "command",
            f"Give settings as config_files, or begin with {json.dumps([*needed])}.",
        )
    return tuple(words)


def memory(value: Any) -> int:
    number = names.size(value, "memory")
    if 0 < number < _LEAST_MEMORY:
        raise InvalidParameter(f"{value!r} is less than any container can run in", "memory", "Give at least 6m.")
    return number


def cpus(value: Any) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not 0 <= number <= 4096:
        raise InvalidParameter(f"{value!r} is not a number of processors", "cpus", "Write it like 1.5.")
    if 0 < number < _LEAST_CPUS:
        raise InvalidParameter(f"{value!r} is less than the engine can grant", "cpus", "Give at least 0.01.")
    # It counts in billionths.
    return round(number, 9)


def _health_test(value: Any, where: str) -> list[str]:
    """What begins with another word is no error to the engine: it checks nothing then."""
    if not isinstance(value, (str, list)):
        raise InvalidParameter(f"{value!r} is neither a command nor a list of words", where)
    words = ["CMD-SHELL", value] if isinstance(value, str) else value
    words = [names.text(word, where) for word in words]
    first, rest = "".join(words[:1]), len(words) - 1
    if not {"NONE": rest == 0, "CMD": rest > 0, "CMD-SHELL": rest == 1}.get(first):
        raise InvalidParameter(
            "is no health check that the engine knows",
            where,
            "Begin with CMD and the words of a command, with CMD-SHELL and a line for the shell, or say NONE alone.",
        )
    return words


def healthcheck(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
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
            parsed[known[key]] = _health_test(value, where)
        elif key == "retries":
            if not re.fullmatch("[1-9][0-9]{0,3}", str(value)):
                raise InvalidParameter(f"{value!r} is not a number of retries", where, "Give a number from 1 to 9999.")
            parsed[known[key]] = int(value)
        else:
            found = _DURATION.fullmatch(str(value))
            if not found:
                raise InvalidParameter(f"{value!r} is not a duration", where, "Write it like 10s.")
            parsed[known[key]] = int(found[1]) * _UNITS[found[2] or "s"]
    return tuple(sorted(parsed.items()))
