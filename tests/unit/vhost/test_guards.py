"""What keeps a vhost from going live, and what becomes of the others then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.certificate import Certificate, objection
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import Foreign, State
from ansible_collections.flatrun.infra.tests.unit.vhost.world import Server, params, room

GOOD = {"name": "good.example", "upstream": "app:80"}
NOW = 1_000_000.0
DAY = 86400
SOUND = Certificate("", NOW - DAY, NOW + 30 * DAY, ("a.example", "*.b.example", "192.0.2.1"))


def server(**more: Any) -> Server:
    return Server(State(**{"status": "running", "version": (1, 30, 0), "release": "1", "served": "1", **more}))


def run(here: Server, *vhosts: dict[str, Any], check_mode: bool = False, **more: Any) -> Walk[State]:
    course: Walk[State] = Walk()
    through = room(here)
    walk(through, through.parse(params(list(vhosts), **more)), check_mode, course)
    return course


def refusal(here: Server, *vhosts: dict[str, Any], **more: Any) -> str:
    with pytest.raises(FlatrunError) as caught:
        run(here, *vhosts, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    ("certificate", "names", "words"),
    [
        (SOUND, ["a.example", "x.b.example", "*.b.example", "192.0.2.1", "www.any.*"], ""),
        (SOUND, ["c.example"], "it is not for c.example (but for a.example, *.b.example, 192.0.2.1)"),
        (SOUND, ["b.example"], "it is not for b.example"),
        (SOUND, ["x.y.b.example"], "it is not for x.y.b.example"),
        (SOUND, ["*.a.example"], "it is not for *.a.example"),
        (SOUND, [".b.example"], "it is not for .b.example"),
        (replace(SOUND, not_after=NOW - 3 * DAY), ["a.example"], "it expired 3 days ago"),
        (replace(SOUND, not_after=NOW - DAY - 1), ["a.example"], "it expired a day ago"),
        (replace(SOUND, not_after=NOW - 1), ["a.example"], "it expired today"),
        (replace(SOUND, not_before=NOW + 1), ["a.example"], "it is not valid yet"),
        (Certificate("x.pem does not exist"), ["a.example"], "x.pem does not exist"),
    ],
)
def test_certificates(certificate: Certificate, names: list[str], words: str) -> None:
    found = objection(certificate, names, NOW)
    assert found.startswith(words)
    assert bool(found) == bool(words)


def test_a_certificate_that_will_not_do_is_refused_unless_nothing_changes() -> None:
    path = "/etc/flatrun/certificates/a/fullchain.pem"
    vhost = {"name": "a.example", "upstream": "app:80", "tls": {"certificate": "a"}}
    here = server(certificates={path: replace(SOUND, not_after=NOW - DAY)}, now=NOW)
    assert refusal(here, vhost).startswith("vhosts[0].tls.certificate: the certificate a won't do: it expired")
    here.state = replace(here.state, certificates={path: SOUND})
    run(here, vhost)
    here.state = replace(here.state, certificates={path: replace(SOUND, not_after=NOW - DAY)})
    assert not run(here, vhost).plan
    assert "it expired" in refusal(here, {**vhost, "websocket": False})


def test_names_of_files_that_are_not_ours_are_theirs_on_their_ports() -> None:
    here = server(foreign=(Foreign("good.example", frozenset({"80"}), "conf.d/mine.conf:3"),))
    words = refusal(here, GOOD)
    assert words.startswith("vhosts[0].server_names[0]: good.example of the vhost good.example")
    assert "conf.d/mine.conf:3" in words
    run(server(foreign=(Foreign("good.example", frozenset({"8080"}), "conf.d/mine.conf:3"),)), GOOD)


def test_too_old_for_what_is_asked() -> None:
    here = server(version=(1, 26, 3))
    for option, value in (("policy", "modern"), ("http3", True), ("http2", False)):
        tls = {"certificate": "a", option: value}
        if option == "http3":
            here.state = replace(here.state, version=(1, 22, 1))
        assert f"vhosts[0].tls.{option}: needs nginx" in refusal(here, {**GOOD, "tls": tls})


def test_quarantine_lets_the_good_ones_live_and_fails_for_the_bad() -> None:
    here = server()
    bad = {"name": "bad.example", "upstream": "a b"}
    words = refusal(here, GOOD, bad, on_invalid="quarantine")
    assert "held back 1 of the vhosts" in words
    assert "vhosts[1].upstream" in words
    assert set(here.state.files.vhosts) == {"good.example"}
    reloads = here.reloads
    assert "vhosts[1].upstream" in refusal(here, GOOD, bad, on_invalid="quarantine")
    assert here.reloads == reloads


def test_what_is_in_quarantine_stays_as_it_was() -> None:
    here = server()
    run(here, GOOD)
    before = here.state.files.vhosts
    other = {"name": "other.example", "upstream": "app:80"}
    refusal(here, {**GOOD, "body_size": "x"}, other, on_invalid="quarantine", exclusive=True)
    assert here.state.files.vhosts["good.example"] == before["good.example"]
    assert set(here.state.files.vhosts) == {"good.example", "other.example"}


def test_a_name_that_is_listed_twice_is_kept_by_the_first() -> None:
    here = server()
    thief = {"name": "thief", "domains": ["good.example"], "upstream": "app:80"}
    assert "is a name of vhosts[0]" in refusal(here, GOOD, thief, on_invalid="quarantine")
    assert set(here.state.files.vhosts) == {"good.example"}


def test_the_way_back_and_back_again() -> None:
    here = server()
    assert "no earlier release" in refusal(here, state="rolled_back")
    run(here, GOOD)
    first = here.state.files
    run(here, {**GOOD, "upstream": "other:80"})
    second = here.state.files
    course = run(here, state="rolled_back")
    assert [action.verb for action in course.plan.actions] == ["change", "share", "release"]
    assert here.state.files == first
    run(here, state="rolled_back")
    assert here.state.files == second
    assert "takes no vhosts" in refusal(here, GOOD, state="rolled_back")


def test_passwords_are_in_no_output() -> None:
    here = server()
    users = [{"name": "anna", "password": "s3cret word"}]
    vhost = {**GOOD, "basic_auth": {"users": users}}
    course = run(here, vhost)
    assert "s3cret" not in repr(course.plan) + str(course.plan.diff())
    assert "$6$" not in str(course.plan.diff())
    assert not run(here, vhost).plan
    users[0]["password"] = "another one"
    assert [action.verb for action in run(here, vhost).plan.actions] == ["protect", "release"]
    # Whatever is asked for, what others may read is put right, and what nginx may not.
    for state, reason in (("exposed", "others may read it"), ("withheld", "nginx may not read it")):
        here.state = replace(here.state, **{state: frozenset({"auth/good.example", "auth/of nobody"})})
        found = run(here, {"name": "other.example", "upstream": "app:80"}).plan.actions
        assert ("protect", reason) in [(action.verb, action.reason) for action in found]
        assert not run(here, vhost).plan


@pytest.mark.parametrize("other", ["example.com", "*.example.com", ".example.com"])
def test_a_name_with_a_dot_before_it_is_two_names(other: str) -> None:
    dotted, plain = (
        {**GOOD, "name": name, "server_names": [given]} for name, given in (("a", ".example.com"), ("b", other))
    )
    assert "is a name of vhosts[0] (a) and of vhosts[1] (b)" in refusal(server(), dotted, plain)
    here = server()
    run(here, dotted)
    assert "is a name of the vhost a, which is there already" in refusal(here, plain)
    theirs = server(foreign=(Foreign(other, ("80",), "conf.d/own.conf:3"),))
    assert "is a name of the server in conf.d/own.conf:3 too" in refusal(theirs, dotted)
    with pytest.raises(FlatrunError, match=r"server_names: the name .*example\.com' is listed twice"):
        run(server(), {**GOOD, "server_names": [".example.com", other]})


@pytest.mark.parametrize("name", ["basic_auth", "allow", "deny", "rate_limit", "connection_limit"])
def test_what_a_redirect_asks_for_is_nothing(name: str) -> None:
    given = {
        "basic_auth": {"users": [{"name": "ann", "password": "pw of ann"}]},
        "rate_limit": {"rate": "5r/s"},
        "connection_limit": 5,
    }.get(name, ["192.0.2.1"])
    redirect = {"to": "https://else.example"}
    vhost = {"name": "x.example", "redirect": redirect, name: given}
    assert refusal(server(), vhost).startswith(f"vhosts[0].{name}: is not asked for by a redirect")
    within = {"path": "/old", "redirect": redirect, name: given}
    assert refusal(server(), {**GOOD, "locations": [within]}).startswith(f"vhosts[0].locations[0].{name}: is not asked")
    # Nor is it by the redirect that a location has from its vhost.
    inherited = {"name": "x.example", "redirect": redirect, "locations": [{"path": "/old", name: given}]}
    assert refusal(server(), inherited).startswith(f"vhosts[0].locations[0].{name}: is not asked for by a redirect")
    elsewhere = {**vhost, "locations": [{"path": "/old", "redirect": {"to": "/new"}}]}
    assert refusal(server(), elsewhere).startswith(f"vhosts[0].{name}: is not asked for by a redirect")
    # A location that does something else has it from its vhost.
    run(server(), {**vhost, "locations": [{"path": "/api/", "upstream": "app:80"}]})


def test_an_exact_location_is_not_all_of_a_vhost() -> None:
    only = {"name": "x.example", "locations": [{"path": "/", "match": "exact", "upstream": "app:80"}]}
    assert refusal(server(), only).startswith("vhosts[0].upstream: is needed, or a location for /")
