# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of the configuration block, the keys of each of its parts, and what holds for all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.service import spec

Item = Mapping[str, Any]

BLOCKS = ("infrastructure", "nginx", "certbot", "databases", "deployments")
NETWORKS = ("default_proxy_network", "default_database_network")
IGNORED = ("default_object_storage_network", "powerdns")
INFRASTRUCTURE = (*NETWORKS, "database", "redis", "databases", "deployments", *IGNORED)
TLS = ("ssl_mode", "ca_cert", "client_cert", "client_key", "check_hostname")
_SERVER = ("enabled", "mode", "adopt", "container", "image", "host", "port")
DATABASE = ("enabled", "type", *_SERVER[1:], "root_user", "root_password", *TLS)
REDIS = (*_SERVER, "password", *TLS)
NGINX = (
    *("enabled", "image", "container_name", "config_path", "reload_command", "external", "adopt"),
    *("container_webroot_path", "reject_unknown_domains"),
)
CERTBOT = (
    *("enabled", "image", "adopt", "email", "staging", "certs_path", "webroot_path", "container_webroot_path"),
    *("dns_provider", "auto_renewal_enabled", "renewal_threshold_days", "renewal_check_interval"),
)
MODES = ("auto", "managed", "external")
ADMINISTRATORS = {"mysql": "root", "mariadb": "root", "postgresql": "postgres"}


@dataclass(frozen=True)
class Entry:
    """A service of the block: its name there (``database``, ``redis``, a key of ``databases``) and its item."""

    name: str
    where: str
    type: str
    enabled: bool = False
    item: Item | None = None
    # How apps' databases and users are made there, and routes in an nginx that somebody else runs.
    login: Item = field(default_factory=dict)

    @property
    def container(self) -> str:
        return str((self.item or {}).get("container", ""))


@dataclass(frozen=True)
class Reading:
    entries: tuple[Entry, ...]
    networks: tuple[str, ...]
    warnings: tuple[str, ...]
    # The apps as they are listed; that they are sound is known.
    apps: tuple[Item, ...] = ()

    @property
    def items(self) -> list[Item]:
        return [entry.item for entry in self.entries if entry.item]


def require_distinct(entries: tuple[Entry, ...]) -> None:
    names: dict[str, Entry] = {}
    containers: dict[str, Entry] = {}
    for entry in entries:
        if entry.name in names:
            raise InvalidParameter(f"the name is that of {names[entry.name].where} already", entry.where)
        if entry.container and entry.container in containers:
            other = containers[entry.container].where
            raise InvalidParameter(
                f"{entry.container} is the container of {other} already",
                f"{entry.where}.container",
                "Name another one.",
            )
        names[entry.name] = containers[entry.container] = entry


def require_sound(entry: Entry, root_dir: str) -> None:
    """Parse the item as the module will, so that what is wrong is said before any host is touched."""
    if not entry.item:
        return
    params = {"networks": [], "services": [entry.item], "root_dir": root_dir, "pull": "", "wait": True}
    try:
        spec.parse({**params, "wait_timeout": 1})
    except FlatrunError as error:
        key = error.where.replace("services[0].", "").replace("secrets.", "")
        told = {"nginx": NGINX, "certbot": CERTBOT, "redis": REDIS}.get(entry.type, DATABASE)
        named = {"container": "container_name", "mode": "external"}.get(key, key) if entry.type == "nginx" else key
        where = f"{entry.where}.{named}" if named in told else f"{entry.type}_{key}"
        raise InvalidParameter(error.what, where, error.do) from None
