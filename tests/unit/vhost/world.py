"""An nginx and its releases in memory: what flatrun_vhost sees of it, and what a release does there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.arguments import Options
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Plan
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal, Room
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.arguments import VHOST
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.guards import quarantined
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.htpasswd import PasswordFile
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.plan import Order, anchor, plan
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.room import report
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import Vhosts, parse
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import Files, State

# Where a run may be killed: after the candidate was written, after the switch, after the signal.
POINTS = STAGED, SWITCHED, RELOADED = "staged", "switched", "reloaded"


class Killed(Exception):
    """The run ended here."""


@dataclass
class Server:
    """``state`` is what is on disk; what nginx answers with is the release it was last told of.

    One that ``is_stuck`` reads nothing again, whatever it is told.
    """

    state: State
    killed_at: str = ""
    is_stuck: bool = False
    attempts: int = 0
    reloads: int = 0
    switches: list[str] = field(default_factory=list)
    past: list[Files] = field(default_factory=list)

    def copy(self) -> Server:
        return Server(self.state, past=list(self.past))

    def observe(self) -> State:
        former = next((files for files in reversed(self.past) if files != self.state.files), None)
        return replace(self.state, former=former)

    @contextmanager
    def hold(self) -> Iterator[None]:
        yield

    def would_have(self, order: Order) -> Files:
        return Files(dict(order.texts), {path: _text(content) for path, content in order.extras.items()})

    def take(self, order: Order, without: str = "") -> None:
        """A new release with these files, less one that stays as it was."""
        files, former = self.would_have(order), self.state.files
        for new, old in ((files.texts, former.texts), (files.extras, former.extras)):
            assert isinstance(new, dict)
            new.pop(without, None)
            new.update({without: old[without]} if without in old else {})
        self.past.append(former)
        release = f"{int(self.state.release or 0) + 1:06d}"
        self.state = replace(self.state, release=release, files=files)
        self.switches.append(release)

    def apply(self, plan: Plan, done: Journal) -> None:
        if plan.unreached:
            raise Unreachable("it does not exist", "container")
        last, before = plan.actions[-1], self.state
        if any(action.verb == "sign" for action in plan.actions):
            self.state = replace(self.state, signed=True)
        if last.verb == "release":
            copies, none = self.state.copies | set(last.detail.pairs), frozenset[str]()
            self.state = replace(self.state, copies=copies, exposed=none, withheld=none)
            self._die(STAGED)
            self.take(last.detail)
            self._die(SWITCHED)
        if self.state.running:
            self.attempts += 1
            if self.is_stuck:
                self.state = replace(before, copies=self.state.copies)
                raise Refused("nginx serves the former release after its reload", "container")
            self.state = replace(self.state, served=self.state.release)
            self.reloads += 1
        self._die(RELOADED)
        for action in plan.actions:
            if action.verb != "quarantine":
                done(action)
        if last.detail.rejected:
            raise quarantined(last.detail.rejected)

    def _die(self, where: str) -> None:
        if self.killed_at == where:
            self.killed_at = ""
            raise Killed


@cache
def _hashed(content: PasswordFile) -> str:
    return content.text(lambda: "salt")


def _text(content: str | PasswordFile) -> str:
    return content if isinstance(content, str) else _hashed(content)


def room(server: Server) -> Room[Vhosts, State]:
    @contextmanager
    def world(_spec: Vhosts) -> Iterator[Server]:
        yield server

    return Room(parse=parse, world=world, plan=plan, report=report, anchor=anchor)


def params(vhosts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """What AnsibleModule hands over: every option, with its default."""
    whole = filled(VHOST.options, {**more, "vhosts": vhosts})
    return {**whole, "docker_host": "unix:///nowhere"}


def filled(options: Options, given: dict[str, Any]) -> dict[str, Any]:
    names = {alias: name for name, option in options.items() for alias in option.get("aliases", ())}
    given = {names.get(key, key): value for key, value in given.items()}
    assert set(given) <= set(options), set(given) - set(options)
    found = {}
    for name, option in options.items():
        value = given.get(name, option.get("default"))
        if option.get("options") and isinstance(value, dict):
            value = filled(option["options"], value)
        elif option.get("options") and isinstance(value, list):
            value = [filled(option["options"], each) for each in value]
        found[name] = value
    return found
