"""A corner of the engine and of the disk in which flatrun_infra is tried, broken, killed, and seen from outside."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import stat
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.modules import (
    PATIENCE,
    ROOT,
    WAIT,
    Result,
    Run,
    start,
)
from ansible_collections.flatrun.infra.tests.integration.ports import free_port

SOCKET = "/var/run/docker.sock"
# `make test` leaves out what is marked `long`: more of a kind that it has seen, on another engine, image or host.
EVERYTHING = bool(os.environ.get("FLATRUN_TEST_ALL"))
PASSWORD = "Ca'nary\"\\ä%_ 1"

_CONFIG = {"redis": "/usr/local/etc/redis", "postgresql": "/etc/postgresql"}
_NETWORK = {"nginx": "proxy", "certbot": "proxy"}
_SECRET = {"mysql": "root_password", "mariadb": "root_password", "postgresql": "postgres_password", "redis": "password"}


def docker(*words: str, check: bool = True, environment: Mapping[str, str] | None = None) -> str:
    """The engine's own client, so that nothing of the collection judges itself; what it wrote, on both streams."""
    done = subprocess.run(
        ["docker", *words],
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, **(environment or {})},
    )
    assert not check or done.returncode == 0, f"docker {' '.join(words)}: {done.stdout}{done.stderr}"
    return (done.stdout + done.stderr).strip()


def pause(name: str) -> None:
    """Freeze a container. A kernel that is busy may fail to freeze all its processes in time, and is asked again."""
    until(lambda: "unable to freeze" not in docker("pause", name, check=False))
    assert inspect(name)["State"]["Paused"], name


def inspect(name: str) -> dict[str, Any]:
    """What the engine tells of a container; empty where there is none."""
    found = docker("container", "inspect", name, check=False).splitlines()
    text = "\n".join(found)
    return dict(json.loads(text)[0]) if text.startswith("[\n    {") else {}


def until(what: Callable[[], Any], seconds: float = WAIT) -> None:
    """Wait for it to come true; fails where it doesn't in this time."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.2)


def others_long(cases: Iterable[str], *usual: str) -> list[Any]:
    """Parameters of a test, of which `make test` tries the usual ones."""
    return [pytest.param(case, marks=() if case in usual else pytest.mark.long) for case in cases]


@dataclass
class Lab:
    """Names, a folder and networks of its own."""

    images: Mapping[str, str]
    modules: Path
    prefix: str = field(default_factory=lambda: f"frt{secrets.token_hex(3)}")
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def root(self) -> str:
        return f"/var/tmp/flatrun-test-{self.prefix}"

    def name(self, kind: str) -> str:
        return f"{self.prefix}-{kind}"

    def folder(self, kind: str) -> Path:
        return Path(self.root, self.name(kind))

    def network(self, kind: str) -> str:
        return f"{self.prefix}-{_NETWORK.get(kind, 'database')}"

    def open(self) -> None:
        os.mkdir(self.root, 0o755)
        for network in ("proxy", "database"):
            docker("network", "create", f"{self.prefix}-{network}")

    def close(self) -> None:
        """Remove everything that carries the prefix."""
        containers = docker("ps", "--all", "--quiet", "--filter", f"name=^{self.prefix}").split()
        if containers:
            docker("rm", "--force", "--volumes", *containers, check=False)
        for kind in ("network", "volume"):
            listed = docker(kind, "ls", "--quiet", "--filter", f"name={self.prefix}").split()
            if listed:
                docker(kind, "rm", *listed, check=False)
        for path in (self.root, f"{self.root}-link", f"{self.root}-small"):
            subprocess.run(["umount", "--quiet", path], check=False, stderr=subprocess.DEVNULL)
            subprocess.run(["rm", "-rf", path], check=True)

    # Running a module

    def item(self, kind: str, **more: Any) -> dict[str, Any]:
        """An item of ``services`` for this corner."""
        usual: dict[str, Any] = {
            "name": kind,
            "type": kind,
            "container": self.name(kind),
            "image": self.images[kind],
            "networks": [self.network(kind)],
        }
        if kind in _SECRET:
            usual["secrets"] = {_SECRET[kind]: PASSWORD}
        if kind == "nginx":
            usual["published_ports"] = [f"{self.ports.setdefault(kind, free_port())}:80"]
        return {**usual, **more}

    def hindered(self, kind: str, script: str) -> dict[str, Any]:
        """Of an item: a script before its server, in the shell that starts it in our images."""
        path = f"{_CONFIG.get(kind, '/etc/mysql/conf.d')}/first.sh"
        return {"env": {"BASH_ENV": path}, "config_files": {"first.sh": script}}

    def start(
        self, *services: Mapping[str, Any], check: bool = False, under: Sequence[str] = (), **options: Any
    ) -> Run:
        """Begin a run; ``under`` is what it is run by."""
        given = {"root_dir": self.root, "services": list(services), "wait_timeout": WAIT, **options}
        given.update(_ansible_check_mode=check, _ansible_diff=True)
        return start("flatrun_infra", given, self.modules, under)

    def run(
        self, *services: Mapping[str, Any], check: bool = False, under: Sequence[str] = (), **options: Any
    ) -> Result:
        return self.start(*services, check=check, under=under, **options).finish()

    def settle(self, *services: Mapping[str, Any], **options: Any) -> Result:
        """A clean run ends right, and one more changes nothing; the first of them is returned."""
        first = self.run(*services, **options).good()
        again = self.run(*services, **options).good()
        assert not again.changed, again.actions
        return first

    # Looking from outside

    def login(self, kind: str, password: str, container: str = "") -> bool:
        """Whether the server takes the administrator's password over TCP, asked with its own client."""
        return self.ask(kind, password, {"redis": "PING"}.get(kind, "SELECT 1"), container) is not None

    def ask(self, kind: str, password: str, statement: str, container: str = "") -> str | None:
        """What the server answers to a statement; None where the login fails. The password is on no command line.

        PostgreSQL's image trusts whoever comes from within, over 127.0.0.1: so it is asked at its own address.
        """
        clients = {
            "mysql": ("MYSQL_PWD", ["mysql", "-h127.0.0.1", "--protocol=tcp", "-uroot", "-N", "-e", statement]),
            "mariadb": ("MYSQL_PWD", ["mariadb", "-h127.0.0.1", "--protocol=tcp", "-uroot", "-N", "-e", statement]),
            "postgresql": (
                "PGPASSWORD",
                ["psql", "-h", container or self.name(kind), "-U", "postgres", "-Atc", statement],
            ),
            "redis": ("REDISCLI_AUTH", ["redis-cli", "-e", "--no-auth-warning", *statement.split(" ")]),
        }
        variable, command = clients[kind]
        done = subprocess.run(
            ["docker", "exec", "--env", variable, container or self.name(kind), *command],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=PATIENCE,
            env={**os.environ, variable: password},
        )
        refused = done.returncode or "NOAUTH" in done.stdout or "WRONGPASS" in done.stdout + done.stderr
        return None if refused else done.stdout.strip()

    def plant(self, kind: str, password: str = PASSWORD) -> None:
        """A canary in the data."""
        statements = {
            "mysql": "CREATE DATABASE canary; CREATE TABLE canary.bird (song INT); INSERT INTO canary.bird VALUES (42)",
            "postgresql": "CREATE TABLE bird AS SELECT 42 AS song",
            "redis": "SET bird 42",
        }
        statements["mariadb"] = statements["mysql"]
        assert self.ask(kind, password, statements[kind]) is not None

    def sings(self, kind: str, password: str = PASSWORD) -> bool:
        """Whether the canary is still there."""
        statements = {"postgresql": "SELECT song FROM bird", "redis": "GET bird"}
        return self.ask(kind, password, statements.get(kind, "SELECT song FROM canary.bird")) == "42"

    def page(self, path: str = "/") -> int:
        """The status that nginx answers with on its published port; 0 where it closes, as it does for unknown hosts."""
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self.ports["nginx"], timeout=60)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except http.client.RemoteDisconnected:
            return 0
        finally:
            connection.close()

    def drop(self, *kinds: str) -> None:
        """The containers and all that lies on the host of them."""
        for kind in kinds:
            docker("rm", "--force", "--volumes", self.name(kind), f"{self.name(kind)}.former", check=False)
            subprocess.run(["rm", "-rf", str(self.folder(kind))], check=True)

    def containers(self) -> dict[str, Any]:
        """What would tell that a container was touched: its id, its start, its state and its networks."""
        found = docker("ps", "--all", "--format", "{{.Names}}", "--filter", f"name=^{self.prefix}").split()
        raw = {name: inspect(name) for name in found}
        return {
            name: (
                each["Id"],
                each["State"]["StartedAt"],
                each["State"]["Status"],
                sorted(each["NetworkSettings"]["Networks"]),
            )
            for name, each in raw.items()
            if each
        }

    def files(self, kinds: Sequence[str] = ("",)) -> dict[str, tuple[int, ...]]:
        """Everything under root_dir but what a server itself writes: mode, owner, inode, size and mtime."""
        found: dict[str, tuple[int, ...]] = {}
        for top, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name.partition(".")[0] != "data"]
            for path in [top, *(os.path.join(top, name) for name in names)]:
                seen = os.lstat(path)
                size = 0 if stat.S_ISDIR(seen.st_mode) else seen.st_size
                found[path] = (seen.st_mode, seen.st_uid, seen.st_ino, size, seen.st_mtime_ns)
        return found

    def untouched(self) -> tuple[Any, ...]:
        """Compares equal as long as nothing was altered."""
        networks = sorted(docker("network", "ls", "--format", "{{.ID}} {{.Name}}").splitlines())
        return self.containers(), self.files(), [line for line in networks if self.prefix in line]


def module_path(folder: Path) -> Path:
    """What modules import: Ansible and the collection, and beside them only what the host's Python has by itself."""
    found = importlib.util.find_spec("ansible")
    assert found
    assert found.submodule_search_locations
    (folder / "ansible").symlink_to(found.submodule_search_locations[0])
    (folder / "ansible_collections").symlink_to(ROOT / ".cache" / "collections" / "ansible_collections")
    return folder
