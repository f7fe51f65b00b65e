# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to MySQL or MariaDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database.drivers import Denied, driver, log_in
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import MARIADB, MYSQL

# Access denied: as with a wrong password, a host that may not, or an account that is locked.
_DENIED = (1045, 1698, 3118, 3955)
_GONE = (2006, 2013, 2014, 2055, 1053, 1927, 4031)
# So that texts and names are read as they are written here, whatever the server's own mode is.
_MODE = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"
_PATIENCE = 300


class Session:
    """Statements, and answers as bytes: the server's tables hold what is no text in any encoding."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.pymysql = driver("pymysql", "python3-pymysql and python3-cryptography")
        self.connection = log_in(endpoint.where, endpoint.passwords, self._open)
        version = str(self.connection.get_server_info())
        self.engine = MARIADB if "mariadb" in version.lower() else MYSQL
        numbers = version.split("-", 1)[-1] if version.startswith("5.5.5-") else version
        self.version = tuple(int(part) for part in numbers.split("-")[0].split(".")[:3] if part.isdigit())
        if self.engine != endpoint.engine:
            self.close()
            raise Refused(
                f"{endpoint.where} is {self.engine} {numbers.split('-')[0]}, not {endpoint.engine}",
                "engine",
                "Correct it.",
            )

    def _open(self, password: Secret | None) -> Any:
        at = {"unix_socket": self.endpoint.socket} if self.endpoint.socket else {"host": self.endpoint.host}
        try:
            return self.pymysql.connect(
                **at,
                port=self.endpoint.port,
                user=self.endpoint.user,
                # Text would be sent as latin1; the server compares bytes.
                password=password.reveal().encode() if password else b"",
                charset="utf8mb4",
                sql_mode=_MODE,
                autocommit=True,
                connect_timeout=self.endpoint.timeout,
                read_timeout=_PATIENCE,
                write_timeout=_PATIENCE,
            )
        except self.pymysql.err.MySQLError as error:
            kind = Denied if error.args and error.args[0] in _DENIED else Unreachable
            raise kind(str(error.args[-1] if error.args else error)) from None
        except (OSError, RuntimeError) as error:
            raise Unreachable(str(error)) from None

    def close(self) -> None:
        self.connection.close()

    def rows(self, statement: str, arguments: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._speaking(), self.connection.cursor(self.pymysql.cursors.DictCursor) as cursor:
            cursor.execute(statement, tuple(arguments) or None)
            return list(cursor.fetchall())

    def run(self, statement: str) -> None:
        with self._speaking(), self.connection.cursor() as cursor:
            cursor.execute(statement)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except self.pymysql.err.MySQLError as error:
            number = error.args[0] if error.args else 0
            words = str(error.args[-1] if error.args else error)
            if isinstance(error, self.pymysql.err.InterfaceError) or number in _GONE:
                raise Unreachable(f"the connection broke ({words})", self.endpoint.where, "Run again.") from None
            raise Refused(f"the server says: {words} ({number})", self.endpoint.where) from None
        except OSError as error:
            raise Unreachable(f"the connection broke ({error})", self.endpoint.where, "Run again.") from None
