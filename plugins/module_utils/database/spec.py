# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks of a database server, parsed and checked before anything is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret, parse_secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import spec_values as values
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import ADMINISTRATOR, ROLE
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_acl import rules
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_connection import Connection, connection
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_values import Privilege

PRESENT, ABSENT = "present", "absent"
ALWAYS, ON_CREATE = "always", "on_create"
APPEND, EXCLUSIVE, SUBTRACT = "append", "exclusive", "subtract"
# Kinds of targets that have neither a database nor, then, a place inside of one.
SERVER_WIDE = ("server", "role")
_MOST_WORKERS = 32


@dataclass(frozen=True)
class WantedSchema:
    name: str
    owner: str = ""
    state: str = PRESENT


@dataclass(frozen=True)
class WantedDatabase:
    item: str
    name: str
    state: str = PRESENT
    owner: str = ""
    encoding: str = ""
    collation: str = ""
    template: str = ""
    extensions: tuple[str, ...] = ()
    schemas: tuple[WantedSchema, ...] = ()
    connection_limit: int | None = None
    force: bool = False


@dataclass(frozen=True)
class WantedUser:
    item: str
    name: str
    host: str = "%"
    state: str = PRESENT
    password: Secret | None = None
    hash: Secret | None = None
    plugin: str = ""
    update_password: str = ALWAYS
    attributes: Mapping[str, bool] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    tls: str = ""
    force: bool = False
    retain: bool = False
    # Redis' rules, of the parts that are said.
    acl: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_role(self) -> bool:
        """Whether nobody logs in as it; PostgreSQL says that by another word."""
        return bool(self.attributes.get(ROLE)) or self.attributes.get("LOGIN") is False


@dataclass(frozen=True)
class WantedGrant:
    """``host`` is empty where it is each of the user's own; ``objects`` is empty for all that there are."""

    item: str
    user: str
    privileges: tuple[Privilege, ...]
    host: str = ""
    state: str = PRESENT
    database: str = ""
    schema: str = ""
    object_type: str = "database"
    objects: tuple[str, ...] = ()
    pattern: bool = False
    grant_option: bool = False


@dataclass(frozen=True)
class Task:
    connection: Connection
    databases: tuple[WantedDatabase, ...] = ()
    users: tuple[WantedUser, ...] = ()
    grants: tuple[WantedGrant, ...] = ()
    grants_mode: str = APPEND
    workers: int = 4

    def takes(self, grant: WantedGrant) -> bool:
        """Whether it is taken away; what comes with owning a database, or with attributes, no mode is about."""
        named = grant.item.startswith("grants")
        return grant.state == ABSENT or (named and self.grants_mode == SUBTRACT)


def parse(params: Mapping[str, Any]) -> Task:
    """Parameters of flatrun_db to its Spec; raises InvalidParameter naming the one that is wrong."""
    task = Task(
        connection(params),
        _each("databases", params, _database),
        _each("users", params, _user),
        _each("grants", params, _grant),
        params["grants_mode"],
        params["workers"],
    )
    names.distinct((wanted.name for wanted in task.databases), "databases", "the database")
    names.distinct((f"{wanted.name}@{wanted.host.lower()}" for wanted in task.users), "users", "the user")
    if not 1 <= task.workers <= _MOST_WORKERS:
        raise InvalidParameter(f"must be from 1 to {_MOST_WORKERS}", "workers")
    return task


def _each(key: str, params: Mapping[str, Any], parse_one: Callable[[str, Mapping[str, Any]], Any]) -> tuple[Any, ...]:
    parsed = []
    for index, entry in enumerate(params.get(key) or []):
        item = f"{key}[{index}]"
        try:
            parsed.append(parse_one(item, {name: value for name, value in entry.items() if value is not None}))
        except FlatrunError as error:
            raise error.under(item) from None
    return tuple(parsed)


def _database(item: str, entry: Mapping[str, Any]) -> WantedDatabase:
    limit = entry.get("connection_limit")
    if limit is not None and not -1 <= limit < 262144:
        raise InvalidParameter("must be from 0 to 262143, or -1 for none", "connection_limit")
    return WantedDatabase(
        item=item,
        name=values.name(entry["name"], "name"),
        state=entry["state"],
        owner=values.name(entry["owner"], "owner") if entry.get("owner") else "",
        encoding=names.text(entry["encoding"], "encoding") if entry.get("encoding") else "",
        collation=names.text(entry["collation"], "collation") if entry.get("collation") else "",
        template=values.name(entry["template"], "template") if entry.get("template") else "",
        extensions=tuple(
            values.name(each, f"extensions[{index}]") for index, each in enumerate(entry.get("extensions") or ())
        ),
        schemas=_each("schemas", entry, _schema),
        connection_limit=limit,
        force=bool(entry.get("force")),
    )


def _schema(_item: str, entry: Mapping[str, Any]) -> WantedSchema:
    owner = values.name(entry["owner"], "owner") if entry.get("owner") else ""
    return WantedSchema(values.name(entry["name"], "name"), owner, entry["state"])


def _user(item: str, entry: Mapping[str, Any]) -> WantedUser:
    password = parse_secret(entry["password"], "password") if "password" in entry else None
    digest = parse_secret(entry["password_hash"], "password_hash") if "password_hash" in entry else None
    if password and digest:
        raise InvalidParameter("is given beside password, and only one of them can hold", "password_hash")
    wanted = WantedUser(
        item=item,
        name=values.name(entry["name"], "name"),
        host=values.name(entry["host"], "host"),
        state=entry["state"],
        password=password,
        hash=digest,
        plugin=names.text(entry["plugin"], "plugin") if entry.get("plugin") else "",
        update_password=entry["update_password"],
        attributes=values.attributes(entry.get("attributes") or []),
        limits=values.limits(entry.get("limits") or {}),
        tls=values.tls_requires(entry["tls_requires"]) if "tls_requires" in entry else "",
        force=bool(entry.get("force")),
        retain=bool(entry.get("retain_password")),
        acl=rules(entry),
    )
    _check_words(wanted)
    # Nobody asks whether the password of a user that goes is right, and telling takes time.
    return replace(wanted, password=None, hash=None) if wanted.state == ABSENT else wanted


def _check_words(wanted: WantedUser) -> None:
    if wanted.attributes.get(ADMINISTRATOR) is False:
        raise InvalidParameter(
            f"NO{ADMINISTRATOR} says of no right whether it goes",
            "attributes",
            "Take rights by grants_mode: exclusive.",
        )
    if wanted.attributes.get(ADMINISTRATOR) and wanted.is_role:
        raise InvalidParameter(
            f"nobody logs in as a role, so it is no {ADMINISTRATOR}", "attributes", "Keep one of the two."
        )
    if wanted.attributes.get(ROLE) and (wanted.password or wanted.hash):
        raise InvalidParameter("nobody logs in as a role, so it has no password", "password", "Leave it out.")


def _grant(item: str, entry: Mapping[str, Any]) -> WantedGrant:
    kind = entry["object_type"]
    wanted = WantedGrant(
        item=item,
        user=values.name(entry["user"], "user"),
        privileges=values.privileges(entry.get("privileges"), kind),
        host=values.name(entry["host"], "host") if entry.get("host") else "",
        state=entry["state"],
        database=values.name(entry["database"], "database") if entry.get("database") else "",
        schema=values.name(entry["schema"], "schema") if entry.get("schema") else "",
        object_type=kind,
        objects=values.objects(entry.get("objects") or []),
        pattern=bool(entry.get("pattern")),
        grant_option=bool(entry.get("grant_option")),
    )
    _check_place(wanted)
    return wanted


def _check_place(wanted: WantedGrant) -> None:
    """A grant says where its objects are, and nothing that has no meaning for them."""
    kind = wanted.object_type
    if kind in SERVER_WIDE and wanted.database:
        raise InvalidParameter(f"a {kind} is in no database", "database", "Leave it out.")
    if kind not in SERVER_WIDE and not wanted.database:
        raise InvalidParameter("is needed", "database", "Name it, or say object_type: server.")
    if kind in ("server", "database", "schema") and wanted.objects:
        raise InvalidParameter(f"a {kind} holds no objects to be named", "objects", "Say object_type: table.")
    if kind == "role" and not wanted.objects:
        raise InvalidParameter("the roles to be a member of are needed", "objects")
    if wanted.pattern and kind != "database":
        raise InvalidParameter("only the name of a database can be a pattern", "pattern", "Leave it out.")
    if any(columns for _name, columns in wanted.privileges) and kind != "table":
        raise InvalidParameter("only tables have columns", "privileges", "Say object_type: table.")
