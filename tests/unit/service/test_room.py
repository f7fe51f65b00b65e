"""How long a run waits for a server that runs and lets nobody in, and what it says of one that ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.service import apply, guards, info, room
from ansible_collections.flatrun.infra.plugins.module_utils.service.apply import Hand
from ansible_collections.flatrun.infra.plugins.module_utils.service.calling import call
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.service.room import Host
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import parse
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Container, Found
from ansible_collections.flatrun.infra.tests.unit.service.cases import asked

SILENT = Found(container=Container("db", "running", "image", "id", "2026-01-01T00:00:00Z"), initialising=True)


class Engine:
    """With nothing on it."""

    memory, cpus = 2**30, 4

    def ask(self, _method: str, *_words: Any, **_options: Any) -> list[Any]:
        return []


class Clock:
    """Time passes only for whoever waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Silent:
    """Looks at a server that answers nobody, and waits for it in vain."""

    clock = Clock()
    found = SILENT
    home: Any = None

    def __init__(self, *_given: Any) -> None: ...

    def look(self, _listing: Any) -> Found:
        return self.found

    def ask(self, found: Found) -> Found:
        return found

    def settle(self, found: Found, until: float) -> Found:
        self.clock.now = max(self.clock.now, until)
        return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (room, apply):
        monkeypatch.setattr(module, "time", made)
        monkeypatch.setattr(module, "Observer", Silent)
    monkeypatch.setattr(Silent, "clock", made)
    monkeypatch.setattr(room, "externals", lambda _root: {})
    return made


def test_the_same_start_is_waited_for_once(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the lock it is asked again; what has been started meanwhile is waited for as long as anything."""
    host = Host(parse(asked({"type": "postgresql"}, wait_timeout=90)), Engine())
    host.observe()
    assert clock.now == 1090
    clock.now += 200
    host.observe()
    assert clock.now == 1290
    begun_anew = replace(SILENT.container, started_at="2026-01-01T00:05:00Z")
    monkeypatch.setattr(Silent, "found", replace(SILENT, container=begun_anew))
    host.observe()
    assert clock.now == 1380


def test_an_nginx_of_somebody_elses_is_not_waited_for(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can't tell what it serves, neither before it is taken over nor when it is back."""
    foreign = Found(container=Container("web", "running", "image", "id", "2026-01-01T00:00:00Z"), words="refused")
    monkeypatch.setattr(Silent, "found", foreign)
    spec = parse(asked({"type": "nginx", "container": "web", "adopt": True}))
    Host(spec, Engine()).observe()
    assert Hand(spec, spec.services[0], foreign, Engine())._outcome(was_running=True) == "runs again"
    assert clock.now == 1000


def test_a_service_is_found_by_the_name_it_got(tmp_path: Path) -> None:
    """Its container keeps the label that it was made with."""
    root = str(tmp_path)
    labels = {f"{LABEL}root_dir": root, f"{LABEL}container": "db", f"{LABEL}service": "cache"}
    listing = [{"Labels": labels, "Names": ["/db"], "Id": "1", "Image": "redis:8", "Created": 0, "State": "running"}]
    for name in ("cache", "sessions"):
        assert room._bearers(listing, root) == {name: ("db",)}
        assert [service["name"] for service in info._managed(listing, root)] == [name]
        (tmp_path / "db").mkdir(exist_ok=True)
        call(Layout(root, "db"), "sessions")


def test_whoever_takes_a_place_is_waited_for(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a task that waits for nobody: what served before is given up for it."""
    done: list[str] = []
    for step in ("set_aside", "start", "bring_back"):
        monkeypatch.setattr(apply.containers, step, lambda *_words, step=step: done.append(step))
    monkeypatch.setattr(Hand, "_make", lambda *_words: done.append("make"))
    monkeypatch.setattr(Hand, "_keeper", SimpleNamespace(write_out=lambda *_words: None))
    monkeypatch.setattr(Hand, "_expect_release", lambda *_words: None)
    monkeypatch.setattr(Silent, "home", SimpleNamespace(take_back=lambda: done.append("take_back")))
    served = Found(container=Container("web", "running", "image", "id", settings={"image": "old"}))
    spec = parse(asked({"type": "nginx", "container": "web"}, wait=False, wait_timeout=7))
    order = SimpleNamespace(found=served, files={}, layout=None)
    with pytest.raises(Refused, match="its successor failed"):
        Hand(spec, spec.services[0], served, Engine()).do(Action("replace", "container web", "", detail=order))
    assert done == ["set_aside", "make", "start", "take_back", "bring_back"]
    assert clock.now >= 1007


@pytest.mark.parametrize(("status", "restarts"), [("restarting", 1), ("exited", 0), ("running", 3)])
def test_who_ends_again_and_again_was_not_too_slow(status: str, restarts: int) -> None:
    """Also where it is just up again when it is looked at."""
    service = parse(asked({"type": "redis"})).services[0]
    found = Found(container=Container("db", status, "image", "id", restarts=restarts), words="refused")
    with pytest.raises(Refused, match="ends as soon as it has started"):
        guards.started(service, found, 120)


@pytest.mark.parametrize(("wait_timeout", "waited"), [(4, 60), (90, 90)])
def test_who_is_brought_back_has_time_to_come_up(clock: Clock, wait_timeout: int, waited: int) -> None:
    spec = parse(asked({"type": "redis"}, wait_timeout=wait_timeout))
    hand = Hand(spec, spec.services[0], SILENT, Engine())
    assert "does not answer" in hand._outcome(was_running=True)
    assert clock.now == 1000 + waited
