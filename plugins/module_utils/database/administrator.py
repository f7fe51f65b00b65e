# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Administrators' logins: whether a server answers in its own protocol, and setting the password there."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_native, mysql_tls

# MySQL and MariaDB: access denied, as with a wrong password or an unknown account.
_MYSQL_DENIED = (1045, 1130, 1698, 3118)
# An account that stays as it is: with skip_name_resolve MariaDB has no use for one of a host's name, so nobody can
# enter by it, nor alter it; and with a password history MySQL refuses the password that it has already.
_MYSQL_KEPT = (1396, 3638)
# The second is what a server says whose first start was cut short before it let anybody in.
_POSTGRESQL_DENIED = ("authentication failed", "no pg_hba.conf entry")

# The second is what a server without a password says to any; older clients take neither for a failed login.
_REDIS_DENIED = ("WRONGPASS", "without any password configured")


class Denied(FlatrunError):
    """The server answered, and does not take the password."""


class Account:
    """An administrator at an address; ``user`` in the server's own spelling."""

    def __init__(self, address: str, port: int, user: str, password: Secret, timeout: int = 5) -> None:
        self.address, self.port, self.user, self.password, self.timeout = address, port, user, password, timeout


def _driver(module: str, package: str) -> Any:
    try:
        return __import__(module)
    except ImportError as error:
        raise FlatrunError(
            f"the library {module} is missing for {sys.executable} ({error})",
            do=f"Install {package} there, as role flatrun.infra.host does.",
        ) from None


def _not_taken(words: object) -> FlatrunError:
    return FlatrunError(f"the server does not take the new password: {words}", do="See what it says.")


def _mysql(account: Account) -> Any:
    pymysql = _driver("pymysql", "python3-pymysql and python3-cryptography")
    try:
        return mysql_tls.connect(
            pymysql,
            mysql_tls.context(),
            host=account.address,
            port=account.port,
            user=account.user,
            charset="utf8mb4",
            autocommit=True,
            # Text would be sent as latin1; the server compares bytes.
            password=account.password.reveal().encode(),
            connect_timeout=account.timeout,
            read_timeout=account.timeout,
            write_timeout=account.timeout,
        )
    except pymysql.err.OperationalError as error:
        kind = Denied if error.args[0] in _MYSQL_DENIED else Unreachable
        raise kind(str(error.args[-1])) from None
    except ValueError:
        raise Denied("the password is too long to be sent without TLS") from None
    except (pymysql.err.MySQLError, OSError, RuntimeError) as error:
        raise Unreachable(str(error)) from None


def _mysql_set(connection: Any, user: str, new: Secret) -> None:
    """MySQL leaves the password out of its logs by itself."""
    _mysql_alter(connection, user, "BY %s", new.reveal())


def _mariadb_set(connection: Any, user: str, new: Secret) -> None:
    """MariaDB writes what it was sent into its logs, so it is sent what it keeps."""
    _mysql_alter(connection, user, "BY PASSWORD %s", mysql_native.digest(new.reveal().encode()).decode())


def _mysql_alter(connection: Any, user: str, how: str, word: str) -> None:
    pymysql = _driver("pymysql", "python3-pymysql")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT Host FROM mysql.user WHERE User = %s", (user,))
            for host in [row[0] for row in cursor.fetchall()]:
                try:
                    cursor.execute(f"ALTER USER %s@%s IDENTIFIED {how}", (user, host, word))
                except pymysql.err.OperationalError as error:
                    if error.args[0] not in _MYSQL_KEPT:
                        raise
    except pymysql.err.MySQLError as error:
        raise _not_taken(error.args[-1]) from None


def _postgresql(account: Account) -> Any:
    psycopg2 = _driver("psycopg2", "python3-psycopg2")
    try:
        connection = psycopg2.connect(
            host=account.address,
            port=account.port,
            user=account.user,
            dbname="postgres",
            password=account.password.reveal(),
            connect_timeout=account.timeout,
            application_name="flatrun.infra",
        )
    except psycopg2.OperationalError as error:
        kind = Denied if any(words in str(error) for words in _POSTGRESQL_DENIED) else Unreachable
        raise kind(" ".join(str(error).split())) from None
    connection.autocommit = True
    return connection


def _postgresql_set(connection: Any, user: str, new: Secret) -> None:
    from psycopg2 import Error, extensions, sql

    try:
        # libpq makes the verifier here, so that no log of the server ever holds the password.
        verifier = extensions.encrypt_password(new.reveal(), user, connection, "scram-sha-256")
        with connection.cursor() as cursor:
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(verifier))
            cursor.execute(statement)
    except Error as error:
        raise _not_taken(error) from None


def one_try(redis: Any) -> Any:
    """For redis-py: a refused password would be tried again, for ten seconds, as if the connection had failed."""
    return redis.retry.Retry(redis.backoff.NoBackoff(), 0)


def _redis(account: Account) -> Any:
    redis = _driver("redis", "python3-redis")
    client = redis.Redis(
        host=account.address,
        port=account.port,
        password=account.password.reveal() or None,
        socket_timeout=account.timeout,
        socket_connect_timeout=account.timeout,
        retry=one_try(redis),
    )
    try:
        client.ping()
    except redis.exceptions.AuthenticationError as error:
        raise Denied(str(error)) from None
    except redis.exceptions.ResponseError as error:
        raise (Denied if any(words in str(error) for words in _REDIS_DENIED) else Unreachable)(str(error)) from None
    except (redis.exceptions.RedisError, OSError) as error:
        raise Unreachable(str(error)) from None
    return client


def _redis_set(connection: Any, user: str, new: Secret) -> None:
    redis = _driver("redis", "python3-redis")
    rule = f"#{redis_hash(new)}" if new.reveal() else "nopass"
    try:
        connection.execute_command("ACL", "SETUSER", "default", "resetpass", rule)
        connection.execute_command("ACL", "SAVE")
    except redis.exceptions.RedisError as error:
        raise _not_taken(error) from None


def write_out(account: Account, patience: float) -> None:
    """Have Redis write all it holds in both of its forms, so that a successor finds it in the one that it reads.

    With ``appendonly yes`` a server reads the append-only files alone, without it the snapshot alone, and silently
    starts empty where its form is missing. With a save point it writes a snapshot when it is stopped.
    """
    client = _redis(account)
    try:
        client.config_set("appendonly", "yes")
        client.config_set("save", "3600 1")
        until = time.monotonic() + patience
        while any(client.info("persistence").get(f"aof_rewrite_{key}") for key in ("in_progress", "scheduled")):
            if time.monotonic() >= until:
                raise Unreachable("Redis is still writing its append-only file", do="Give it more time: wait_timeout.")
            time.sleep(0.05)
    finally:
        client.close()


def whereabouts(engine: str, account: Account) -> dict[str, str]:
    """Where a server has its data, by its own names for that; empty where it does not tell."""
    connection = _LOGIN[engine](account)
    try:
        return _redis_whereabouts(connection) if engine == "redis" else _sql_whereabouts(engine, connection)
    finally:
        connection.close()


def _redis_whereabouts(client: Any) -> dict[str, str]:
    redis = _driver("redis", "python3-redis")
    found: dict[str, str] = {}
    for name in ("dir", "appendfilename", "appenddirname", "dbfilename"):
        try:
            found.update(client.config_get(name))
        except redis.exceptions.ResponseError:
            # The command may have another name there.
            return {}
    return found


def _sql_whereabouts(engine: str, connection: Any) -> dict[str, str]:
    driver = _driver("psycopg2" if engine == "postgresql" else "pymysql", "the server's client library")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW data_directory" if engine == "postgresql" else "SELECT @@datadir")
            return {"dir": str(cursor.fetchone()[0])}
    except driver.Error:
        return {}


_LOGIN: Mapping[str, Callable[[Account], Any]] = {
    "mysql": _mysql,
    "mariadb": _mysql,
    "postgresql": _postgresql,
    "redis": _redis,
}
_SET: Mapping[str, Callable[[Any, str, Secret], None]] = {
    "mysql": _mysql_set,
    "mariadb": _mariadb_set,
    "postgresql": _postgresql_set,
    "redis": _redis_set,
}


def attempt(engine: str, account: Account) -> None:
    """Log in and ask something; raises Denied, or Unreachable with the server's words."""
    connection = _LOGIN[engine](account)
    try:
        if engine != "redis":
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                cursor.fetchall()
    finally:
        connection.close()


def set_password(engine: str, account: Account, new: Secret) -> None:
    """Give the administrator another password, on each of its hosts; raises as ``attempt`` does.

    It is proven before the connection is closed, which may be the only way back in: where nobody can log in with the
    new one, the former is set again.
    """
    connection = _LOGIN[engine](account)
    try:
        _SET[engine](connection, account.user, new)
        try:
            attempt(engine, Account(account.address, account.port, account.user, new, account.timeout))
        except FlatrunError as error:
            _SET[engine](connection, account.user, account.password)
            raise FlatrunError(
                f"the new password is not taken at a login ({error.what}), so the former one is kept",
                do="Choose another one, or see the server's log.",
            ) from None
    finally:
        connection.close()


def redis_hash(password: Secret) -> str:
    """As Redis keeps it in its ACL file: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/."""
    return hashlib.sha256(password.reveal().encode()).hexdigest()
