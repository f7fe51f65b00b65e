"""The hosts that integration tests run on, and what each test is given there.

A host is reached the same way by the tests and by Ansible: `local` by running a command, `ssh` over SSH with sudo. What
is made on it carries a random prefix, so what a test leaves is seen, removed, and counted against it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from ansible_collections.flatrun.infra.tests.integration import databases
from ansible_collections.flatrun.infra.tests.integration.faults.lab import EVERYTHING, module_path
from ansible_collections.flatrun.infra.tests.integration.faults.modules import WAIT, interpreter
from ansible_collections.flatrun.infra.tests.integration.ports import free_ports

# Fixtures, found by their names.
server, servers = databases.server, databases.servers
any_server, other_lines = databases.any_server, databases.other_lines

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COLLECTIONS = ROOT / ".cache" / "collections"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "flatrun-infra"
# What every playbook is told, since engines and servers start together on a busy machine.
PATIENT = {"infrastructure_wait_timeout": WAIT, "host_engine_timeout": WAIT}
# The last lines are where a play says what failed.
SHOWN = 120
HOSTS = ("local", "ssh")
# Groups that take long begin first, so that no worker is alone with one at the end.
LONGEST = (
    *("ssh", "databases", "bare", "test_infra_crash", "images", "role_services", "infra", "site", "test_infra_states"),
    *("test_vhost_nginx", "vhost", "site_deployments", "site_lifecycle", "test_artifact", "test_infra_secrets"),
)
OWN_NETWORKS = {"bridge", "host", "none"}


@dataclass(frozen=True)
class Host:
    """Where a target runs: what Ansible is told about it, and a way to run a command on it as root."""

    name: str
    inventory: Path
    shell: tuple[str, ...] = ()
    own_engine: bool = False

    def run(self, *command: str, check: bool = True) -> str:
        words = [*self.shell, shlex.join(command)] if self.shell else list(command)
        done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if check and done.returncode:
            raise AssertionError(f"{shlex.join(command)} on {self.name}: {done.stderr.strip()}")
        return done.stdout

    def lines(self, *command: str) -> list[str]:
        return self.run(*command).splitlines()

    def containers(self) -> set[str]:
        return set(self.lines("docker", "ps", "--all", "--format", "{{.Names}}"))

    def networks(self) -> set[str]:
        return set(self.lines("docker", "network", "ls", "--format", "{{.Name}}")) - OWN_NETWORKS

    def volumes(self) -> set[str]:
        return set(self.lines("docker", "volume", "ls", "--quiet"))

    def remove(self, prefix: str) -> None:
        """Remove all containers, volumes and networks whose names begin so.

        One after the other, as an engine may lose count of those that leave a network at the same moment, and then it
        keeps that network until it begins anew (https://github.com/moby/moby/issues/42119).
        """
        for name in sorted(self.containers()):
            if name.startswith(prefix):
                self.run("docker", "rm", "--force", "--volumes", name)
        for name in sorted(self.volumes()):
            if name.startswith(prefix):
                self.run("docker", "volume", "rm", name)
        for name in sorted(self.networks()):
            if name.startswith(prefix):
                self.run("docker", "network", "rm", name, check=False)


@dataclass(frozen=True)
class Stage:
    """What one test is given on one host."""

    host: Host
    images: dict[str, str]
    prefix: str = field(default_factory=lambda: f"frt{secrets.token_hex(3)}")
    ports: tuple[int, ...] = field(default_factory=lambda: free_ports(10))

    @property
    def root(self) -> str:
        return f"/var/tmp/flatrun-test-{self.prefix}"

    def variables(self) -> dict[str, object]:
        return {
            "test_prefix": self.prefix,
            "test_root": self.root,
            "test_ports": list(self.ports),
            "test_images": self.images,
            "test_host": self.host.name,
            "test_all": EVERYTHING,
        }


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hosts", default=" ".join(HOSTS), help="hosts to run on: local, ssh, or both (default)")


def pytest_itemcollected(item: pytest.Item) -> None:
    """A file's tests stay on one worker, where they share what they have started, unless they say otherwise.

    When items are sorted it is too late for that: xdist has read the groups by then.
    """
    if item.get_closest_marker("xdist_group") is None:
        item.add_marker(pytest.mark.xdist_group(item.path.stem))


def turn(item: pytest.Item) -> int:
    group = str(next(item.iter_markers("xdist_group")).args[0])
    return LONGEST.index(group) if group in LONGEST else len(LONGEST)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Groups that are not heeded would have tests meet on the second host, and fail here and there."""
    left_out = [item for item in items if item.get_closest_marker("long") and not EVERYTHING]
    config.hook.pytest_deselected(items=left_out)
    items[:] = sorted((item for item in items if item not in left_out), key=turn)
    if getattr(config.option, "loadgroup", False):
        lost = [item.nodeid for item in items if "@" not in item.nodeid]
        assert not lost, f"pytest-xdist did not note the groups of {len(lost)} tests, such as {lost[0]}"


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """Service type to image, of all that `make images` has built."""
    found = Host("local", Path()).lines("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "flatrun/*:local")
    return {image.removeprefix("flatrun/").removesuffix(":local"): image for image in found}


@pytest.fixture(scope="session")
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, images: dict[str, str]
) -> Iterator[Host]:
    if request.param == "local":
        yield this_host(tmp_path_factory.mktemp("inventory"))
        return
    name = os.environ.get("FLATRUN_TEST_HOST", "second")
    # Its engine is one run's own: a run beside this one waits here.
    with open(f"/run/lock/flatrun-{name}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield second_host(name, images)


@pytest.fixture
def here(tmp_path: Path) -> Host:
    """This machine, for a test that is on the second host, too."""
    return this_host(tmp_path)


def this_host(folder: Path) -> Host:
    """The machine itself, with its engine shared: nothing on it is the tests' own but what carries their prefix.

    A thousand modules have what they import at hand here. Over SSH, and where Ansible has a test of its own, nothing
    stands between it and the host's Python.
    """
    imported = folder / "imported"
    imported.mkdir()
    told = {
        "ansible_connection": "local",
        "ansible_python_interpreter": str(interpreter(folder, module_path(imported))),
    }
    inventory = folder / "local.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"local": told}}}))
    return Host("local", inventory)


def second_host(name: str, images: dict[str, str]) -> Host:
    """A machine of its own behind SSH, with `become`; it stays up for the next run, `make clean` ends it."""
    found = reach(Path(host_script("up", name)[-1]), name)
    host_script("images", name, *images.values())
    return found


def host_script(*arguments: str) -> list[str]:
    script = ROOT / "tests" / "setup" / "host"
    done = subprocess.run([script, *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()


def reach(inventory: Path, name: str) -> Host:
    told = yaml.safe_load(inventory.read_text())["all"]["hosts"][name]
    login = f"{told['ansible_user']}@{told['ansible_host']}"
    options = shlex.split(told["ansible_ssh_common_args"])
    key = told["ansible_ssh_private_key_file"]
    # One connection for all commands: a login costs more than most of them.
    shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", f"ControlPath={inventory.parent}/%C"]
    return Host("ssh", inventory, ("ssh", "-i", key, *options, *shared, login, "sudo"), own_engine=True)


@pytest.fixture(scope="module")
def bare(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A machine without an engine, of the suite that the tests name."""
    # One for each run, like the second host: a name has room for eleven letters.
    name = f"b{os.environ.get('FLATRUN_TEST_HOST', 'second')[-8:]}{request.param[0]}"
    host_script("down", name)
    try:
        inventory = host_script("up", name, "bare", request.param)[-1]
    except subprocess.CalledProcessError:
        if list(CACHE.glob(f"root-{request.param}-*.tar")):
            raise
        pytest.skip(f"the archive of {request.param} can't be reached")
    yield reach(Path(inventory), name)
    host_script("down", name)


@dataclass(frozen=True)
class Play:
    """What became of one run of ansible-playbook."""

    output: str = field(repr=False)

    @property
    def changed(self) -> int:
        return sum(int(number) for number in re.findall(r"^\S+ +: ok=\d+ +changed=(\d+)", self.output, re.MULTILINE))


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., Play]:
    """Runs a playbook as a user would, with the checkout as the collection."""
    environment = os.environ | {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_ROLES_PATH": str(HERE / "targets"),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_PIPELINING": "true",
        # For a login over SSH on a busy machine.
        "ANSIBLE_TIMEOUT": "60",
        # A warning of the collection's own is a defect like any other.
        "ANSIBLE_DEPRECATION_WARNINGS": "true",
    }

    def run(host: Host, playbook: str, *options: str, fails: bool = False, **variables: object) -> Play:
        told = tmp_path / "variables.json"
        told.write_text(json.dumps({**PATIENT, **variables}))
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *(playbook, f"--inventory={host.inventory}", f"--extra-vars=@{told}", *options),
        ]
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )
        lines = (done.stdout + done.stderr).splitlines()
        if bool(done.returncode) != fails:
            pytest.fail("\n".join(lines[-SHOWN:]), pytrace=False)
        return Play("\n".join(lines))

    return run


@pytest.fixture
def stage(host: Host, images: dict[str, str]) -> Iterator[Stage]:
    """A prefix, a directory and ports; all of it is removed at the end, whatever became of the test.

    On an engine of the tests' own there is then the proof that nothing else was left.
    """
    given = Stage(host, images)
    host.run("install", "-d", "-m", "0755", given.root)
    before = host.containers(), host.networks(), host.volumes()
    yield given
    host.remove(given.prefix)
    # Beside it lies the time that a run is compared with.
    host.run("rm", "-rf", given.root, f"{given.root}.stamp")
    # Others are at work on an engine that isn't the tests' own.
    after = (host.containers(), host.networks(), host.volumes()) if host.own_engine else before
    left = [
        sorted(name for name in found - known if not name.startswith(given.prefix))
        for found, known in zip(after, before)
    ]
    for names, remove in zip(left, (("rm", "--force"), ("network", "rm"), ("volume", "rm"))):
        if names:
            host.run("docker", *remove, *names, check=False)
    if any(left):
        found = ", ".join(name for names in left for name in names)
        pytest.fail(f"left on {host.name}, and removed now: {found}", pytrace=False)
