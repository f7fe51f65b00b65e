# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a release is in nginx' container, and what the configuration around it has. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import ACME
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tree import Directive, block, line, quote, text

FOLDER = ".flatrun"
# The last by its name, so that no server of ours becomes the one for hosts that another file is meant to answer.
ENTRY = "zz-flatrun.conf"
# By this name an nginx that somebody else runs tells its release, on a port that it has anyway.
MARKER = "flatrun.invalid"


@dataclass(frozen=True)
class Place:
    """``current`` is the release that is served; ``own`` where the main file is ours too.

    ``resolver`` are the nameservers of a container that isn't ours, as its main file may name none.
    """

    current: str = "/etc/nginx/current"
    acme: str = ACME
    resolver: tuple[str, ...] = ()
    own: bool = True

    @property
    def folder(self) -> str:
        """Where all releases are."""
        return self.current.rpartition("/")[0]

    def names(self) -> list[Directive]:
        """How names are looked up, where the main file isn't ours."""
        return [line("resolver", *self.resolver, "valid=10s")] if self.resolver else []


OURS = Place()


def challenges(place: Place) -> Directive:
    inner = (line("root", place.acme), line("default_type", "text/plain"), line("log_not_found", "off"))
    return block("location", "^~", "/.well-known/acme-challenge/", inner=inner)


def marker(release: str, place: Place) -> str:
    """The first server of ours: it tells the release, and rejects hosts if nobody else says what becomes of them."""
    told = (line("access_log", "off"), line("default_type", "text/plain"), line("return", 200, release))
    lines = (
        line("listen", 80),
        line("listen", "[::]:80"),
        line("server_name", MARKER),
        block("location", "=", "/release", inner=told),
        challenges(place),
        block("location", "/", inner=[line("return", 444)]),
    )
    return text([block("server", inner=lines)])


def tls_default() -> tuple[str, str]:
    """The same on port 443."""
    ports = (line("listen", port, "ssl") for port in (443, "[::]:443"))
    closing = (line("server_name", MARKER), line("ssl_reject_handshake", "on"))
    return "tls", text([block("server", inner=(*ports, *closing))])


def entry(folder: str) -> str:
    """The one file that somebody else's nginx finds. Each pattern may match nothing, as long as there is nothing."""
    patterns = ("status.con[f]", "vhosts/_share[d].conf", "vhosts/[!_]*.conf")
    return "# Written by flatrun.infra.\n" + text(line("include", f"{folder}/{pattern}") for pattern in patterns)


def nameservers(resolv_conf: str) -> tuple[str, ...]:
    """Those of resolv.conf(5), as nginx writes them."""
    words = (each.split() for each in resolv_conf.splitlines())
    found = (each[1].partition("%")[0] for each in words if len(each) > 1 and each[0] == "nameserver")
    return tuple(f"[{address}]" if ":" in address else address for address in found)


def inclusion(paths: Iterable[str]) -> str:
    return "".join(f"include {quote(path)};\n" for path in paths)
