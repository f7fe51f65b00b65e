"""flatrun_infra killed at its file operations and its calls to the engine, told to end there, and its connection cut.

After each: a clean run ends right and one more changes nothing, the wanted password is the one that works, nobody is
ever locked out, the data is there, and nothing of the killed run lies about. FLATRUN_TEST_CRASHES says how many points
of each case are tried ("all" for every one); fewer than all are drawn with a fixed seed.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults import trace
from ansible_collections.flatrun.infra.tests.integration.faults.lab import PASSWORD, Lab, docker, others_long, until
from ansible_collections.flatrun.infra.tests.integration.faults.modules import Result, Run
from ansible_collections.flatrun.infra.tests.integration.faults.proxy import AFTER, BEFORE, Call, Proxy, drop

WISH = os.environ.get("FLATRUN_TEST_CRASHES", "")
OTHER = "2nd pass'word\\"
# By the signal itself, and as a shell tells it.
KILLED = (-9, 137)
# What a job that is cancelled, a terminal that is closed, and somebody at the keyboard send.
TOLD = itertools.cycle((signal.SIGTERM, signal.SIGHUP, signal.SIGINT))

Item = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """What a run is killed at: the way between two wishes for a service; from nothing where there is no other."""

    kind: str
    one: Mapping[str, Any]
    other: Mapping[str, Any] | None = None
    points: int = 3
    # Whether the service must answer all the time, whatever is killed.
    steady: bool = False

    def wishes(self, lab: Lab) -> tuple[Item, Item | None]:
        fill = {"PREFIX": lab.prefix}
        one, other = (
            {key: value.format(**fill) if isinstance(value, str) else value for key, value in (wish or {}).items()}
            for wish in (self.one, self.other)
        )
        return lab.item(self.kind, **one), lab.item(self.kind, **other) if self.other is not None else None


def _secret(kind: str, text: str) -> Mapping[str, Any]:
    return {"secrets": {{"redis": "password", "postgresql": "postgres_password"}.get(kind, "root_password"): text}}


def _site(place: str) -> Mapping[str, Any]:
    """A configuration that takes what lies in a volume; nginx reads the file when it reads the directive."""
    return {"volumes": [f"/usr/lib:/srv/{place}:ro"], **_config(f"ssl_password_file /srv/{place}/os-release;\n")}


def _config(text: str) -> Mapping[str, Any]:
    return {"config_files": text and {"x.conf" if "mysqld" not in text else "x.cnf": text}}


CASES = {
    "first-redis": Case("redis", {}, points=4),
    "first-nginx": Case("nginx", {}, points=4),
    "first-mysql": Case("mysql", {}, points=2),
    "first-postgresql": Case("postgresql", {}, points=2),
    "password-redis": Case("redis", {}, _secret("redis", OTHER), points=4, steady=True),
    "password-mysql": Case("mysql", {}, _secret("mysql", OTHER), points=3, steady=True),
    "password-mariadb": Case("mariadb", {}, _secret("mariadb", OTHER), points=5, steady=True),
    "password-postgresql": Case("postgresql", {}, _secret("postgresql", OTHER), points=5, steady=True),
    "image-redis": Case("redis", {}, {"image": "{PREFIX}-redis:other"}, points=3),
    "memory-mysql": Case("mysql", {}, {"memory": "2g"}, points=2),
    "config-redis": Case("redis", _config("maxmemory 64mb\n"), _config("maxmemory 65mb\n"), points=4),
    "volume-nginx": Case("nginx", _site("one"), _site("two"), points=3),
    "release-nginx": Case("nginx", {}, _config("map $uri $canary { default 1; }\n"), points=4, steady=True),
}


def drawn(points: list[Any], count: int) -> list[Any]:
    """All of them, as many as are asked for, or as many as the case says; in their order."""
    wish = len(points) if WISH == "all" else int(WISH or count)
    return sorted(random.Random(7).sample(points, min(wish, len(points))), key=points.index)


@pytest.fixture(scope="module", autouse=True)
def other_image(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same server under another id."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text(f"FROM {lab.images['redis']}\nLABEL other={lab.prefix}\n")
    docker("build", "--quiet", "--tag", f"{lab.prefix}-redis:other", str(folder))
    yield
    docker("rmi", "--force", f"{lab.prefix}-redis:other")


@dataclass
class Course:
    """One case on its way: where it stands, and what went wrong at which point."""

    lab: Lab
    case: Case
    errors: list[str]
    killed: int = 0
    tried: int = 0

    def __post_init__(self) -> None:
        self.one, self.other = self.case.wishes(self.lab)

    def begin(self) -> None:
        """Where every attempt starts: nothing, or the first wish come true, with something to lose in it."""
        self.lab.drop(self.case.kind)
        if self.other:
            self.lab.settle(self.one)
            if self.case.kind != "nginx":
                self.lab.plant(self.case.kind, _password(self.one))

    def attempt(self, point: Any, kill: Callable[[Item], Result]) -> None:
        """Killed on the way to one wish, then run in peace."""
        wish = self.other or self.one
        self.tried += 1
        try:
            if not self.other:
                self.begin()
            with self.watched():
                ended = kill(wish)
            self.killed += ended.code in KILLED
            self._check(wish)
        except AssertionError as error:
            self.errors.append(f"{point}: {str(error)[:600]}")
            self.begin()
            return
        # The next attempt goes back the same way.
        self.one, self.other = (self.other, self.one) if self.other else (self.one, None)

    def _check(self, wish: Item) -> None:
        lab, kind = self.lab, self.case.kind
        if self.case.steady and kind != "nginx":
            entered = [lab.login(kind, _password(each)) for each in (self.one, wish)]
            assert any(entered), "locked out"
            # Whoever forgets what was wanted gets in as well, with what is kept on the host.
            plain = {key: value for key, value in wish.items() if key != "secrets"}
            if self.tried % 2:
                lab.run(plain).good()
        if self.case.steady and kind == "nginx":
            docker("restart", "--time", "5", lab.name(kind))
        if self.other and kind == "nginx" and not self.case.steady and self.tried % 2:
            # What it was before is found again.
            lab.settle(self.one)
        lab.settle(wish)
        if kind == "nginx":
            assert lab.page() == 0
        else:
            assert lab.login(kind, _password(wish)), "the wanted password does not work"
            assert not lab.login(kind, "wrong"), "any password works"
            former = _password(self.one)
            assert former == _password(wish) or not lab.login(kind, former), "the former password still works"
        if self.other and kind != "nginx":
            assert lab.sings(kind, _password(wish)), "the data is gone"
        self._require_tidy()

    def _require_tidy(self) -> None:
        lab, kind = self.lab, self.case.kind
        names = docker("ps", "--all", "--format", "{{.Names}}", "--filter", f"name=^{lab.name(kind)}").split()
        assert names == [lab.name(kind)], names
        trials = docker("ps", "--all", "--quiet", "--filter", f"label=flatrun.infra.trial={lab.name(kind)}").split()
        assert not trials, "a container is left in which a configuration was tried"
        # Without a descent into the data, that servers write into.
        found = [path for path in lab.files() if os.path.basename(path).startswith(".") or path.endswith(".next")]
        assert not found, f"left behind: {found}"

    @contextmanager
    def watched(self) -> Iterator[None]:
        """What must answer all the time is asked all the time."""
        if not (self.case.steady and self.case.kind == "nginx"):
            yield
            return
        failures: list[str] = []
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                try:
                    self.lab.page()
                except OSError as error:
                    failures.append(str(error))
                time.sleep(0.02)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
        assert not failures, f"nginx did not answer: {failures[0]}"

    def end(self) -> None:
        self.lab.drop(self.case.kind)
        assert not self.errors, f"{len(self.errors)} of {self.tried} points:\n" + "\n".join(self.errors)
        # A point that the other way does not come by is no failure, but they are few.
        assert self.killed * 3 >= self.tried * 2, f"only {self.killed} of {self.tried} runs were killed"


def _password(item: Item) -> str:
    return next(iter(item.get("secrets", {"": PASSWORD}).values()))


FILES = others_long(CASES, "first-redis", "release-nginx")
CALLS = others_long(CASES, "password-redis", "image-redis", "release-nginx")


@pytest.mark.parametrize("name", FILES)
def test_killed_at_a_file_operation(lab: Lab, name: str, tmp_path: Path) -> None:
    course = Course(lab, CASES[name], [])
    course.begin()
    log = tmp_path / "trace"
    both = []
    # Each way has its own folders, so each has its own steps.
    for wish in (course.other, course.one) if course.other else (course.one,):
        lab.run(wish, under=trace.recording(log)).good()
        both.append(trace.steps(log, lab.root))
    assert all(both), "nothing was written"
    for number in range(len(drawn(both[0], course.case.points))):
        # The first attempt goes the first way, the second goes back.
        steps = both[number % len(both)]
        chosen = drawn(steps, course.case.points)
        step = chosen[min(number, len(chosen) - 1)]
        course.attempt(step, lambda wish, step=step: lab.run(wish, under=trace.killing(step)))
    course.end()


def _fatal(
    when: str, call: Call, folder: Path, lab: Lab, by: signal.Signals = signal.SIGKILL
) -> Callable[[Item], Result]:
    """A run whose process dies at a call."""

    def kill(wish: Item) -> Result:
        proxy = Proxy(folder / "killing.sock", call, when)
        try:
            process = lab.start(wish, docker_host=proxy.where)
            proxy.fault = lambda _client: _end(process, by)
            ended = process.finish()
        finally:
            proxy.close()
        if ended.code == -by:
            return Result({}, KILLED[0], ended.seconds, ended.output)
        return ended

    return kill


def _end(process: Run, by: signal.Signals) -> None:
    """The connection stays open as long as the process lives: what it makes of one that breaks is tried by itself."""
    process.kill(by)
    until(process.is_gone)


def _told(when: str, call: Call, folder: Path, lab: Lab) -> Callable[[Item], Result]:
    """A run that is told to end at a call, each time by another signal."""
    return _fatal(when, call, folder, lab, next(TOLD))


def _cut(when: str, call: Call, folder: Path, lab: Lab) -> Callable[[Item], Result]:
    """A run that loses its connection at a call, and has to say so, or to get over it."""

    def kill(wish: Item) -> Result:
        proxy = Proxy(folder / "cutting.sock", call, when, drop)
        try:
            ended = lab.run(wish, docker_host=proxy.where)
        finally:
            proxy.close()
        if ended.said.get("failed"):
            ended.refused(str(folder))
        return Result(ended.said, KILLED[0], ended.seconds, ended.output)

    return kill


@pytest.mark.parametrize("name", CALLS)
def test_killed_or_cut_off_at_a_call_to_the_engine(lab: Lab, name: str, tmp_path: Path) -> None:
    course = Course(lab, CASES[name], [])
    course.begin()
    proxy = Proxy(tmp_path / "recording.sock")
    for wish in (course.other, course.one) if course.other else (course.one,):
        proxy.calls.clear()
        lab.run(wish, docker_host=proxy.where).good()
    proxy.close()
    # What only looks leaves what was there before it, so those are tried when all are.
    calls = [call for call in proxy.calls if call.alters or WISH == "all"]
    assert calls or course.case.kind != "nginx"
    points = [(way, when, call) for call in calls for way in (_fatal, _told, _cut) for when in (BEFORE, AFTER)]
    for way, when, call in drawn(points, course.case.points):
        course.attempt(f"{way.__name__} {when} {call}", way(when, call, tmp_path, lab))
    course.end()
