# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections for a user's own SQL: read-only for the whole session, and ended by the server when the time is up."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import (
    FlatrunError,
    InvalidParameter,
    Refused,
    Unreachable,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_session, postgresql_session
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import MARIADB, MYSQL, POSTGRESQL
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_lexer import Sql
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_query import (
    Arguments,
    arguments_of,
    check_bound,
)

Result = tuple[Sequence[str], Sequence[Sequence[Any]], int]
# Types of psycopg2, and the numbers that PostgreSQL gives them and their arrays (pg_type.dat).
_TIMES = (("PYDATE", 1082, 1182), ("PYDATETIME", 1114, 1115), ("PYDATETIMETZ", 1184, 1185))
# 24:00 is no time of the day to Python, and days and months are none of an interval's to it.
_TEXTS = (("TIME", 1083, 1183), ("TIMETZ", 1266, 1270), ("INTERVAL", 1186, 1187))
_MYSQL_TIME, _MYSQL_VECTOR = 11, 242
# The driver speaks the simple protocol, in which a message may hold several statements. A cursor of PL/pgSQL takes one
# alone, and none about the transaction. What it is opened for travels as digits, which nothing reads otherwise.
_OPEN = (
    "SELECT pg_catalog.set_config('flatrun.statement',"
    " pg_catalog.convert_from(pg_catalog.decode('{}', 'hex'), 'UTF8'), true);"
    " DO $flatrun$ DECLARE flatrun pg_catalog.refcursor := 'flatrun';"
    " BEGIN OPEN flatrun FOR EXECUTE pg_catalog.current_setting('flatrun.statement'); END $flatrun$"
)
# The server ends the statement itself; the connection is given up only if it doesn't.
_GRACE = 1.5


class MySQLReader:
    def __init__(self, endpoint: Endpoint, database: str, timeout: int) -> None:
        self.endpoint, self.timeout = endpoint, timeout
        self.session = mysql_session.Session(endpoint, database, timeout + _GRACE)
        # Hours beyond a day are told as the server tells them.
        self.session.connection.decoders.pop(_MYSQL_TIME, None)
        # The driver takes a type that it doesn't know for ASCII, and one of these for bytes where the server says so.
        self.session.pymysql.connections.TEXT_TYPES.add(_MYSQL_VECTOR)

    def close(self) -> None:
        self.session.close()

    def run(self, statements: Sequence[Sql], arguments: Arguments, read_only: bool, max_rows: int) -> list[Result]:
        """All in one transaction, each by itself."""
        if self.session.engine == MARIADB:
            self.session.run(f"SET SESSION max_statement_time = {self.timeout}")
        else:
            self.session.run(f"SET SESSION max_execution_time = {self.timeout * 1000}")
        if read_only:
            # One more, to know whether there are more. What writes while it selects does so for all rows.
            self.session.run(f"SET SESSION sql_select_limit = {max_rows + 1}")
            # The session's, for a statement that commits by itself would leave a transaction's behind.
            self.session.run("SET SESSION TRANSACTION READ ONLY")
        self.session.run("START TRANSACTION")
        found = [self._one(statement, arguments, read_only) for statement in statements]
        self.session.run("ROLLBACK" if read_only else "COMMIT")
        return found

    def _one(self, statement: Sql, arguments: Arguments, read_only: bool) -> Result:
        # MySQL has SLEEP return when its time is up, as if all were well.
        silent = self.session.engine == MYSQL
        punctual = _punctual(self.timeout, self.endpoint.where, silent)
        with punctual, self._ended(), self.session.speaking(), self.session.connection.cursor() as cursor:
            text = _bound(cursor, statement, arguments, self.session.pymysql.err.ProgrammingError)
            check_bound(text, self.session.engine, read_only)
            cursor.execute(text)
            names = [column[0] for column in cursor.description or ()]
            return names, list(cursor.fetchall()) if names else [], cursor.rowcount

    @contextmanager
    def _ended(self) -> Iterator[None]:
        """MySQL's own limit is for SELECT alone; what else runs on is ended from beside."""
        number = self.session.connection.thread_id()
        try:
            yield
        except Unreachable:
            with suppress(FlatrunError), closing(mysql_session.Session(self.endpoint)) as other:
                other.run(f"KILL {number}")
            raise


class PostgreSQLReader:
    def __init__(self, endpoint: Endpoint, database: str, timeout: int) -> None:
        self.endpoint, self.timeout = endpoint, timeout
        self.session = postgresql_session.Session(endpoint, database)
        _exact_times(self.session.psycopg2, self.session.connection)

    def close(self) -> None:
        self.session.close()

    def run(self, statements: Sequence[Sql], arguments: Arguments, read_only: bool, max_rows: int) -> list[Result]:
        """All in one transaction, each by itself."""
        connection = self.session.connection
        # The one before, if there was one, is over.
        connection.rollback()
        connection.autocommit = True
        self.session.run(f"SET statement_timeout = '{self.timeout}s'")
        self.session.run('SET search_path = "$user", public')
        connection.set_session(readonly=read_only, autocommit=False)
        # After a query of its own, a transaction can't be turned into one that writes.
        self.session.rows("SELECT 1")
        found = [self._one(statement, arguments, max_rows, read_only) for statement in statements]
        with self.session.speaking():
            connection.rollback() if read_only else connection.commit()
        return found

    def _one(self, statement: Sql, arguments: Arguments, max_rows: int, read_only: bool) -> Result:
        punctual = _punctual(self.timeout, self.endpoint.where)
        with punctual, self.session.speaking(), self.session.connection.cursor() as cursor:
            text = _bound(cursor, statement, arguments, self.session.psycopg2.ProgrammingError)
            check_bound(text, POSTGRESQL, read_only)
            if read_only:
                return self._read(cursor, text, max_rows)
            # What may write has to run to its end.
            cursor.execute(text)
            names = [column.name for column in cursor.description or ()]
            return names, cursor.fetchmany(max_rows + 1) if names else [], cursor.rowcount

    def _read(self, cursor: Any, text: str, max_rows: int) -> Result:
        """By a cursor on the server's side, so that it is one statement, and a million rows never travel."""
        cursor.execute(_OPEN.format(text.encode().hex()))
        cursor.execute(f"FETCH {max_rows + 1} FROM flatrun")
        names, rows = [column.name for column in cursor.description or ()], cursor.fetchall()
        cursor.execute("CLOSE flatrun")
        return names, rows, len(rows)


@contextmanager
def _punctual(timeout: int, where: str, silent: bool = False) -> Iterator[None]:
    """One sentence for what is ended when its time is up, which each server tells in its own; ``silent`` ones don't."""
    until = time.monotonic() + timeout
    try:
        yield
        if not silent or time.monotonic() < until:
            return
    except (Refused, Unreachable):
        if time.monotonic() < until:
            raise
    raise Refused(f"it did not end within {timeout} s", where, "Give it more time with timeout.")


def _exact_times(psycopg2: Any, connection: Any) -> None:
    """Times as the server tells them where Python has none like them: infinity, far years, intervals."""
    extensions = psycopg2.extensions
    readers = [(*each, _exact(getattr(extensions, each[0]))) for each in _TIMES]
    for name, single, array, read in [*readers, *((*each, _as_told) for each in _TEXTS)]:
        made = extensions.new_type((single,), name, read)
        extensions.register_type(made, connection)
        extensions.register_type(extensions.new_array_type((array,), f"{name}S", made), connection)


def _as_told(value: str | None, _cursor: Any) -> str | None:
    return value


def _exact(usual: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def read(value: str | None, cursor: Any) -> Any:
        if value is None or value.endswith("infinity"):
            return value
        try:
            return usual(value, cursor)
        except (ValueError, OverflowError):
            return value

    return read


def _bound(cursor: Any, statement: Sql, arguments: Arguments, error_of_driver: type[Exception]) -> str:
    """The statement as it is sent, with the arguments bound where it has a place for any."""
    if not arguments or "%" not in statement.text:
        return statement.text
    try:
        made = cursor.mogrify(statement.text, arguments_of(statement, arguments))
    except (IndexError, KeyError, TypeError, ValueError, error_of_driver) as error:
        raise InvalidParameter(
            f"its placeholders and the arguments don't match ({error})",
            "query",
            "Write %s or %(name)s for each, and %% for a percent sign.",
        ) from None
    return made.decode() if isinstance(made, bytes) else str(made)
