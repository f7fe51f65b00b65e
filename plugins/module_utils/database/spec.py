# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks of a database server, parsed and checked before anything is looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret, parse_secret
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import ALL

PRESENT, ABSENT = "present", "absent"
ALWAYS, ON_CREATE = "always", "on_create"
_PRIVILEGE = re.compile(r"[A-Z][A-Z0-9_ ]*")


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
    root_dir: str = "/srv/flatrun"
    # The options of the connection to the Docker engine, as given.
    docker: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        place = f"{self.host}:{self.port}" if self.port else self.host
        return f"container {self.container}" if self.container else f"server {self.socket or place}"


@dataclass(frozen=True)
class WantedDatabase:
    item: str
    name: str
    state: str = PRESENT
    owner: str = ""
    encoding: str = ""
    collation: str = ""


@dataclass(frozen=True)
class WantedUser:
    item: str
    name: str
    host: str = "%"
    state: str = PRESENT
    password: Secret | None = None
    update_password: str = ALWAYS


@dataclass(frozen=True)
class WantedGrant:
    """``host`` is empty where it is each of the user's own."""

    item: str
    user: str
    privileges: frozenset[str]
    host: str = ""
    state: str = PRESENT
    database: str = ""
    grant_option: bool = False


@dataclass(frozen=True)
class Task:
    connection: Connection
    databases: tuple[WantedDatabase, ...] = ()
    users: tuple[WantedUser, ...] = ()
    grants: tuple[WantedGrant, ...] = ()


def parse(params: Mapping[str, Any]) -> Task:
    """Parameters of flatrun_db to its Spec; raises InvalidParameter naming the one that is wrong."""
    task = Task(
        _connection(params),
        _each("databases", params, _database),
        _each("users", params, _user),
        _each("grants", params, _grant),
    )
    names.distinct((wanted.name for wanted in task.databases), "databases", "the database")
    names.distinct((f"{wanted.name}@{wanted.host}" for wanted in task.users), "users", "the user")
    return task


def _connection(params: Mapping[str, Any]) -> Connection:
    container, host, socket = (params.get(key) or "" for key in ("container", "login_host", "login_unix_socket"))
    if not (container or host or socket):
        raise InvalidParameter(
            "it isn't said which server", "container", "Name its container, or login_host, or login_unix_socket."
        )
    password = params.get("login_password")
    if params["connect_timeout"] < 1:
        raise InvalidParameter("must be at least 1 second", "connect_timeout")
    return Connection(
        engine=params.get("engine") or "",
        container=names.container_name(container, "container") if container else "",
        host=names.text(host, "login_host") if host else "",
        port=names.port(params["login_port"], "login_port") if params.get("login_port") else 0,
        socket=names.absolute_path(socket, "login_unix_socket") if socket else "",
        user=params.get("login_user") or "",
        password=parse_secret(password, "login_password") if password is not None else None,
        database=params.get("login_db") or "",
        timeout=params["connect_timeout"],
        root_dir=names.absolute_path(params["root_dir"], "root_dir"),
        docker=dict(params),
    )


def _each(key: str, params: Mapping[str, Any], parse_one: Callable[[str, Mapping[str, Any]], Any]) -> tuple[Any, ...]:
    parsed = []
    for index, entry in enumerate(params.get(key) or []):
        item = f"{key}[{index}]"
        try:
            parsed.append(parse_one(item, entry))
        except FlatrunError as error:
            raise error.under(item) from None
    return tuple(parsed)


def name(value: Any, where: str) -> str:
    """A name as the server will have it; what each engine refuses in one is known to its own rules."""
    if not isinstance(value, str) or not value:
        raise InvalidParameter(f"must be a name, and {value!r} is none", where)
    if "\0" in value or any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise InvalidParameter("holds NUL or half a character, which no name can", where)
    return str(value)


def _database(item: str, entry: Mapping[str, Any]) -> WantedDatabase:
    return WantedDatabase(
        item=item,
        name=name(entry["name"], "name"),
        state=entry["state"],
        owner=name(entry["owner"], "owner") if entry.get("owner") else "",
        encoding=names.text(entry["encoding"], "encoding") if entry.get("encoding") else "",
        collation=names.text(entry["collation"], "collation") if entry.get("collation") else "",
    )


def _user(item: str, entry: Mapping[str, Any]) -> WantedUser:
    password = entry.get("password")
    return WantedUser(
        item=item,
        name=name(entry["name"], "name"),
        host=name(entry["host"], "host"),
        state=entry["state"],
        password=parse_secret(password, "password") if password is not None else None,
        update_password=entry["update_password"],
    )


def _grant(item: str, entry: Mapping[str, Any]) -> WantedGrant:
    return WantedGrant(
        item=item,
        user=name(entry["user"], "user"),
        privileges=_privileges(entry["privileges"]),
        host=name(entry["host"], "host") if entry.get("host") else "",
        state=entry["state"],
        database=name(entry["database"], "database"),
        grant_option=bool(entry["grant_option"]),
    )


def _privileges(values: list[str]) -> frozenset[str]:
    found = set()
    for index, value in enumerate(values):
        words = " ".join(str(value).upper().split())
        if not _PRIVILEGE.fullmatch(words):
            raise InvalidParameter(f"{value!r} is not a privilege", f"privileges[{index}]")
        found.add(ALL if words == "ALL PRIVILEGES" else words)
    return frozenset(found - {ALL}) if ALL not in found else frozenset({ALL})
