# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where requests go: one address or a pool, parsed, and rendered for the nginx that runs."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.place import OURS, Place
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tree import Directive, block, line, text
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version, duration, readable, whole

# From here on an upstream resolves its names while nginx runs, and keeps connections alive all the same.
RESOLVES: Version = (1, 27, 3)
_STICKY: Version = (1, 29, 6)
# From here on connections are kept unless it is told otherwise; before, it takes no zero.
_KEEPS: Version = (1, 29, 7)
_KEPT = 32

ROUND_ROBIN = "round_robin"
METHODS = (ROUND_ROBIN, "least_conn", "ip_hash", "hash", "random", "sticky")
# A path has this room in the kernel's sockaddr_un (unix(7)), with a byte after it.
_LONGEST_SOCKET = 107
# nginx refuses a spare server with these: their choice knows no second round.
_WITHOUT_BACKUP = ("ip_hash", "hash", "random")
ZONE = "flatrun_upstreams"

_ADDRESS = re.compile(
    r"(?:(?P<scheme>https?)://)?"
    r"(?:(?P<socket>unix:/[A-Za-z0-9_./-]+)|(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?)"
    r"(?::(?P<port>\d+))?)/?"
)
_COOKIE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEYS = {"servers", "method", "hash_key", "cookie", "keepalive", "scheme"}
_SERVER_KEYS = {"address", "weight", "max_fails", "fail_timeout", "backup", "down"}
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Server:
    """``address`` is ``host:port`` or ``unix:/path``; what is None has nginx' own default."""

    address: str
    by_name: bool = False
    weight: int | None = None
    max_fails: int | None = None
    fail_timeout: str = ""
    backup: bool = False
    down: bool = False


@dataclass(frozen=True)
class Upstream:
    servers: tuple[Server, ...]
    scheme: str = "http"
    method: str = ROUND_ROBIN
    hash_key: str = ""
    cookie: str = ""
    keepalive: int | None = None

    @property
    def by_name(self) -> bool:
        return any(server.by_name for server in self.servers)

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(server.address for server in self.servers)


def parse_upstream(value: Any, where: str) -> Upstream:
    """A string ``[scheme://]host[:port]`` or ``unix:/path``, or a mapping with ``servers``."""
    if isinstance(value, str):
        scheme, server = _server(value, "http", where)
        return Upstream((server,), scheme)
    if not isinstance(value, Mapping):
        raise InvalidParameter("must be an address or a mapping with servers", where, "Write it like my-app:8080.")
    value = _said(value, _KEYS, where)
    servers = value.get("servers")
    if not isinstance(servers, list) or not servers:
        raise InvalidParameter("must be a list of at least one address", f"{where}.servers")
    scheme = _scheme(value, servers, where)
    parsed = tuple(_server(entry, scheme, f"{where}.servers[{index}]")[1] for index, entry in enumerate(servers))
    names.distinct((server.address for server in parsed), f"{where}.servers", "the address")
    return _method(value, parsed, scheme, where)


def _scheme(value: Mapping[str, Any], servers: list[Any], where: str) -> str:
    """That of the pool, or else of its addresses, which are all asked in the same way."""
    if value.get("scheme", "http") not in tuple(_PORTS):
        raise InvalidParameter(f"{value['scheme']!r} is neither http nor https", f"{where}.scheme")
    addresses = [entry.get("address") if isinstance(entry, Mapping) else entry for entry in servers]
    said = {found["scheme"] for found in map(_ADDRESS.fullmatch, map(str, addresses)) if found} - {None}
    said |= {value["scheme"]} if "scheme" in value else set()
    if len(said) > 1:
        raise InvalidParameter("are asked by http or by https, all of them", f"{where}.servers", "Make it two pools.")
    return str(said.pop()) if said else "http"


def _method(value: Mapping[str, Any], servers: tuple[Server, ...], scheme: str, where: str) -> Upstream:
    method = value.get("method", ROUND_ROBIN)
    if method not in METHODS:
        raise InvalidParameter(f"{method!r} is not known", f"{where}.method", f"Take one of: {', '.join(METHODS)}.")
    if method in _WITHOUT_BACKUP and any(server.backup for server in servers):
        raise InvalidParameter(f"nginx has no backup server with {method}", f"{where}.method", "Leave out one of them.")
    if all(server.backup for server in servers):
        raise InvalidParameter("has backup servers only", f"{where}.servers", "Make one of them a server of its own.")
    for key, needed in (("hash_key", "hash"), ("cookie", "sticky")):
        if key in value and method != needed:
            raise InvalidParameter(f"belongs to the method {needed}, and this is {method}", f"{where}.{key}")
    cookie = str(value.get("cookie", "flatrun_route")) if method == "sticky" else ""
    if cookie and not _COOKIE.fullmatch(cookie):
        raise InvalidParameter(f"{cookie!r} is not a cookie's name", f"{where}.cookie")
    key = readable(value.get("hash_key", "$request_uri"), f"{where}.hash_key") if method == "hash" else ""
    given = value.get("keepalive")
    keepalive = None if given is None else whole(given, f"{where}.keepalive", 0, 10000)
    return Upstream(servers, scheme, method, key, cookie, keepalive)


def _server(value: Any, scheme: str, where: str) -> tuple[str, Server]:
    if isinstance(value, Mapping):
        value = _said(value, _SERVER_KEYS, where)
        found, server = _server(value.get("address"), scheme, f"{where}.address")
        return found, _weighed(server, value, where)
    given = names.text(value, where)
    found_ = _ADDRESS.fullmatch(given)
    if not found_:
        raise InvalidParameter(
            f"{given!r} is not an address", where, "Write it like my-app:8080, [2001:db8::1]:80 or unix:/run/app.sock."
        )
    scheme = found_["scheme"] or scheme
    if found_["socket"]:
        path = names.absolute_path(found_["socket"][len("unix:") :], where)
        if len(path.encode()) > _LONGEST_SOCKET:
            raise InvalidParameter(f"is a socket's path of more than {_LONGEST_SOCKET} bytes (unix(7))", where)
        return scheme, Server(found_["socket"])
    host = found_["host"]
    by_name = not _is_address(host, where)
    port = names.port(found_["port"], where) if found_["port"] else _PORTS[scheme]
    return scheme, Server(f"{host}:{port}", by_name)


def _is_address(host: str, where: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        if host.startswith("[") or re.fullmatch(r"[0-9.]+", host):
            raise InvalidParameter(f"{host!r} is not an address", where) from None
        return False
    return True


def _weighed(server: Server, value: Mapping[str, Any], where: str) -> Server:
    def number(key: str, least: int) -> int | None:
        return None if value.get(key) is None else whole(value[key], f"{where}.{key}", least, 65535)

    fail_timeout = value.get("fail_timeout")
    return Server(
        server.address,
        server.by_name,
        number("weight", 1),
        number("max_fails", 0),
        "" if fail_timeout is None else duration(fail_timeout, f"{where}.fail_timeout", "s"),
        *(names.flag(value.get(key, False), f"{where}.{key}") for key in ("backup", "down")),
    )


def _said(value: Mapping[str, Any], known: set[str], where: str) -> dict[str, Any]:
    """What a mapping says; null is said by who leaves something out."""
    for key in value:
        if key not in known:
            raise InvalidParameter("is not known", f"{where}.{key}", f"Take of: {', '.join(sorted(known))}.")
    return {key: each for key, each in value.items() if each is not None}


def render_upstream(upstream: Upstream, version: Version, where: str, place: Place = OURS) -> tuple[str, str]:
    """Name and text of the block; both are empty for a name that only a variable can follow."""
    if upstream.method == "sticky" and version < _STICKY:
        raise _too_old("sticky sessions", _STICKY, version, f"{where}.method")
    if upstream.by_name and version < RESOLVES:
        if len(upstream.servers) > 1 or upstream.method != ROUND_ROBIN:
            raise _too_old("a pool of names", RESOLVES, version, where)
        if upstream.keepalive or upstream.servers[0] != Server(upstream.servers[0].address, True):
            raise _too_old("more than the address of a single name", RESOLVES, version, where)
        return "", ""
    inner = (*_block(upstream, version), *(place.names() if upstream.by_name else ()))
    name = "flatrun_" + hashlib.sha256(text(inner).encode()).hexdigest()[:12]
    return name, text([block("upstream", name, inner=inner)])


def _block(upstream: Upstream, version: Version) -> list[Directive]:
    lines = [line("zone", ZONE)]
    if upstream.method == "hash":
        lines.append(line("hash", upstream.hash_key, "consistent"))
    elif upstream.method == "sticky":
        lines.append(line("sticky", "cookie", upstream.cookie, "path=/", "httponly"))
    elif upstream.method != ROUND_ROBIN:
        lines.append(line(upstream.method))
    lines += [_server_line(server) for server in upstream.servers]
    kept = _KEPT if upstream.keepalive is None else upstream.keepalive
    if kept or version >= _KEEPS:
        lines.append(line("keepalive", kept))
    return lines


def _server_line(server: Server) -> Directive:
    pairs = (("weight", server.weight), ("max_fails", server.max_fails), ("fail_timeout", server.fail_timeout))
    words = [f"{key}={value}" for key, value in pairs if value not in (None, "")]
    flags = (("resolve", server.by_name), ("backup", server.backup), ("down", server.down))
    return line("server", server.address, *words, *(name for name, is_set in flags if is_set))


def _too_old(what: str, needed: Version, version: Version, where: str) -> Refused:
    return Refused(
        f"{what} needs nginx {dotted(needed)}, and this is {dotted(version)}", where, "Give addresses or a newer image."
    )


def dotted(version: Version) -> str:
    return ".".join(str(number) for number in version)
