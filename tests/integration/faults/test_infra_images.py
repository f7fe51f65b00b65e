"""Images from a registry of this machine: what is pulled, when, and what a tag or a digest means."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.lab import Lab, docker, inspect, until
from ansible_collections.flatrun.infra.tests.integration.faults.modules import PATIENCE
from ansible_collections.flatrun.infra.tests.integration.ports import free_port


@dataclass
class Registry:
    """Redis under names of this registry's, each build with a label of its own; none is left on the engine."""

    address: str
    base: str
    folder: Path
    builds: int = 0

    def name(self, rest: str) -> str:
        return f"{self.address}/{rest}"

    def publish(self, rest: str) -> str:
        """A new build under this name; its digest."""
        self.builds += 1
        (self.folder / "Dockerfile").write_text(f"FROM {self.base}\nLABEL song={self.builds}\n")
        docker("build", "--quiet", f"--tag={self.name(rest)}", str(self.folder))
        docker("push", self.name(rest))
        digests = json.loads(docker("image", "inspect", self.name(rest)))[0]["RepoDigests"]
        docker("rmi", self.name(rest))
        return str(next(each for each in digests if each.startswith(self.address)).split("@")[1])

    def known(self, rest: str) -> list[str]:
        """The tags that the engine has of it."""
        return sorted(docker("images", "--format", "{{.Tag}}", self.name(rest)).split())


@pytest.fixture(scope="module")
def registry(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("registry")
    build = folder / "build"
    build.mkdir()
    made = Registry(f"127.0.0.1:{free_port()}", lab.images["redis"], build)
    told: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": made.address},
    }
    (folder / "registry.yml").write_text(json.dumps(told))
    with open(folder / "log", "wb") as log:
        command = ["docker-registry", "serve", str(folder / "registry.yml")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until(lambda: answers(made.address))
        yield made
    finally:
        process.terminate()
        process.wait(PATIENCE)
        docker("rm", "--force", "--volumes", lab.name("redis"), check=False)
        for kept in docker("images", "--all", "--format", "{{.ID}}", made.name("*")).split():
            docker("rmi", "--force", kept, check=False)


def answers(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/v2/", timeout=PATIENCE) as answer:
        return answer.status == HTTPStatus.OK
    return False


def song(lab: Lab) -> str:
    """Which build the container is of."""
    return str(inspect(lab.name("redis"))["Config"]["Labels"]["song"])


def test_a_tag_is_pulled_once(lab: Lab, registry: Registry) -> None:
    registry.publish("birds/redis:8")
    item = lab.item("redis", image=registry.name("birds/redis:8"))
    told = lab.run(item, check=True).good()
    assert registry.known("birds/redis") == []
    done = lab.settle(item)
    assert "pull" in done.verbs
    assert told.actions == done.actions
    assert song(lab) == "1"
    lab.plant("redis")


def test_the_newer_one_is_pulled_where_that_is_asked_for(lab: Lab, registry: Registry) -> None:
    registry.publish("always/redis:8")
    item = lab.item("redis", image=registry.name("always/redis:8"))
    lab.settle(item)
    first = song(lab)
    before = lab.untouched()
    assert not lab.run(item, pull="always").good().changed
    push_again(registry, "always/redis:8")
    assert not lab.run(item).good().changed
    told = lab.run(item, check=True, pull="always").good()
    assert lab.untouched() == before
    done = lab.settle(item, pull="always")
    assert done.verbs == told.verbs
    assert done.actions == told.actions
    assert "pull" in done.verbs
    assert int(song(lab)) == int(first) + 1
    assert lab.sings("redis")


def push_again(registry: Registry, rest: str) -> None:
    """The registry has a newer build, and the engine still the older under that name."""
    docker("tag", registry.name(rest), registry.name("kept:for-a-while"))
    registry.publish(rest)
    docker("tag", registry.name("kept:for-a-while"), registry.name(rest))
    docker("rmi", registry.name("kept:for-a-while"))


def test_a_digest_is_that_build(lab: Lab, registry: Registry) -> None:
    digest = registry.publish("pinned/redis:8")
    build = str(registry.builds)
    registry.publish("pinned/redis:8")
    for reference in (f"pinned/redis@{digest}", f"pinned/redis:8@{digest}"):
        item = lab.item("redis", image=registry.name(reference))
        told = lab.run(item, check=True).good()
        done = lab.settle(item)
        assert told.actions == done.actions
        assert song(lab) == build
        # No newer one can come of it.
        assert not lab.run(item, pull="always").good().changed
    assert lab.sings("redis")


def test_no_tag_is_the_latest_alone(lab: Lab, registry: Registry) -> None:
    registry.publish("plain/redis:other")
    registry.publish("plain/redis:latest")
    lab.settle(lab.item("redis", image=registry.name("plain/redis")))
    assert song(lab) == str(registry.builds)
    assert registry.known("plain/redis") == ["latest"]


@pytest.mark.parametrize("rest", ["plain/redis:gone", f"plain/redis@sha256:{'0' * 64}", "nothing/redis:8"])
@pytest.mark.parametrize("pull", ["missing", "always"])
def test_what_the_registry_has_not_is_refused_before_anything_stops(
    lab: Lab, registry: Registry, rest: str, pull: str
) -> None:
    before = lab.untouched()
    lab.run(lab.item("redis", image=registry.name(rest)), pull=pull).refused(registry.name(rest))
    assert lab.untouched() == before


def test_always_wants_a_registry(lab: Lab) -> None:
    """An image that was built here has none, and nobody is told that it is the newest."""
    before = lab.untouched()
    lab.run(lab.item("redis"), pull="always").refused(lab.images["redis"])
    assert lab.untouched() == before
