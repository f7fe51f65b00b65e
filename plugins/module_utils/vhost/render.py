# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A vhost as nginx' configuration, for the version that runs. Pure, and stable to the byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.vhost import tree
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.handling import Handling
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import Location, Vhost
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tree import Directive, block, line
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.upstream import Upstream, render_upstream
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version

_MARK = "# flatrun.infra "
_ACME = "/var/www/acme"


@dataclass(frozen=True)
class Rendered:
    """``text`` is the vhost's own file; ``upstreams`` what it needs of the file in common, by name."""

    text: str
    upstreams: Mapping[str, str]


def summary_of(content: str) -> dict[str, Any]:
    """What the first line of a vhost's file tells of it; empty where somebody changed that line."""
    first = content.split("\n", 1)[0]
    try:
        found = json.loads(first[len(_MARK) :]) if first.startswith(_MARK) else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def render(vhost: Vhost, version: Version) -> Rendered:
    pen = _Pen(vhost, version)
    servers = tuple(pen.servers())
    summary = {
        "name": vhost.name,
        "server_names": list(vhost.server_names),
        "upstreams": sorted(pen.addresses),
    }
    head = _MARK + json.dumps(summary, sort_keys=True) + "\n"
    return Rendered(head + tree.text(servers), pen.upstreams)


class _Pen:
    """Writes one vhost, and gathers the upstreams it needs on the way."""

    def __init__(self, vhost: Vhost, version: Version) -> None:
        self.vhost, self.version = vhost, version
        self.upstreams: dict[str, str] = {}
        self.addresses: set[str] = set()

    def servers(self) -> Iterator[Directive]:
        inner = [line("listen", 80), line("listen", "[::]:80"), line("server_name", *self.vhost.server_names)]
        yield block("server", inner=(*inner, _challenges(), *self._site()))

    def _site(self) -> Iterator[Directive]:
        yield from _limits(self.vhost.handling)
        if not any(location.path == "/" and not location.exact for location in self.vhost.locations):
            yield self._location(Location("/", Handling()), "upstream")
        for index, location in enumerate(self.vhost.locations):
            yield self._location(location, f"locations[{index}].upstream")

    def _location(self, location: Location, where: str) -> Directive:
        handling = location.handling.over(self.vhost.handling)
        words = ("=", location.path) if location.exact else (location.path,)
        inner = [*_limits(location.handling), *self._passing(handling, location, where)]
        inner += [line("add_header", name, value, "always") for name, value in handling.response_headers if value]
        return block("location", *words, inner=inner)

    def _passing(self, handling: Handling, location: Location, where: str) -> Iterator[Directive]:
        if handling.upstream is None:
            return
        yield from self._pass(handling.upstream, location, f"{self.vhost.where}.{where}")
        yield line("proxy_http_version", "1.1")
        for name, value in _request_headers(handling):
            yield line("proxy_set_header", name, value)

    def _pass(self, upstream: Upstream, location: Location, where: str) -> Iterator[Directive]:
        name, content = render_upstream(upstream, self.version, where)
        self.addresses.update(upstream.addresses)
        if name:
            self.upstreams[name] = content
            yield line("proxy_pass", f"{upstream.scheme}://{name}{'/' if location.strip_prefix else ''}")
        else:
            # A name in a variable is looked up while nginx runs, so nginx starts without it, and follows it.
            yield line("set", "$flatrun_upstream", upstream.servers[0].address)
            if location.strip_prefix:
                yield line("rewrite", f"^{re.escape(location.path)}(.*)$", "/$1", "break")
            yield line("proxy_pass", f"{upstream.scheme}://$flatrun_upstream")
        if upstream.scheme == "https":
            yield line("proxy_ssl_server_name", "on")
            yield line("proxy_ssl_name", upstream.servers[0].address.rsplit(":", 1)[0])


def _challenges() -> Directive:
    """Challenges are answered for every name, before and after it has a certificate."""
    inner = (line("root", _ACME), line("default_type", "text/plain"), line("try_files", "$uri", "=404"))
    return block("location", "^~", "/.well-known/acme-challenge/", inner=inner)


def _limits(handling: Handling) -> Iterator[Directive]:
    """What nginx itself hands down from a server to its locations."""
    timeouts = handling.timeouts
    yield from (
        line(name, value)
        for name, value in (
            ("client_max_body_size", handling.body_size),
            ("proxy_connect_timeout", timeouts.connect),
            ("proxy_send_timeout", timeouts.send),
            ("proxy_read_timeout", timeouts.read),
            ("proxy_buffering", _switch(handling.buffering)),
            ("proxy_request_buffering", _switch(handling.request_buffering)),
        )
        if value
    )


def _request_headers(handling: Handling) -> list[tuple[str, str]]:
    """A location that sets one header loses those of its server, so each has them all."""
    upgrade = handling.websocket is not False
    usual = {
        "Host": "$host",
        "X-Real-IP": "$remote_addr",
        # What a client says of itself is not passed on: an app that believes it would be deceived.
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Host": "$host",
        "X-Forwarded-Port": "$server_port",
        "X-Forwarded-Proto": "$scheme",
        "Upgrade": "$http_upgrade" if upgrade else "",
        "Connection": "$flatrun_connection" if upgrade else "",
    }
    known = {name.lower(): (name, value) for name, value in usual.items()}
    known.update({name.lower(): (name, value) for name, value in handling.request_headers})
    return list(known.values())


def _switch(value: bool | None) -> str:
    return "" if value is None else "on" if value else "off"
