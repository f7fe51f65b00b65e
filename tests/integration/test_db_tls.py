"""How a server is reached: over TLS that is checked, with a certificate of one's own, and by its socket.

An authority of the tests' own has signed the servers' certificates, for `localhost` alone: the address is another name.
"""

from __future__ import annotations

import select
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import administrator
from ansible_collections.flatrun.infra.tests.integration.databases import ENGINES, GROUP, Server, run, started
from ansible_collections.flatrun.infra.tests.integration.faults.lab import inspect, module_path

pytestmark = GROUP
TASK = {"users": [{"name": "far", "password": "x"}]}
GONE = {"users": [{"name": "far", "state": "absent"}]}
SERVER = 999
_CONTENTS = {"ca": "ca.pem", "cert": "server.pem", "key": "server.key"}


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def authority(folder: Path) -> Path:
    folder.mkdir()
    made = ["-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem"), "-subj", f"/CN=authority {folder.name}"]
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", *made)
    return folder


def sign(folder: Path, name: str, subject: str, *more: str) -> None:
    """A certificate, its key beside it."""
    asked = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.csr"), "-subj", f"/CN={subject}"]
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *asked, *more)
    by = ["-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key"), "-CAcreateserial"]
    files = ["-in", str(folder / f"{name}.csr"), "-out", str(folder / f"{name}.pem")]
    openssl("x509", "-req", "-days", "30", "-copy_extensions", "copy", *by, *files)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = authority(tmp_path_factory.mktemp("tls") / "ours")
    sign(folder, "server", "server", "-addext", "subjectAltName=DNS:localhost")
    sign(folder, "client", "certified")
    authority(folder.parent / "theirs")
    return folder


@pytest.fixture(scope="module")
def served(
    servers: dict[str, Server], files: Path, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Server]]:
    """The servers show the tests' certificates as long as this lasts; MariaDB, one of its own, from its start on."""
    with ExitStack() as stack:
        mysql, postgresql = (stack.enter_context(showing(servers[name], files)) for name in ("mysql", "postgresql"))
        names = "".join(f"ssl_{key}=/etc/mysql/conf.d/{name}\n" for key, name in _CONTENTS.items())
        texts = {name: (files / name).read_text() for name in _CONTENTS.values()}
        modules = module_path(tmp_path_factory.mktemp("modules"))
        mariadb = stack.enter_context(started(("mariadb",), images, modules, names, texts))
        yield {"mysql": mysql, "postgresql": postgresql, **mariadb}


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, served: dict[str, Server]) -> Server:
    return served[request.param]


@contextmanager
def showing(server: Server, files: Path) -> Iterator[Server]:
    folder = server.data / "tests_tls"
    folder.mkdir()
    shutil.chown(folder, SERVER, SERVER)
    for name in _CONTENTS.values():
        shutil.copy(files / name, folder)
        (folder / name).chmod(0o600)
        shutil.chown(folder / name, SERVER, SERVER)
    if server.is_postgresql:
        settings = {f"ssl_{key}_file": f"tests_tls/{name}" for key, name in _CONTENTS.items()} | {"ssl": "on"}
        server.configure(*(f"ALTER SYSTEM SET {key} = '{value}'" for key, value in settings.items()))
        with certified_only(server):
            yield server
        server.configure(*(f"ALTER SYSTEM RESET {key}" for key in settings))
    else:
        settings = {f"ssl_{key}": f"/var/lib/mysql/tests_tls/{name}" for key, name in _CONTENTS.items()}
        asked = ", ".join(f"'{key}'" for key in settings)
        before = dict(server.ask(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({asked})"))
        for values in (settings, before):
            server.say(*(f"SET GLOBAL {key} = '{value}'" for key, value in values.items()), "ALTER INSTANCE RELOAD TLS")
            if values is settings:
                yield server
    shutil.rmtree(folder)


@contextmanager
def certified_only(server: Server) -> Iterator[None]:
    """PostgreSQL asks the user `certified` for a certificate, as the others do by what the account requires."""
    rules = server.data / "pg_hba.conf"
    usual = rules.read_text()
    rules.write_text(
        f"hostssl all certified all scram-sha-256 clientcert=verify-full\nhost all certified all reject\n{usual}"
    )
    server.configure()
    yield
    rules.write_text(usual)
    server.configure()


@pytest.fixture
def place(server: Server) -> Iterator[dict[str, Any]]:
    """The server by the name that its certificate is for."""
    with forwarded(server) as port:
        user, password = server.administrator
        at = {"engine": server.engine, "login_host": "localhost", "login_port": port}
        yield {**at, "login_user": user, "login_password": password, "connect_timeout": 60}


@contextmanager
def forwarded(server: Server) -> Iterator[int]:
    """A port of this machine that leads to the server."""

    class Pump(BaseRequestHandler):
        def handle(self) -> None:
            client = self.request
            with socket.create_connection((server.endpoint.host, server.endpoint.port)) as far, suppress(OSError):
                other = {client: far, far: client}
                while True:
                    for one in select.select([client, far], [], [])[0]:
                        if not (part := one.recv(65536)):
                            return
                        other[one].sendall(part)

    with ThreadingTCPServer(("127.0.0.1", 0), Pump) as listener:
        threading.Thread(target=listener.serve_forever).start()
        try:
            yield listener.server_address[1]
        finally:
            listener.shutdown()


def test_who_is_checked(server: Server, place: dict[str, Any], files: Path) -> None:
    ca, other = str(files / "ca.pem"), str(files.parent / "theirs" / "ca.pem")
    by_address = {**place, "login_host": "127.0.0.1"}
    for mode in ("verify-ca", "verify-full"):
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            run({**place, "ssl_mode": mode, "ca_cert": other}, TASK)
        assert run({**place, "ssl_mode": mode, "ca_cert": ca}, TASK, check_mode=True)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
        run({**by_address, "ssl_mode": "verify-full", "ca_cert": ca}, TASK)
    assert run({**by_address, "ssl_mode": "verify-ca", "ca_cert": ca}, TASK, check_mode=True)
    assert run({**by_address, "ssl_mode": "verify-full", "ca_cert": ca, "check_hostname": False}, TASK)
    assert not run({**place, "ssl_mode": "require"}, TASK)
    assert run({**place, "ssl_mode": "disable"}, GONE)


@pytest.mark.parametrize("key", ["ca_cert", "client_cert"])
def test_a_file_that_is_not_there(server: Server, place: dict[str, Any], files: Path, key: str) -> None:
    given = {"ca_cert": str(files / "ca.pem"), key: str(files / "nowhere.pem")}
    with pytest.raises(FlatrunError, match=r"nowhere\.pem") as refusal:
        run({**place, "ssl_mode": "verify-full", **given}, TASK)
    assert key in refusal.value.sentence()


def test_a_certificate_of_ones_own(server: Server, place: dict[str, Any], files: Path) -> None:
    """What an account requires is given by the task, seen, and asked for by the server."""
    certified = {"name": "certified", "password": "it's certified"}
    if server.is_postgresql:
        certified["attributes"] = ["CREATEROLE"]
        grants = []
    else:
        certified["tls_requires"] = {"subject": "/CN=certified"}
        grants = [{"user": "certified", "object_type": "server", "privileges": ["CREATE USER", "SELECT", "RELOAD"]}]
    secured = {**place, "ssl_mode": "verify-full", "ca_cert": str(files / "ca.pem")}
    mine = {**secured, "login_user": "certified", "login_password": "it's certified"}
    try:
        server.settle({"users": [certified], "grants": grants})
        with pytest.raises(FlatrunError):
            run(mine, TASK)
        mine |= {"client_cert": str(files / "client.pem"), "client_key": str(files / "client.key")}
        assert run(mine, TASK)
        assert not run(mine, TASK)
        assert run(mine, GONE)
    finally:
        server.run({"users": [{"name": "certified", "state": "absent"}]})


@pytest.mark.parametrize("name", ["mysql", "mariadb"])
def test_the_administrators_login(served: dict[str, Server], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """flatrun_infra's own, time and again while a server starts: without the system's authorities, which take long."""
    monkeypatch.delattr(ssl.SSLContext, "load_default_certs")
    server = served[name]
    at, (user, password) = server.endpoint, server.administrator
    account = administrator.Account(at.host, at.port, user, Secret(password))
    with server.opened() as held, held.cursor() as cursor:
        cursor.execute("SET GLOBAL require_secure_transport = ON")
        try:
            administrator.attempt(name, account)
            administrator.set_password(name, account, Secret(password))
            with pytest.raises(administrator.Denied):
                administrator.attempt(name, administrator.Account(at.host, at.port, user, Secret("another")))
        finally:
            cursor.execute("SET GLOBAL require_secure_transport = OFF")


def test_by_its_socket(server: Server) -> None:
    """A server beside the task is reached without a network, and TLS is none of its business."""
    inside = f"/proc/{inspect(server.container)['State']['Pid']}/root/run"
    where = f"{inside}/postgresql" if server.is_postgresql else f"{inside}/mysqld/mysqld.sock"
    user, password = server.administrator
    at = {"engine": server.engine, "login_unix_socket": where, "login_user": user, "login_password": password}
    assert run({**at, "ssl_mode": "require"} if not server.is_postgresql else at, TASK)
    assert not run(at, TASK)
    assert run(at, GONE)
    with pytest.raises(Unreachable, match="/nowhere is not there"):
        run({**at, "login_unix_socket": "/nowhere"}, TASK)
