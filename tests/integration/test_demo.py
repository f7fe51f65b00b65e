"""The demo on the second host: in nobody's way, the same again, whole after every loss, and gone without a trace."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator

import pytest
import yaml
from ansible_collections.flatrun.infra.tests.integration.faults.modules import WAIT
from ansible_collections.flatrun.infra.tests.integration.wordpress import Browser, WordPress

HERE = "tests/integration"
UP, DOWN = "flatrun.infra.demo", "flatrun.infra.demo_down"
NAME = "blog.example.com"
SERVICES = tuple(f"flatrun-{name}" for name in ("nginx", "mysql", "mariadb", "postgresql", "redis", "certbot"))
TEXT = "It was written before the losses."

pytestmark = [
    pytest.mark.xdist_group("ssh"),
    pytest.mark.parametrize("host", ["ssh"], indirect=True, scope="session"),
]


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_ROOT_PASSWORD", "it's the \"demo's\" $word")


@pytest.fixture
def address(host) -> str:
    (told,) = yaml.safe_load(host.inventory.read_text())["all"]["hosts"].values()
    return str(told["ansible_host"])


@pytest.fixture
def blog(address: str) -> WordPress:
    return WordPress(Browser(address, NAME))


@pytest.fixture
def clean(host, play) -> Iterator[None]:
    yield
    play(host, DOWN)


@pytest.fixture
def bystander(host) -> Iterator[str]:
    """What is somebody else's: a container with a network, a volume and a port of its own."""
    host.run("docker", "network", "create", "theirs")
    options = ["--network", "theirs", "--volume", "theirs:/data", "--publish", "80:80", "--restart", "always"]
    made = host.run("docker", "run", "--detach", "--name", "theirs", *options, "flatrun/nginx:local").strip()
    yield made
    host.run("docker", "rm", "--force", "--volumes", "theirs")
    host.run("docker", "network", "rm", "theirs")
    host.run("docker", "volume", "rm", "theirs")


def everything(host) -> tuple[set[str], ...]:
    """All that an engine has, but the images of services, which tests share."""
    there = set(host.lines("ls", "/srv"))
    return host.containers(), host.networks(), host.volumes(), there


def wait_for(blog: WordPress, post: int) -> None:
    until, found = time.monotonic() + WAIT, ""
    while TEXT not in found:
        assert time.monotonic() < until, found[-1000:]
        try:
            found = blog.read(post)
        except (OSError, http.client.HTTPException, AssertionError) as problem:
            found = str(problem)
        time.sleep(0.5)


def kill_each(host) -> None:
    for name in (*SERVICES, "my-wordpress"):
        pid = host.run("docker", "inspect", "--format", "{{.State.Pid}}", name).strip()
        host.run("kill", "-9", pid)


def test_a_taken_port_and_others_containers_are_named(host, play, bystander: str) -> None:
    before = everything(host)
    refused = play(host, UP, fails=True).output
    assert "port *:80:80/tcp is taken by the container theirs" in refused
    assert "make demo DEMO_HTTP_PORT=8080 DEMO_HTTPS_PORT=8443" in refused
    assert everything(host) == before

    host.run("docker", "create", "--name", "my-wordpress", "flatrun/nginx:local")
    refused = play(host, UP, fails=True, nginx_http_port="8080").output
    host.run("docker", "rm", "my-wordpress")
    assert "container my-wordpress, which is there already and is not the demo's" in refused.replace("\n", " ")
    assert everything(host) == before
    assert play(host, DOWN).changed == 0


@pytest.mark.usefixtures("clean")
def test_the_demo(host, play, address: str, blog: WordPress) -> None:
    before = everything(host)
    first = play(host, UP)
    assert all(name in first.output for name in (*SERVICES, "my-wordpress", f"http://{NAME}/"))
    assert "WordPress" in blog.browser.open("/")
    blog.install()
    blog.log_in()
    post = blog.write("Kept", TEXT)
    assert TEXT in blog.read(post)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        Browser(address, "unknown.example.com").open("/")
    data = f"{HERE}/demo_data.yml"
    assert play(host, data).changed == 1

    assert play(host, UP).changed == 0

    kill_each(host)
    wait_for(blog, post)
    assert play(host, UP).changed == 0
    assert play(host, data).changed == 0

    # With what only they had: volumes without a name belong to nobody afterwards.
    for name in (*SERVICES, "my-wordpress"):
        host.run("docker", "rm", "--force", "--volumes", name)
    assert play(host, UP).changed > 0
    assert TEXT in blog.read(post)
    assert play(host, data).changed == 0

    assert play(host, DOWN).changed > 0
    assert everything(host) == before
    assert play(host, DOWN).changed == 0


@pytest.mark.long
@pytest.mark.usefixtures("clean")
def test_others_are_left_alone(host, play, bystander: str, address: str) -> None:
    before, state = everything(host), host.run("docker", "inspect", "theirs")
    host.run("docker", "network", "create", "proxy")
    host.run("mkdir", "--parents", "/srv/flatrun/theirs")
    play(host, UP, nginx_http_port="8080")
    host.run("mkdir", "/srv/flatrun/certificates/theirs")
    host.run("docker", "create", "--name", "their-app", "--network", "database", "flatrun/nginx:local")
    # WordPress knows its own address by then, with the port in it.
    browser = Browser(address, f"{NAME}:8080", 8080)
    assert "WordPress" in browser.open("/")
    ended = play(host, DOWN).output
    assert "The network database is in use by their-app" in ended
    assert "/srv/flatrun/certificates is not empty" in ended
    assert host.run("docker", "inspect", "theirs") == state
    assert {"proxy", "database"} <= host.networks()
    left = host.lines("find", "/srv/flatrun", "-mindepth", "1", "-printf", "%P\\n")
    assert sorted(left) == ["certificates", "certificates/theirs", "theirs"]
    host.run("docker", "rm", "their-app")
    host.run("docker", "network", "rm", "proxy", "database")
    host.run("rm", "--recursive", "/srv/flatrun")
    assert everything(host) == before
