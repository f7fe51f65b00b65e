# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to MySQL or MariaDB."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import (
    FlatrunError,
    InvalidParameter,
    Refused,
    Unreachable,
)
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_tls
from ansible_collections.flatrun.infra.plugins.module_utils.database.drivers import Denied, Forbidden, driver, log_in
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import DIFFERS, MARIADB, MYSQL, SAME, UNKNOWN

# Access denied: as with a wrong password, a host that may not, or an account that is locked.
_DENIED = (1045, 1698, 3118, 3955, 4151)
_GONE = (1053, 1927, 2006, 2013, 2014, 2055, 4031)
_MAY_NOT = (1044, 1142, 1143, 1227, 1370)
# So that texts and names are read as they are written here, whatever the server's own mode is.
_MODE = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"
# A statement may wait for somebody's lock, but not for ever.
_PATIENCE = 300
# Said of an account whose password was taken; a name in what is said of others never comes last.
_LOCKED = ("Account is locked", "account is locked")


@contextmanager
def _in_pem(parameter: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidParameter(f"can't be taken ({error})", parameter, "Name files in PEM.") from None


class Session:
    """Statements and their answers. ``database`` is where unqualified names are looked for."""

    def __init__(self, endpoint: Endpoint, database: str = "", patience: float = _PATIENCE) -> None:
        self.endpoint, self.database, self.patience = endpoint, database, patience
        self.pymysql = driver("pymysql", "python3-pymysql and python3-cryptography")
        self.connection = log_in(endpoint, self._open)
        version = str(self.connection.get_server_info())
        self.engine = MARIADB if "mariadb" in version.lower() else MYSQL
        self.text = (version.split("-", 1)[-1] if version.startswith("5.5.5-") else version).split("-")[0]
        self.version = tuple(int(part) for part in self.text.split(".")[:3] if part.isdigit())
        if self.engine != endpoint.engine:
            self.close()
            raise Refused(
                f"{endpoint.where} is {self.engine} {self.text}, not {endpoint.engine}", "engine", "Correct it."
            )
        self._require_tls()

    def _open(self, password: Secret | None) -> Any:
        at = {"unix_socket": self.endpoint.socket} if self.endpoint.socket else {"host": self.endpoint.host}
        try:
            made = mysql_tls.connect(
                self.pymysql,
                self._context(),
                insists=self.endpoint.tls.mode != "prefer",
                **at,
                port=self.endpoint.port,
                user=self.endpoint.user,
                # Text would be sent as latin1; the server compares bytes.
                password=password.reveal().encode() if password else b"",
                database=self.database or None,
                charset="utf8mb4",
                sql_mode=_MODE,
                autocommit=True,
                connect_timeout=self.endpoint.timeout,
                read_timeout=self.endpoint.timeout,
                write_timeout=self.patience,
            )
            # To the driver, the greeting is a read like any other, and has no time of its own.
            made._read_timeout = self.patience
            return made
        except self.pymysql.err.MySQLError as error:
            kind = Denied if error.args and error.args[0] in _DENIED else Unreachable
            raise kind(str(error.args[-1] if error.args else error)) from None
        except (OSError, RuntimeError) as error:
            raise Unreachable(str(error)) from None

    def _context(self) -> ssl.SSLContext | None:
        """The driver takes TLS where the server offers it; whether it did is looked at afterwards."""
        tls = self.endpoint.tls
        if tls.mode == "disable" or self.endpoint.socket:
            return None
        context = mysql_tls.context()
        if tls.ca:
            with _in_pem("ca_cert"):
                context.load_verify_locations(tls.ca)
        if tls.mode in ("verify-ca", "verify-full"):
            context.verify_mode = ssl.CERT_REQUIRED
            context.check_hostname = tls.mode == "verify-full" and tls.check_hostname
        if tls.certificate:
            with _in_pem("client_cert"):
                context.load_cert_chain(tls.certificate, tls.key or None)
        return context

    def _require_tls(self) -> None:
        if self.endpoint.tls.mode in ("disable", "prefer") or self.endpoint.socket:
            return
        if not self.rows("SHOW STATUS LIKE 'Ssl_cipher'")[0]["Value"]:
            raise Refused("the server offers no TLS", "ssl_mode", "Turn it on there, or say ssl_mode: prefer.")

    def close(self) -> None:
        self.connection.close()

    def rows(self, statement: str, arguments: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        with self.speaking(), self.connection.cursor(self.pymysql.cursors.DictCursor) as cursor:
            cursor.execute(statement, arguments or None)
            return list(cursor.fetchall())

    def run(self, statement: str) -> None:
        with self.speaking(), self.connection.cursor() as cursor:
            cursor.execute(statement)

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Turn what the driver raises into one sentence."""
        try:
            yield
        except self.pymysql.err.MySQLError as error:
            number = error.args[0] if error.args else 0
            words = str(error.args[-1] if error.args else error)
            if isinstance(error, self.pymysql.err.InterfaceError) or number in _GONE:
                raise Unreachable(f"the connection broke ({words})", self.endpoint.where, "Run again.") from None
            said = f"the server says: {words} ({number})"
            if number in _MAY_NOT:
                do = f"Give {self.endpoint.user} the privilege, or log in as another one."
                raise Forbidden(said, self.endpoint.where, do) from None
            raise Refused(said, self.endpoint.where) from None
        except OSError as error:
            raise Unreachable(f"the connection broke ({error})", self.endpoint.where, "Run again.") from None


def try_login(endpoint: Endpoint, account: str, only: bool) -> str:
    """Whether the server takes an account's password, where nobody may see what it keeps.

    It is denied for other reasons too, so that tells of the password only of an account that is the ``only`` one of its
    name and may come from anywhere.
    """
    try:
        with closing(Session(endpoint)) as session:
            found = session.rows("SELECT CURRENT_USER() AS who")[0]["who"]
            return SAME if found == account else UNKNOWN
    except Denied as error:
        if error.what.rstrip(".").endswith(_LOCKED):
            return SAME
        return DIFFERS if only else UNKNOWN
    except FlatrunError:
        return UNKNOWN
