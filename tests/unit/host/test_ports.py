"""Who has a port: containers by the engine's listing, processes by the kernel's tables."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.host import ports
from ansible_collections.flatrun.infra.plugins.module_utils.service.values import Port


def listing(*mappings: tuple[str, str, int, str]) -> list[dict[str, Any]]:
    return [
        {"Names": [f"/{name}"], "Ports": [{"IP": address, "PublicPort": port, "PrivatePort": 1, "Type": protocol}]}
        for name, address, port, protocol in mappings
    ]


@pytest.mark.parametrize(
    ("asked", "published", "taken"),
    [
        (Port("", 9, 80), ("web", "0.0.0.0", 9, "tcp"), True),
        (Port("127.0.0.1", 9, 80), ("web", "0.0.0.0", 9, "tcp"), True),
        (Port("127.0.0.1", 9, 80), ("web", "::", 9, "tcp"), True),
        (Port("", 9, 80), ("web", "127.0.0.1", 9, "tcp"), True),
        (Port("127.0.0.1", 9, 80), ("web", "127.0.0.1", 9, "tcp"), True),
        (Port("127.0.0.1", 9, 80), ("web", "127.0.0.2", 9, "tcp"), False),
        (Port("", 9, 80), ("web", "0.0.0.0", 8, "tcp"), False),
        (Port("", 9, 80), ("web", "0.0.0.0", 9, "udp"), False),
        (Port("", 9, 80, "udp"), ("web", "0.0.0.0", 9, "udp"), True),
    ],
)
def test_a_container_has_it(asked: Port, published: tuple[str, str, int, str], taken: bool) -> None:
    found = ports.holders([asked], listing(published), frozenset())
    assert found == ({str(asked): "the container web"} if taken else {})


def test_what_is_published_by_the_service_itself_is_not_taken() -> None:
    assert ports.holders([Port("", 9, 80)], listing(("own", "0.0.0.0", 9, "tcp")), frozenset({"own"})) == {}


def test_containers_without_ports_are_no_obstacle() -> None:
    assert ports.holders([Port("", 9, 80)], [{"Names": ["/x"]}, {"Names": ["/y"], "Ports": None}], frozenset()) == {}


@pytest.mark.parametrize(
    ("family", "kind", "bound", "asked", "protocol", "taken"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", "127.0.0.1", "tcp", True),
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", "", "tcp", True),
        (socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0", "127.0.0.1", "tcp", True),
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", "127.0.0.2", "tcp", False),
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", "127.0.0.1", "udp", False),
        (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", "127.0.0.1", "udp", True),
        (socket.AF_INET6, socket.SOCK_STREAM, "::1", "::1", "tcp", True),
        (socket.AF_INET6, socket.SOCK_STREAM, "::", "127.0.0.1", "tcp", True),
    ],
)
def test_a_process_has_it(
    family: socket.AddressFamily, kind: socket.SocketKind, bound: str, asked: str, protocol: str, taken: bool
) -> None:
    with socket.socket(family, kind) as server:
        server.bind((bound, 0))
        if kind == socket.SOCK_STREAM:
            server.listen()
        port = Port(asked, server.getsockname()[1], 80, protocol)
        found = ports.holders([port], [], frozenset())
    if taken:
        assert found[str(port)].startswith("the process ")
        assert found[str(port)].endswith(f"({os.getpid()})")
    else:
        assert found == {}


def test_a_connection_is_no_listener() -> None:
    """Only who waits for peers has a port; the client's end of a connection has one of its own by chance."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        port = Port("127.0.0.1", client.getsockname()[1], 80)
        assert ports.holders([port], [], frozenset()) == {}


def test_own_proxy_processes_are_no_obstacle() -> None:
    """The engine's proxy for a published port is a process of the host as well."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        own = listing(("own", "127.0.0.1", number, "tcp"))
        assert ports.holders([Port("127.0.0.1", number, 80)], own, frozenset({"own"})) == {}
