# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all vhosts have in common, in one file, in parts: each is written once, whoever needs it.

Upstreams and limits are named after their content. So equal upstreams are the same one, and 10,000 vhosts cost nginx
what their distinct upstreams cost.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.vhost.place import OURS, Place
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tls import common
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tree import Directive, block, line, text
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.upstream import ZONE
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version

# A reload closes idle connections, and a request just then under way on one is lost, unless they may live on for this
# long (http://nginx.org/en/docs/http/ngx_http_core_module.html#keepalive_min_timeout).
LIVES_ON: Version = (1, 27, 4)
_LIVES_ON = "10s"

# Where proxies are listened to that say whom they speak for (the PROXY protocol): on ports of their own, because nginx
# takes it of all clients of a port or of none.
PROXIED, PROXIED_TLS = 81, 444

_PART = re.compile(r"^# part (\S+)\n(.*?)(?=^# part |\Z)", re.MULTILINE | re.DOTALL)
# One zone for all: nginx compares each zone with each at every start. 8 KiB hold a server with its addresses. It begins
# large, because over a reload nginx remembers the addresses of a zone only while its size stays; what isn't used of it
# costs no memory.
_ZONE_SERVER = 8 * 1024
_ZONE_LEAST = 16 * 1024 * 1024
_HEAD = "# Written by flatrun.infra: what the vhosts here have in common.\n"
_LOG = (
    '{"time":"$time_iso8601","host":"$host","client":"$remote_addr","method":"$request_method","uri":"$request_uri",'
    '"status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,"upstream":"$upstream_addr",'
    '"upstream_seconds":"$upstream_response_time","referer":"$http_referer","agent":"$http_user_agent"}'
)


def parts_of(content: str) -> dict[str, str]:
    """The parts of a file of ours, by name."""
    return {found[1]: found[2] for found in _PART.finditer(content)}


def digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]


def json_log() -> tuple[str, str]:
    name = "flatrun_json"
    return name, text([line("log_format", name, "escape=json", _LOG)])


def rate_zone(rate: str, *owner: str) -> tuple[str, str]:
    name = f"flatrun_rate_{digest(rate, *owner)}"
    return name, text([line("limit_req_zone", "$binary_remote_addr", f"zone={name}:1m", f"rate={rate}")])


def connection_zone(*owner: str) -> tuple[str, str]:
    name = f"flatrun_connections_{digest(*owner)}"
    return name, text([line("limit_conn_zone", "$binary_remote_addr", f"zone={name}:1m")])


def scheme_map(trusted: tuple[str, ...]) -> tuple[str, str]:
    """Variables with the scheme and the port that a trusted proxy was asked by; whoever else claims one isn't believed.

    On the ports of the PROXY protocol, headers are the client's own, whoever hands them on.
    """
    name = f"flatrun_scheme_{digest(*trusted)}"
    addresses = (line("default", 0), *(line(network, 1) for network in trusted))
    said = [(f"1 {port} {scheme}", scheme) for port in ("80", "443") for scheme in ("http", "https")]
    schemes = (line("default", "$scheme"), *(line(*pair) for pair in said))
    ports = (line("default", 80), line("https", 443))
    return name, text(
        [
            block("geo", "$realip_remote_addr", f"${name}_trusted", inner=addresses),
            block("map", f"${name}_trusted $server_port $http_x_forwarded_proto", f"${name}", inner=schemes),
            block("map", f"${name}", f"${name}_port", inner=ports),
        ]
    )


def unknown_hosts(name: str, *listen: tuple[object, ...]) -> tuple[str, str]:
    """On ports that the default server doesn't have, a host that nobody asked for gets no page either."""
    lines = [line("listen", *words) for words in listen]
    closing = (line("server_name", "_"), line("ssl_reject_handshake", "on"), line("return", 444))
    return name, text([block("server", inner=(*lines, *closing))])


def quic_default() -> tuple[str, str]:
    return unknown_hosts("quic", *((address, "quic", "reuseport", "default_server") for address in ("443", "[::]:443")))


def proxied_default() -> tuple[str, str]:
    ports: list[tuple[object, ...]] = []
    for port, words in ((PROXIED, ()), (PROXIED_TLS, ("ssl",))):
        ports += [(address, *words, "proxy_protocol", "default_server") for address in (port, f"[::]:{port}")]
    return unknown_hosts("proxied", *ports)


def lives_on(version: Version) -> list[Directive]:
    return [line("keepalive_min_timeout", _LIVES_ON)] if version >= LIVES_ON else []


def render_shared(parts: Mapping[str, str], version: Version, place: Place = OURS) -> str:
    """Where the main file isn't ours, nothing is said here that it may say too: nginx takes it only once."""
    tree: list[Directive] = [*lives_on(version), *common(version)] if place.own else []
    # Left out unless a client asks for a WebSocket, which keeps the upstream's connection alive; whoever could speak
    # another protocol to an app (h2c) would speak past nginx.
    for name, word in (("upgrade", "websocket"), ("connection", "upgrade")):
        inner = (line("default", ""), line("websocket", word))
        tree.append(block("map", "$http_upgrade", f"$flatrun_{name}", inner=inner))
    servers = sum(found.count("    server ") for name, found in parts.items() if found.startswith("upstream "))
    if servers:
        size = _ZONE_LEAST
        while size < _ZONE_SERVER * servers:
            size *= 2
        zone = (line("zone", ZONE, f"{size // 1024}k"), line("server", "127.0.0.1:1", "down"))
        tree.append(block("upstream", ZONE, inner=zone))
    return _HEAD + text(tree) + "".join(f"# part {name}\n{found}" for name, found in sorted(parts.items()))
