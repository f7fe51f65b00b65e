"""Plays timed as whole processes, and requests to the engine counted."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENGINE = "/var/run/docker.sock"
_REQUEST = re.compile(rb"(?:GET|POST|PUT|DELETE|HEAD) /[^ ]* HTTP/1\.1\r\n")
_RECAP = re.compile(r"changed=(\d+).*failed=(\d+)")


@dataclass
class Bench:
    """A run of the benchmarks: its own prefix, root_dir and port, and nothing left behind."""

    prefix: str
    root: str
    port: int
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    floor: float = 0.0

    def play(self, name: str, changes: bool | None = None, **variables: object) -> float:
        """Seconds of one ansible-playbook process; ``changes`` says whether it has to change something, or nothing."""
        known = {"bench_prefix": self.prefix, "bench_root": self.root, "bench_port": self.port, **variables}
        python = os.environ.get("FLATRUN_TEST_PYTHON", sys.executable)
        command = ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={python}"]
        command += ["-e", f"@{HERE}/plays/services_vars.yml"]
        for key, value in known.items():
            command += ["-e", str(value) if key == "extra" else f"{key}={value}"]
        # A name with dots is a playbook of a collection, any other one of the plays here.
        command.append(name if "." in name else f"{HERE}/plays/{name}.yml")
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        recap = _RECAP.search(done.stdout)
        if done.returncode or not recap:
            sys.exit(f"{name} failed:\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}")
        if changes is not None and changes != (recap[1] != "0"):
            sys.exit(f"{name} was to change {'something' if changes else 'nothing'}, and changed {recap[1]} tasks")
        return seconds

    def median(self, name: str, runs: int = 3, changes: bool | None = None, **variables: object) -> float:
        return statistics.median(self.play(name, changes, **variables) for _run in range(runs))

    def row(self, what: str, seconds: float, reach: str, against: str = "") -> None:
        cells = (
            what,
            f"{seconds:7.2f} s",
            f"{seconds / self.floor:5.1f} P",
            reach if not against else f"{reach}; {against}",
        )
        self.rows.append(cells)
        print("  ".join((f"{cells[0]:<58}", *cells[1:])), flush=True)

    def say(self, what: str) -> None:
        print(what, flush=True)

    def clean(self) -> None:
        """Remove the containers, networks and files of this run; the folder is there for what comes next."""
        listed = subprocess.run(
            ["docker", "ps", "-aq", "--filter", f"name=^{self.prefix}-"], capture_output=True, text=True, check=True
        ).stdout.split()
        # One at a time: an engine of 20.10 may hang itself up where many leave a network at once.
        for container in listed:
            subprocess.run(["docker", "rm", "-fv", container], capture_output=True, check=True)
        for network in ("proxy", "database"):
            subprocess.run(["docker", "network", "rm", f"{self.prefix}-{network}"], capture_output=True, check=False)
        shutil.rmtree(self.root, ignore_errors=True)
        os.mkdir(self.root, 0o755)


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    root = tempfile.mkdtemp(prefix="flatrun-bench-", dir="/var/tmp")
    os.chmod(root, 0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = Bench(os.path.basename(root).replace("_", "x"), root, port)
    try:
        run.floor = run.median("ping", 5)
        run.say(f"P = {run.floor:.2f} s, a play with a single ping")
        yield run
    finally:
        run.clean()
        os.rmdir(root)


class Counter:
    """A socket before the engine's that counts the requests that pass."""

    def __init__(self, path: str) -> None:
        self.path, self.requests = path, 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(32)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _address = self._listener.accept()
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(ENGINE)
            threading.Thread(target=self._pump, args=(client, engine, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(engine, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if counts:
                    self.requests += len(_REQUEST.findall(data))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
