"""Laws of the vhost room, over its whole state space: no list of what is to happen, only what must always hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, Callable

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Plan
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import failure
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import SECRET, Secret, disguises
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.passwords import matches
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.plan import Order
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import SHARED, Files, State, owner_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.summary import shown, summary_of
from ansible_collections.flatrun.infra.tests.unit.vhost.cases import (
    BEFORE,
    CERTIFICATES,
    CHAIN,
    NOW,
    SECRETS,
    USABLE,
    Case,
    Entry,
    cases,
    parsed,
    refused,
    run,
    server,
)
from ansible_collections.flatrun.infra.tests.unit.vhost.full import HASH
from ansible_collections.flatrun.infra.tests.unit.vhost.world import POINTS, Killed, Server, params, room

SPACE = tuple(cases())


def steps(plan: Plan) -> str:
    return ", ".join(f"{action.verb} {action.target}" for action in plan.actions) or "nothing to do"


@cache
def alone(version: tuple[int, ...], entry: str, certificate: str) -> Files:
    """What an nginx that has nothing yet would have of one vhost."""
    made = Server(State("running", version, now=NOW, certificates={CHAIN: CERTIFICATES[certificate]}))
    _course, result = run(made, params([json.loads(entry)]))
    assert not isinstance(result, FlatrunError), result
    return made.state.files


# What is asked, seen in the files themselves and not through the plan


def wanted(case: Case) -> dict[str, Entry | None]:
    """Each vhost that is to be there then, as it is asked for, or None where it is to be as it was."""
    there = {each["name"] for each in BEFORE[case.before]} if case.place != "none" else set()
    held_back = refused(case)
    if held_back and case.on_invalid == "fail":
        return dict.fromkeys(there)
    found: dict[str, Entry | None] = {}
    for entry in case.entries:
        if entry["name"] not in held_back and entry.get("state") != "absent":
            found[entry["name"]] = entry
    listed = {each["name"] for each in case.entries}
    stay = {name for name in there if name in held_back or (name not in listed and not case.exclusive)}
    return {**found, **dict.fromkeys(stay)}


def faults(made: Server, case: Case, before: Files) -> Iterator[str]:
    files = made.state.files
    if case.is_way_back:
        if files != server(case).past[-1]:
            yield "it is not what was there before"
        return
    asked = wanted(case)
    if set(files.vhosts) != set(asked):
        yield f"{sorted(files.vhosts)} are there, and not {sorted(asked)}"
        return
    for name, entry in asked.items():
        if entry is None:
            same = files.vhosts[name] == before.vhosts[name] and files.extras_of(name) == before.extras_of(name)
        else:
            # One that won't do is no reason to change what is served already.
            fresh = alone(case.version, json.dumps(entry), case.certificate if case.certificate in USABLE else "sound")
            same = files.vhosts[name] == fresh.vhosts[name] and set(files.extras_of(name)) == set(fresh.extras)
        if not same:
            yield f"{name} is another than {'before' if entry is None else 'asked for'}"
    yield from (f"{path} belongs to nobody" for path in files.extras if owner_of(path) not in asked)
    yield from uncopied(made.state)
    yield from unshared(files)
    yield from unenterable(files, asked)
    names = Counter(name for text in files.vhosts.values() for name in summary_of(text).get("server_names", ()))
    yield from (f"{name} is the name of {count} vhosts" for name, count in names.items() if count > 1)


def uncopied(state: State) -> Iterator[str]:
    """nginx reads no certificate but those that nobody else has a hand on."""
    read = (summary_of(text).get("certificate", {}).get("fullchain") for text in state.files.vhosts.values())
    kept = {f"/etc/nginx/certificates/{name}/fullchain.pem" for name in state.copies}
    yield from (f"{path} is read, and is no copy of ours" for path in read if path and path not in kept)


def unshared(files: Files) -> Iterator[str]:
    """All that vhosts have in common is defined once, and nothing that none of them uses."""
    lines = files.texts.get(SHARED, "").splitlines()
    upstreams = [line.split()[1] for line in lines if line.startswith("upstream ")]
    used = {word for text in files.vhosts.values() for word in words(text) if word.startswith("flatrun_")}
    pools = {name for name in used if not name.startswith(("flatrun_rate", "flatrun_connection", "flatrun_tls"))}
    pools -= {"flatrun_upstream", "flatrun_rest", "flatrun_upgrade"}
    if sorted(upstreams) != sorted({*pools, *(["flatrun_upstreams"] if pools else [])}) and all(
        map(summary_of, files.vhosts.values())
    ):
        yield f"upstreams {upstreams} are defined, and {sorted(pools)} are used"
    if bool(files.vhosts) != (SHARED in files.texts):
        yield "what is in common is there without vhosts, or they without it"


def words(text: str) -> list[str]:
    body = text.split("\n", 1)[-1]
    return body.replace("/", " ").replace(";", " ").replace("$", " ").replace("=", " ").split()


def unenterable(files: Files, asked: dict[str, Entry | None]) -> Iterator[str]:
    for name, entry in asked.items():
        for user in (entry or {}).get("basic_auth", {}).get("users", ()):
            kept = dict(line.split(":", 1) for line in files.extras[f"auth/{name}"].splitlines())
            if "password" in user and not matches(Secret(user["password"]), kept[user["name"]]):
                yield f"{user['name']} does not get in"


def must_be_refused(case: Case) -> bool:
    if case.place == "none":
        return case.is_way_back or any(entry.get("state") != "absent" for entry in case.entries)
    return bool(refused(case)) or (case.is_way_back and not server(case).observe().former)


# The laws: each yields what breaks it


def convergence(case: Case) -> Iterator[str]:
    """After a run all is as asked, and planning again gives nothing; or it is refused, and should be."""
    made = server(case)
    before = made.state
    course, result = run(made, case)
    is_refusal = isinstance(result, FlatrunError)
    if is_refusal != must_be_refused(case):
        yield f"refused, or not, unduly: {result if is_refusal else steps(course.plan)}"
    if is_refusal and (case.on_invalid == "fail" or case.place == "none" or case.is_way_back):
        if made.state != before or made.reloads:
            yield "something changed though it was refused"
        return
    yield from (f"{fault}, after {steps(course.plan)}" for fault in faults(made, case, before.files))
    done = made.state, made.reloads
    if not case.is_way_back:
        again, result = run(made, case)
        if (made.state, made.reloads) != done or isinstance(result, FlatrunError) != is_refusal:
            yield f"the second run does {steps(again.plan)}"
    if made.reloads > 1 or made.reloads != (made.state.running and made.state != before):
        yield f"it was reloaded {made.reloads} times for {steps(course.plan)}"
    if made.state.running and not made.state.live:
        yield "what is on disk is not what is served"


def foresight(case: Case) -> Iterator[str]:
    """Check mode changes nothing, and tells the actions and the diff of the run, or the same refusal."""
    made = server(case)
    before = made.state
    foretold, said = run(made, case, check_mode=True)
    if made.state != before or made.reloads:
        yield "check mode changed something"
    course, result = run(made, case)
    told = [[action.summary() for action in each.plan.actions] for each in (foretold, course)]
    if told[0] != told[1] or foretold.plan.diff() != course.plan.diff():
        yield f"{steps(foretold.plan)} was foretold, and done was {steps(course.plan)}"
    if isinstance(said, FlatrunError) and str(said) != str(result):
        yield f"another refusal than in check mode: {said}; {result}"


def honesty(case: Case) -> Iterator[str]:
    """What the diff shows as before was there, and what it shows as after is there then."""
    made = server(case)
    before = made.state
    course, _result = run(made, case)
    if not made.reloads and not made.switches:
        return
    for action in course.plan.actions:
        for said, state in ((action.before, before), (action.after, made.state)):
            if action.verb not in ("release", "quarantine") and not is_so(action.verb, action.target, said, state):
                yield f"{action.verb} {action.target} shows {said!r}, which is not so"
        if action.verb not in ("release", "quarantine") and action.before == action.after:
            yield f"{action.verb} {action.target} shows nothing"
    shown = [action for action in course.plan.actions if action.verb not in ("release", "quarantine", "reload")]
    if len(shown) != len(differences(before.files, made.state.files)):
        yield f"{steps(course.plan)} are not all that differs"


def is_so(verb: str, target: str, said: Any, state: State) -> bool:
    name = target.split(" ")[1] if verb != "share" else SHARED
    if verb == "reload":
        return said in (state.served or None, state.release)
    if verb == "certify":
        return str(said).startswith(SECRET)
    if verb == "protect":
        return (said is None) == (name not in state.files.extras) and str(said or SECRET).startswith(SECRET)
    if verb == "write":
        return bool(said == state.files.extras.get(name))
    there = state.files.texts.get(name if verb == "share" else f"{name}.conf")
    # Digests are nobody's to read: the certificate is shown as it was asked for.
    return bool(said == shown(there) and "/etc/nginx/certificates" not in str(said))


def differences(one: Files, other: Files) -> set[str]:
    pairs = [(one.texts, other.texts), (one.extras, other.extras)]
    return {name for a, b in pairs for name in {*a, *b} if a.get(name) != b.get(name)}


def minimality(case: Case) -> Iterator[str]:
    """Without any one of its actions a plan does not lead there."""
    made = server(case)
    here = room(made)
    if must_be_refused(case) or case.is_way_back:
        # A way back is a request: any other release will do, once there is one.
        return
    spec = parsed(case.asked, case.exclusive, case.on_invalid)
    state = made.observe()
    spec = here.anchor(spec, state)
    plan = here.plan(spec, state)
    if plan and not here.plan(spec, state):
        yield "without any action it is there as well"
    order: Order | None = plan.actions[-1].detail if plan else None
    for path in differences(state.files, made.would_have(order)) if order else ():
        lacking = made.copy()
        lacking.take(order, without=path)
        if not here.plan(spec, replace(lacking.observe(), former=state.former)):
            yield f"{path} could be left out of {steps(plan)}"


def secrecy(case: Case) -> Iterator[str]:
    """No secret in what is told, nor in a file that others can read, in no usual spelling; no hash in what is told."""
    made = server(case)
    course, result = run(made, case)
    told = failure(result, course) if isinstance(result, FlatrunError) else result
    hashes = [line.split(":", 1)[1] for path, text in extras(made) if path.startswith("auth/") for line in text.split()]
    spoken = [json.dumps(told, default=str), str(told), json.dumps(course.plan.diff())]
    open_files = [*made.state.files.texts.values(), *(text for path, text in extras(made) if path[:5] != "auth/")]
    for text in (*spoken, repr(course.plan.actions), *open_files):
        yield from (f"{spelling} is told" for spelling in spellings() if spelling in text)
    for text in (*spoken, *open_files):
        yield from (f"the hash {hashed} is told" for hashed in {HASH, *hashes} if hashed in text)


def extras(made: Server) -> list[tuple[str, str]]:
    return list(made.state.files.extras.items())


@cache
def spellings() -> frozenset[str]:
    plain = {spelling for secret in SECRETS for spelling in disguises(secret)}
    return frozenset(plain | {repr(spelling)[1:-1] for spelling in plain} | {json.dumps(each)[1:-1] for each in plain})


def crash_safety(case: Case) -> Iterator[str]:
    """Killed anywhere, the former or the new set is whole on disk, and the next run leads there."""
    if must_be_refused(case) and (case.on_invalid == "fail" or case.place == "none" or case.is_way_back):
        return
    aim = server(case)
    run(aim, case)
    for point in POINTS:
        made = server(case)
        before = made.state.files
        made.killed_at = point
        try:
            run(made, case)
            continue
        except Killed:
            pass
        if made.state.files not in (before, aim.state.files):
            yield f"killed {point}, neither the former nor the new set is on disk"
        if case.is_way_back and made.state.files == aim.state.files:
            # It is there already, and once more would be the way forth.
            continue
        run(made, case)
        if made.state.files != aim.state.files or (made.state.running and not made.state.live):
            yield f"killed {point}, the next run does not lead there"


def failure_safety(case: Case) -> Iterator[str]:
    """An nginx that does not take a reload is no success: what was there is there, and nothing is said to be done."""
    made = server(case)
    if case.place != "live":
        return
    before = made.state
    made.is_stuck = True
    course, result = run(made, case)
    if made.attempts and not isinstance(result, FlatrunError):
        yield "nginx did not take it, and it is told as done"
    if (made.state.files, made.state.served) != (before.files, before.served) or course.done:
        yield f"something changed, by {steps(course.plan)}"


LAWS = (convergence, foresight, honesty, minimality, secrecy, crash_safety, failure_safety)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Callable[[Case], Iterator[str]]) -> None:
    broken = [f"{case}: {offence}" for case in SPACE for offence in law(case)]
    if broken:
        pytest.fail("\n".join([f"{len(broken)} cases break the law of {law.__name__}:", *broken[:10]]), pytrace=False)


def test_the_space_is_walked_in_full() -> None:
    assert len(SPACE) > 1500


# And three of the cases in words


A: list[Entry] = [{"name": "a.example", "upstream": "one:80"}]


def test_without_an_nginx_check_mode_foretells_and_a_run_refuses() -> None:
    made = Server(State())
    course, result = run(made, params(A), check_mode=True)
    assert [action.verb for action in course.plan.actions] == ["reach", "add", "share", "release"]
    assert course.warnings
    assert not result["live"]
    assert "does not exist" in str(run(made, params(A))[1])


def test_a_stopped_nginx_gets_its_release_and_no_reload() -> None:
    made = Server(State("exited", (1, 30, 0)))
    _course, result = run(made, params(A))
    assert (len(made.switches), result["reloaded"], result["live"]) == (1, False, False)
    assert not run(made, params(A))[0].plan


def test_what_is_not_served_although_it_is_on_disk_is_reloaded_also_beside_one_that_is_held_back() -> None:
    made = Server(State("running", (1, 30, 0)))
    run(made, params(A))
    bad: list[Entry] = [{"name": "bad.example", "upstream": "no address"}]
    for given in (params(A), params(A + bad, on_invalid="quarantine")):
        made.state = replace(made.state, served="000000")
        course, _result = run(made, given)
        assert [action.verb for action in course.done] == ["reload"]
        assert made.state.live
