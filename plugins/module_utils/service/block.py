# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration block that the playbook ``site`` takes, read into items of flatrun_infra.

A role says what its service is like wherever it runs (``roles``: type to item), the block which of them there are,
under which names, and what is different about each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import sentence
from ansible_collections.flatrun.infra.plugins.module_utils.service.block_entry import (
    ADMINISTRATORS,
    BLOCKS,
    CERTBOT,
    DATABASE,
    IGNORED,
    INFRASTRUCTURE,
    MODES,
    NETWORKS,
    NGINX,
    REDIS,
    TLS,
    Entry,
    Item,
    Reading,
    require_distinct,
    require_sound,
)
from ansible_collections.flatrun.infra.plugins.module_utils.service.block_values import Values, require_known
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import ACME, CATALOG, DATABASES
from ansible_collections.flatrun.infra.plugins.module_utils.service.deployments import read_apps, servers_of


class Block:
    """What was given, and what it is read with: the roles' items, the environment, where folders are, and the text of
    a default server that answers hosts nobody asked for."""

    def __init__(
        self,
        given: Mapping[str, Any],
        roles: Mapping[str, Item],
        environment: Mapping[str, str],
        root_dir: str,
        open_default: str = "",
    ) -> None:
        self.given, self.roles, self.environment = require_known(given, "", BLOCKS), roles, environment
        self.root_dir, self.open_default = root_dir, open_default
        self.main = self.values(self.given.get("infrastructure"), "infrastructure", INFRASTRUCTURE)
        self.proxy, self.database = (self.main.network(key) for key in NETWORKS)
        self.warnings = [
            f"{self.main.at(key)} is ignored: flatrun.infra does not run it"
            for key in IGNORED
            if self.main.given.get(key)
        ]

    def values(self, given: Any, where: str, known: tuple[str, ...]) -> Values:
        return Values(given, where, known, self.environment)

    def read(self) -> Reading:
        """All services of the block; raises InvalidParameter naming the key that is wrong."""
        entries = tuple(self._networked(entry) for entry in self._entries())
        require_distinct(entries)
        for entry in entries:
            require_sound(entry, self.root_dir)
        apps = self._routed(self._apps(), entries)
        networks = [name for entry in entries if entry.item for name in entry.item.get("networks", ())]
        return Reading(entries, tuple(dict.fromkeys(networks)), tuple(self.warnings), tuple(apps))

    def _apps(self) -> Any:
        said = (self.given.get("deployments"), self.main.given.get("deployments"))
        given = [apps for apps in said if apps not in (None, "", [])]
        if len(given) > 1:
            raise InvalidParameter(
                "are given beside infrastructure and in it", "deployments", "Keep them in one of both."
            )
        return given[0] if given else []

    def _routed(self, given: Any, entries: tuple[Entry, ...]) -> list[Item]:
        """The apps, if there is an nginx for those with domains. Without one there is no route to take away either."""
        found, nginx = read_apps(given, servers_of(entries), self.environment), entries[0].item
        is_external = (nginx or {}).get("mode") == "external"
        if nginx and (not is_external or "config_path" in entries[0].login):
            return list(given)
        if any(vhost.get("state") != "absent" for vhost in found.vhosts):
            if not is_external:
                raise InvalidParameter("have domains, and nginx is not enabled", "deployments", "Enable it.")
            raise InvalidParameter(
                "is needed for deployments with domains, as nginx is external",
                "nginx.config_path",
                "Name the folder of the host whose files it includes.",
            )
        there = [app for app in given if app["name"] not in found.gone]
        return [{key: value for key, value in app.items() if key != "domains"} for app in there]

    def _entries(self) -> Iterator[Entry]:
        yield self._nginx()
        yield self._server("database", self.main.given.get("database"), "infrastructure.database", DATABASE)
        for where, given in (("infrastructure.", self.main.given), ("", self.given)):
            several = given.get("databases")
            several = {} if several in (None, "") else several
            if not isinstance(several, Mapping):
                raise InvalidParameter("must be a mapping of names to servers", f"{where}databases")
            for name, server in several.items():
                yield self._server(str(name), server, f"{where}databases.{name}", DATABASE)
        yield self._server("redis", self.main.given.get("redis"), "infrastructure.redis", REDIS)
        yield self._certbot()

    def _server(self, name: str, given: Any, where: str, known: tuple[str, ...]) -> Entry:
        """A database or Redis: managed, at a host, or in a container that somebody else runs."""
        values = self.values(given, where, known)
        kind = "redis" if known is REDIS else _database_type(values)
        if not values.given or not values.flag("enabled", True):
            return Entry(name, where, kind)
        if not kind:
            raise InvalidParameter("is needed", values.at("type"), f"One of: {', '.join(DATABASES)}.")
        said = _given(
            mode=values.choice("mode", MODES),
            container=values.text("container"),
            host=values.text("host"),
            image=values.text("image"),
            port=values.port("port"),
        )
        login = self._login(values, kind)
        if kind == "redis":
            self.warnings += [f"{values.at(key)} has no effect: no app is given Redis" for key in TLS if key in login]
        if "host" in said or said.get("mode") == "external":
            _refuse_unmeant(values, ("image", "adopt"))
            return Entry(name, where, kind, True, {"name": name, "type": kind, **said}, login)
        item = {**self.roles[kind], "name": name, **said}
        item.update(_given(adopt=values.flag("adopt", False) or None))
        if login.get("password"):
            item["secrets"] = {CATALOG[kind].secret: login["password"]}
        return Entry(name, where, kind, True, _administered(values, kind, item), login)

    def _login(self, values: Values, kind: str) -> Item:
        """How apps' databases and users are made there: the administrator, and TLS."""
        return _given(
            user="" if kind == "redis" else values.text("root_user", ADMINISTRATORS[kind]),
            password=values.secret("password" if kind == "redis" else "root_password"),
            ssl_mode=values.text("ssl_mode"),
            check_hostname=None if values.flag("check_hostname", True) else False,
            **{key: values.path(key) for key in ("ca_cert", "client_cert", "client_key")},
        )

    def _nginx(self) -> Entry:
        values = self.values(self.given.get("nginx"), "nginx", NGINX)
        if not values.flag("enabled", True):
            return Entry("nginx", "nginx", "nginx")
        container = values.text("container_name")
        if values.flag("external", False):
            if not container:
                raise InvalidParameter("is needed for an nginx that somebody else runs", values.at("container_name"))
            _refuse_unmeant(values, ("adopt",))
            item: Item = {"name": "nginx", "type": "nginx", "mode": "external", "container": container}
            route = _given(config_path=values.path("config_path"), reload_command=values.text("reload_command"))
            return Entry("nginx", "nginx", "nginx", True, item, route)
        if values.text("reload_command") not in ("", "nginx -s reload"):
            self.warnings.append("nginx.reload_command is for an nginx with external: true; this one reloads itself")
        item = self._own("nginx", values, container)
        return Entry("nginx", "nginx", "nginx", True, {**item, **self._served(values, item)})

    def _served(self, values: Values, item: Item) -> Item:
        """What nginx has mounted, and how it treats a host that nobody asked for."""
        files, volumes = dict(item.get("config_files") or {}), list(item.get("volumes") or ())
        if values.get("reject_unknown_domains") is not None:
            if not values.flag("reject_unknown_domains", True):
                files["default.conf"] = self.open_default
            elif files.get("default.conf") == self.open_default:
                del files["default.conf"]
        if values.path("config_path"):
            volumes.append(f"{values.path('config_path')}:{CATALOG['nginx'].config}:ro")
        volumes += self._webroots(values.path("container_webroot_path"), "ro")
        return {"config_files": files, "volumes": volumes}

    def _certbot(self) -> Entry:
        values = self.values(self.given.get("certbot"), "certbot", CERTBOT)
        if not values.flag("enabled", True):
            return Entry("certbot", "certbot", "certbot")
        self._require_issuing(values)
        item = self._own("certbot", values)
        volumes = list(item.get("volumes") or ())
        if values.path("certs_path"):
            volumes.append(f"{values.path('certs_path')}:{CATALOG['certbot'].data}:rw")
        volumes += self._webroots(values.path("container_webroot_path"), "rw")
        return Entry("certbot", "certbot", "certbot", True, {**item, "volumes": volumes})

    def _require_issuing(self, values: Values) -> None:
        """What is said of certificates has to be right, although none are asked for yet."""
        said = _given(
            email=values.text("email"),
            staging=values.flag("staging", False) or None,
            dns_provider=values.text("dns_provider"),
            auto_renewal_enabled=values.flag("auto_renewal_enabled", False) or None,
            renewal_threshold_days=values.days("renewal_threshold_days"),
            renewal_check_interval=values.span("renewal_check_interval"),
        )
        if said:
            keys = sentence(values.at(key) for key in said)
            self.warnings.append(
                f"{keys} {'has' if len(said) == 1 else 'have'} no effect yet: no certificate is asked for"
            )

    def _webroots(self, path: str, mode: str) -> list[str]:
        """The folder of challenges where the block wants it: another one of the host, and another path to it."""
        webroot = self.values(self.given.get("certbot"), "certbot", CERTBOT).path("webroot_path")
        mounts = [f"{webroot}:{ACME}:{mode}"] if webroot else []
        return mounts + ([f"{webroot or self.root_dir + '/acme'}:{path}:{mode}"] if path not in ("", ACME) else [])

    def _own(self, kind: str, values: Values, container: str = "") -> Item:
        adopt = values.flag("adopt", False) or None
        return {
            **self.roles[kind],
            "name": kind,
            **_given(container=container, image=values.text("image"), adopt=adopt),
        }

    def _networked(self, entry: Entry) -> Entry:
        """The roles' usual networks, under the names that the block gives them."""
        if not entry.item or "networks" not in entry.item:
            return entry
        usual, given = ("proxy", self.proxy) if entry.type in ("nginx", "certbot") else ("database", self.database)
        networks = [given if given and name == usual else name for name in entry.item["networks"]]
        return replace(entry, item={**entry.item, "networks": networks})


def _given(**said: Any) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value not in (None, "", 0) or value is False}


def _database_type(values: Values) -> str:
    """``postgres`` is what PostgreSQL is called in the configuration of other programs."""
    return {"postgres": "postgresql"}.get(found := values.choice("type", ("postgres", *DATABASES)), found)


def _administered(values: Values, kind: str, item: Item) -> Item:
    """PostgreSQL's administrator is named at its first start; the others' is root."""
    user = values.text("root_user") if kind != "redis" else ""
    if user in ("", ADMINISTRATORS.get(kind)):
        return item
    if kind != "postgresql":
        raise InvalidParameter(f"the administrator of a managed {kind} is root", values.at("root_user"))
    return {**item, "env": {**(item.get("env") or {}), "POSTGRES_USER": user}}


def _refuse_unmeant(values: Values, keys: tuple[str, ...]) -> None:
    for key in keys:
        if values.get(key) not in (None, False) and (key != "adopt" or values.flag(key, False)):
            raise InvalidParameter(
                "means nothing for a service that somebody else runs", values.at(key), "Leave it out."
            )
