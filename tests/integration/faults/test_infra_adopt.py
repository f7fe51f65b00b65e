"""Containers that somebody else made, taken over: with what they are known by, or refused before they are stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.lab import PASSWORD, Lab, docker, inspect, until


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
