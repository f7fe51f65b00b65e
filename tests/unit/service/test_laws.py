"""Laws of the service room, over its whole state space: no list of what is to happen, only what must always hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any, Callable

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Plan
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, failure, walk
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret, disguises
from ansible_collections.flatrun.infra.plugins.module_utils.service import settings
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CATALOG
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import RUNNING_STATES
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import FORMER
from ansible_collections.flatrun.infra.tests.unit.service.cases import (
    LAYOUT,
    NAME,
    SECRETS,
    TYPES,
    Case,
    asked,
    cases,
    universe,
    wanted,
)
from ansible_collections.flatrun.infra.tests.unit.service.honesty import after_is_true, before_was_true
from ansible_collections.flatrun.infra.tests.unit.service.universe import Box, Universe
from ansible_collections.flatrun.infra.tests.unit.service.world import Eye, Fake, room

Result = Any


@cache
def space(kind: str) -> tuple[Case, ...]:
    return tuple(case for case in cases() if case.type == kind)


def run(made: Universe, params: dict[str, Any], check_mode: bool = False) -> tuple[Walk[Any], Result]:
    """One run: how far it came, and its result, or the error that refused it."""
    course: Walk[Any] = Walk()
    here = room(made)
    try:
        return course, walk(here, here.parse(params), check_mode, course)
    except FlatrunError as error:
        return course, error


def is_refusal(result: Result) -> bool:
    return isinstance(result, FlatrunError)


def steps(plan: Plan) -> str:
    return ", ".join(f"{action.verb} {action.target}" for action in plan.actions) or "nothing to do"


# What is asked, seen in the model itself and not through the plan


def faults(made: Universe, case: Case, killed: bool = False) -> Iterator[str]:
    """``present`` takes a container as it is, also where a run was killed while it had it stopped."""
    box = made.boxes.get(NAME)
    if case.state == "absent":
        yield from (f"{name} is still there" for name in (NAME, NAME + FORMER) if name in made.boxes)
        return
    if box is None:
        yield "there is no container"
        return
    runs = case.runs and (box.running or not (killed and case.state == "present"))
    if runs and not box.running:
        yield f"it is {box.status}"
    if case.state == "stopped" and box.status not in ("exited", "created"):
        yield f"it is {box.status}"
    if "other" in made.boxes:
        yield "it still has another name as well"
    if case.whole:
        yield from unlike(made, box, case, runs)
        if runs and CATALOG[case.type].secret:
            yield from unenterable(made, box, case)


def unlike(made: Universe, box: Box, case: Case, runs: bool) -> Iterator[str]:
    service, kind = wanted(case), CATALOG[case.type]
    adopted = made.records.get(NAME, {}).get("mounts", {})
    if box.settings != settings.settings(service, kind, LAYOUT, adopted):
        yield "its settings differ"
    if box.image_id != made.images[service.image][0] or (box.memory, box.restart) != (0, "unless-stopped"):
        yield "it was made from something else"
    if not {"net", "more"} <= box.networks:
        yield f"it is only on {sorted(box.networks)}"
    if runs and kind.config and dict(box.loaded) != settings.config_files(service, kind):
        yield "its server has read another configuration"
    if box.severed:
        yield f"it is still on {sorted(box.severed)}, which are gone"
    if made.called(NAME) != NAME:
        yield f"it is still known as {made.called(NAME)}"
    if NAME + FORMER in made.boxes:
        yield "its former container is left behind"


def unenterable(made: Universe, box: Box, case: Case) -> Iterator[str]:
    name = f"{LAYOUT.secrets}/{CATALOG[case.type].secret}"
    kept, mode = made.secrets.get(name, (None, 0))
    if kept is None or not made.takes(box, kept):
        yield "the password that is kept does not work"
    elif made.server(box) and made.server(box).lagging:
        yield "it has another password elsewhere, or after a restart"
    elif case.secret.given and kept != Secret(case.secret.given):
        yield "the password isn't the one that was given"
    elif mode != 0o600:
        yield f"others can read the password ({mode:o})"
    if f"{name}.next" in made.secrets or made.records.get(NAME, {}).get("initialising"):
        yield "something is left of setting the password"


def must_be_refused(case: Case) -> bool:
    """Told from the case alone."""
    there = ("running", "exited", "former")
    running = case.state in RUNNING_STATES
    if case.container in ("foreign", "elsewhere"):
        return True
    if case.state == "absent":
        return case.container == "adopted"
    if not case.whole:
        failing = case.container in ("looping", "former_failing", "severed")
        return case.container in ("none", "former") or (failing and running)
    if case.data == "alien" or (case.data == "gone" and case.container in there):
        return True
    if case.data == "empty" and case.container in there and CATALOG[case.type].secret:
        return True
    return (running and case.container == "looping") or is_locked_out(case)


def is_locked_out(case: Case) -> bool:
    """None of the passwords that are known is the server's."""
    if not CATALOG[case.type].secret or case.secret.initialising:
        return False
    if case.container == "adopted":
        # Only MySQL's image leaves the first password where it can be found.
        return case.type == "redis" and case.secret.held not in (case.secret.given, case.secret.kept, case.secret.next)
    holds = case.secret.held if case.data == "present" else ""
    if case.container == "none" and not holds:
        return False
    known = (case.secret.given, case.secret.kept, case.secret.next)
    return case.runs and holds not in filter(None, known)


# The laws: each yields what breaks it


def convergence(case: Case) -> Iterator[str]:
    """After a run all is as asked, and planning again gives nothing; or it is refused, and should be."""
    made = universe(case)
    before = made.copy().lasting()
    course, result = run(made, case.params)
    if is_refusal(result) != must_be_refused(case):
        yield f"refused, or not, unduly: {result if is_refusal(result) else steps(course.plan)}"
    if is_refusal(result):
        if not course.plan and made.lasting() != before:
            yield "something changed though nothing was planned"
        return
    yield from (f"{fault}, after {steps(course.plan)}" for fault in faults(made, case))
    if case.state != "restarted":
        after = made.copy().lasting()
        again, _result = run(made, case.params)
        if again.plan or made.lasting() != after:
            yield f"the second run does {steps(again.plan)}"


def foresight(case: Case) -> Iterator[str]:
    """Check mode changes nothing, and tells the actions and the diff of the run, or the same refusal."""
    made = universe(case)
    before = made.copy().lasting()
    foretold, said = run(made, case.params, check_mode=True)
    if made.lasting() != before:
        yield "check mode changed something"
    course, result = run(made, case.params)
    if foretold.plan.diff() != course.plan.diff():
        yield "another diff than in check mode"
    if [action.summary() for action in foretold.plan.actions] != [action.summary() for action in course.plan.actions]:
        yield f"other actions than in check mode: {steps(course.plan)}"
    if is_refusal(said) and str(said) != str(result):
        yield f"another refusal than in check mode: {said}; {result}"


def honesty(case: Case) -> Iterator[str]:
    """What the diff shows as before was there, and what it shows as after is there then."""
    made = universe(case)
    before = made.copy()
    course, result = run(made, case.params)
    restored = any(action.verb == "restore" for action in course.plan.actions)
    for action in course.plan.actions if not is_refusal(result) else ():
        if not before_was_true(before, action, restored):
            yield f"{action.verb} {action.target} shows {action.before!r}, which was not so"
        if action.verb not in ("start_over", "restore") and not after_is_true(made, action):
            yield f"{action.verb} {action.target} shows {action.after!r}, which is not so"
        # Of a configuration the texts are shown, where it is written.
        shows = action.before != action.after or action.reason == "configuration differs"
        if action.verb in ("replace", "create", "start", "restart", "remove") and not shows:
            yield f"{action.verb} {action.target} because {action.reason}, and the diff shows nothing"


@cache
def dispensable(kind: str) -> dict[str, list[str]]:
    """By what is asked and seen: the actions that could be left out in every world that looks just so.

    A plan can't know more than is seen: where one of two worlds that look the same needs an action, it is needed.
    """
    spared: dict[str, list[set[str]]] = {}
    for case in space(kind):
        made = universe(case)
        here = room(made)
        spec = here.parse(case.params)
        state = Fake(made, spec).observe()
        spec = here.anchor(spec, state)
        with suppress(FlatrunError):
            plan = here.plan(spec, state)
            spared.setdefault(repr((spec, state)), []).append(set(unneeded(made, spec, plan, case)))
    return {looks: sorted(set.intersection(*offences)) for looks, offences in spared.items()}


def unneeded(made: Universe, spec: Any, plan: Plan, case: Case) -> Iterator[str]:
    for index, action in enumerate(plan.actions):
        lacking = made.copy()
        world = Fake(lacking, spec)
        try:
            world.observe()
            world.apply(Plan(plan.actions[:index] + plan.actions[index + 1 :]), lambda _action: None)
            rest = room(lacking).plan(spec, world.observe())
        except (FlatrunError, LookupError):
            continue
        halves = any(server and server.cut for path, server in lacking.data.items() if path == LAYOUT.data)
        if not rest and not halves and not list(faults(lacking, case)):
            yield f"{action.verb} {action.target} could be left out of {steps(plan)}"


def minimality(case: Case) -> Iterator[str]:
    """Without any one of its actions a plan does not lead there."""
    made = universe(case)
    here = room(made)
    spec = here.parse(case.params)
    state = Fake(made, spec).observe()
    yield from dispensable(case.type).get(repr((here.anchor(spec, state), state)), ())


def secrecy(case: Case) -> Iterator[str]:
    """No secret in what is told, nor in what a container or a readable file shows, in no usual spelling."""
    made = universe(case)
    course, result = run(made, case.params)
    told = result if not is_refusal(result) else failure(result, course)
    texts = {
        "the result": [json.dumps(told, default=str), str(told)],
        "the plan": [repr(course.plan), json.dumps(course.plan.diff())],
        "a container": [repr(replace(box, env={} if not box.settings else box.env)) for box in made.boxes.values()],
        "a file that others can read": [str(made.configs), str(made.records), str(made.externals)],
    }
    for where, spoken in texts.items():
        for text in spoken:
            yield from (f"{where} holds {spelling}" for spelling in spellings() if spelling in text)


@cache
def spellings() -> frozenset[str]:
    plain = {spelling for secret in SECRETS for spelling in disguises(secret)}
    return frozenset(plain | {repr(spelling)[1:-1] for spelling in plain} | {json.dumps(each)[1:-1] for each in plain})


def conservation(case: Case) -> Iterator[str]:
    """Data is never lost, nor made anew in its place; what is only removed keeps it."""
    made = universe(case)
    before = {path: server for path, server in made.data.items() if server}
    course, _result = run(made, case.params)
    kept = {server.serial for server in made.data.values() if server}
    yield from (f"the data of {path} is gone" for path, server in before.items() if server.serial not in kept)
    if "start_over" not in {action.verb for action in course.plan.actions}:
        for path, server in before.items():
            if server and (made.data.get(path) is None or made.data[path].serial != server.serial):
                yield f"another data is at {path}"


def crash_safety(case: Case) -> Iterator[str]:
    """Killed before any change, and however a first start ends then, the next run leads there; none is locked out."""
    if must_be_refused(case):
        return
    for made, when in crashes(case):
        course, result = run(made, case.params)
        if is_refusal(result):
            yield f"killed before {when}, the next run says: {result}, after {steps(course.plan)}"
            continue
        yield from (
            f"killed before {when}, {fault}, after {steps(course.plan)}" for fault in faults(made, case, killed=True)
        )
        again, result = run(made, case.params)
        if case.state != "restarted" and (again.plan or is_refusal(result)):
            yield f"killed before {when}, the run after the next does {steps(again.plan)}"


def crashes(case: Case) -> Iterator[tuple[Universe, str]]:
    """The world as a killed run leaves it; where a server is in its first start, also as it is when that is cut short
    with it. Before the first change it is as if there had been no run."""
    made = universe(case)
    made.film = []
    course, _result = run(made, case.params)
    for number, left in enumerate(made.film[1:], 1):
        yield left.copy(), f"change {number} of {steps(course.plan)}"
        for cut in ("denies", "dies", "hangs") if left.fresh else ():
            left.cut_first_start(cut)
            yield (
                left.copy(),
                f"change {number} of {steps(course.plan)}, its server's first start is cut and it {cut}",
            )


def entry(case: Case) -> Iterator[str]:
    """Killed before any change, a run with another password leads there as well: nobody is ever locked out.

    Unless the one that works was never told: neither kept before, nor given together with the other.
    """
    if must_be_refused(case) or not case.whole or case.state != "started" or not CATALOG[case.type].secret:
        return
    if case.container == "adopted" or (case.password == "unkept" and case.data == "present"):
        return
    changed = replace(case, password="given anew")
    for made, when in crashes(case):
        course, result = run(made, changed.params)
        if is_refusal(result):
            yield f"killed before {when}, a run with another password says: {result}, after {steps(course.plan)}"
        else:
            yield from (f"killed before {when}, with another password {fault}" for fault in faults(made, changed))


LAWS = (convergence, foresight, honesty, minimality, secrecy, conservation, crash_safety, entry)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Callable[[Case], Iterator[str]], kind: str) -> None:
    broken = [f"{case}: {offence}" for case in space(kind) for offence in law(case)]
    if broken:
        pytest.fail("\n".join([f"{len(broken)} cases break the law of {law.__name__}:", *broken[:10]]), pytrace=False)


def test_the_space_is_walked_in_full() -> None:
    assert sum(len(space(kind)) for kind in TYPES) > 1800


@pytest.mark.parametrize("kind", TYPES)
def test_a_restart_happens_after_it_was_asked_for(kind: str) -> None:
    for case in space(kind):
        made = universe(case)
        asked = made.clock
        _course, result = run(made, case.params)
        if case.state == "restarted" and not is_refusal(result):
            assert made.boxes[NAME].started > asked, case


@pytest.mark.parametrize("kind", ["mysql", "redis"])
@pytest.mark.parametrize("password", ["same", "none"])
def test_what_was_only_made_has_its_password_once_it_is_started(kind: str, password: str) -> None:
    """By an item that says no more than that."""
    made, case = (
        universe(Case(kind, "present", "none", "none", password)),
        Case(kind, "started", "created", "present", password),
    )
    for item in (Case(kind, "present", "none", "none", password), replace(case, whole=False)):
        _course, result = run(made, item.params)
        assert not is_refusal(result), result
    assert not list(unenterable(made, made.boxes[NAME], case))
    again, _result = run(made, replace(case, whole=False).params)
    assert not again.plan


@pytest.mark.parametrize("kind", TYPES)
def test_a_former_container_comes_back_that_is_wanted_again(kind: str) -> None:
    """Wherever the run that replaced it was killed: what is seen of its successor says nothing of it."""
    case = Case(kind, "started", "retagged")
    back = {**case.params, "services": [{**case.params["services"][0], "image": f"{kind}:old"}]}
    for made, when in crashes(case):
        course, result = run(made, back)
        assert not is_refusal(result), f"killed before {when}: {result}, after {steps(course.plan)}"
        assert (made.boxes[NAME].running, made.boxes[NAME].image) == (True, f"{kind}:old")


@pytest.mark.parametrize("changed", [False, True])
def test_a_former_nginx_has_its_own_configuration_again(changed: bool) -> None:
    """Wherever the run that replaced it was killed, and whoever wants it back, as it was or changed."""
    case = Case("nginx", "started", "outgrown")
    former, _written = universe(case).configs[LAYOUT.releases]
    files = {**former, **({"other.conf": "# changed"} if changed else {})}
    back = asked({**case.params["services"][0], "image": "nginx:old", "config_files": files})
    for made, when in crashes(case):
        course, result = run(made, back)
        assert not is_refusal(result), f"killed before {when}: {result}, after {steps(course.plan)}"
        box = made.boxes[NAME]
        assert box.running, f"killed before {when}, after {steps(course.plan)}"
        assert dict(box.loaded) == files, f"killed before {when}, after {steps(course.plan)}"
        again, _result = run(made, back)
        assert not again.plan, f"killed before {when}, the second run does {steps(again.plan)}"


@pytest.mark.parametrize("kind", ["mysql", "nginx"])
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_not_waited_for_may_be_starting_still(kind: str, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Eye, "ask", lambda _eye, found: replace(found, answers=False, login="", words="refused"))
    for state in ("started", "restarted"):
        case = Case(kind, state, "running", whole=whole)
        _course, result = run(universe(case), {**case.params, "wait": False})
        assert not is_refusal(result), result
        _course, result = run(universe(case), case.params)
        assert "does not answer" in str(result)
    case = Case(kind, "started", "looping", whole=whole)
    _course, result = run(universe(case), {**case.params, "wait": False})
    assert "restarts again and again" in str(result)
