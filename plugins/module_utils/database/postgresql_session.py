# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to a database of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Refused, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database.drivers import Denied, driver, log_in
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import DIFFERS, SAME, UNKNOWN

# Read as they are written here, whatever the server, the database or the role has as its default.
_SETTINGS = "-c standard_conforming_strings=on -c client_min_messages=warning -c search_path=pg_catalog"

_DENIED = ("authentication failed", "no password supplied", "no pg_hba.conf entry", "is not permitted to log in")
# What is said to somebody whose password was taken.
_ENTERED = (
    "permission denied for database",
    "too many connections for",
    "is not currently accepting connections",
    "remaining connection slots",
)


class Session:
    """Statements and their answers, each committed by itself but within ``transaction``."""

    def __init__(self, endpoint: Endpoint, database: str = "") -> None:
        self.endpoint, self.database = endpoint, database or endpoint.database
        self.psycopg2 = driver("psycopg2", "python3-psycopg2")
        self.connection = log_in(endpoint, self._open)
        self.connection.autocommit = True
        number = self.connection.server_version
        self.version = (number // 10000, number % 10000)

    def _open(self, password: Secret | None) -> Any:
        try:
            return self.psycopg2.connect(
                host=self.endpoint.socket or self.endpoint.host,
                port=self.endpoint.port,
                user=self.endpoint.user,
                dbname=self.database,
                password=password.reveal() if password else "",
                connect_timeout=self.endpoint.timeout,
                **self._tls(),
                application_name="flatrun.infra",
                client_encoding="UTF8",
                options=_SETTINGS,
            )
        except self.psycopg2.OperationalError as error:
            words = " ".join(str(error).split())
            kind = Denied if any(each in words for each in _DENIED) else Unreachable
            raise kind(words) from None

    def _tls(self) -> dict[str, str]:
        """libpq does it all by itself; it takes an address for verify-full as the certificate has it."""
        tls = self.endpoint.tls
        mode = "verify-ca" if tls.mode == "verify-full" and not tls.check_hostname else tls.mode
        files = {"sslrootcert": tls.ca, "sslcert": tls.certificate, "sslkey": tls.key}
        return {"sslmode": mode, **{key: path for key, path in files.items() if path}}

    def close(self) -> None:
        self.connection.close()

    def rows(self, statement: str, arguments: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        with self.speaking(), self.connection.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return list(cursor.fetchall())

    def run(self, statement: str) -> None:
        with self.speaking(), self.connection.cursor() as cursor:
            cursor.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing."""
        self.run("BEGIN")
        whole = False
        try:
            yield
            self.run("COMMIT")
            whole = True
        finally:
            if not whole:
                # Where the connection broke, the server does it by itself.
                with suppress(FlatrunError):
                    self.run("ROLLBACK")

    @contextmanager
    def speaking(self) -> Iterator[None]:
        try:
            yield
        except (self.psycopg2.OperationalError, self.psycopg2.InterfaceError) as error:
            words = " ".join(str(error).split())
            if self.connection.closed:
                raise Unreachable(f"the connection broke ({words})", self.endpoint.where, "Run again.") from None
            raise Refused(f"the server says: {words}", self.endpoint.where) from None
        except self.psycopg2.Error as error:
            words = error.diag.message_primary or " ".join(str(error).split())
            detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
            raise Refused(f"the server says: {words}{detail}", self.endpoint.where) from None


def try_login(endpoint: Endpoint) -> str:
    """Whether the server takes a password, where nobody may see what it keeps."""
    try:
        Session(endpoint).close()
    except Denied as error:
        return DIFFERS if "authentication failed" in error.what else UNKNOWN
    except Unreachable as error:
        return SAME if any(words in error.what for words in _ENTERED) else UNKNOWN
    return SAME
