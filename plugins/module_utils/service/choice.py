# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services of a host are meant by ``service=``: a key of the block, a type, a container, several, or ``all``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused

ALL = "all"
_ALIASES = {"postgres": "postgresql"}
Seen = Mapping[str, Any]


def words(wanted: Any) -> list[str]:
    """What was asked for, from a list or from a string with commas."""
    parts = wanted.split(",") if isinstance(wanted, str) else list(wanted or ())
    return [str(part).strip() for part in parts if str(part).strip()]


def controlled(services: Sequence[Seen], wanted: Any) -> tuple[Seen, ...]:
    """Those that are meant and whose life is ours; what somebody else runs is refused by name, and no part of all."""
    asked = words(wanted)
    if not asked:
        raise InvalidParameter("is not given", "service", "Name a key, a type or a container, several, or all.")
    meant = chosen(services, asked)
    for service in meant if ALL not in asked else ():
        if service["external"]:
            raise Refused(
                f"{service['name']} is external: it is connected to and never started, stopped or removed",
                "service",
                "Do it where it is run.",
            )
    for word in unknown(services, asked):
        known = ", ".join(_spellings(service) for service in services)
        raise Refused(f"there is no {word} on this host", "service", f"Known are {known or 'none'}.")
    return tuple(service for service in meant if not service["external"])


def chosen(services: Sequence[Seen], asked: Sequence[str]) -> list[Seen]:
    """The services that are meant by these words, in their own order.

    Two may have one name: a server that has moved to a host, and the container that it once was.
    """
    meant = [id(service) for word in asked for service in named(services, word)]
    return [service for service in services if id(service) in meant]


def unknown(services: Sequence[Seen], asked: Sequence[str]) -> list[str]:
    return [word for word in asked if word != ALL and not named(services, word)]


def named(services: Sequence[Seen], word: str) -> list[Seen]:
    """A name counts before a type: a key of the block may be what another service's type is."""
    found = [service for service in services if word in (ALL, service["name"])]
    kind = _ALIASES.get(word, word)
    return found or [service for service in services if service["type"] == kind or service["container"] == word]


def _spellings(service: Seen) -> str:
    others = dict.fromkeys(service[key] for key in ("type", "container") if service[key] not in ("", service["name"]))
    return f"{service['name']} ({', '.join(others)})" if others else str(service["name"])
