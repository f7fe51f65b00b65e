"""What `site` has made, as its neighbours meet it: over the wire, through the engine, and on the disk."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import stat
import subprocess
import time
from pathlib import Path

import pytest

NAME = os.environ["SCENARIO_NAME"]
ROOT = Path("/var/tmp") / NAME
SERVICES = ("nginx", "mysql", "mariadb", "postgresql", "redis", "certbot")
# What each server says first to whoever comes, or answers to a question without a password.
GREETINGS = {
    "mysql": (3306, b"", b"caching_sha2_password"),
    "mariadb": (3306, b"", b"MariaDB"),
    "postgresql": (5432, b"\0\0\0\x08\x04\xd2\x16\x2f", b"N"),
    "redis": (6379, b"PING\r\n", b"-NOAUTH"),
}


def inspect(service: str) -> dict:
    done = subprocess.run(["docker", "inspect", f"{NAME}-{service}"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)[0]


@pytest.mark.parametrize("service", SERVICES)
def test_runs_and_is_healthy(service: str) -> None:
    """It answers already; the engine looks for itself now and then, and takes longer for that on a busy machine."""
    until, state = time.monotonic() + 300, inspect(service)["State"]
    while state["Health"]["Status"] != "healthy" and time.monotonic() < until:
        time.sleep(0.5)
        state = inspect(service)["State"]
    assert (state["Status"], state["Health"]["Status"]) == ("running", "healthy")


@pytest.mark.parametrize("service", GREETINGS)
def test_answers_on_its_network_and_nowhere_else(service: str) -> None:
    found = inspect(service)
    port, question, answer = GREETINGS[service]
    assert list(found["NetworkSettings"]["Networks"]) == [f"{NAME}-database"]
    assert not found["HostConfig"]["PortBindings"]
    address = found["NetworkSettings"]["Networks"][f"{NAME}-database"]["IPAddress"]
    with socket.create_connection((address, port), 60) as server:
        server.sendall(question)
        assert answer in server.recv(200)


def test_unknown_host_gets_no_page() -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["SCENARIO_HTTP_PORT"]), timeout=60)
    connection.request("GET", "/", headers={"Host": "unknown.example.com"})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()


def test_unknown_host_gets_no_certificate() -> None:
    context = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", int(os.environ["SCENARIO_HTTPS_PORT"])), 60) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname="unknown.example.com")


def test_secrets_are_files_that_nobody_else_reads() -> None:
    files = [path for path in ROOT.glob("*/secrets/*") if path.is_file()]
    assert len(files) >= len(GREETINGS)
    assert [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_no_secret_stands_in_a_containers_description() -> None:
    secrets = [path.read_text().strip() for path in ROOT.glob("*/secrets/*") if path.is_file()]
    shown = json.dumps([inspect(service) for service in SERVICES])
    assert [secret for secret in secrets if len(secret) > 7 and secret in shown] == []
