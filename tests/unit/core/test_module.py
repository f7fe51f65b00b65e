"""The door: what a module prints, in a process of its own as Ansible runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import SECRET, disguises

ROOT = Path(__file__).parents[3]
CANARY = "can'ary\\ \"& %41 pass"


def run(**given: Any) -> tuple[int, dict[str, Any], str]:
    """Its exit code, its answer, and all that it printed."""
    internal = {f"_ansible_{name.strip('_')}": given.pop(name) for name in list(given) if name.endswith("_")}
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("door.py")), json.dumps({**given, **internal})],
        env={"PYTHONPATH": str(ROOT / ".cache" / "collections"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    assert lines, ended.stderr
    return ended.returncode, json.loads(lines[-1]), ended.stdout + ended.stderr


def hidden(printed: str) -> list[str]:
    """The spellings of the canary in what was printed, also as JSON prints them."""
    spellings = disguises(CANARY)
    return [each for each in spellings if each in printed or json.dumps(each)[1:-1] in printed]


def test_a_change() -> None:
    code, answer, printed = run(does="open", password=CANARY, diff_=True)
    assert (code, answer["changed"], answer["open"]) == (0, True, True)
    assert answer["actions"] == [
        {"action": "open", "target": "door", "reason": "it is closed"},
        {"action": "paint", "target": "door", "reason": "it is bare"},
    ]
    assert answer["diff"][0]["after"] == {"password": SECRET}
    assert "reason" not in answer
    assert not hidden(printed)


def test_nothing_to_do_has_its_reason() -> None:
    _code, answer, _printed = run()
    assert (answer["changed"], answer["actions"], answer["reason"]) == (False, [], "it is open")
    assert "diff" not in answer


def test_check_mode_changes_nothing_and_warns() -> None:
    code, answer, _printed = run(does="reach", check_mode_=True)
    assert (code, answer["changed"], answer["open"]) == (0, True, False)
    assert "door: it is not there" in json.dumps(answer["warnings"])


def test_the_invocation_is_redacted() -> None:
    users = [{"name": "ann", "token": CANARY}, {"name": "bob"}]
    _code, answer, printed = run(password=CANARY, users=users, secrets={"root": CANARY, "other": "x"})
    given = answer["invocation"]["module_args"]
    assert given["password"] == SECRET
    assert given["users"] == [{"name": "ann", "token": SECRET}, {"name": "bob"}]
    assert given["secrets"] == {"root": SECRET, "other": SECRET}
    assert not hidden(printed)


def test_what_ansible_refuses_by_itself_shows_none_either() -> None:
    code, answer, printed = run(secrets=json.dumps({"root": CANARY}), unknown="x")
    assert code == 1
    assert "unknown" in answer["msg"]
    assert answer["invocation"]["module_args"]["secrets"] == {"root": SECRET}
    assert not hidden(printed)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"passwort": CANARY}, {"passwort": SECRET}),
        ({"users": [{"name": "ann", "passwort": CANARY}]}, {"users": [{"name": "ann", "passwort": SECRET}]}),
        ({"login": f"ann: {CANARY}"}, {"login": SECRET}),
    ],
)
def test_an_option_with_a_wrong_name_may_hold_one(given: dict[str, Any], shown: dict[str, Any]) -> None:
    code, answer, printed = run(**given)
    assert code == 1
    assert {name: answer["invocation"]["module_args"][name] for name in shown} == shown
    assert not hidden(printed)


def test_what_a_server_quotes_is_masked_in_every_spelling() -> None:
    code, answer, printed = run(does="quote", password=CANARY)
    assert code == 1
    assert answer["msg"].startswith("door: the server says: ")
    assert not hidden(printed)


def test_a_secret_that_is_given_elsewhere_too_is_masked_there() -> None:
    _code, answer, printed = run(password=CANARY, users=[{"name": f"of {CANARY}"}, {"name": "bob"}])
    assert [user["name"] for user in answer["invocation"]["module_args"]["users"]] == ["of ********", "bob"]
    assert not hidden(printed)


@pytest.mark.parametrize("short", ["a", "an", "1", "true"])
def test_a_short_secret_does_not_mangle_the_output(short: str) -> None:
    _code, answer, _printed = run(does="open", password=short)
    assert answer["word"] == "a banana"
    assert answer["actions"][0] == {"action": "open", "target": "door", "reason": "it is closed"}
    assert answer["invocation"]["module_args"]["password"] == SECRET


def test_what_nobody_foresaw_is_one_sentence() -> None:
    code, answer, printed = run(does="break", password=CANARY)
    assert code == 1
    assert "unexpected ZeroDivisionError" in answer["msg"]
    assert "report it" in answer["msg"]
    assert answer["changed"] is True
    assert [action["action"] for action in answer["actions"]] == ["open"]
    assert "Traceback" not in printed
    assert not hidden(printed)


def test_looking_changes_nothing() -> None:
    _code, answer, printed = run(does="look", users=[{"name": "ann", "token": CANARY}])
    assert (answer["changed"], answer["seen"]) == (False, "ann")
    assert not hidden(printed)


def test_what_nobody_foresaw_while_looking() -> None:
    code, answer, printed = run(does="look")
    assert code == 1
    assert "unexpected IndexError" in answer["msg"]
    assert "Traceback" not in printed
