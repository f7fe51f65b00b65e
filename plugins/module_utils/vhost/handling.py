# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How requests are answered: the options that a vhost and its locations have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import access, content, syntax, values
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.upstream import Upstream, parse_upstream

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Timeouts:
    """Seconds as nginx writes them; empty is nginx' own default."""

    connect: str = ""
    send: str = ""
    read: str = ""


@dataclass(frozen=True)
class Handling:
    """What is None or empty was not said: a location then has it from its vhost, and a vhost from nginx."""

    upstream: Upstream | None = None
    root: content.Static | None = None
    redirect: content.Redirect | None = None
    websocket: bool | None = None
    timeouts: Timeouts = Timeouts()
    body_size: str = ""
    buffering: bool | None = None
    request_buffering: bool | None = None
    compression: bool | None = None
    request_headers: Headers = ()
    response_headers: Headers = ()
    basic_auth: access.BasicAuth | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    rate_limit: access.RateLimit | None = None
    connection_limit: int | None = None
    raw: str = ""

    @property
    def answers(self) -> bool:
        """Whether it says where requests go."""
        return bool(self.upstream or self.root or self.redirect)

    def redirect_in(self, vhost: Handling) -> content.Redirect | None:
        """What a location of a vhost redirects by, if it does."""
        return self.redirect if self.answers else vhost.redirect

    def require_effect(self, redirect: content.Redirect | None) -> None:
        """nginx sends clients elsewhere before it asks who they are, or how many."""
        for name in ("basic_auth", "allow", "deny", "rate_limit", "connection_limit") if redirect else ():
            if getattr(self, name):
                raise InvalidParameter("is not asked for by a redirect", name, "Leave one of them out.")

    def over(self, other: Handling) -> Handling:
        """This one where it says something, the other where it doesn't; headers of both. Raw text stays where it is."""
        merged = {
            each.name: getattr(self, each.name)
            if getattr(self, each.name) != each.default
            else getattr(other, each.name)
            for each in fields(self)
        }
        merged["request_headers"] = _together(other.request_headers, self.request_headers)
        merged["response_headers"] = _together(other.response_headers, self.response_headers)
        merged["raw"] = self.raw
        if self.answers:
            merged.update(upstream=self.upstream, root=self.root, redirect=self.redirect)
        return Handling(**merged)


def parse_handling(entry: Mapping[str, Any]) -> Handling:
    found = Handling(
        upstream=parse_upstream(entry["upstream"], "upstream") if entry.get("upstream") else None,
        root=content.parse_static(entry.get("root")),
        redirect=content.parse_redirect(entry.get("redirect")),
        websocket=entry.get("websocket"),
        timeouts=_timeouts(entry.get("timeouts") or {}),
        body_size="" if entry.get("body_size") in (None, "") else values.size(entry["body_size"], "body_size"),
        buffering=entry.get("buffering"),
        request_buffering=entry.get("request_buffering"),
        compression=entry.get("compression"),
        request_headers=_headers(entry.get("request_headers"), "request_headers"),
        response_headers=_headers(entry.get("response_headers"), "response_headers"),
        basic_auth=access.parse_basic_auth(entry.get("basic_auth")),
        allow=access.parse_networks(entry.get("allow"), "allow"),
        deny=access.parse_networks(entry.get("deny"), "deny"),
        rate_limit=access.parse_rate_limit(entry.get("rate_limit")),
        connection_limit=_limit(entry.get("connection_limit")),
        raw=_raw(entry.get("raw")),
    )
    given = [name for name in ("upstream", "root", "redirect") if getattr(found, name)]
    if len(given) > 1:
        raise InvalidParameter(f"{given[0]} and {given[1]} both say where requests go", given[1], "Keep one of them.")
    return found


def _limit(value: Any) -> int | None:
    return None if value in (None, "") else values.whole(value, "connection_limit", 1, 65535)


def _raw(value: Any) -> str:
    """Text for nginx as it is, as long as it stays in its place."""
    if not value:
        return ""
    complaint = syntax.imbalance(str(value))
    if complaint:
        raise InvalidParameter(complaint, "raw", "Give whole directives.")
    return names.encodable(str(value), "raw")


def _timeouts(entry: Mapping[str, Any]) -> Timeouts:
    given = {key: values.duration(value, f"timeouts.{key}") for key, value in entry.items() if value not in (None, "")}
    return Timeouts(**given)


def _headers(entry: Mapping[str, Any] | None, where: str) -> Headers:
    """Sorted by name without regard to case, as they are compared; an empty value takes a header away."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in (entry or {}).items():
        key = values.header_name(name, where).lower()
        if key in found:
            raise InvalidParameter(f"{name!r} is listed twice", where, "Keep one of them.")
        if not isinstance(value, str):
            raise InvalidParameter(f"must be a string, and {value!r} is not", f"{where}.{name}", "Put it into quotes.")
        found[key] = (name, values.readable(value, f"{where}.{name}") if value else "")
    return tuple(pair for _key, pair in sorted(found.items()))


def _together(first: Headers, second: Headers) -> Headers:
    merged = {name.lower(): (name, value) for name, value in (*first, *second)}
    return tuple(pair for _key, pair in sorted(merged.items()))
