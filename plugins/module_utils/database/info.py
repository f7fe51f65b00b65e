# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flatrun_db_info tells: each part is one statement, and one for each role of MariaDB; none of them writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.database import (
    info_mysql,
    info_postgresql,
    mysql_server_rights,
    mysql_text,
    postgresql_text,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database import spec_values as values
from ansible_collections.flatrun.infra.plugins.module_utils.database.drivers import Forbidden
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint, locate
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    GRANT_OPTION,
    MARIADB,
    POSTGRESQL,
    SQL,
    Grantee,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_lexer import Sql
from ansible_collections.flatrun.infra.plugins.module_utils.database.query import plain, told
from ansible_collections.flatrun.infra.plugins.module_utils.database.query_sessions import MySQLReader, PostgreSQLReader
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_connection import connection

_MOST_ROWS = 10_000
_TIMEOUT = 60
_TRUTHS = frozenset({"locked", "role", "nullable", "key", "grantable"})


def answer(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that were asked for, and a page of a table's rows."""
    _check(params)
    where = connection(params)
    found = locate(where, SQL)
    if isinstance(found, str):
        raise Unreachable(found, str(where), "Start it with flatrun.infra.flatrun_infra.")
    kind = PostgreSQLReader if found.engine == POSTGRESQL else MySQLReader
    with closing(kind(found, params["database"] or "", _TIMEOUT)) as reader:
        result = {part: _part(reader, found, part, params) for part in params["gather"]}
        if params["table"]:
            result["rows"] = _page(reader, found, params)
    return result


def _check(params: Mapping[str, Any]) -> None:
    for key in ("database", "schema", "table"):
        values.optional(params, key)
    for key in ("table", "tables"):
        asked = params["table"] if key == "table" else "tables" in params["gather"]
        if asked and not params["database"]:
            raise InvalidParameter(f"is needed for {key}", "database", "Name it.")
    if not 1 <= params["limit"] <= _MOST_ROWS:
        raise InvalidParameter(f"must be from 1 to {_MOST_ROWS}", "limit")
    if params["offset"] < 0:
        raise InvalidParameter("must not be negative", "offset")


def _part(reader: MySQLReader | PostgreSQLReader, endpoint: Endpoint, part: str, params: Mapping[str, Any]) -> Any:
    if part == "version":
        session = reader.session
        return {"engine": endpoint.engine, "version": ".".join(str(number) for number in session.version)}
    if part == "tables":
        return _tables(reader, endpoint, params)
    if endpoint.engine == POSTGRESQL:
        queries: Mapping[str, str] = info_postgresql.QUERIES
    else:
        queries = info_mysql.MARIADB_QUERIES if endpoint.engine == MARIADB else info_mysql.MYSQL_QUERIES
    try:
        rows = _ask(reader, queries[part])
        if part == "grants" and endpoint.engine == MARIADB and isinstance(reader, MySQLReader):
            rows = _with_roles(reader, rows)
        return rows
    except Forbidden:
        if part != "grants" or endpoint.engine == POSTGRESQL:
            raise
        return _ask(reader, info_mysql.VISIBLE_GRANTS)


def _with_roles(reader: MySQLReader, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With what roles of MariaDB may do on the server, in the place where it has that of a role on databases."""
    known = mysql_server_rights.listed(reader.session)
    on = {"host": "", "object_type": "server", "database": "", "object": ""}
    for name in [row["name"] for row in reader.session.rows(info_mysql.ROLES)]:
        held = mysql_server_rights.of_role(reader.session, Grantee(name), known)
        names, grantable = {*held} - {GRANT_OPTION}, GRANT_OPTION in held
        rows += [{"user": name, **on, "privilege": each, "grantable": grantable} for each in names]
    return sorted(rows, key=lambda row: [row[key] for key in ("user", *on, "privilege")])


def _ask(reader: MySQLReader | PostgreSQLReader, query: str, arguments: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Rows as mappings; the statements are our own, so none of them is looked at."""
    [(names, rows, _count)] = reader.run([Sql(query, query)], tuple(arguments) or None, True, 10**6)
    return [_tidy({name.lower(): plain(value) for name, value in zip(names, row)}) for row in rows]


def _tidy(row: dict[str, Any]) -> dict[str, Any]:
    """MySQL tells truth as 1 or YES, and an account as one text; its hosts hold no quotes."""
    for key in _TRUTHS & {*row}:
        row[key] = row[key] in (True, 1, "YES")
    if str(row.get("user", "")).startswith("'"):
        name, _mark, host = row["user"].rpartition("'@'")
        row = {**row, "user": name[1:], "host": host[:-1]}
    return row


def _tables(
    reader: MySQLReader | PostgreSQLReader, endpoint: Endpoint, params: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The tables of one database, each with its columns."""
    place = info_postgresql if endpoint.engine == POSTGRESQL else info_mysql
    arguments = () if endpoint.engine == POSTGRESQL else (params["database"],)
    tables = {(row["schema"], row["name"]): {**row, "columns": []} for row in _ask(reader, place.TABLES, arguments)}
    for row in _ask(reader, place.COLUMNS, arguments):
        key = row.pop("schema"), row.pop("table")
        if key in tables:
            tables[key]["columns"].append(row)
    return list(tables.values())


def _page(reader: MySQLReader | PostgreSQLReader, endpoint: Endpoint, params: Mapping[str, Any]) -> dict[str, Any]:
    """One page in the order of the primary key, so that the next page goes on where this one ends."""
    tables = _tables(reader, endpoint, params)
    schema = params["schema"] if endpoint.engine == POSTGRESQL else params["database"]
    found = [each for each in tables if (each["schema"], each["name"]) == (schema, params["table"])]
    if not found:
        raise Refused(f"there is no table {schema}.{params['table']}", "table", "Ask for gather: [tables].")
    quote = postgresql_text.name if endpoint.engine == POSTGRESQL else mysql_text.name
    keys = [quote(column["name"]) for column in found[0]["columns"] if column["key"]]
    order = f" ORDER BY {', '.join(keys)}" if keys else ""
    page = f"LIMIT {params['limit'] + 1} OFFSET {params['offset']}"
    query = f"SELECT * FROM {quote(schema)}.{quote(params['table'])}{order} {page}"
    [result] = reader.run([Sql(query, query)], None, True, params["limit"])
    return told(*result, params["limit"])
