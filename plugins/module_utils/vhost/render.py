# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A vhost as nginx' configuration, for the version that runs. Pure, and stable to the byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Union

from ansible_collections.flatrun.infra.plugins.module_utils.service.nginx import (
    BODY_SIZE,
    CONNECT_TIMEOUT,
    HEADERS_BUCKET,
    HEADERS_MOST,
)
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import shared, tls, tree
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.access import BasicAuth
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.handling import Handling
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.place import (
    OURS,
    Place,
    challenges,
    tls_default,
)
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.render_location import (
    MISSPELLED,
    PAGES,
    LocationPen,
    limits,
    said,
)
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import Location, Vhost
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.summary import headed, summary_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tls import Tls
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tree import Directive, block, line
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version

# Beside a text, who may enter: what becomes of that depends on the passwords that are there already.
Extra = Union[str, BasicAuth]


@dataclass(frozen=True)
class Rendered:
    """``text`` is the vhost's own file; ``parts`` what it needs of the file in common, ``extras`` its other files."""

    text: str
    parts: Mapping[str, str]
    extras: Mapping[str, Extra]


def needed(texts: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """The parts in common that vhosts need; all there are, if somebody took away the line that says which."""
    names = {name for text in texts for name in summary_of(text).get("needs", known)}
    return {name: known[name] for name in known if name in names}


# A run plans up to three times, each time from the same vhosts.
@cache
def render(vhost: Vhost, version: Version, place: Place = OURS) -> Rendered:
    pen = _Pen(vhost, version, place)
    servers = tuple(pen.servers())
    summary: dict[str, Any] = {
        "name": vhost.name,
        "server_names": list(vhost.server_names),
        "upstreams": sorted(pen.location.addresses),
        "needs": sorted(pen.location.parts),
    }
    if vhost.tls:
        summary["certificate"] = vhost.tls.files
        if vhost.tls.copy:
            summary["source"] = vhost.tls.source
    return Rendered(headed(summary, tree.text(servers)), pen.location.parts, pen.location.extras)


class _Pen:
    """Writes the servers of a vhost; a pen of their own writes its locations, and gathers what they need."""

    def __init__(self, vhost: Vhost, version: Version, place: Place) -> None:
        self.vhost, self.version, self.place = vhost, version, place
        self.location = LocationPen(vhost, version, place)

    def servers(self) -> Iterator[Directive]:
        if self.vhost.proxy_protocol:
            self.location.need(shared.proxied_default())
        yield block("server", inner=self._plain())
        if self.vhost.tls:
            yield block("server", inner=self._secure(self.vhost.tls))

    def _plain(self) -> Iterator[Directive]:
        """Port 80. Challenges are answered there for every name, before and after it has a certificate."""
        yield from (line("listen", address) for address in ("80", "[::]:80"))
        yield from self._proxied(shared.PROXIED)
        yield line("server_name", *self.vhost.server_names)
        yield challenges(self.place)
        if self.vhost.tls and self.vhost.tls.redirect:
            yield from self._client()
            target = "https://$host$request_uri"
            yield block("location", "/", inner=[line("return", self.vhost.tls.redirect_code, target)])
        else:
            yield from self._site(())

    def _secure(self, wanted: Tls) -> Iterator[Directive]:
        tls.require_new_enough(wanted, self.version, self.vhost.where)
        if not self.place.own:
            self.location.need(tls_default())
        if wanted.http3:
            self.location.need(shared.quic_default())
        yield from tls.listeners(wanted, self.version)
        yield from self._proxied(shared.PROXIED_TLS, "ssl")
        yield line("server_name", *self.vhost.server_names)
        yield from tls.settings(wanted)
        yield from self._site(tuple(tls.headers(wanted)))

    def _proxied(self, port: int, *words: str) -> Iterator[Directive]:
        for address in (port, f"[::]:{port}") if self.vhost.proxy_protocol else ():
            yield line("listen", address, *words, "proxy_protocol")

    def _client(self) -> Iterator[Directive]:
        """Who the client is, and where it is written down."""
        for network in self.vhost.trusted_proxies:
            yield line("set_real_ip_from", network)
        if self.vhost.trusted_proxies:
            header = "proxy_protocol" if self.vhost.proxy_protocol else self.vhost.real_ip_header
            yield from (line("real_ip_header", header), line("real_ip_recursive", "on"))
        log = self.vhost.access_log
        if log == "off":
            yield line("access_log", "off")
        elif log:
            name = self.location.need(shared.json_log()) if log == "json" else log
            yield line("access_log", "/dev/stdout", name, "buffer=4k", "flush=1s")

    def _site(self, headers: tuple[tuple[str, str], ...]) -> Iterator[Directive]:
        yield from self._client()
        yield from self._usual()
        yield from limits(self.vhost.handling)
        yield from said(headers, self.vhost.handling.response_headers)
        yield from self._pages()
        if self.vhost.maintenance:
            yield block("location", "/", inner=[line("return", 503)])
            return
        if not any(location.takes_the_rest for location in self.vhost.locations):
            yield from self.location.write(Location("/", Handling()), None, headers)
        for index, location in enumerate(self.vhost.locations):
            yield from self.location.write(location, index, headers)
        if any(location.strip_prefix for location in self.vhost.locations):
            yield block("location", "=", MISSPELLED, inner=[line("internal"), line("return", 400)])
        if self.vhost.handling.raw:
            yield tree.verbatim(self.vhost.handling.raw)

    def _usual(self) -> Iterator[Directive]:
        """What holds for all of them, and is said here where no main file of ours says it."""
        # Which port and scheme a client came by, who is in front of nginx knows, and nginx doesn't.
        yield line("absolute_redirect", "off")
        if self.place.own:
            return
        yield from self.place.names()
        yield from shared.lives_on(self.version)
        yield line("proxy_headers_hash_bucket_size", HEADERS_BUCKET)
        yield line("proxy_headers_hash_max_size", HEADERS_MOST)
        if not self.vhost.handling.body_size:
            yield line("client_max_body_size", BODY_SIZE)
        if not self.vhost.handling.timeouts.connect:
            yield line("proxy_connect_timeout", CONNECT_TIMEOUT)

    def _pages(self) -> Iterator[Directive]:
        for code, page in self.vhost.error_pages:
            name = f"{self.vhost.name}:{code}.html"
            self.location.extras[f"pages/{name}"] = page
            yield line("error_page", code, f"{PAGES}/{code}.html")
            inner = (
                line("internal"),
                line("default_type", "text/html"),
                line("alias", f"{self.place.current}/pages/{name}"),
            )
            yield block("location", "=", f"{PAGES}/{code}.html", inner=inner)
