# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One location: who may enter it, and what answers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.flatrun.infra.plugins.module_utils.vhost import shared
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.access import BasicAuth
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.content import Redirect, Static
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.handling import Handling
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.paths import sent
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.place import Place
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import Location, Vhost
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tree import Directive, block, line, verbatim
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.upstream import Upstream, render_upstream
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version

# Below this path a vhost has what only nginx itself asks for.
PAGES = "/.flatrun"
MISSPELLED = f"{PAGES}/misspelled"
Headers = tuple[tuple[str, str], ...]

# Text that shrinks; pictures and archives are as small as they get.
_COMPRESSED = (
    *("application/atom+xml", "application/javascript", "application/json", "application/manifest+json"),
    *("application/rss+xml", "application/wasm", "application/xml", "font/otf", "font/ttf", "image/svg+xml"),
    *("text/calendar", "text/css", "text/csv", "text/javascript", "text/markdown", "text/plain", "text/vtt"),
)


def limits(handling: Handling) -> Iterator[Directive]:
    """What nginx itself hands down from a server to its locations."""
    timeouts = handling.timeouts
    pairs = (
        ("client_max_body_size", handling.body_size),
        ("proxy_connect_timeout", timeouts.connect),
        ("proxy_send_timeout", timeouts.send),
        ("proxy_read_timeout", timeouts.read),
        ("proxy_buffering", _switch(handling.buffering)),
        ("proxy_request_buffering", _switch(handling.request_buffering)),
        ("gzip", _switch(handling.compression)),
    )
    yield from (line(name, value) for name, value in pairs if value)
    if handling.compression:
        yield from (line("gzip_vary", "on"), line("gzip_proxied", "any"), line("gzip_min_length", 1000))
        yield line("gzip_types", *_COMPRESSED)


def said(usual: Headers, asked: Headers) -> list[Directive]:
    """Headers of an answer. A location that says one has none of its server's, so it says them all.

    An empty one is not sent, but takes the place of what would be handed down.
    """
    known = {name.lower(): (name, value) for name, value in (*usual, *asked)}
    return [line("add_header", name, value, "always") for name, value in known.values()]


class LocationPen:
    """Writes the locations of one vhost, and gathers what they need on the way."""

    def __init__(self, vhost: Vhost, version: Version, place: Place) -> None:
        self.vhost, self.version, self.place = vhost, version, place
        self.parts: dict[str, str] = {}
        self.extras: dict[str, str | BasicAuth] = {}
        self.addresses: set[str] = set()

    def need(self, part: tuple[str, str]) -> str:
        self.parts[part[0]] = part[1]
        return part[0]

    def write(self, location: Location, index: int | None, headers: Headers) -> Iterator[Directive]:
        """``index`` is the location's place in the vhost, None for what the vhost itself answers."""
        own, whole = location.handling, location.handling.over(self.vhost.handling)
        words = ("=", location.path) if location.exact else (location.path,)
        inner = [*limits(own), *self._access(own, whole, index), *self._answer(whole, location, index)]
        told = said(headers, whole.response_headers) if own.response_headers else []
        yield block("location", *words, inner=[*inner, *told, *([verbatim(own.raw)] if own.raw else [])])
        if whole.root and whole.root.fallback:
            yield block("location", _fallback(index), inner=[*limits(own), *_instead(whole.root), *told])

    def _access(self, own: Handling, whole: Handling, index: int | None) -> Iterator[Directive]:
        if whole.redirect:
            # nginx sends clients elsewhere before it asks who they are.
            return
        yield from (line("deny", network) for network in whole.deny)
        yield from (line("allow", network) for network in whole.allow)
        if whole.allow:
            yield line("deny", "all")

        def owner(is_own: bool) -> tuple[str, ...]:
            return (self.vhost.name, *([str(index)] if is_own and index is not None else []))

        if whole.basic_auth:
            name = ":".join(owner(own.basic_auth is not None))
            self.extras[f"auth/{name}"] = whole.basic_auth
            yield line("auth_basic", whole.basic_auth.realm)
            yield line("auth_basic_user_file", f"{self.place.current}/auth/{name}")
        if whole.rate_limit:
            zone = self.need(shared.rate_zone(whole.rate_limit.rate, *owner(own.rate_limit is not None)))
            burst = (f"burst={whole.rate_limit.burst}", "nodelay") if whole.rate_limit.burst else ()
            yield from (line("limit_req", f"zone={zone}", *burst), line("limit_req_status", 429))
        if whole.connection_limit:
            zone = self.need(shared.connection_zone(*owner(own.connection_limit is not None)))
            yield from (line("limit_conn", zone, whole.connection_limit), line("limit_conn_status", 429))

    def _answer(self, handling: Handling, location: Location, index: int | None) -> Iterator[Directive]:
        if handling.redirect:
            yield _redirect(handling.redirect)
        elif handling.root:
            yield from self._static(handling.root, location, index)
        elif handling.upstream:
            where = "upstream" if index is None else f"locations[{index}].upstream"
            yield from self._pass(handling.upstream, location, f"{self.vhost.where}.{where}")
            yield line("proxy_http_version", "1.1")
            for name, value in self._request_headers(handling):
                yield line("proxy_set_header", name, value)

    def _static(self, static: Static, location: Location, index: int | None) -> Iterator[Directive]:
        if location.strip_prefix:
            yield line("alias", static.root.rstrip("/") + "/")
        else:
            yield line("root", static.root)
        yield line("index", static.index)
        if static.fallback:
            # A location that says one has none of its server's pages, so it says them all.
            pages = [(code, f"{PAGES}/{code}.html") for code, _page in self.vhost.error_pages if code != 404]
            yield from (line("error_page", code, page) for code, page in pages)
            yield from (line("error_page", 404, "=", _fallback(index)), line("log_not_found", "off"))
            # The file may not be there either: then there is the vhost's page.
            yield line("recursive_error_pages", "on")

    def _pass(self, upstream: Upstream, location: Location, where: str) -> Iterator[Directive]:
        name, content = render_upstream(upstream, self.version, where, self.place)
        self.addresses.update(upstream.addresses)
        if name:
            self.need((name, content))
        else:
            # A name in a variable is looked up while nginx runs, so nginx starts without it, and follows it.
            yield line("set", "$flatrun_upstream", upstream.servers[0].address)
        if location.strip_prefix:
            yield from _rest(location.path)
        rest = "$flatrun_rest" if location.strip_prefix else ""
        yield line("proxy_pass", f"{upstream.scheme}://{name or '$flatrun_upstream'}{rest}")
        if upstream.scheme == "https":
            yield line("proxy_ssl_server_name", "on")
            address = upstream.servers[0].address
            yield line("proxy_ssl_name", "$host" if address.startswith("unix:") else address.rsplit(":", 1)[0])

    def _request_headers(self, handling: Handling) -> list[tuple[str, str]]:
        """A location that sets one header loses those of its server, so each has them all."""
        upgrade = handling.websocket is not False
        trusted = self.vhost.trusted_proxies
        scheme = self.need(shared.scheme_map(trusted)) if trusted else ""
        usual = {
            "Host": "$host",
            "X-Real-IP": "$remote_addr",
            # What a client says of itself is not passed on: an app that believes it would be deceived.
            "X-Forwarded-For": "$remote_addr",
            "X-Forwarded-Host": "$host",
            "X-Forwarded-Port": f"${scheme}_port" if scheme else "$server_port",
            "X-Forwarded-Proto": f"${scheme}" if scheme else "$scheme",
            "Upgrade": "$flatrun_upgrade" if upgrade else "",
            "Connection": "$flatrun_connection" if upgrade else "",
        }
        known = {name.lower(): (name, value) for name, value in usual.items()}
        known.update({name.lower(): (name, value) for name, value in handling.request_headers})
        return list(known.values())


def _fallback(index: int | None) -> str:
    """A location that no request can name: by the file's path, another one of the vhost might answer."""
    return "@flatrun_fallback" if index is None else f"@flatrun_fallback_{index}"


def _instead(static: Static) -> Iterator[Directive]:
    yield from (line("root", static.root), line("rewrite", "^", static.fallback, "break"))


def _rest(path: str) -> Iterator[Directive]:
    """What was asked for without the path, as the client spelled it: nginx itself would decode it on the way.

    A client that spells the path itself in another way (``/x/../api/``) has made a mistake.
    """
    pattern = f"^{re.escape(sent(path.rstrip('/')))}(?<flatrun_rest>/.*)$"
    yield block("if", "($request_uri", "!~", f"{pattern})", inner=[line("rewrite", "^", MISSPELLED, "last")])


def _redirect(redirect: Redirect) -> Directive:
    return line("return", redirect.code, redirect.to + ("$request_uri" if redirect.keep_path else ""))


def _switch(value: bool | None) -> str:
    return "" if value is None else "on" if value else "off"
