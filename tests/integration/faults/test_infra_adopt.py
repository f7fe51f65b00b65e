"""Containers that somebody else made, taken over: with what they are known by, or refused before they are stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.lab import (
    PASSWORD,
    Lab,
    docker,
    inspect,
    others_long,
    until,
)


@pytest.fixture
def name(lab: Lab) -> Iterator[str]:
    """Of the container that is to be taken over; nothing is left of it."""
    yield lab.name("redis")
    lab.drop("redis")


def run_redis(lab: Lab, *options: str, command: tuple[str, ...] = ()) -> None:
    """A Redis as people start it, with a key in it."""
    where = ["--name", lab.name("redis"), "--network", lab.network("redis"), *options]
    docker("run", "--detach", *where, lab.images["redis"], *command)
    until(lambda: lab.ask("redis", PASSWORD if PASSWORD in command else "", "SET bird 42") == "OK")


def item(lab: Lab, **more: Any) -> dict[str, Any]:
    return lab.item("redis", adopt=True, **more)


def test_a_redis_with_its_data_elsewhere(lab: Lab, name: str) -> None:
    """It is refused as it is, and keeps its data where that is said to be somewhere else."""
    command = ("--protected-mode", "no", "--dir", "/srv/own", "--appendonly", "yes", "--appendfilename", "own.aof")
    run_redis(lab, "--entrypoint", "redis-server", "--volume", f"{lab.prefix}-own:/srv/own", command=command)
    before = inspect(name)
    lab.run(item(lab)).refused(f"its data in /srv/own ({lab.prefix}-own)", f"volumes: ['{lab.prefix}-own:/data:rw']")
    kept = {"volumes": [f"{lab.prefix}-own:/data:rw"]}
    lab.run(item(lab, **kept), check=True).refused("its data in own.aof (appendfilename)", "config_files")
    after = inspect(name)
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    lab.settle(item(lab, **kept, config_files={"names.conf": "appendfilename own.aof\n"}))
    assert lab.sings("redis")


def test_a_redis_with_its_data_in_its_own_layer(lab: Lab, name: str) -> None:
    """There the data would go with it."""
    run_redis(lab, command=("redis-server", "--dir", "/tmp"))
    lab.run(item(lab)).refused("its data in /tmp, outside of every mount", "mounted at /data")
    # One that does not tell is taken over with what is found in its place alone.
    docker("rm", "--force", name)
    run_redis(lab, command=("redis-server", "--dir", "/tmp", "--rename-command", "CONFIG", "secret"))
    lab.run(item(lab)).refused("no data in /data")
    assert lab.sings("redis", "")


@pytest.mark.parametrize("kind", others_long(("mariadb", "mysql", "postgresql")))
def test_a_database_with_its_data_elsewhere(lab: Lab, kind: str) -> None:
    """Each tells where that is."""
    variable = {"mariadb": "MARIADB_ROOT_PASSWORD", "mysql": "MYSQL_ROOT_PASSWORD"}.get(kind, "POSTGRES_PASSWORD")
    server = {"mariadb": "mariadbd --datadir=/srv/own", "mysql": "mysqld --datadir=/srv/own"}.get(kind, "")
    where = ["--network", lab.network(kind), "--volume", f"{lab.prefix}-{kind}:/srv/own", "--env", "PGDATA=/srv/own"]
    password = f"{variable}={PASSWORD}"
    docker("run", "--detach", "--name", lab.name(kind), *where, "--env", password, lab.images[kind], *server.split())
    until(lambda: lab.ask(kind, PASSWORD, "SELECT 1") is not None)
    lab.plant(kind)
    lab.run(lab.item(kind, adopt=True)).refused("its data in /srv/own")
    kept = {"volumes": [f"{lab.prefix}-{kind}:/var/lib/mysql"]} if server else {"env": {"PGDATA": "/srv/own"}}
    lab.settle(lab.item(kind, adopt=True, **kept))
    assert lab.sings(kind)
    lab.drop(kind)


def test_an_attempt_that_failed_is_forgotten(lab: Lab, name: str) -> None:
    """Whoever makes the container anew has it taken over with the data that it has now."""
    run_redis(lab, "--volume", f"{lab.prefix}-former:/data")
    bad = item(lab, volumes=[f"{lab.prefix}-former:/proc"])
    lab.run(bad).refused("its successor failed", "the former container serves again")
    docker("rm", "--force", name)
    run_redis(lab, "--volume", f"{lab.prefix}-present:/data", command=("redis-server", "--requirepass", PASSWORD))
    assert lab.ask("redis", PASSWORD, "SET volume present") == "OK"
    docker("stop", name)
    lab.run(item(lab)).refused("can't be entered", "Start it")
    docker("start", name)
    lab.settle(item(lab))
    assert lab.ask("redis", PASSWORD, "GET volume") == "present"


def test_one_that_was_set_aside_is_taken_over_by_the_next_run(lab: Lab, name: str) -> None:
    """And is removed by none that is not told to take it over."""
    run_redis(lab, command=("redis-server", "--appendonly", "yes"))
    record = {"adopting": inspect(name)["Id"], "mounts": {"/data": f"{inspect(name)['Mounts'][0]['Name']}:rw"}}
    lab.folder("redis").mkdir()
    (lab.folder("redis") / "record.json").write_text(json.dumps(record))
    docker("stop", name)
    docker("rename", name, f"{name}.former")
    absent = {"name": "redis", "container": name, "state": "absent"}
    lab.run(absent).refused("somebody else's", "adopt")
    lab.settle(item(lab))
    assert lab.sings("redis")
    assert not inspect(f"{name}.former")


def test_it_is_known_by_what_it_was_known_by(lab: Lab, name: str) -> None:
    """On each of its networks: by its aliases and by the address that was chosen for it; also when ours is replaced."""
    subnet, network = f"10.211.{int(lab.prefix[-2:], 16)}", f"{lab.prefix}-static"
    docker("network", "create", "--subnet", f"{subnet}.0/24", network)
    run_redis(lab, "--network-alias", "cache")
    docker("network", "connect", "--alias", "db", "--ip", f"{subnet}.77", network, name)
    lab.settle(item(lab, networks=[network]))
    lab.run(item(lab, memory="64m")).good()
    assert docker("exec", name, "getent", "hosts", "cache")
    assert f"{subnet}.77" in docker("exec", name, "getent", "hosts", "db")


def test_a_folder_in_memory_is_left_out(lab: Lab, name: str) -> None:
    """What was in it is gone whenever a container stops."""
    run_redis(lab, "--mount", "type=tmpfs,target=/scratch")
    lab.settle(item(lab))
    assert lab.sings("redis")
    assert "/scratch" not in [mount["Destination"] for mount in inspect(name)["Mounts"]]
