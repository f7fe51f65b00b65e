"""Role `host` on machines that have nothing: a Debian with Python, and an Ubuntu without."""

from __future__ import annotations

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.lab import others_long

PLAYBOOK = "flatrun.infra.host"
LIBRARIES = "import cryptography, docker, psycopg2, pymysql, redis"

# One after the other on the same host, beside the targets on the others.
pytestmark = pytest.mark.xdist_group("bare")
everywhere = pytest.mark.parametrize(
    "bare", others_long(["bookworm", "noble"], "bookworm"), indirect=True, scope="module"
)
on_debian = pytest.mark.parametrize("bare", ["bookworm"], indirect=True, scope="module")


def installed(host) -> list[str]:
    return host.lines("dpkg-query", "--show")


def end_engine(host) -> None:
    host.run("sh", "-c", "kill $(cat /run/docker.pid) && while [ -e /run/docker.pid ]; do sleep 0.2; done")


@everywhere
def test_check_mode_says_what_is_missing(bare, play) -> None:
    before = installed(bare)
    foreseen = play(bare, PLAYBOOK, "--check")
    assert foreseen.changed == 1
    assert "python3-docker" in foreseen.output
    assert "and would start docker" in foreseen.output
    assert installed(bare) == before


@everywhere
def test_what_cannot_be_done_is_a_sentence(bare, play) -> None:
    refused = play(bare, PLAYBOOK, fails=True, ansible_become=False)
    assert "Missing: a Docker Engine that answers, Python library docker" in refused.output
    assert "takes root: run with become" in refused.output
    refused = play(bare, PLAYBOOK, fails=True, host_libraries=["docker", "dokcer"])
    assert "host_libraries names dokcer; the libraries known are docker, pymysql" in refused.output


@everywhere
def test_becomes_ready_once(bare, play) -> None:
    assert play(bare, PLAYBOOK).changed > 0
    assert bare.run("docker", "version")
    # PEP 668: the libraries are the distribution's, and the marker that keeps pip away is still there.
    assert bare.run("/usr/bin/python3", "-c", LIBRARIES) == ""
    assert bare.run("sh", "-c", "ls /usr/lib/python3*/EXTERNALLY-MANAGED")

    after = installed(bare)
    again = play(bare, PLAYBOOK)
    assert again.changed == 0
    assert "Install" not in again.output
    assert installed(bare) == after


@everywhere
def test_plain_daemon_is_started_where_there_is_no_init(bare, play) -> None:
    end_engine(bare)
    assert "would start docker" in play(bare, PLAYBOOK, "--check").output
    assert play(bare, PLAYBOOK).changed == 1
    assert bare.run("docker", "version")


@on_debian
def test_sysv_init_starts_it_where_it_takes_orders(bare, play) -> None:
    # Ubuntu's package has no script for it any more.
    end_engine(bare)
    bare.run("mkfifo", "/run/initctl")
    # The script raises limits, which takes a right that a host in name spaces may not have.
    bare.run("sed", "-i", r"s/\bulimit /: ulimit /", "/etc/init.d/docker")
    assert play(bare, PLAYBOOK).changed == 1
    assert bare.run("docker", "version")
    assert "docker" in bare.run("ls", "/etc/rc2.d")
    assert play(bare, PLAYBOOK).changed == 0
