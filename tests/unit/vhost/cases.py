"""The states an nginx of ours can be found in, and the tasks it can be given: every combination is a case.

What must come of a case is told here from the case alone, without a look at the plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.certificate import Certificate
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.pairs import Pair
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import Vhosts, parse
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import Foreign, State
from ansible_collections.flatrun.infra.tests.unit.vhost.full import HASH
from ansible_collections.flatrun.infra.tests.unit.vhost.world import Server, params, room

Entry = dict[str, Any]
NOW = 1_000_000.0
CHAIN = "/etc/flatrun/certificates/c/fullchain.pem"
SECRETS = ("Ca'nary\"\\ä 1", "another canary")
WAY_BACK = "the way back"
# Since when an nginx follows the names of a pool.
POOLS = (1, 27, 3)

A: Entry = {"name": "a.example", "upstream": "one:80"}
A_CHANGED: Entry = {"name": "a.example", "upstream": "two:80", "websocket": False}
A_GONE: Entry = {"name": "a.example", "state": "absent"}
A_BAD: Entry = {"name": "a.example", "upstream": "no address"}
# The same upstream as A, and names of its own.
B: Entry = {"name": "b", "domains": ["b.example", "*.b.example"], "upstream": "one:80", "timeouts": {"read": "5m"}}
C: Entry = {
    "name": "c.example",
    "upstream": "192.0.2.1:80",
    "tls": {"certificate": "c"},
    "basic_auth": {"users": [{"name": "anna", "password": SECRETS[0]}, {"name": "ben", "password_hash": HASH}]},
    "error_pages": {"502": "<h1>gone</h1>"},
    "rate_limit": {"rate": "10r/s"},
}
C_CHANGED: Entry = {**C, "basic_auth": {"users": [{"name": "anna", "password": SECRETS[1]}]}, "error_pages": {}}
POOL: Entry = {"name": "pool.example", "upstream": {"servers": ["one:80", "two:80"], "method": "least_conn"}}
THIEF: Entry = {"name": "thief", "domains": ["thief.example", "a.example"], "upstream": "one:80"}

BEFORE: dict[str, tuple[Entry, ...]] = {"nothing": (), "a": (A,), "a edited": (A,), "a, b": (A, B), "a, c": (A, C)}
ASKED: dict[str, tuple[Entry, ...]] = {
    "nothing": (),
    "a": (A,),
    "a changed": (A_CHANGED,),
    "a gone": (A_GONE,),
    "b": (B,),
    "a and b": (A, B),
    "a gone and b": (A_GONE, B),
    "c": (C,),
    "c changed and b": (C_CHANGED, B),
    "a pool": (POOL,),
    "a bad and b": (A_BAD, B),
    "a thief": (THIEF,),
    "a bad and a thief": (A_BAD, THIEF),
    "a and a thief": (A, THIEF),
    WAY_BACK: (),
}
VERSIONS = ((1, 26, 3), (1, 30, 0))
PLACES = ("live", "stale", "stopped", "none")
CERTIFICATES = {
    "sound": Certificate("", NOW - 1, NOW + 10**7, ("c.example",), pair=Pair("chain", Secret("key"))),
    "renewed": Certificate("", NOW - 1, NOW + 10**7, ("c.example",), pair=Pair("another chain", Secret("key"))),
    "expired": Certificate("", NOW - 2, NOW - 1, ("c.example",), pair=Pair("an old chain", Secret("key"))),
    "gone": Certificate("it does not exist", missing=True),
}
USABLE = ("sound", "renewed")


@dataclass(frozen=True)
class Case:
    version: tuple[int, ...]
    place: str
    before: str
    asked: str
    exclusive: bool
    on_invalid: str
    certificate: str
    foreign: bool

    @property
    def entries(self) -> tuple[Entry, ...]:
        return ASKED[self.asked]

    @property
    def is_way_back(self) -> bool:
        return self.asked == WAY_BACK


def cases() -> Iterator[Case]:
    for version, place, before, asked in product(VERSIONS, PLACES, BEFORE, ASKED):
        if (place == "none" and before != "nothing") or (version < POOLS and place in ("stale", "stopped")):
            continue
        entries = ASKED[asked]
        touches_c = C["name"] in {each["name"] for each in entries}
        wide = asked != WAY_BACK
        for exclusive, quarantine, certificate, foreign in product(
            (False, True) if wide else (False,),
            (False, True) if wide else (False,),
            (CERTIFICATES if place == "live" else USABLE) if touches_c else ("sound",),
            (False, True) if A in entries or THIEF in entries else (False,),
        ):
            on_invalid = "quarantine" if quarantine else "fail"
            yield Case(version, place, before, asked, exclusive, on_invalid, certificate, foreign)


@cache
def _made(version: tuple[int, ...], before: str) -> Server:
    made = Server(State("running", version, now=NOW, certificates={CHAIN: CERTIFICATES["sound"]}))
    run(made, params([B], exclusive=True))
    run(made, params(list(BEFORE[before]), exclusive=True))
    return made


def server(case: Case) -> Server:
    """The world of a case: it was made by earlier runs, when the certificate was sound and no file in the way."""
    made = _made(case.version, case.before)
    state = made.state
    if case.before == "a edited":
        texts = {**state.files.texts, "a.example.conf": "server { listen 80; } # by hand\n"}
        state = replace(state, files=replace(state.files, texts=texts))
    mine = (Foreign("a.example", frozenset({"80"}), "conf.d/mine.conf:3"),) if case.foreign else ()
    certificates = {CHAIN: CERTIFICATES[case.certificate]}
    state = replace(state, foreign=mine, certificates=certificates)
    if case.place == "none":
        return Server(State(now=NOW, foreign=mine, certificates=certificates))
    if case.place == "stopped":
        state = replace(state, status="exited", served="")
    if case.place == "stale":
        state = replace(state, served="000001")
    return Server(state, past=list(made.past))


def run(
    made: Server, given: Case | dict[str, Any], check_mode: bool = False
) -> tuple[Walk[State], dict[str, Any] | FlatrunError]:
    """One run: how far it came, and its result, or the error that refused it."""
    course: Walk[State] = Walk()
    try:
        spec = parsed(given.asked, given.exclusive, given.on_invalid) if isinstance(given, Case) else parse(given)
        return course, walk(room(made), spec, check_mode, course)
    except FlatrunError as error:
        return course, error


@cache
def parsed(asked: str, exclusive: bool, on_invalid: str) -> Vhosts:
    state = "rolled_back" if asked == WAY_BACK else "present"
    return parse(params(list(ASKED[asked]), exclusive=exclusive, on_invalid=on_invalid, state=state))


def refused(case: Case) -> set[str]:
    """The names of the vhosts that must not go live."""
    found: set[str] = set()
    there = {each["name"]: each for each in BEFORE[case.before]}
    for entry in case.entries:
        name = entry["name"]
        is_new = there.get(name) != entry or (name == A["name"] and case.before == "a edited")
        if (
            (entry is POOL and case.version < POOLS)
            or entry is A_BAD
            or (case.foreign and entry in (A, THIEF))
            or (entry in (C, C_CHANGED) and case.certificate not in USABLE and _text_changes(entry, there, is_new))
        ):
            found.add(name)
    if THIEF in case.entries and _is_taken(case, there):
        found.add(THIEF["name"])
    return found


def _text_changes(entry: Entry, there: dict[str, Entry], is_new: bool) -> bool:
    return (is_new and entry["name"] not in there) or entry is C_CHANGED


def _is_taken(case: Case, there: dict[str, Entry]) -> bool:
    """Whether somebody else has the thief's second name: one that is asked for, or one that stays."""
    if A in case.entries:
        return True
    if A["name"] not in there or case.before == "a edited":
        return False
    return A_BAD in case.entries or not case.exclusive
