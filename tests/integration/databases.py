"""Database servers that the tests share, and ways to ask them, to run flatrun_db, and to read what they logged.

What tells lines apart is tried on older and newer ones too. FLATRUN_TEST_VERSIONS, such as "mariadb:10.11
postgresql:15 postgresql:18", has everything tried on those that it names.
"""

from __future__ import annotations

import os
import re
import secrets
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg2
import pymysql
import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Plan
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import DB
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint, locate
from ansible_collections.flatrun.infra.plugins.module_utils.database.room import ROOM
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_connection import connection
from ansible_collections.flatrun.infra.plugins.module_utils.service.arguments import INFRA
from ansible_collections.flatrun.infra.plugins.module_utils.service.room import ROOM as INFRA_ROOM
from ansible_collections.flatrun.infra.tests.integration.faults.lab import EVERYTHING, module_path, others_long, until
from ansible_collections.flatrun.infra.tests.integration.faults.modules import ROOT, WAIT, Run, start

ENGINES = ("mysql", "mariadb", "postgresql")
VERSIONS = tuple(os.environ.get("FLATRUN_TEST_VERSIONS", "").split())
SERVERS = (*ENGINES, *VERSIONS)
_LINES = ("mariadb:10.11", "postgresql:15", *(["postgresql:18"] if EVERYTHING else []))
LINES = tuple(line for line in _LINES if line not in VERSIONS)
# All the files that share the servers stay on one worker: three servers cost more than most of the tests.
GROUP = pytest.mark.xdist_group("databases")
_MARIADB = "[mysqld]\nlog_bin\nplugin_load_add=auth_ed25519\n"
_LOGGED = re.compile(r"\[(?P<who>[^\]]*)\] LOG:  statement: (?P<text>.*(?:\n\t.*)*)")
# The driver's own reads all the system's authorities, each time.
_UNCHECKED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_UNCHECKED.check_hostname, _UNCHECKED.verify_mode = False, ssl.CERT_NONE
Rows = list[tuple[Any, ...]]


def filled(options: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """As Ansible hands parameters over: each option with its default."""
    found = {name: deepcopy(given.get(name, option.get("default"))) for name, option in options.items()}
    for name, option in options.items():
        if option.get("options") and found[name]:
            found[name] = [filled(option["options"], entry) for entry in found[name]]
    return found


def run(server: Mapping[str, Any], task: Mapping[str, Any], check_mode: bool = False) -> Any:
    """The plan of a task that was run, without Ansible around it."""
    course: Walk[Any] = Walk()
    walk(ROOM, ROOM.parse(filled(DB.options, {**server, **task})), check_mode, course)
    return course.plan


def steps(plan: Plan) -> list[tuple[str, str]]:
    return [(action.verb, action.target) for action in plan.actions]


@dataclass(frozen=True)
class Server:
    """A server of the tests' own. ``engine`` is what it is, ``line`` may add a version to that."""

    line: str
    container: str
    root: str
    modules: Path = field(repr=False)

    @property
    def engine(self) -> str:
        return self.line.split(":")[0]

    @property
    def is_postgresql(self) -> bool:
        return self.engine == "postgresql"

    @property
    def reached(self) -> dict[str, Any]:
        """What a task needs to reach it, on a busy machine too."""
        return {"container": self.container, "root_dir": self.root, "connect_timeout": 60}

    @property
    def data(self) -> Path:
        return Path(self.root, self.container, "data")

    @cached_property
    def endpoint(self) -> Endpoint:
        found = locate(connection(filled(DB.options, self.reached)))
        assert isinstance(found, Endpoint)
        return found

    @property
    def administrator(self) -> tuple[str, str]:
        return self.endpoint.user, self.endpoint.passwords[0].reveal()

    def through(self, port: int) -> dict[str, Any]:
        """The same for a task that comes by another way: without TLS, so that what passes can be read."""
        user, password = self.administrator
        at = {"engine": self.engine, "login_host": "127.0.0.1", "login_port": port, "ssl_mode": "disable"}
        at["connect_timeout"] = self.reached["connect_timeout"]
        return {**at, "login_user": user, "login_password": password}

    def run(self, task: Mapping[str, Any], check_mode: bool = False) -> Any:
        return run(self.reached, task, check_mode)

    def settle(self, task: Mapping[str, Any]) -> Any:
        """A clean run, and the proof that one more changes nothing."""
        done = self.run(task)
        again = self.run(task)
        assert not again, steps(again)
        return done

    @contextmanager
    def opened(self, user: str = "", password: str = "", database: str = "") -> Iterator[Any]:
        """A connection as the administrator or somebody else, by the driver alone."""
        name, secret = (user, password) if user else self.administrator
        at = {"host": self.endpoint.host, "port": self.endpoint.port, "user": name}
        if self.is_postgresql:
            made = psycopg2.connect(
                dbname=database or "postgres",
                password=secret,
                application_name="flatrun tests",
                client_encoding="UTF8",
                **at,
            )
            made.autocommit = True
        else:
            tls = {"ssl": _UNCHECKED} if self.engine == "mysql" else {"ssl_disabled": True}
            made = pymysql.connect(
                database=database or None, password=secret.encode(), charset="utf8mb4", autocommit=True, **tls, **at
            )
        with closing(made):
            yield made

    def ask(self, statement: str, values: Sequence[Any] = (), database: str = "") -> Rows:
        return self.ask_all([(statement, values)], database)

    def ask_all(self, statements: Sequence[tuple[str, Sequence[Any]]], database: str = "") -> Rows:
        """The rows of the last of them."""
        with self.opened(database=database) as made, made.cursor() as cursor:
            for statement, values in statements:
                cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []

    def say(self, *statements: str, database: str = "") -> None:
        self.ask_all([(statement, ()) for statement in statements], database)

    def may_enter(self, user: str, password: str, database: str = "") -> bool | None:
        """Whether the user gets into the database; None where the password isn't even taken."""
        try:
            with self.opened(user, password, database):
                return True
        except psycopg2.OperationalError as error:
            return None if "authentication failed" in str(error) else False
        except pymysql.err.OperationalError as error:
            return None if error.args[0] == 1045 else False

    # Processes

    def start(self, reached: Mapping[str, Any], task: Mapping[str, Any]) -> Run:
        """Begin a run as a process of its own, as Ansible does, which can be killed."""
        return start("flatrun_db", {**reached, **task}, self.modules)

    # What it logged

    @contextmanager
    def logging(self, more: Mapping[str, str] | None = None) -> Iterator[Log]:
        """All its logs on, as long as this lasts; the binary log always is. ``more`` are settings of PostgreSQL."""
        if self.is_postgresql:
            settings = {
                "log_statement": "'all'",
                "log_line_prefix": "'[%a] '",
                "log_min_duration_statement": "0",
                "log_parameter_max_length": "-1",
                "log_connections": "on",
                **(more or {}),
            }
            log = Log(self)
            self.configure(*(f"ALTER SYSTEM SET {name} = {value}" for name, value in settings.items()))
            try:
                yield log
            finally:
                self.configure(*(f"ALTER SYSTEM RESET {name}" for name in settings))
            return
        self.say(
            "SET GLOBAL general_log = OFF",
            "SET GLOBAL log_output = 'FILE,TABLE'",
            "TRUNCATE mysql.general_log",
            "SET GLOBAL general_log = ON, GLOBAL slow_query_log = ON, GLOBAL long_query_time = 0",
        )
        try:
            yield Log(self)
        finally:
            self.say("SET GLOBAL general_log = OFF, GLOBAL slow_query_log = OFF, GLOBAL long_query_time = 10")

    def configure(self, *statements: str) -> None:
        """The new configuration holds for whoever connects after the server has read it."""
        before = self.ask("SELECT pg_conf_load_time()")
        self.say(*statements, "SELECT pg_reload_conf()")
        until(lambda: self.ask("SELECT pg_conf_load_time()") != before)

    def output(self) -> str:
        """What the container wrote: for PostgreSQL its log, for the others what went wrong."""
        done = subprocess.run(
            ["docker", "logs", self.container], capture_output=True, text=True, errors="replace", check=True
        )
        return done.stdout + done.stderr


class Log:
    """The statements that the server was sent since the last look, less those of the tests."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.seen = len(server.output()) if server.is_postgresql else 0

    def statements(self) -> list[str]:
        return self._postgresql() if self.server.is_postgresql else self._mysql()

    def _mysql(self) -> list[str]:
        with self.server.opened() as made, made.cursor() as cursor:
            cursor.execute("SET GLOBAL general_log = OFF")
            cursor.execute(
                "SELECT thread_id, CONVERT(argument USING utf8mb4) FROM mysql.general_log"
                " WHERE command_type IN ('Query', 'Execute', 'Prepare') AND thread_id <> CONNECTION_ID()"
                " ORDER BY event_time, thread_id"
            )
            rows = cursor.fetchall()
            cursor.execute("TRUNCATE mysql.general_log")
            cursor.execute("SET GLOBAL general_log = ON")
        # Only the collection says which modes it wants.
        ours = {thread for thread, text in rows if "sql_mode" in text}
        return [" ".join(text.split()) for thread, text in rows if thread in ours]

    def _postgresql(self) -> list[str]:
        text = self._until(secrets.token_hex(8))
        new, self.seen = text[self.seen :], len(text)
        return [" ".join(found["text"].split()) for found in _LOGGED.finditer(new) if found["who"] == "flatrun.infra"]

    def _until(self, mark: str) -> str:
        """What the server wrote up to a statement of the tests' own; the engine hands it on in its own time."""
        self.server.say(f"SELECT '{mark}'")
        until(lambda: mark in self.server.output())
        return self.server.output()


def image_of(line: str, images: Mapping[str, str]) -> str:
    kind, _colon, version = line.partition(":")
    return images[kind] if not version else f"flatrun/{kind}:{version}-local"


def build_missing(lines: Sequence[str]) -> None:
    """The images of other lines, which `make images` has built unless they were named for this run alone."""
    missing = [
        line
        for line in lines
        if ":" in line
        and subprocess.run(
            ["docker", "image", "inspect", image_of(line, {})], capture_output=True, check=False
        ).returncode
    ]
    if missing:
        script = ROOT / "tests" / "setup" / "images"
        subprocess.run([script, "-e", f"images_types={','.join(missing)}"], check=True, stdin=subprocess.DEVNULL)


@contextmanager
def started(
    lines: Sequence[str],
    images: Mapping[str, str],
    modules: Path,
    settings: str = "",
    files: Mapping[str, str] = MappingProxyType({}),
    space: str = "",
) -> Iterator[dict[str, Server]]:
    """A server of each line, all of them started at once; ``settings`` are MariaDB's beside the usual ones.

    ``files`` lie beside its configuration, name to text. ``space`` is the size of a disk of their own, such as "600m".
    """
    build_missing(lines)
    prefix = f"frt{secrets.token_hex(3)}"
    # The folders above may be nobody else's to write, so it is none of pytest's.
    root = f"/var/tmp/flatrun-test-{prefix}"
    names = {line: f"{prefix}-{line.replace(':', '-')}" for line in lines}
    items = [
        {
            "name": name,
            "type": line.split(":")[0],
            "container": name,
            "image": image_of(line, images),
            "networks": [prefix],
            # Nobody asks here how they are.
            "healthcheck": {"interval": "2m"},
            **({"config_files": {"90-tests.cnf": _MARIADB + settings, **files}} if line.startswith("mariadb") else {}),
        }
        for line, name in names.items()
    ]
    os.mkdir(root, 0o755)
    if space:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={space},mode=755", "tmpfs", root], check=True)
    params = filled(
        INFRA.options, {"root_dir": root, "networks": [{"name": prefix}], "services": items, "wait_timeout": WAIT}
    )
    try:
        walk(INFRA_ROOM, INFRA_ROOM.parse(params), False, Walk())
        yield {line: Server(line, name, root, modules) for line, name in names.items()}
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", *names.values()], capture_output=True, check=False)
        subprocess.run(["docker", "network", "rm", prefix], capture_output=True, check=False)
        if space:
            subprocess.run(["umount", root], check=True)
        subprocess.run(["rm", "-rf", root], check=True)


@pytest.fixture(scope="session")
def servers(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    with started(SERVERS, images, module_path(tmp_path_factory.mktemp("modules"))) as found:
        yield found


@pytest.fixture(scope="session")
def other_lines(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    with started(LINES, images, module_path(tmp_path_factory.mktemp("modules"))) as found:
        yield found


# Where MariaDB goes MySQL's way by the same code.
ONE_OF_EACH = others_long(SERVERS, "mysql", "postgresql", *VERSIONS)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
    return servers[request.param]


@pytest.fixture(params=(*SERVERS, *LINES))
def any_server(request: pytest.FixtureRequest) -> Server:
    """One of every line, where lines may differ."""
    found = request.getfixturevalue("other_lines" if request.param in LINES else "servers")
    return found[request.param]
