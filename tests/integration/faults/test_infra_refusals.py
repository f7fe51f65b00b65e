"""What is refused in one sentence, with nothing altered: no file, no container, no network."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.lab import PASSWORD, Lab, docker
from ansible_collections.flatrun.infra.tests.integration.ports import free_port


@pytest.fixture(scope="module", autouse=True)
def redis(lab: Lab) -> None:
    lab.settle(lab.item("redis"), lab.item("nginx"))


@pytest.fixture
def unaltered(lab: Lab) -> Iterator[None]:
    before = lab.untouched()
    yield
    assert lab.untouched() == before


def both(lab: Lab, item: dict[str, Any], *words: str, **options: Any) -> None:
    """Check mode foretells the refusal."""
    for check in (True, False):
        ended = lab.run(item, check=check, **options).refused(*words)
        assert not ended.changed
        assert ended.actions == []


ITEMS = {
    "type": ({"type": "oracle"}, "services[0].type", "'oracle' is not a type of service", "mysql"),
    "port": ({"type": "redis", "port": 70000}, "services[0].port", "70000"),
    "host and container": ({"type": "redis", "host": "a.example", "container": "b"}, "services[0].host", "both"),
    "external stopped": ({"type": "redis", "host": "a.example", "state": "stopped"}, "services[0].state", "external"),
    "external absent": ({"type": "redis", "host": "a.example", "state": "absent"}, "services[0].state", "external"),
    "foreign restarted": ({"container": "b-redis", "mode": "external", "state": "restarted"}, "state", "external"),
    "neither": ({"type": "redis", "mode": "external"}, "services[0].mode", "host or a container"),
    "untyped": ({"name": "x", "image": "flatrun/redis:local"}, "services[0].type", "is needed"),
    "another's secret": ({"type": "redis", "secrets": {"root_password": "x"}}, "secrets.root_password", "'password'"),
    "number": ({"type": "redis", "secrets": {"password": 83}}, "services[0].secrets.password", "a number", "quotes"),
    "boolean": ({"type": "redis", "secrets": {"password": True}}, "services[0].secrets.password", "a boolean"),
    "empty password": ({"type": "redis", "secrets": {"password": ""}}, "services[0].secrets.password", "empty"),
    "line break": ({"type": "redis", "secrets": {"password": "a\nb"}}, "services[0].secrets.password", "line break"),
    "file's name": ({"type": "redis", "config_files": {"../x": ""}}, "services[0].config_files.../x", "plain file"),
    "volume": ({"type": "redis", "volumes": ["/a/../b:/c"]}, "services[0].volumes[0]", "'..'"),
    "published": ({"type": "redis", "published_ports": ["ten"]}, "services[0].published_ports[0]", "'ten'"),
    "network": ({"type": "redis", "networks": ["not-there"]}, "services[0].networks[0]", "does not exist"),
    "not there": ({"container": "frt-nothing", "state": "restarted"}, "services[0].container", "no container"),
    "container": ({"type": "redis", "container": "a b"}, "services[0].container", "'a b'"),
    "memory": ({"type": "redis", "memory": "much"}, "services[0].memory", "'much'"),
    "little memory": ({"type": "redis", "memory": "1m"}, "services[0].memory", "6m"),
    "processors": ({"type": "redis", "cpus": 4000}, "services[0].cpus", "4000 are more processors than"),
    "address": ({"type": "redis", "published_ports": ["999.1.1.1:1:1"]}, "published_ports[0]", "'999.1.1.1'"),
}


def test_parameters(lab: Lab, unaltered: None) -> None:
    for item, *words in ITEMS.values():
        ended = lab.run(item).refused(*words)
        assert not ended.changed
        assert ended.actions == []


def test_what_somebody_else_runs_is_not_there(lab: Lab, unaltered: None) -> None:
    """Nothing is begun for the others of the task."""
    missing = {"type": "nginx", "container": lab.name("missing"), "mode": "external"}
    ended = lab.run(lab.item("redis", container=lab.name("other")), missing).refused(lab.name("missing"), "not there")
    assert ended.actions == []


def test_the_same_twice(lab: Lab, unaltered: None) -> None:
    lab.run(lab.item("redis"), lab.item("redis", memory="64m")).refused("listed twice", "services")
    lab.run(lab.item("redis"), lab.item("redis", name="other")).refused("listed twice", "services")


def test_root_dir(lab: Lab, unaltered: None) -> None:
    lab.run(lab.item("redis"), root_dir="/srv/../etc").refused("root_dir", "'..'")
    # It is the container's data that would be lost from sight.
    lab.run(lab.item("redis"), root_dir=f"{lab.root}-link").refused("services[0].container", lab.root)


def test_a_port_that_a_process_has(lab: Lab, unaltered: None) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        item = lab.item("nginx", published_ports=[f"*:{port}:80"])
        holder = f"({os.getpid()})"
        both(lab, item, "services[0].published_ports", f"*:{port}:80/tcp is taken by the process", holder)
    assert lab.page() == 0


def test_a_port_that_a_container_has(lab: Lab) -> None:
    port = free_port()
    holder = lab.name("holder")
    command = ["run", "--detach", "--publish", f"127.0.0.1:{port}:80", "--entrypoint", "sleep"]
    docker(*command, "--name", holder, lab.images["nginx"], "900")
    before = lab.untouched()
    item = lab.item("nginx", published_ports=[f"{port}:80"])
    both(lab, item, "services[0].published_ports", f"127.0.0.1:{port}:80/tcp is taken by the container {holder}")
    assert lab.untouched() == before
    assert lab.page() == 0
    docker("rm", "--force", holder)
    # Free again, it is had without ado; and the usual one back.
    lab.settle(item)
    lab.settle(lab.item("nginx"))


def test_a_container_that_is_not_ours(lab: Lab) -> None:
    name = lab.name("foreign")
    docker("run", "--detach", "--name", name, "--entrypoint", "sleep", lab.images["redis"], "900")
    before = lab.untouched()
    both(lab, lab.item("redis", container=name), "services[0].container", name, "isn't ours", "adopt")
    for state in ("stopped", "restarted", "absent"):
        both(lab, {"container": name, "state": state}, "services[0].container", "isn't ours")
    assert lab.untouched() == before
    docker("rm", "--force", name)


def test_a_network_that_is_not_ours_is_used_as_it_is(lab: Lab) -> None:
    network = f"{lab.prefix}-foreign"
    docker("network", "create", "--internal", "--label", "whose=theirs", network)
    before = docker("network", "inspect", "--format", "{{.Id}} {{.Created}} {{.Internal}} {{.Labels}}", network)
    item = lab.item("redis", container=lab.name("guest"), networks=[network])
    lab.settle(item, networks=[{"name": network}])
    assert lab.login("redis", PASSWORD, lab.name("guest"))
    after = docker("network", "inspect", "--format", "{{.Id}} {{.Created}} {{.Internal}} {{.Labels}}", network)
    assert after == before
    lab.drop("guest")
    docker("network", "rm", network)


def test_data_that_is_gone(lab: Lab) -> None:
    """Never silently made anew, whether the folder is gone or empty, the container running or not."""
    away = Path(f"{lab.folder('redis')}/elsewhere")
    data = lab.folder("redis") / "data"
    docker("stop", lab.name("redis"))
    data.rename(away)
    before = lab.untouched()
    both(lab, lab.item("redis"), "services[0].container", "the data", "is gone", str(data))
    assert lab.untouched() == before
    away.rename(data)
    lab.settle(lab.item("redis"))


def test_a_volume_that_leads_to_a_disk(lab: Lab, tmp_path: Path) -> None:
    """The engine mounts it for a container alone: nobody else can tell whether there is data on it."""
    volume, name = lab.name("volume"), lab.name("bound")
    docker("volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt", f"device={tmp_path}", volume)
    before = lab.untouched()
    item = lab.item("redis", container=name, volumes=[f"{volume}:/data"])
    both(lab, item, "services[0].volumes", volume, f"{tmp_path}:/data")
    assert (lab.untouched(), list(tmp_path.iterdir())) == (before, [])
    item["volumes"] = [f"{tmp_path}:/data"]
    lab.settle(item)
    docker("stop", name)
    assert lab.settle(item).verbs == ["start"]
    lab.drop("bound")
    docker("volume", "rm", volume)


def test_the_data_of_mysql_that_is_gone(lab: Lab) -> None:
    lab.settle(lab.item("mysql"))
    docker("stop", lab.name("mysql"))
    data, away = lab.folder("mysql") / "data", lab.folder("mysql") / "elsewhere"
    data.rename(away)
    data.mkdir()
    before = lab.untouched()
    both(lab, lab.item("mysql"), "services[0].container", "the data", "is gone", str(data))
    assert lab.untouched() == before
    data.rmdir()
    away.rename(data)
    lab.settle(lab.item("mysql"))
    assert lab.login("mysql", PASSWORD)


@pytest.mark.parametrize("other", ["mariadb", "postgresql"])
def test_data_of_another_engine(lab: Lab, other: str) -> None:
    """Under the container that serves, and under none."""
    lab.run(lab.item("mysql")).good()
    before = lab.untouched()
    item = lab.item(other, container=lab.name("mysql"))
    both(lab, item, "services[0].image", "mysql 9.7", lab.images[other], "dump")
    assert lab.untouched() == before
    assert lab.login("mysql", PASSWORD)


def test_data_of_another_engine_without_its_container(lab: Lab) -> None:
    lab.settle(lab.item("mariadb"))
    docker("rm", "--force", lab.name("mariadb"))
    before = lab.untouched()
    item = lab.item("mysql", container=lab.name("mariadb"))
    both(lab, item, "services[0].image", "mariadb 11.8", lab.images["mysql"])
    assert lab.untouched() == before
    lab.drop("mariadb")


def test_data_of_another_version(lab: Lab, tmp_path: Path) -> None:
    """A real server of another major would refuse it too, after the old one was stopped."""
    below = {"PGDATA": "/var/lib/postgresql/data/below"}
    lab.settle(lab.item("postgresql", env=below))
    lab.plant("postgresql")
    (tmp_path / "Dockerfile").write_text(f"FROM {lab.images['postgresql']}\nENV PG_MAJOR=18 PG_VERSION=18.1\n")
    image = f"{lab.prefix}-postgresql:18"
    docker("build", "--quiet", "--tag", image, str(tmp_path))
    try:
        before = lab.untouched()
        item = lab.item("postgresql", image=image, env=below)
        both(lab, item, "services[0].image", "postgresql 17", f"{image} is postgresql 18")
        assert lab.untouched() == before
        assert lab.sings("postgresql")
    finally:
        docker("rmi", "--force", image)
        lab.drop("postgresql")


@pytest.mark.parametrize("part", ["config", "secrets", "data", "releases"])
def test_a_link_planted_where_root_writes(lab: Lab, tmp_path: Path, part: str) -> None:
    kind = "nginx" if part == "releases" else "redis"
    name = lab.name("planted")
    trap = tmp_path / "trap"
    trap.mkdir()
    folder = Path(lab.root, name)
    folder.mkdir()
    (folder / part).symlink_to(trap)
    item = lab.item(kind, container=name)
    if kind == "nginx":
        item["published_ports"] = []
    both(lab, item, f"{folder}/{part}: is not a folder of its own: it is a link")
    assert list(trap.iterdir()) == []
    lab.drop("planted")


def test_a_link_in_the_place_of_the_home(lab: Lab, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    Path(lab.root, lab.name("planted")).symlink_to(trap)
    both(lab, lab.item("redis", container=lab.name("planted")), lab.name("planted"), "it is a link")
    assert list(trap.iterdir()) == []
    os.unlink(Path(lab.root, lab.name("planted")))


def test_a_folder_that_others_can_write(lab: Lab, unaltered: None) -> None:
    open_one = Path(f"{lab.root}-link")
    open_one.mkdir()
    open_one.chmod(0o777)
    try:
        item = lab.item("redis", container=lab.name("open"))
        both(lab, item, str(open_one), "others can write there", root_dir=f"{open_one}/flatrun")
        both(lab, item, str(open_one), "others can write there", root_dir=str(open_one))
        assert list(open_one.iterdir()) == []
        # Somebody else's is no better.
        open_one.chmod(0o755)
        os.chown(open_one, 1234, 1234)
        both(lab, item, str(open_one), "others can write there", root_dir=f"{open_one}/flatrun")
        assert list(open_one.iterdir()) == []
    finally:
        open_one.rmdir()


def test_a_full_disk(lab: Lab) -> None:
    """nginx takes no more of it than a few files; MySQL's first start does."""
    small = f"{lab.root}-small"
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k,mode=755", "tmpfs", small], check=True)
    try:
        item = lab.item("redis", container=lab.name("small"))
        config = {"config_files": {"big.conf": "# filled\n" * 60000}}
        lab.run({**item, **config}, root_dir=small).refused(small, "No space left on device")
        found = [path for path in Path(small).rglob("*") if path.is_file()]
        assert not [path for path in found if path.name.startswith(".")], found
        # With room again it goes on from where it is.
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        lab.settle({**item, **config}, root_dir=small)
        docker("rm", "--force", lab.name("small"))
        release = {"config_files": {"big.conf": "# filled\n" * 60000}}
        nginx = lab.item("nginx", container=lab.name("tight"), published_ports=[])
        lab.settle(nginx, root_dir=small)
        used = subprocess.run(["du", "-sk", small], check=True, capture_output=True, text=True).stdout.split()[0]
        subprocess.run(["mount", "-o", f"remount,size={int(used) + 40}k", small], check=True)
        lab.run({**nginx, **release}, root_dir=small).refused("No space left on device")
        lab.settle(nginx, root_dir=small)
    finally:
        docker("rm", "--force", lab.name("small"), lab.name("tight"), check=False)
        subprocess.run(["umount", "--lazy", small], check=True)
        os.rmdir(small)


def test_two_runs_at_once_on_the_same(lab: Lab) -> None:
    """Both want something else of it: nothing is lost, each ends well, and the last one's wish is what is there."""
    runs = [lab.start(lab.item("redis", memory=memory), networks=[]) for memory in ("70m", "71m")]
    ended = [run.finish() for run in runs]
    for one in ended:
        # The loser either did its own after the other, or says that the other undid it.
        assert one.said.get("changed") or "this is still to be done" in one.message, one.message
    assert any(not one.said.get("failed") for one in ended)
    lab.settle(lab.item("redis"))
    assert lab.login("redis", PASSWORD)


def test_two_runs_at_once_for_the_same(lab: Lab) -> None:
    lab.drop("twin")
    runs = [lab.start(lab.item("redis", container=lab.name("twin"))) for _number in range(3)]
    for one in [run.finish() for run in runs]:
        one.good()
    again = lab.run(lab.item("redis", container=lab.name("twin"))).good()
    assert not again.changed
    lab.drop("twin")


def test_two_runs_at_once_on_different_objects(lab: Lab) -> None:
    names = [lab.name(f"side{number}") for number in range(3)]
    network = f"{lab.prefix}-shared"
    runs = [
        lab.start(lab.item("redis", container=name, networks=[network]), networks=[{"name": network}]) for name in names
    ]
    for one in [run.finish() for run in runs]:
        one.good()
    assert docker("network", "ls", "--quiet", "--filter", f"name={network}").count("\n") == 0, (
        "the network is there twice"
    )
    for number, name in enumerate(names):
        assert lab.login("redis", PASSWORD, name)
        lab.drop(f"side{number}")
    docker("network", "rm", network)


def test_who_holds_the_lock_is_named(lab: Lab) -> None:
    """The loser waits no longer than it was told to."""
    # Ready only when it is told to be, so that the lock is sure to be held.
    waits = lab.hindered("redis", "until [ -e /data/go ]; do sleep 0.2; done")
    first = lab.start(lab.item("redis", container=lab.name("slow"), **waits))
    while not docker("ps", "--quiet", "--filter", f"name=^{lab.name('slow')}$"):
        assert not first.ended(0)
    second = lab.run(lab.item("redis", memory="72m"), wait_timeout=2)
    second.refused("another run is at work on it", f"process {first.pid}", lab.root)
    assert not second.changed
    (lab.folder("slow") / "data" / "go").touch()
    first.finish().good()
    lab.drop("slow")
    lab.settle(lab.item("redis"))
