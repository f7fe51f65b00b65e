"""An engine that is gone, hangs, breaks, or is started anew: one sentence in time, and nothing altered."""

from __future__ import annotations

import itertools
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults import modules, proxy
from ansible_collections.flatrun.infra.tests.integration.faults.lab import Lab, docker, until
from ansible_collections.flatrun.infra.tests.integration.faults.modules import PATIENCE
from ansible_collections.flatrun.infra.tests.integration.faults.proxy import BEFORE, Call, Proxy
from ansible_collections.flatrun.infra.tests.integration.ports import free_port

TIMEOUT = 2
# Where the engine itself is to answer within it.
LONGER = 8
# Seconds that a run may take beyond its timeout, as promised; and what a machine takes that others keep busy: far less
# than the minute of the default timeout, which a run would take that ignored the one it was given.
GRACE, PYTHON_STARTS = 2, 45


@pytest.fixture(scope="module", autouse=True)
def redis(lab: Lab) -> None:
    lab.settle(lab.item("redis"))


def test_no_time_for_an_engine(lab: Lab) -> None:
    lab.run(lab.item("redis"), timeout=0).refused("timeout: must be at least 1 second")


def test_no_engine(lab: Lab) -> None:
    before = lab.untouched()
    ended = lab.run(lab.item("redis"), docker_host=f"unix://{lab.root}/none.sock", timeout=TIMEOUT)
    ended.refused(f"unix://{lab.root}/none.sock", "can't be reached", "Start it")
    assert ended.seconds < TIMEOUT + GRACE + PYTHON_STARTS
    assert lab.untouched() == before


@pytest.mark.parametrize("check", [True, False])
def test_an_engine_that_accepts_and_never_answers(lab: Lab, tmp_path: Path, check: bool) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen(8)
        ended = lab.run(lab.item("redis"), docker_host=f"unix://{tmp_path}/silent.sock", timeout=TIMEOUT, check=check)
    ended.refused(f"unix://{tmp_path}/silent.sock", "did not answer in time")
    assert not ended.changed
    assert ended.seconds < TIMEOUT + GRACE + PYTHON_STARTS


FAULTS = (proxy.failing, proxy.half, proxy.broken, proxy.drop, proxy.hang)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("path", ["/version", "/info", "/containers/json", "/containers/*/json"])
def test_an_engine_that_answers_nonsense(lab: Lab, tmp_path: Path, fault: proxy.Fault, path: str) -> None:
    before = lab.untouched()
    between = Proxy(tmp_path / "bad.sock", Call("GET", path), BEFORE, fault)
    try:
        # Something is to be done, if only it got that far.
        ended = lab.run(lab.item("redis", memory="99m"), docker_host=between.where, timeout=TIMEOUT)
    finally:
        between.close()
    ended.refused(between.where)
    assert ended.seconds < TIMEOUT + GRACE + PYTHON_STARTS
    assert not ended.changed
    assert lab.untouched() == before


@pytest.fixture(scope="module")
def nginx(lab: Lab) -> None:
    lab.settle(lab.item("nginx"))


@pytest.mark.usefixtures("nginx")
@pytest.mark.parametrize("module", ["flatrun_vhost", "flatrun_vhost_info", "flatrun_db"])
def test_each_call_of_the_others_answered_with_nonsense(lab: Lab, tmp_path: Path, module: str) -> None:
    """Before anything is altered they ask, and whatever the answer is, it is the engine that is named."""
    kind = {"flatrun_vhost": "nginx", "flatrun_vhost_info": "nginx"}.get(module, "redis")
    given: dict[str, Any] = {
        "flatrun_vhost": {"vhosts": [{"name": "bird.example.com", "upstream": "127.0.0.1:1"}]},
        "flatrun_db": {"users": [{"name": "bird", "password": "of a bird"}]},
    }.get(module, {})
    given = {"container": lab.name(kind), "root_dir": lab.root, "timeout": TIMEOUT, **given}
    recording = Proxy(tmp_path / "recording.sock")
    modules.start(
        module, {**given, "docker_host": recording.where, "timeout": 60, "_ansible_check_mode": True}, lab.modules
    ).finish().good()
    recording.close()
    before = lab.untouched()
    assert recording.calls
    for number, (call, fault) in enumerate(itertools.product(recording.calls, FAULTS)):
        # One that hangs takes as long as the timeout: once is enough.
        if fault is proxy.hang and number >= len(FAULTS):
            continue
        between = Proxy(tmp_path / "bad.sock", call, BEFORE, fault)
        try:
            ended = modules.start(module, {**given, "docker_host": between.where}, lab.modules).finish()
        finally:
            between.close()
        assert between.where in ended.refused().message, f"{fault.__name__} at {call}: {ended.message}"
        assert ended.seconds < TIMEOUT + GRACE + PYTHON_STARTS
        assert lab.untouched() == before, f"{fault.__name__} at {call}"


# Over TCP an engine may be anywhere; this way of naming a socket is taken for no socket's name.
@pytest.mark.parametrize(
    ("scheme", "told", "says"),
    [
        ("unix", {"SecurityOptions": ["name=seccomp", "name=rootless"]}, "rootless"),
        ("http+unix", {"Name": "elsewhere"}, "elsewhere"),
    ],
)
def test_an_engine_that_is_not_of_this_host(
    lab: Lab, tmp_path: Path, scheme: str, told: dict[str, Any], says: str
) -> None:
    before = lab.untouched()
    between = Proxy(tmp_path / "far.sock", None, BEFORE, proxy.telling(told))
    where = {"docker_host": f"{scheme}://{tmp_path}/far.sock", "root_dir": lab.root}
    named = {
        "flatrun_infra": {"services": [lab.item("redis", memory="99m")]},
        "flatrun_vhost": {"container": lab.name("nginx"), "vhosts": [{"name": "a", "upstream": "a:1"}]},
        "flatrun_db": {"container": lab.name("redis"), "users": [{"name": "ann", "password": "of ann"}]},
        "flatrun_db_info": {"container": lab.name("redis")},
        "flatrun_db_query": {"container": lab.name("redis"), "query": "SELECT 1"},
    }
    try:
        for module, given in named.items():
            between.at = Call("GET", "/info", 1 + sum(call.path == "/info" for call in between.calls))
            modules.start(module, {**given, **where}, lab.modules).finish().refused(says, where["docker_host"])
    finally:
        between.close()
    assert not any(call.alters for call in between.calls)
    assert lab.untouched() == before


def test_an_engine_that_hangs_in_the_middle(lab: Lab, tmp_path: Path) -> None:
    """The container that served comes back, by itself or by the next run."""
    between = Proxy(tmp_path / "hangs.sock", Call("POST", "/containers/create"), BEFORE, proxy.hang)
    try:
        ended = lab.run(lab.item("redis", memory="99m"), docker_host=between.where, timeout=TIMEOUT)
    finally:
        between.close()
    ended.refused(between.where)
    assert ended.seconds < 4 * (TIMEOUT + GRACE) + PYTHON_STARTS
    lab.settle(lab.item("redis"))


def test_no_image_and_no_registry(lab: Lab) -> None:
    port = free_port()
    before = lab.untouched()
    ended = lab.run(lab.item("redis", image=f"127.0.0.1:{port}/none:1"))
    ended.refused(f"image 127.0.0.1:{port}/none:1", "can't be pulled", "refused")
    assert lab.untouched() == before, "the former container is not as it was"
    lab.run(lab.item("redis", image=f"127.0.0.1:{port}/none:1"), pull="never").refused("pull is never", "services[0]")
    assert lab.untouched() == before


def test_a_registry_that_hangs(lab: Lab) -> None:
    before = lab.untouched()
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        image = f"127.0.0.1:{silent.getsockname()[1]}/none:1"
        ended = lab.run(lab.item("redis", image=image), timeout=LONGER)
    ended.refused(image)
    assert ended.seconds < LONGER + GRACE + PYTHON_STARTS
    assert lab.untouched() == before


class OwnEngine:
    """An engine beside the machine's that may be ended and started.

    It has a network namespace of its own: an engine without a bridge removes docker0 of the namespace that it is in.
    """

    def __init__(self, prefix: str, folder: Path) -> None:
        self.prefix, self.folder = prefix, folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def where(self) -> str:
        return f"unix://{self.folder}/engine.sock"

    @property
    def inside(self) -> tuple[str, ...]:
        """What to run a module by, so that it reaches the containers."""
        assert self.process
        return "nsenter", f"--target={self.process.pid}", "--net"

    def start(self) -> None:
        words = [
            "unshare", "--net", "dockerd", f"--host={self.where}", f"--data-root={self.folder}/data",
            f"--exec-root={self.folder}/run", f"--pidfile={self.folder}/pid",
            f"--containerd-namespace={self.prefix}", f"--containerd-plugins-namespace={self.prefix}-plugins",
            "--iptables=false", "--ip6tables=false", "--shutdown-timeout=3",
        ]  # fmt: skip
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self.answers)

    def answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        return "Server Version" in self.run("info", check=False)

    def run(self, *words: str, check: bool = True) -> str:
        return docker("--host", self.where, *words, check=check)

    def end(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE)
            self.process = None


@pytest.fixture(scope="module")
def own_engine(lab: Lab) -> Iterator[OwnEngine]:
    # Not below root_dir, and short: a socket's path has at most 108 characters.
    folder = Path(f"{lab.root}-small")
    folder.mkdir()
    engine = OwnEngine(lab.prefix, folder)
    try:
        engine.start()
        archive = folder / "image.tar"
        docker("save", "--output", str(archive), lab.images["redis"])
        engine.run("load", "--input", str(archive))
        archive.unlink()
        engine.run("network", "create", lab.network("redis"))
        yield engine
        # Its containers and networks go with its data, but for what is on the kernel.
        engine.run("rm", "--force", lab.name("own"), check=False)
        engine.run("network", "rm", lab.network("redis"), check=False)
    finally:
        engine.end()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        own = [mount for mount in mounts if mount.startswith(f"{folder}/")]
        subprocess.run(["umount", "--lazy", *reversed(own)] if own else ["true"], check=False)


def test_an_engine_started_anew_while_a_run_waits(lab: Lab, own_engine: OwnEngine) -> None:
    # Ready only when it is told to be, so that the run is sure to be waiting.
    waits = "trap 'exit 0' TERM; until [ -e /data/go ]; do sleep 0.2; done"
    item = lab.item("redis", container=lab.name("own"), **lab.hindered("redis", waits))
    process = lab.start(item, under=own_engine.inside, docker_host=own_engine.where, timeout=20)
    until(lambda: own_engine.run("ps", "--quiet", check=False))
    own_engine.end()
    ended = process.finish().refused()
    # An engine that ends still answers on the connections it has, and may tell first of the container that it stops.
    assert own_engine.where in ended.message or f"container {lab.name('own')}" in ended.message, ended.message
    (lab.folder("own") / "data" / "go").touch()
    own_engine.start()
    lab.settle(item, under=own_engine.inside, docker_host=own_engine.where)
    own_engine.run("rm", "--force", lab.name("own"))
