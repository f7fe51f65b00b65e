# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flatrun_vhost is asked for, parsed and validated at the edge."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import values
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.access import parse_networks
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.domains import server_name, spelled_out
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.handling import Handling, parse_handling
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.paths import compared, location_path
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tls import Tls, parse_tls

PRESENT, ABSENT, ROLLED_BACK = "present", "absent", "rolled_back"
FAIL, QUARANTINE = "fail", "quarantine"
_PLAIN = Handling()

CHALLENGES = "/.well-known/acme-challenge/"
_PROXY_PROTOCOL, _USUAL_HEADER = "proxy_protocol", "X-Forwarded-For"


@dataclass(frozen=True)
class Location:
    path: str
    handling: Handling
    exact: bool = False
    strip_prefix: bool = False

    @property
    def takes_the_rest(self) -> bool:
        """Whether it answers whatever no other location does, in place of the vhost itself."""
        return self.path == "/" and not self.exact


@dataclass(frozen=True)
class Vhost:
    """``where`` is the item it was given as; ``error`` what is wrong with it, where that is to be told later."""

    name: str
    where: str
    state: str = PRESENT
    server_names: tuple[str, ...] = ()
    handling: Handling = _PLAIN
    locations: tuple[Location, ...] = ()
    tls: Tls | None = None
    trusted_proxies: tuple[str, ...] = ()
    real_ip_header: str = _USUAL_HEADER
    proxy_protocol: bool = False
    maintenance: bool = False
    error_pages: tuple[tuple[int, str], ...] = ()
    access_log: str = ""
    error: FlatrunError | None = None


@dataclass(frozen=True)
class Guest:
    """An nginx that somebody else runs: the folder of the host that our vhosts go to, and the command that reloads."""

    config_path: str
    reload_command: tuple[str, ...]


@dataclass(frozen=True)
class Vhosts:
    root_dir: str
    container: str
    vhosts: tuple[Vhost, ...]
    guest: Guest | None = None
    state: str = PRESENT
    exclusive: bool = False
    on_invalid: str = FAIL
    keep_releases: int = 5
    # The release that a way back must leave; set once the first State is known.
    outlive: str = ""
    # How the engine is connected to: the options of the connection, as given.
    engine: Mapping[str, Any] = field(default_factory=dict, compare=False)


def parse(params: Mapping[str, Any]) -> Vhosts:
    """Parameters of flatrun_vhost to its Spec; raises InvalidParameter naming the one that is wrong."""
    entries = params["vhosts"] or []
    quarantine = params["on_invalid"] == QUARANTINE
    vhosts = tuple(_at(index, entry, params["allow_raw"], quarantine) for index, entry in enumerate(entries))
    names.distinct((vhost.name for vhost in vhosts), "vhosts", "the vhost")
    if params["state"] == ROLLED_BACK and vhosts:
        raise InvalidParameter("a way back takes no vhosts", "vhosts", "Leave out one of state and vhosts.")
    return Vhosts(
        root_dir=names.absolute_path(params["root_dir"], "root_dir"),
        container=names.container_name(params["container"], "container"),
        vhosts=_with_own_names(vhosts, quarantine),
        guest=parse_guest(params["config_path"], params["reload_command"]),
        state=params["state"],
        exclusive=bool(params["exclusive"]),
        on_invalid=params["on_invalid"],
        keep_releases=values.whole(params["keep_releases"], "keep_releases", 2, 1000),
        engine=dict(params),
    )


def parse_guest(config_path: Any, reload_command: Any) -> Guest | None:
    if not config_path:
        if reload_command:
            raise InvalidParameter(
                "is for an nginx that somebody else runs", "reload_command", "Give config_path too, or leave it out."
            )
        return None
    try:
        command = tuple(shlex.split(names.text(reload_command or "nginx -s reload", "reload_command")))
    except ValueError as error:
        raise InvalidParameter(f"is no command ({error})", "reload_command") from None
    return Guest(names.absolute_path(config_path, "config_path"), command)


def _at(index: int, entry: Mapping[str, Any], allow_raw: bool, quarantine: bool) -> Vhost:
    where = f"vhosts[{index}]"
    try:
        return _vhost(entry, where, allow_raw)
    except FlatrunError as error:
        if quarantine:
            return Vhost(str(entry["name"]), where, error=error.under(where))
        raise error.under(where) from None


def _vhost(entry: Mapping[str, Any], where: str, allow_raw: bool) -> Vhost:
    name = names.file_name(entry["name"], "name")
    if name.startswith("_"):
        raise InvalidParameter(f"{name!r} begins with '_', as only files of our own do", "name", "Choose another one.")
    if entry["state"] == ABSENT:
        return Vhost(name, where, ABSENT)
    given = entry.get("server_names") or [name]
    server_names = tuple(server_name(each, f"server_names[{index}]") for index, each in enumerate(given))
    names.distinct(spelled_out(server_names), "server_names", "the name")
    handling = parse_handling(entry)
    locations = tuple(_location_at(index, each, handling) for index, each in enumerate(entry.get("locations") or []))
    names.distinct((f"{'= ' * each.exact}{each.path}" for each in locations), "locations", "the path")
    if not handling.answers and not any(each.takes_the_rest for each in locations):
        raise InvalidParameter("is needed, or a location for /", "upstream", "Say where requests go, like my-app:8080.")
    if all(each.handling.redirect_in(handling) for each in locations):
        handling.require_effect(handling.redirect)
    _require_ends(handling, locations)
    if any(each.raw for each in (handling, *(location.handling for location in locations))) and not allow_raw:
        raise InvalidParameter("is taken only with allow_raw: true", "raw", "Allow it, or leave it out.")
    vhost = Vhost(name, where, PRESENT, server_names, handling, locations, parse_tls(entry.get("tls")))
    return replace(vhost, **_surroundings(entry))


def _surroundings(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What is the vhost's alone, and no location's."""
    trusted = parse_networks(entry.get("trusted_proxies"), "trusted_proxies")
    if entry["proxy_protocol"] and not trusted:
        raise InvalidParameter(
            "is needed with proxy_protocol, or anybody could claim any address", "trusted_proxies", "List the proxies."
        )
    header = values.header_name(entry["real_ip_header"], "real_ip_header")
    if header == _PROXY_PROTOCOL and not entry["proxy_protocol"]:
        raise InvalidParameter(
            "has no effect, since nobody is listened to who speaks it", "real_ip_header", "Set proxy_protocol: true."
        )
    if header.lower() != _USUAL_HEADER.lower() and not trusted:
        raise InvalidParameter("has no effect, since nobody is believed", "real_ip_header", "List trusted_proxies.")
    return {
        "trusted_proxies": trusted,
        "real_ip_header": header,
        "proxy_protocol": bool(entry["proxy_protocol"]),
        "maintenance": bool(entry["maintenance"]),
        "error_pages": tuple(sorted(_error_pages(entry.get("error_pages") or {}))),
        "access_log": entry.get("access_log") or "",
    }


def _error_pages(entry: Mapping[Any, Any]) -> Iterator[tuple[int, str]]:
    for code, page in entry.items():
        where = f"error_pages.{code}"
        if not isinstance(page, str) or not page:
            raise InvalidParameter("must be the text of the page", where)
        yield values.whole(code, where, 400, 599), names.encodable(page, where)


def _location_at(index: int, entry: Mapping[str, Any], vhost: Handling) -> Location:
    try:
        return _location(entry, vhost)
    except FlatrunError as error:
        raise error.under(f"locations[{index}]") from None


def _location(entry: Mapping[str, Any], vhost: Handling) -> Location:
    exact = entry["match"] == "exact"
    path = location_path(entry["path"], exact, "path")
    if path.startswith(CHALLENGES):
        raise InvalidParameter("challenges are answered for every name already", "path", "Leave the location out.")
    strip = bool(entry["strip_prefix"])
    if strip and (exact or not path.endswith("/")):
        raise InvalidParameter("needs a path that ends with / and is matched as a prefix", "strip_prefix")
    handling = parse_handling(entry)
    if not handling.answers and not vhost.answers:
        raise InvalidParameter("is needed, since the vhost has none", "upstream")
    redirect = handling.redirect_in(vhost)
    handling.require_effect(redirect)
    if strip and redirect:
        raise InvalidParameter("has no effect on a redirect", "strip_prefix", "Leave one of them out.")
    return Location(path, handling, exact, strip)


def _require_ends(vhost: Handling, locations: tuple[Location, ...]) -> None:
    """Refuse a redirect to a path that the very same redirect answers: clients would go round and round."""
    every = locations if any(each.takes_the_rest for each in locations) else (Location("/", _PLAIN), *locations)
    for index, each in enumerate(every, len(locations) - len(every)):
        redirect = each.handling.redirect_in(vhost)
        leads = redirect.leads(each.path) if redirect else ""
        if redirect and leads and _answering(compared(leads), every) is each:
            at = f"locations[{index}]." if each.handling.redirect else ""
            raise InvalidParameter(
                f"{redirect.to or '/'!r} leads to itself",
                f"{at}redirect.to",
                "Name another host, or a path that a location has.",
            )


def _answering(path: str, locations: Iterable[Location]) -> Location:
    """The one that nginx takes for a path: the same one, or else the longest it begins with."""
    fitting = [each for each in locations if path == each.path or (not each.exact and path.startswith(each.path))]
    return max(fitting, key=lambda each: (each.exact, len(each.path)))


def _with_own_names(vhosts: tuple[Vhost, ...], quarantine: bool) -> tuple[Vhost, ...]:
    """nginx only warns of a name that two servers have, and one of them would never be asked."""
    spelled = {vhost.name: tuple(spelled_out(vhost.server_names)) for vhost in vhosts}
    counts = Counter(name for each in spelled.values() for name in each)
    twice = {name for name, count in counts.items() if count > 1}
    checked: list[Vhost] = []
    holders: dict[str, Vhost] = {}
    for vhost in vhosts:
        taken = next((name for name in spelled[vhost.name] if name in twice and name in holders), "")
        if taken:
            other = holders[taken]
            what = f"{taken} is a name of {other.where} ({other.name}) and of {vhost.where} ({vhost.name})"
            error = InvalidParameter(what, vhost.where, "Keep it in one of them.")
            if not quarantine:
                raise error
            checked.append(replace(vhost, error=error))
            continue
        holders.update(dict.fromkeys(spelled[vhost.name], vhost))
        checked.append(vhost)
    return tuple(checked)
