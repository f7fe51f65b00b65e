# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a task reaches its database server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret, parse_secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import spec_values as values

# As much as PyMySQL waits.
_LONGEST = 365 * 24 * 3600
_TLS_FILES = ("ca_cert", "client_cert", "client_key")


@dataclass(frozen=True)
class Tls:
    """``mode`` in libpq's words; paths are on the host that the module runs on."""

    mode: str = "prefer"
    ca: str = ""
    certificate: str = ""
    key: str = ""
    check_hostname: bool = True


@dataclass(frozen=True)
class Connection:
    """How the server is reached; ``engine`` is empty where it is to be recognised."""

    engine: str = ""
    container: str = ""
    host: str = ""
    port: int = 0
    socket: str = ""
    user: str = ""
    password: Secret | None = None
    database: str = ""
    timeout: int = 10
    tls: Tls = Tls()
    root_dir: str = "/srv/flatrun"
    # The options of the connection to the Docker engine, as given.
    docker: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        place = f"{self.host}:{self.port}" if self.port else self.host
        return f"container {self.container}" if self.container else f"server {self.socket or place}"


def connection(params: Mapping[str, Any]) -> Connection:
    container, host, socket = (params.get(key) or "" for key in ("container", "login_host", "login_unix_socket"))
    if not (container or host or socket):
        raise InvalidParameter(
            "it isn't said which server", "container", "Name its container, or login_host, or login_unix_socket."
        )
    password = params.get("login_password")
    return Connection(
        engine=params.get("engine") or "",
        container=names.container_name(container, "container") if container else "",
        host=_host(host) if host else "",
        port=names.port(params["login_port"], "login_port") if params.get("login_port") else 0,
        socket=names.absolute_path(socket, "login_unix_socket") if socket else "",
        user=values.optional(params, "login_user"),
        password=parse_secret(password, "login_password") if password is not None else None,
        database=values.optional(params, "login_db"),
        timeout=values.seconds(params["connect_timeout"], "connect_timeout", _LONGEST),
        tls=_tls(params),
        root_dir=names.absolute_path(params["root_dir"], "root_dir"),
        docker=_docker(params),
    )


def _host(value: Any) -> str:
    """A name, whose labels are those of DNS, or an address."""
    host = names.text(value, "login_host")
    try:
        host.encode("idna")
    except UnicodeError:
        raise InvalidParameter(f"{host!r} is not a host's name", "login_host", "Write a name or an address.") from None
    return host


def _docker(params: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the engine's connection under the names that it knows them by."""
    certificate, key = params.get("docker_client_cert"), params.get("docker_client_key")
    if params.get("client_cert") and not certificate and (params["tls"] or params["validate_certs"]):
        raise InvalidParameter(
            "is needed where the engine is reached over TLS, for client_cert is presented to the database server",
            "docker_client_cert",
            "Give the engine's too.",
        )
    timeout = params.get("docker_timeout") or params["timeout"]
    return {**params, "client_cert": certificate, "client_key": key, "timeout": timeout}


def _tls(params: Mapping[str, Any]) -> Tls:
    paths = {key: names.absolute_path(params[key], key) for key in _TLS_FILES if params.get(key)}
    mode = params["ssl_mode"]
    verifies = mode in ("verify-ca", "verify-full")
    if verifies and "ca_cert" not in paths:
        raise InvalidParameter(
            f"nothing can be verified with {mode} without it", "ca_cert", "Give the file of the authority."
        )
    if "ca_cert" in paths and not verifies:
        raise InvalidParameter(
            f"nothing is verified with ssl_mode {mode}", "ca_cert", "Say ssl_mode: verify-full, or leave it out."
        )
    if "client_cert" in paths and (mode == "disable" or params.get("login_unix_socket")):
        raise InvalidParameter("is presented over TLS alone", "client_cert", "Leave it out, or take TLS.")
    return Tls(
        mode,
        paths.get("ca_cert", ""),
        paths.get("client_cert", ""),
        paths.get("client_key", ""),
        bool(params["check_hostname"]),
    )
