"""Containers that somebody or something else brought down: named, or put right, and never without their data."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.lab import (
    PASSWORD,
    Lab,
    docker,
    inspect,
    others_long,
    pause,
    until,
)
from ansible_collections.flatrun.infra.tests.integration.ports import free_port

KINDS = ("redis", "mysql", "nginx", "certbot")


@pytest.fixture(scope="module", autouse=True)
def services(lab: Lab) -> None:
    lab.settle(*(lab.item(kind) for kind in KINDS))
    lab.plant("redis")
    lab.plant("mysql")


def healthy(name: str) -> bool:
    return bool(inspect(name)["State"].get("Health", {}).get("Status") == "healthy")


def slay(name: str) -> int:
    """Kill the main process of a container from outside; it has none while it is being started again."""
    until(lambda: inspect(name)["State"]["Pid"])
    main = int(inspect(name)["State"]["Pid"])
    assert main > 1
    os.kill(main, signal.SIGKILL)
    return main


@pytest.mark.parametrize(
    ("verb", "planned"), [("pause", "unpause"), ("stop", "start"), ("rename", "rename"), ("rm", "create")]
)
def test_by_hand(lab: Lab, verb: str, planned: str) -> None:
    """Check mode foretells it, a run puts it right, and the data is there."""
    name = lab.name("redis")
    more = {"rename": [f"{name}-elsewhere"], "rm": ["--force"]}.get(verb, [])
    if verb == "pause":
        pause(name)
    else:
        docker(verb, *(more if verb == "rm" else []), name, *(more if verb == "rename" else []))
    told = lab.run(lab.item("redis"), check=True).good()
    done = lab.run(lab.item("redis")).good()
    assert done.verbs[0] == planned, done.actions
    assert told.actions == done.actions
    assert told.said["diff"] == done.said["diff"]
    assert not lab.run(lab.item("redis")).good().changed
    assert lab.sings("redis")


@pytest.mark.parametrize("kind", KINDS)
def test_removed_by_force(lab: Lab, kind: str) -> None:
    docker("rm", "--force", lab.name(kind))
    lab.settle(lab.item(kind))
    assert kind not in ("redis", "mysql") or lab.sings(kind)
    assert kind != "nginx" or lab.page() == 0


@pytest.mark.parametrize("kind", ["redis", "mysql"])
def test_its_process_killed(lab: Lab, kind: str) -> None:
    """Back and healthy by itself; the next run has nothing to do."""
    name = lab.name(kind)
    until(lambda: healthy(name))
    main = slay(name)
    until(lambda: inspect(name)["State"]["Pid"] not in (0, main))
    until(lambda: healthy(name))
    assert lab.sings(kind)
    assert not lab.run(lab.item(kind)).good().changed


def test_networks_made_anew_or_gone(lab: Lab) -> None:
    """A container that was stopped keeps what can't be had any more: it is put on the new one, and off what is gone."""
    name, (anew, gone) = lab.name("moved"), (f"{lab.prefix}-anew", f"{lab.prefix}-gone")
    item = lab.item("redis", container=name, networks=[anew])

    def make_anew() -> None:
        docker("stop", name)
        docker("network", "rm", anew)
        docker("network", "create", anew)

    docker("network", "create", gone)
    lab.settle(item, networks=[{"name": anew}])
    docker("network", "connect", gone, name)
    make_anew()
    docker("network", "rm", gone)
    lab.run({"container": name}).refused(f"the network {gone} of {name} is gone")
    assert lab.run(item, check=True).good().verbs == ["connect", "disconnect", "start"]
    assert lab.settle(item).verbs == ["connect", "disconnect", "start"]
    make_anew()
    assert lab.settle({"container": name}).verbs == ["connect", "start"]
    assert lab.login("redis", PASSWORD, name)
    lab.drop("moved")


def test_a_service_gets_another_name(lab: Lab) -> None:
    """By which it is found from then on; its container is not made anew, nor stopped."""
    item = lab.item("certbot", name="once", container=lab.name("named"))
    lab.settle(item)
    before = lab.containers()
    told = lab.run({**item, "name": "now"}, check=True).good()
    assert told.verbs == ["call"]
    assert lab.settle({**item, "name": "now"}).actions == told.actions
    # What says no name, or no more than what is to be done, leaves it.
    for same in ({key: item[key] for key in item if key != "name"}, {"name": "x", "container": item["container"]}):
        assert not lab.run(same).good().changed
    assert lab.containers() == before
    lab.run({"name": "once", "state": "stopped"}).refused("there is no container once")
    assert lab.settle({"name": "now", "state": "absent"}).verbs == ["remove"]
    assert lab.settle(item).verbs == ["create", "call"]
    lab.drop("named")


def test_a_container_without_networks_gets_one(lab: Lab) -> None:
    item = lab.item("certbot", name="lonely", container=lab.name("alone"))
    lab.settle({**item, "networks": []})
    assert lab.settle(item).verbs == ["replace"]
    assert lab.network("certbot") in inspect(lab.name("alone"))["NetworkSettings"]["Networks"]
    # The name of the service is enough for what is only told to go.
    assert lab.settle({"name": "lonely", "state": "absent"}).verbs == ["remove"]
    assert not inspect(lab.name("alone"))
    lab.drop("alone")


def test_a_crash_loop(lab: Lab) -> None:
    """Its own words are in the error, and it is not left to fill the disk."""
    item = lab.item("redis", container=lab.name("loop"), config_files={"bad.conf": "no-such-directive 1\n"})
    ended = lab.run(item).refused(f"container {lab.name('loop')}", "ends as soon as it has started", "last lines")
    assert "no-such-directive" in ended.message
    assert not inspect(lab.name("loop")), "the container that can't start is still there"
    lab.settle(lab.item("redis", container=lab.name("loop")))
    # One that came to be in a loop later is named.
    binds = inspect(lab.name("loop"))["HostConfig"]["Binds"]
    config = Path(next(bind.split(":")[0] for bind in binds if ":/usr/local/etc/redis:" in bind), "main")
    sound = config.read_text()
    config.write_text("no-such-directive 1\n")
    docker("restart", "--time", "1", lab.name("loop"))
    until(lambda: inspect(lab.name("loop"))["RestartCount"] > 2)
    lab.settle(lab.item("redis", container=lab.name("loop")))
    assert config.read_text() == sound
    assert lab.login("redis", PASSWORD, lab.name("loop"))
    lab.drop("loop")


def test_out_of_memory(lab: Lab) -> None:
    """MySQL can't start within 24 MB, and dies at once: that is said, and what served before serves again."""
    before = inspect(lab.name("mysql"))
    ended = lab.run(lab.item("mysql", memory="24m"))
    ended.refused(lab.name("mysql"), "the former container serves again", "ran out of memory")
    after = inspect(lab.name("mysql"))
    assert (after["Id"], after["Name"]) == (before["Id"], before["Name"])
    assert lab.sings("mysql")
    assert not lab.run(lab.item("mysql")).good().changed


def test_a_successor_that_never_answers(lab: Lab) -> None:
    """The former container has its name and its address again, and the last lines of the other are told."""
    before = inspect(lab.name("redis"))
    sleeps = lab.hindered("redis", "for n in $(seq 30); do echo line-$n; done; exec sleep 900")
    ended = lab.run(lab.item("redis", **sleeps), wait_timeout=10)
    ended.refused("does not answer within 10 s", "the former container serves again", "line-11", "line-30")
    assert "line-10 " not in ended.message, "more than the last 20 lines"
    after = inspect(lab.name("redis"))
    assert (after["Id"], after["Name"], after["State"]["Status"]) == (before["Id"], before["Name"], "running")
    assert lab.sings("redis")
    assert not lab.run(lab.item("redis")).good().changed


def test_a_successor_that_the_task_does_not_wait_for(lab: Lab) -> None:
    """It has to answer all the same, or what served before would be given up for nothing."""
    before = inspect(lab.name("redis"))["Id"]
    ended = lab.run(lab.item("redis", config_files={"bad.conf": "no-such-directive yes\n"}), wait=False)
    ended.refused("no-such-directive", "the former container serves again")
    assert inspect(lab.name("redis"))["Id"] == before
    assert not lab.run(lab.item("redis"), wait=False).good().changed
    assert lab.sings("redis")


def test_a_redis_that_lets_everybody_in(lab: Lab) -> None:
    """By its users, whatever they were: any password is taken then, which proves nothing."""
    for statement in ("ACL SETUSER default nopass", "ACL SAVE"):
        assert lab.ask("redis", PASSWORD, statement) == "OK"
    assert lab.login("redis", "")
    ended = lab.settle(lab.item("redis"))
    assert [action["reason"] for action in ended.actions] == ["it lets everybody in without one"]
    assert not lab.login("redis", "")
    assert not lab.login("redis", "wrong")
    assert lab.sings("redis")


def test_a_configuration_that_nginx_does_not_take(lab: Lab) -> None:
    before = lab.untouched()
    ended = lab.run(lab.item("nginx", config_files={"bad.conf": "no_such_directive 1;\n"}))
    ended.refused("no_such_directive", f"container {lab.name('nginx')}")
    assert lab.untouched()[0] == before[0]
    assert lab.page() == 0
    assert not lab.run(lab.item("nginx")).good().changed
    # Where there is no container yet it is tested too, and none is left.
    fresh = lab.item("nginx", container=lab.name("fresh"), published_ports=[])
    ended = lab.run({**fresh, "config_files": {"bad.conf": "no_such_directive 1;\n"}})
    ended.refused("nginx does not take the configuration", "no_such_directive", f"container {lab.name('fresh')}")
    assert lab.untouched()[0] == before[0]


def test_a_configuration_for_another_container(lab: Lab, tmp_path: Path) -> None:
    """It comes with what it needs, and goes with it: neither container takes the configuration of the other."""
    name = lab.name("moving")

    def item(site: str, says: str = "", **more: Any) -> dict[str, Any]:
        (tmp_path / site).mkdir(exist_ok=True)
        text = f'server {{ listen 80; server_name moving.example; return 200 "{site}"; }}'
        (tmp_path / site / f"{site}.inc").write_text(text)
        files = {"site.conf": f"include /srv/{site}/{says or site}.inc;\n"}
        place = {"container": name, "published_ports": [], "volumes": [f"{tmp_path}/{site}:/srv/{site}:ro"]}
        return lab.item("nginx", **place, config_files=files, **more)

    lab.settle(item("one"))
    before = inspect(name)
    ended = lab.run(item("two", says="three"))
    ended.refused("nginx does not take the configuration", "/srv/two/three.inc", f"container {name}")
    assert inspect(name)["State"]["StartedAt"] == before["State"]["StartedAt"]
    lab.run(item("two", command=["false"])).refused("its successor failed, and the former container serves again")
    assert (inspect(name)["Id"], page_of(name, "moving.example")) == (before["Id"], "one")
    docker("restart", "--time", "5", name)
    told = lab.run(item("two"), check=True).good()
    assert told.verbs == ["release", "replace"]
    assert lab.settle(item("two")).actions == told.actions
    assert page_of(name, "moving.example") == "two"
    # The configuration that there is must be one for a new container too.
    now = inspect(name)["State"]["StartedAt"]
    lab.run({**item("two"), "volumes": []}).refused("nginx does not take the configuration", "/srv/two/two.inc")
    assert inspect(name)["State"]["StartedAt"] == now
    lab.drop("moving")


def page_of(name: str, host: str) -> str:
    """What an nginx answers with for a host, asked in its container."""
    return docker("exec", name, "curl", "-fsS", "-H", f"Host: {host}", "http://127.0.0.1/", check=False)


def test_an_nginx_of_somebody_elses_is_taken_over(lab: Lab, tmp_path: Path) -> None:
    """With its sites; and where that fails, it serves as before."""
    name = lab.name("old-nginx")
    (tmp_path / "old.conf").write_text('server { listen 80; server_name old.example; return 200 "old"; }\n')
    where = ["--network", lab.network("nginx"), "--volume", f"{tmp_path}:/etc/nginx/conf.d:ro"]
    port = free_port()
    docker("run", "--detach", "--name", name, f"--publish=127.0.0.1:{port}:80", *where, lab.images["nginx"])
    item = lab.item("nginx", container=name, published_ports=[f"{port}:80"], adopt=True)
    before = inspect(name)

    def served() -> str:
        return page_of(name, "old.example")

    until(lambda: served() == "old")
    bad = lab.run({**item, "config_files": {"bad.conf": "no_such_directive 1;\n"}})
    bad.refused("nginx does not take the configuration", "no_such_directive", f"container {name}")
    after = inspect(name)
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    lab.run({**item, "command": ["false"]}).refused("its successor failed", "the former container runs again")
    assert inspect(name)["Id"] == before["Id"]
    until(lambda: served() == "old")
    told = lab.run(item, check=True).good()
    assert lab.settle(item).actions == told.actions
    assert "adopt" in [action["action"] for action in told.actions]
    assert inspect(name)["Id"] != before["Id"]
    assert served() == "old"
    lab.drop("old-nginx")


def test_a_configuration_that_mysql_does_not_take(lab: Lab) -> None:
    before = inspect(lab.name("mysql"))["Id"]
    ended = lab.run(lab.item("mysql", config_files={"bad.cnf": "[mysqld]\nno_such_variable=1\n"}))
    ended.refused("no_such_variable", "the former container serves again")
    assert inspect(lab.name("mysql"))["Id"] == before
    assert lab.sings("mysql")
    assert not lab.run(lab.item("mysql")).good().changed


# Waited for in vain where a server lets nobody in, and long enough for another one's start.
LETS_NOBODY_IN = 60
# How long after its beginning a first start is cut short.
FIRST = {
    "mysql": 2.0,
    "mariadb": 0.7,
    "postgresql": 0.7,
    "mysql-rude": 2.0,
    "mariadb-rude": 0.7,
    "postgresql-rude": 0.7,
}


@pytest.mark.parametrize(("kind", "setting"), [("mysql", "tls_version="), ("mariadb", "skip_ssl")])
def test_a_server_that_knows_no_tls(lab: Lab, kind: str, setting: str) -> None:
    name = lab.name(f"plain-{kind}")
    item = lab.item(kind, container=name, config_files={"90-plain.cnf": f"[mysqld]\n{setting}\n"})
    lab.settle(item)
    assert lab.settle({**item, "secrets": {"root_password": "another 'one'"}}).verbs == ["rotate"]
    # The server has forgotten who has logged in, so the password goes over the wire once more.
    docker("restart", name)
    assert not lab.run({**item, "secrets": {"root_password": "another 'one'"}}).good().changed
    assert lab.login(kind, "another 'one'", name)
    docker("rm", "--force", "--volumes", name)


@pytest.mark.parametrize("image", others_long(FIRST, "postgresql"))
def test_a_first_start_killed_midway(lab: Lab, image: str) -> None:
    """A container killed while it initialises, and its run with it, is never taken for a server that is ready."""
    kind = image.removesuffix("-rude")
    lab.drop("first")
    name = lab.name("first")
    item = lab.item(kind, container=name, image=lab.images[image])
    run = lab.start(item)
    until(lambda: _has_begun(lab))
    time.sleep(FIRST[image])
    run.kill()
    docker("kill", name)
    run.finish()
    # What looks like data is tried before it is put aside; if it lets nobody in, the run says what to do.
    first = lab.run(item, wait_timeout=LETS_NOBODY_IN)
    if first.said.get("failed"):
        first.refused(name, "run again, and it begins anew")
    lab.settle(item)
    assert lab.login(kind, PASSWORD, name)
    assert not lab.login(kind, "wrong", name)
    # It outlives being started again.
    docker("restart", name)
    assert not lab.run(item).good().changed
    lab.drop("first")


@pytest.mark.long
def test_a_first_start_that_left_half_a_cluster(lab: Lab) -> None:
    """PostgreSQL without all of its files lets nobody in, and still runs for ever: the next run begins anew."""
    lab.drop("first")
    name = lab.name("first")
    item = lab.item("postgresql", container=name, image=lab.images["postgresql-rude"])
    run = lab.start(item)
    half = lab.folder("first") / "data" / "global" / "pg_filenode.map"
    until(half.exists)
    run.kill()
    docker("kill", name)
    run.finish()
    half.unlink()
    docker("start", name)
    told = lab.run(item, check=True, wait_timeout=5).good()
    done = lab.run(item, wait_timeout=LETS_NOBODY_IN).good()
    assert told.actions == done.actions
    assert done.verbs[0] == "start_over", done.actions
    assert (lab.folder("first") / "data.incomplete-1" / "PG_VERSION").exists()
    assert not lab.run(item).good().changed
    assert lab.login("postgresql", PASSWORD, name)
    lab.drop("first")


@pytest.mark.parametrize("image", others_long(["mysql", "mysql-rude"], "mysql-rude"))
def test_a_first_start_killed_under_the_run(lab: Lab, image: str) -> None:
    """The engine starts it again; the run either gets over it or says so, and the next one ends right."""
    lab.drop("first")
    name = lab.name("first")
    item = lab.item("mysql", container=name, image=lab.images[image])
    run = lab.start(item)
    until(lambda: _has_begun(lab))
    time.sleep(FIRST[image])
    slay(name)
    ended = run.finish()
    if ended.said.get("failed"):
        ended.refused(name)
    lab.settle(item)
    assert lab.login("mysql", PASSWORD, name)
    lab.drop("first")


def _has_begun(lab: Lab) -> bool:
    """Whether the server has begun to write its data."""
    data = lab.folder("first") / "data"
    found = subprocess.run(["ls", str(data)], check=False, capture_output=True, text=True).stdout.split()
    return len(found) > 1
