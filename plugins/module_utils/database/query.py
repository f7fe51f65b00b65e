# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The room of flatrun_db_query: SQL of the user's own, in one transaction."""

from __future__ import annotations

import base64
import datetime
import decimal
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan, reach
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal, Room
from ansible_collections.flatrun.infra.plugins.module_utils.database import plan_query
from ansible_collections.flatrun.infra.plugins.module_utils.database import spec_values as values
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import locate
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import POSTGRESQL, SQL
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_lexer import Sql, split
from ansible_collections.flatrun.infra.plugins.module_utils.database.query_sessions import MySQLReader, PostgreSQLReader
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_connection import Connection, connection

_MOST_ROWS = 100_000
# PostgreSQL has milliseconds in 31 bits.
_LONGEST = 2_147_483


@dataclass(frozen=True)
class Query:
    connection: Connection
    scripts: tuple[str, ...]
    arguments: plan_query.Arguments = None
    database: str = ""
    read_only: bool = True
    max_rows: int = 1000
    timeout: int = 30


@dataclass(frozen=True)
class Answer:
    """What came of the statements; ``ran`` is False as long as they weren't, and ``words`` why they can't be yet."""

    ran: bool = False
    words: str = ""
    results: tuple[Mapping[str, Any], ...] = field(default=())


def parse(params: Mapping[str, Any]) -> Query:
    given = params["query"]
    scripts = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else ()
    if not scripts or not all(isinstance(each, str) and each.strip() for each in scripts):
        raise InvalidParameter("must be a statement, or a list of statements", "query")
    for key in ("query", "positional_args", "named_args"):
        _check_text(params.get(key), key)
    if not 1 <= params["max_rows"] <= _MOST_ROWS:
        raise InvalidParameter(f"must be from 1 to {_MOST_ROWS}", "max_rows")
    positional, named = params.get("positional_args"), params.get("named_args")
    return Query(
        connection(params),
        scripts,
        tuple(positional) if positional else named or None,
        values.optional(params, "database"),
        bool(params["read_only"]),
        params["max_rows"],
        values.seconds(params["timeout"], "timeout", _LONGEST),
    )


def _check_text(value: Any, where: str) -> None:
    """Refuse what is no text to a server; as a value, MySQL and MariaDB take NUL."""
    inside = value if isinstance(value, Mapping) else dict(enumerate(value)) if isinstance(value, list) else {}
    for key, each in inside.items():
        _check_text(each, f"{where}.{key}" if isinstance(value, Mapping) else f"{where}[{key}]")
    if isinstance(value, str) and any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise InvalidParameter("holds half a character", where, "Write it whole.")
    if isinstance(value, str) and "\0" in value and where.startswith("query"):
        raise InvalidParameter("holds NUL, which no statement can", where, "Remove it.")


class Server:
    """What only reads is run when it is looked at; what may write, when it is applied."""

    def __init__(self, query: Query, reader: MySQLReader | PostgreSQLReader) -> None:
        self.query, self.reader = query, reader
        self.answer = Answer()
        engine = reader.endpoint.engine
        self.statements: list[Sql] = []
        for index, script in enumerate(query.scripts):
            where = f"query[{index}]" if len(query.scripts) > 1 else "query"
            found = split(script, engine, where)
            for statement in found:
                plan_query.check(statement, query.read_only, where)
            self.statements += found
        plan_query.check_places(self.statements, query.arguments, "query")

    def observe(self) -> Answer:
        if self.query.read_only and not self.answer.ran:
            self._run()
        return self.answer

    def hold(self) -> AbstractContextManager[None]:
        return nullcontext()

    def apply(self, plan: Plan, done: Journal) -> None:
        self._run()
        for action in plan.actions:
            done(action)

    def _run(self) -> None:
        found = self.reader.run(self.statements, self.query.arguments, self.query.read_only, self.query.max_rows)
        self.answer = Answer(True, results=tuple(told(*each, self.query.max_rows) for each in found))


class Absent:
    """A server that isn't there yet. What it would answer nobody knows, but what may write is only to be run later."""

    def __init__(self, query: Query, words: str) -> None:
        self.error = Unreachable(words, str(query.connection), "Start it with flatrun.infra.flatrun_infra.")
        self.query = query

    def observe(self) -> Answer:
        if self.query.read_only:
            raise self.error
        return Answer(words=self.error.what)

    def hold(self) -> AbstractContextManager[None]:
        return nullcontext()

    def apply(self, plan: Plan, done: Journal) -> None:
        raise self.error


@contextmanager
def _world(query: Query) -> Iterator[Server | Absent]:
    found = locate(query.connection, SQL)
    if isinstance(found, str):
        yield Absent(query, found)
        return
    kind = PostgreSQLReader if found.engine == POSTGRESQL else MySQLReader
    reader = kind(found, query.database, query.timeout)
    try:
        yield Server(query, reader)
    finally:
        reader.close()


def plan(query: Query, answer: Answer) -> Plan:
    if answer.ran:
        return Plan((), "the query only reads" if query.read_only else "it has been run")
    where = str(query.connection)
    missing = (reach(where, answer.words),) if answer.words else ()
    return Plan((*missing, Action("run", where, "the query may write")))


def report(query: Query, answer: Answer, plan: Plan) -> dict[str, Any]:
    empty: dict[str, Any] = {"rows": [], "columns": [], "rowcount": 0, "truncated": False}
    return {**(answer.results[-1] if answer.results else empty), "results": list(answer.results)}


def told(names: Sequence[str], rows: Sequence[Sequence[Any]], count: int, max_rows: int) -> dict[str, Any]:
    columns: list[str] = []
    for name in names:
        # Two columns may have one name, and a mapping only one of them.
        number = 2
        unique = name
        while unique in columns:
            unique, number = f"{name}_{number}", number + 1
        columns.append(unique)
    kept = rows[:max_rows]
    return {
        "rows": [dict(zip(columns, map(plain, row))) for row in kept],
        "columns": columns,
        "rowcount": len(kept) if columns else max(count, 0),
        "truncated": len(rows) > max_rows,
    }


def plain(value: Any) -> Any:
    """A value as JSON has it, and exact: decimals and times as text, bytes in base64."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    return format(value, "f") if isinstance(value, decimal.Decimal) and value.is_finite() else str(value)


ROOM = Room(parse=parse, world=_world, plan=plan, report=report)
