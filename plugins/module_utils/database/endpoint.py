# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server is and who logs in there: from its container, or as the task says."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DEFAULT_USER,
    MARIADB,
    MYSQL,
    POSTGRESQL,
    REDIS,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_connection import Connection, Tls
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CATALOG
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL, Engine, address
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.service.secret_files import NEXT, SecretFiles

_ADMINISTRATORS = {MYSQL: "root", MARIADB: "root", POSTGRESQL: "postgres", REDIS: DEFAULT_USER}
_PORT = re.compile(r"(?:--port=|-p )(\d+)")


@dataclass(frozen=True)
class Endpoint:
    """A server to log in at. ``passwords`` are tried one after the other: a rotation may be under way."""

    engine: str
    host: str
    port: int
    socket: str
    user: str
    passwords: tuple[Secret, ...]
    database: str
    timeout: int
    tls: Tls
    # As the user knows it, for errors.
    where: str


def locate(connection: Connection, engines: Collection[str] = tuple(_ADMINISTRATORS)) -> Endpoint | str:
    """The endpoint of a server of one of the engines, or in words why there is none yet."""
    found = _in_container(connection) if connection.container else _elsewhere(connection)
    if isinstance(found, Endpoint) and found.engine not in engines:
        where = "container" if connection.container else "engine"
        raise Refused(f"{connection} runs {found.engine}, which is none of {', '.join(engines)}", where)
    if connection.database and isinstance(found, Endpoint) and found.engine != POSTGRESQL:
        raise InvalidParameter(f"is for PostgreSQL alone, and this is {found.engine}", "login_db", "Leave it out.")
    return found


def _elsewhere(connection: Connection) -> Endpoint:
    engine = connection.engine
    if not engine:
        raise InvalidParameter("is needed for a server that is not in a container of ours", "engine")
    return Endpoint(
        engine=engine,
        host=connection.host,
        port=connection.port or CATALOG[engine].port,
        socket=connection.socket,
        user=connection.user or _ADMINISTRATORS[engine],
        passwords=(connection.password,) if connection.password else (),
        database=connection.database or "postgres",
        timeout=connection.timeout,
        tls=connection.tls,
        where=str(connection),
    )


def _in_container(connection: Connection) -> Endpoint | str:
    docker = Engine(connection.docker)
    try:
        # Neither the container's address nor the passwords beside it are another host's.
        docker.require_local()
        raw = docker.find("inspect_container", connection.container)
    finally:
        docker.close()
    if not raw:
        return "it does not exist"
    if not raw["State"]["Running"]:
        return f"it is {raw['State']['Status']}"
    labels = raw["Config"].get("Labels") or {}
    engine = _engine(connection, labels)
    host = address(raw)
    if not host:
        raise Refused("is on no network that the host can reach", str(connection), "Connect it to one.")
    return Endpoint(
        engine=engine,
        host=host,
        port=connection.port or _port(raw, engine),
        socket="",
        user=connection.user or _administrator(raw, engine),
        passwords=_passwords(connection, labels, engine, _administrator(raw, engine)),
        database=connection.database or "postgres",
        timeout=connection.timeout,
        tls=connection.tls,
        where=str(connection),
    )


def _engine(connection: Connection, labels: dict[str, str]) -> str:
    label = labels.get(f"{LABEL}type", "")
    engine = connection.engine or label
    if not engine:
        raise InvalidParameter(
            f"{connection.container} is not a container of ours, so it isn't known which engine runs in it",
            "engine",
            f"Say one of {', '.join(_ADMINISTRATORS)}.",
        )
    if engine not in _ADMINISTRATORS:
        raise Refused(f"{connection.container} runs {engine}, which is no database server", "container")
    if label and engine != label:
        raise Refused(f"{connection.container} runs {label}, not {engine}", "engine", "Leave it out, or correct it.")
    return engine


def _port(raw: dict[str, Any], engine: str) -> int:
    """The health check asks at the port that the container was made with."""
    words = " ".join((raw["Config"].get("Healthcheck") or {}).get("Test") or ())
    found = _PORT.search(words)
    return int(found[1]) if found else CATALOG[engine].port


def _administrator(raw: dict[str, Any], engine: str) -> str:
    environment = dict(entry.split("=", 1) for entry in raw["Config"].get("Env") or () if "=" in entry)
    chosen = environment.get("POSTGRES_USER", "") if engine == POSTGRESQL else ""
    return chosen or _ADMINISTRATORS[engine]


def _passwords(connection: Connection, labels: dict[str, str], engine: str, owner: str) -> tuple[Secret, ...]:
    """The one that is said, else those that are kept beside the container; another user's are never guessed."""
    if connection.password:
        return (connection.password,)
    if connection.user not in ("", owner):
        return ()
    home = SecretFiles(Layout(labels.get(f"{LABEL}root_dir") or connection.root_dir, connection.container))
    name = CATALOG[engine].secret
    return tuple(secret for secret in (home.secret(name), home.secret(name + NEXT)) if secret)
