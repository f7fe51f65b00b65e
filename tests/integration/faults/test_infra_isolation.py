"""Who can reach what, and what a container may do."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.lab import PASSWORD, Lab, docker, inspect
from ansible_collections.flatrun.infra.tests.integration.faults.modules import PATIENCE
from ansible_collections.flatrun.infra.tests.integration.ports import free_port

DATABASES = ("mysql", "mariadb", "postgresql", "redis")
KINDS = (*DATABASES, "nginx", "certbot")


@pytest.fixture(scope="module", autouse=True)
def ports(lab: Lab) -> dict[str, int]:
    """All services, each on a port that nothing else here listens on, so that who answers there is known."""
    chosen = {kind: free_port() for kind in DATABASES}
    items = [lab.item(kind, **({"port": chosen[kind]} if kind in chosen else {})) for kind in KINDS]
    lab.settle(*items)
    return chosen


def reaches(lab: Lab, network: str, host: str, port: int, seconds: int = 5) -> bool:
    """Whether a container on the network gets a connection, within a time in which others get one.

    The time is that of the attempt alone: a slow engine is no answer. Who expects one gives it more. An engine that
    makes a network lets go of the rules between the others for a moment, and tests beside this one make some: so it is
    tried three times.
    """
    name = lab.name(f"visitor-{secrets.token_hex(3)}")
    where = ["--rm", "--name", name, "--network", network, "--entrypoint", "bash", lab.images["nginx"]]
    once = f"timeout {seconds} bash -c 'exec 3<>/dev/tcp/{host}/{port}'"
    attempt = f"for try in 1 2 3; do {once} || {{ echo not; exit; }}; sleep 0.3; done; echo reached"
    done = subprocess.run(
        ["docker", "run", *where, "-c", attempt], check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    # Without a word of its own nobody has tried.
    assert (done.returncode, done.stdout) in ((0, "reached\n"), (0, "not\n")), f"{done.returncode}: {done.stderr}"
    return done.stdout == "reached\n"


def address(lab: Lab, kind: str) -> str:
    return str(inspect(lab.name(kind))["NetworkSettings"]["Networks"][lab.network(kind)]["IPAddress"])


@pytest.mark.parametrize("kind", DATABASES)
def test_from_the_other_network(lab: Lab, ports: dict[str, int], kind: str) -> None:
    """Neither by name nor by address; from its own network both, so that the attempt itself is known to be sound."""
    for host in (lab.name(kind), address(lab, kind)):
        assert reaches(lab, lab.network(kind), host, ports[kind], 60), f"{host} on its own network"
        assert not reaches(lab, lab.network("nginx"), host, ports[kind]), f"{host} from the proxy network"


@pytest.mark.parametrize("kind", DATABASES)
def test_from_outside(lab: Lab, ports: dict[str, int], kind: str) -> None:
    """On none of the host's own addresses anything answers, and through them a container on `proxy` gets nowhere."""
    found = subprocess.run(["ip", "-json", "address"], check=True, capture_output=True, text=True).stdout
    addresses = [each["local"] for link in json.loads(found) for each in link["addr_info"] if each["scope"] != "link"]
    assert "127.0.0.1" in addresses
    for each in addresses:
        with pytest.raises(OSError):  # noqa: PT011 - refused, unreachable or timed out
            socket.create_connection((each, ports[kind]), timeout=2).close()
    gateway = json.loads(docker("network", "inspect", lab.network("nginx")))[0]["IPAM"]["Config"][0]["Gateway"]
    assert not reaches(lab, lab.network("nginx"), gateway, ports[kind])


def test_nothing_is_published_but_by_nginx(lab: Lab) -> None:
    for kind in KINDS:
        raw = inspect(lab.name(kind))
        bound = {port: hosts for port, hosts in (raw["NetworkSettings"]["Ports"] or {}).items() if hosts}
        assert set(bound) == ({"80/tcp"} if kind == "nginx" else set()), kind
        assert not raw["HostConfig"]["PublishAllPorts"]
    # A bare port is this host's alone.
    (host,) = inspect(lab.name("nginx"))["NetworkSettings"]["Ports"]["80/tcp"]
    assert host["HostIp"] == "127.0.0.1"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_container_may(lab: Lab, kind: str) -> None:
    raw = inspect(lab.name(kind))
    host: dict[str, Any] = raw["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    needed = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID", "NET_BIND_SERVICE"}
    assert {name.removeprefix("CAP_") for name in host["CapAdd"] or ()} <= needed
    assert "no-new-privileges" in "".join(host["SecurityOpt"])
    assert not host["Privileged"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Type"] == "json-file"
    assert {"max-size", "max-file"} <= set(host["LogConfig"]["Config"])
    assert host["NetworkMode"] == lab.network(kind)
    assert (host["PidMode"], host["UTSMode"]) == ("", "")
    assert host["IpcMode"] in ("", "private")
    assert not [bind for bind in host["Binds"] or () if "docker.sock" in bind]
    assert raw["Config"]["Healthcheck"]["Test"]
    assert PASSWORD not in json.dumps(raw["Config"]["Healthcheck"], ensure_ascii=False)


@pytest.mark.parametrize("kind", KINDS)
def test_what_its_process_may(lab: Lab, kind: str) -> None:
    """The kernel's own word: no new privileges, and a database server has no capability left and isn't root."""
    main = inspect(lab.name(kind))["State"]["Pid"]
    lines = Path(f"/proc/{main}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert status["NoNewPrivs"] == "1"
    if kind in DATABASES:
        assert int(status["CapEff"], 16) == 0
        assert os.stat(f"/proc/{main}").st_uid != 0


def test_limits(lab: Lab) -> None:
    """Set as they are asked for, and put right where somebody updated the container."""
    item = lab.item("redis", container=lab.name("limited"), memory="64m", cpus=1.001)
    lab.settle(item)
    found = inspect(lab.name("limited"))["HostConfig"]
    assert (found["Memory"], found["NanoCpus"]) == (64 * 1024**2, 1_001_000_000)
    docker("update", "--memory", "80m", "--memory-swap", "80m", lab.name("limited"))
    told = lab.run(item, check=True).good()
    assert lab.settle(item).actions == told.actions
    assert inspect(lab.name("limited"))["HostConfig"]["Memory"] == 64 * 1024**2
    lab.drop("limited")
