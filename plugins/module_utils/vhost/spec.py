# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flatrun_vhost is asked for, parsed and validated at the edge."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import values
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.domains import server_name
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.handling import Handling, parse_handling

PRESENT, ABSENT = "present", "absent"
_PLAIN = Handling()

# What nginx reads in a path without giving it another meaning; a space or a brace would end it.
_PATH = re.compile(r"/[^\s{};\"'\\$]{0,500}")


@dataclass(frozen=True)
class Location:
    path: str
    handling: Handling
    exact: bool = False
    strip_prefix: bool = False


@dataclass(frozen=True)
class Vhost:
    """``file`` is its name below ``vhosts/``, ``where`` the item it was given as."""

    name: str
    where: str
    state: str = PRESENT
    server_names: tuple[str, ...] = ()
    handling: Handling = _PLAIN
    locations: tuple[Location, ...] = ()


@dataclass(frozen=True)
class Vhosts:
    root_dir: str
    container: str
    vhosts: tuple[Vhost, ...]
    exclusive: bool = False
    keep_releases: int = 5
    # How the engine is connected to: the options of the connection, as given.
    engine: Mapping[str, Any] = field(default_factory=dict, compare=False)


def parse(params: Mapping[str, Any]) -> Vhosts:
    """Parameters of flatrun_vhost to its Spec; raises InvalidParameter naming the one that is wrong."""
    vhosts = tuple(_at(index, entry) for index, entry in enumerate(params["vhosts"] or []))
    names.distinct((vhost.name for vhost in vhosts), "vhosts", "the vhost")
    _require_own_names(vhosts)
    return Vhosts(
        root_dir=names.absolute_path(params["root_dir"], "root_dir"),
        container=names.container_name(params["container"], "container"),
        vhosts=vhosts,
        exclusive=bool(params["exclusive"]),
        keep_releases=values.whole(params["keep_releases"], "keep_releases", 2, 1000),
        engine=dict(params),
    )


def _at(index: int, entry: Mapping[str, Any]) -> Vhost:
    try:
        return _vhost(entry, f"vhosts[{index}]")
    except FlatrunError as error:
        raise error.under(f"vhosts[{index}]") from None


def _vhost(entry: Mapping[str, Any], where: str) -> Vhost:
    name = names.file_name(entry["name"], "name")
    if name.startswith("_"):
        raise InvalidParameter(f"{name!r} begins with '_', as only files of our own do", "name", "Choose another one.")
    if entry["state"] == ABSENT:
        return Vhost(name, where, ABSENT)
    given = entry.get("server_names") or [name]
    server_names = tuple(server_name(each, f"server_names[{index}]") for index, each in enumerate(given))
    names.distinct(server_names, "server_names", "the name")
    handling = parse_handling(entry)
    locations = tuple(_location_at(index, each, handling) for index, each in enumerate(entry.get("locations") or []))
    names.distinct((f"{'= ' * each.exact}{each.path}" for each in locations), "locations", "the path")
    if handling.upstream is None and not any(each.path == "/" for each in locations):
        raise InvalidParameter("is needed, or a location for /", "upstream", "Say where requests go, like my-app:8080.")
    return Vhost(name, where, PRESENT, server_names, handling, locations)


def _location_at(index: int, entry: Mapping[str, Any], vhost: Handling) -> Location:
    try:
        return _location(entry, vhost)
    except FlatrunError as error:
        raise error.under(f"locations[{index}]") from None


def _location(entry: Mapping[str, Any], vhost: Handling) -> Location:
    path = names.text(entry["path"], "path")
    if not _PATH.fullmatch(path):
        raise InvalidParameter(
            f"{path!r} is not a path", "path", "Write it like /api/, without spaces, quotes, braces, ';', '\\' or '$'."
        )
    exact = entry["match"] == "exact"
    strip = bool(entry["strip_prefix"])
    if strip and (exact or not path.endswith("/")):
        raise InvalidParameter("needs a path that ends with / and is matched as a prefix", "strip_prefix")
    handling = parse_handling(entry)
    if handling.upstream is None and vhost.upstream is None:
        raise InvalidParameter("is needed, since the vhost has none", "upstream")
    return Location(path, handling, exact, strip)


def _require_own_names(vhosts: tuple[Vhost, ...]) -> None:
    """nginx only warns of a name that two servers have, and one of them would never be asked."""
    counts = Counter(name for vhost in vhosts for name in vhost.server_names)
    for name, count in counts.items():
        if count > 1:
            both = [f"{vhost.where} ({vhost.name})" for vhost in vhosts if name in vhost.server_names]
            raise InvalidParameter(f"{name} is a name of {both[0]} and of {both[1]}", f"{both[1].split()[0]}")
