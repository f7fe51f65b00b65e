# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps, read into what flatrun_db and flatrun_vhost are to be called with, and how each app reaches its database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.service.block_entry import Entry, Item
from ansible_collections.flatrun.infra.plugins.module_utils.service.block_values import Values, expand
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CATALOG, DATABASES

_APP = ("name", "state", "domains", "upstream", "vhost", "database")
_SERVER = (
    *("engine", "container", "login_host", "login_port", "login_user", "login_password", "login_db", "connect_timeout"),
    *("ssl_mode", "ca_cert", "check_hostname", "client_cert", "client_key"),
)
_DATABASE = ("server", "name", "user", "password", "encoding", "collation", "extensions")


@dataclass(frozen=True)
class Apps:
    """``servers`` maps a server's name to the options of flatrun_db that make its databases and users, ``connections``
    an app's to its values. ``gone`` are the names of those that are absent."""

    servers: Mapping[str, Item]
    vhosts: tuple[Item, ...]
    connections: Mapping[str, Item]
    gone: frozenset[str] = frozenset()


def servers_of(entries: Sequence[Entry]) -> dict[str, Item]:
    """How flatrun_db connects to each database server of a block: name to its options.

    One that is ours says itself who its administrator is; what others run has to be entered with what the block says.
    """
    return {entry.name: _connection(entry) for entry in entries if entry.item and entry.type in DATABASES}


def _connection(entry: Entry) -> Item:
    item = entry.item or {}
    port = int(item.get("port") or CATALOG[entry.type].port)
    tls = {key: value for key, value in entry.login.items() if key not in ("user", "password")}
    login = {f"login_{key}": entry.login[key] for key in ("user", "password") if key in entry.login}
    if "host" in item:
        return {"engine": entry.type, "login_host": item["host"], "login_port": port, **login, **tls}
    place = {"engine": entry.type, "container": item["container"], "login_port": port}
    return {**place, **login, **tls} if item.get("mode") == "external" else {**place, **tls}


def read_apps(given: Any, servers: Mapping[str, Item], environment: Mapping[str, str]) -> Apps:
    """The apps that are listed; raises InvalidParameter naming the key that is wrong."""
    if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
        raise InvalidParameter("must be a list of apps", "deployments")
    known = [Values(each, f"deployments[{index}]", _APP, environment) for index, each in enumerate(given)]
    apps = [(names.text(values.get("name"), values.at("name")), values) for values in known]
    names.distinct((name for name, _values in apps), "deployments", "the app")
    for server, options in servers.items():
        _check_server(options, f"servers.{server}")
    made: dict[str, dict[str, Any]] = {}
    connections = {}
    for name, values in apps:
        if values.given.get("database") and not _is_gone(values):
            server, database, user = _database(name, values, servers)
            there = made.setdefault(server, {**servers[server], "databases": [], "users": []})
            there["databases"].append(database)
            there["users"] += [] if user in there["users"] else [user]
            connections[name] = _told(servers[server], database, user)
    vhosts = tuple(vhost for name, values in apps for vhost in _vhost(name, values))
    return Apps(made, vhosts, connections, frozenset(name for name, values in apps if _is_gone(values)))


def _check_server(options: Any, where: str) -> None:
    if not isinstance(options, Mapping):
        raise InvalidParameter("must be a mapping of options of flatrun_db", where)
    unknown = next((key for key in options if key not in _SERVER), "")
    if unknown:
        raise InvalidParameter("is not known", f"{where}.{unknown}", f"Take of: {', '.join(_SERVER)}.")
    if options.get("engine") not in DATABASES:
        raise InvalidParameter("is needed", f"{where}.engine", f"Take one of: {', '.join(DATABASES)}.")
    if not options.get("container") and not options.get("login_host"):
        raise InvalidParameter("is needed, for apps are told where to find it", f"{where}.login_host", "Or container.")


def _is_gone(values: Values) -> bool:
    return values.choice("state", ("present", "absent")) == "absent"


def _vhost(name: str, values: Values) -> list[Item]:
    """The app's route. It goes with the app, whose data is kept, and with the last of its domains; where nothing at all
    is said of them, nothing is known of a route."""
    if _is_gone(values) or values.get("domains") == []:
        return [{"name": name, "state": "absent"}]
    domains, upstream = values.get("domains"), values.get("upstream")
    more = _expanded(values.given.get("vhost") or {}, values.at("vhost"), values.environment)
    if not isinstance(more, Mapping):
        raise InvalidParameter("must be a mapping of options of a vhost", values.at("vhost"))
    if not domains:
        if upstream or more:
            raise InvalidParameter("is needed for an app that is to be reached", values.at("domains"))
        return []
    listed = domains.split(",") if isinstance(domains, str) else domains
    found = [expand(str(domain).strip(), values.at("domains"), values.environment) for domain in listed]
    routed = {"upstream": _expanded(upstream, values.at("upstream"), values.environment)} if upstream else {}
    return [{"name": name, "server_names": found, **routed, **more}]


def _database(app: str, values: Values, servers: Mapping[str, Item]) -> tuple[str, Item, Item]:
    given = Values(values.given["database"], values.at("database"), _DATABASE, values.environment)
    server, name, password = _server(given, servers), given.text("name", app), given.secret("password")
    if not password:
        raise InvalidParameter("is needed, so that the app can be told", given.at("password"))
    user = given.text("user", name)
    more = {key: given.get(key) for key in ("encoding", "collation", "extensions") if given.get(key)}
    return server, {"name": name, "owner": user, **more}, {"name": user, "password": password}


def _server(given: Values, servers: Mapping[str, Item]) -> str:
    """The one that is named, else the block's ``database``, else the only one."""
    known = ", ".join(servers) or "none"
    if given.text("server") and given.text("server") not in servers:
        raise InvalidParameter(f"there is no {given.text('server')}", given.at("server"), f"Known are {known}.")
    usual = "database" if "database" in servers else next(iter(servers)) if len(servers) == 1 else ""
    if not (given.text("server") or usual):
        raise InvalidParameter("is needed", given.at("server"), f"Known are {known}.")
    return given.text("server", usual)


def _told(server: Item, database: Item, user: Item) -> Item:
    """What the app is configured with: the server as it is called on the app's networks."""
    engine = server["engine"]
    host, port = server.get("login_host") or server["container"], server.get("login_port") or CATALOG[engine].port
    login = f"{quote(user['name'], safe='')}:{quote(user['password'], safe='')}"
    return {
        "engine": engine,
        "host": host,
        "port": int(port),
        "database": database["name"],
        "user": user["name"],
        "password": user["password"],
        "url": f"{engine}://{login}@{host}:{port}/{quote(database['name'], safe='')}",
    }


def _expanded(value: Any, where: str, environment: Mapping[str, str]) -> Any:
    """Every text inside, with what the environment has."""
    if isinstance(value, str):
        return expand(value, where, environment)
    if isinstance(value, Mapping):
        return {key: _expanded(each, f"{where}.{key}", environment) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [_expanded(each, f"{where}[{index}]", environment) for index, each in enumerate(value)]
    return value
