# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that need no upstream: static files and redirects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.domains import server_name
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import whole

_CODES = (301, 302, 303, 307, 308)
_TARGET = re.compile(
    r"(?:(?P<scheme>https?://)(?P<host>\[[^\]]*\]|[^/?#:\[\]]+)(?::(?P<port>[0-9]+))?)?"
    r"(?P<rest>(?:[/?#][^\s\"'\\$;{}]{0,500})?)"
)


@dataclass(frozen=True)
class Redirect:
    """``keep_path``: what was asked for is appended."""

    to: str
    code: int = 301
    keep_path: bool = True

    def leads(self, path: str) -> str:
        """The path of this host that a path leads to, if it is this host's."""
        if self.to.startswith(("http", "//")):
            return ""
        return re.split("[?#]", self.to + (path if self.keep_path else ""), maxsplit=1)[0]


@dataclass(frozen=True)
class Static:
    """Files below ``root``, a folder as nginx sees it; ``fallback`` is the file for what isn't there."""

    root: str
    index: str = "index.html"
    fallback: str = ""


def parse_redirect(entry: Mapping[str, Any] | None) -> Redirect | None:
    if not entry:
        return None
    to = _target(names.text(entry.get("to"), "redirect.to"))
    code = whole(entry["code"], "redirect.code", 300, 399)
    if code not in _CODES:
        raise InvalidParameter(f"{code} is no redirect", "redirect.code", f"One of: {', '.join(map(str, _CODES))}.")
    keep = bool(entry["keep_path"])
    if keep and set(to) & set("?#"):
        raise InvalidParameter(
            "holds a query, and the path would stand behind it", "redirect.to", "Leave it out, or set keep_path: false."
        )
    return Redirect(to.rstrip("/") if keep else to, code, keep)


def _target(given: str) -> str:
    """A path or an address, its host as clients send it."""
    found = _TARGET.fullmatch(given)
    host = _host(found["host"]) if found and found["host"] else ""
    if not found or not (host or given.startswith("/")):
        raise InvalidParameter(
            f"{given!r} is not an address", "redirect.to", "Write it like https://www.example.com or /new/."
        )
    port = f":{names.port(found['port'], 'redirect.to')}" if found["port"] else ""
    return (found["scheme"] or "") + host + port + found["rest"]


def _host(given: str) -> str:
    """One name or address; empty for what is none, or many."""
    try:
        host = server_name(given, "redirect.to")
    except InvalidParameter:
        return ""
    return "" if "*" in host or host.startswith(".") else host


def parse_static(entry: Mapping[str, Any] | None) -> Static | None:
    if not entry:
        return None
    root = names.absolute_path(entry.get("path"), "root.path")
    index = names.file_name(entry.get("index") or "index.html", "root.index")
    fallback = names.absolute_path(entry["fallback"], "root.fallback") if entry.get("fallback") else ""
    if "$" in root or "$" in fallback:
        raise InvalidParameter("holds '$', which nginx would read as a variable", "root")
    if "?" in fallback:
        raise InvalidParameter("holds '?', which nginx would read as a query's beginning", "root.fallback")
    return Static(root, index, fallback)
