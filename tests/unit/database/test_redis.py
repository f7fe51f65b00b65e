"""Redis' rules: read as the server lists them, and compared by what they allow."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import CreateUser
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Grantee
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan import plan
from ansible_collections.flatrun.infra.plugins.module_utils.database.redis_acl import COMMANDS, allowed, patterns, read
from ansible_collections.flatrun.infra.plugins.module_utils.database.redis_text import render
from ansible_collections.flatrun.infra.plugins.module_utils.database.redis_world import RedisWorld
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import parse
from ansible_collections.flatrun.infra.tests.unit.database.world import params

KNOWN = {
    COMMANDS: frozenset({"get", "set", "keys", "config", "config|get", "config|set"}),
    "@read": frozenset({"get", "keys"}),
    "@slow": frozenset({"config", "keys"}),
}


def test_a_line_is_read_whatever_a_name_holds() -> None:
    found = read(
        "user (n on off sanitize-payload #aa #bb ~a(b) %RW~c %R~d resetchannels &n -@all +get (~x +set) (+get)"
    )
    assert (found.name, found.on, found.open, found.digests) == ("(n", True, False, ("aa", "bb"))
    assert (found.keys, found.channels) == (("%R~d", "~a(b)", "~c"), ("&n",))
    assert (found.commands, found.selectors) == (("-@all", "+get"), ("(~x +set)", "(+get)"))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["%R~x", "%W~x"], ("~x",)),
        (["~x", "%R~x"], ("~x",)),
        (["%w~x", "%W~x", "%r~y"], ("%R~y", "%W~x")),
        (["%RW~*", "~x"], ("~*",)),
        (["%R~*", "%W~*", "~x"], ("~*",)),
        (["%R~*", "~x"], ("%R~*", "~x")),
    ],
)
def test_what_may_be_done_to_a_key_is_told_once(given: list[str], meant: tuple[str, ...]) -> None:
    assert patterns("keys", given) == meant


@pytest.mark.parametrize(
    ("rules", "meant"),
    [
        (["+@all"], {"get", "set", "keys", "config|get", "config|set"}),
        (["+@read", "-keys"], {"get"}),
        (["+@all", "-@read", "-config"], {"set"}),
        (["+@slow", "-config|set"], {"keys", "config|get"}),
        (["+config", "-@all", "+CONFIG|GET"], {"config|get"}),
        (["+get", "+gone"], {"get", "gone"}),
        ([], set()),
    ],
)
def test_rules_mean_commands(rules: list[str], meant: set[str]) -> None:
    assert allowed(rules, KNOWN) == meant


A, B, C, D = (hashlib.sha256(word.encode()).hexdigest() for word in "abcd")


@pytest.mark.parametrize(
    ("password", "kept", "retain", "sent"),
    [
        ("b", [A], True, [A, B]),
        ("b", [A], False, [B]),
        ("c", [A, B], True, [B, C]),
        ("c", [A, B], False, [C]),
        ("a", [A, B], True, [B, A]),
        ("a", [A, B], False, [A]),
        ("b", [A, B], True, None),
        ("b", [A, B], False, [B]),
        ("d", [A, B, C], True, [C, D]),
        ("c", [A, B, C], True, [B, C]),
        ("a", [], True, [A]),
    ],
)
def test_one_former_password_goes_on_working(
    password: str, kept: list[str], retain: bool, sent: list[str] | None
) -> None:
    given = params(users=[{"name": "a", "password": password, "retain_password": retain}])
    asked: list[list[str]] = []

    class Server:
        """As a session answers."""

        def ask(self, *words: str) -> Any:
            return [f"user a on {' '.join(f'#{each}' for each in kept)} -@all"] if words[1] == "LIST" else "default"

        def ask_all(self, commands: list[list[str]], whole: bool = False) -> list[str]:
            asked.extend(commands if whole else [])
            return ["OK"] * len(commands)

        def refused(self, _answer: str) -> str:
            return ""

    task = parse(given)
    world = RedisWorld(Server(), task)  # type: ignore[arg-type]
    found = plan(task, world.observe())
    world.apply(found, lambda _action: None)
    assert [words for words in asked if words[1] == "SETUSER"] == (
        [["ACL", "SETUSER", "a", "resetpass", *(f"#{each}" for each in sent)]] if sent else []
    )
    shown = str([str(statement) for action in found.actions for statement in render(action.detail)])
    assert not any(each in shown for each in (A, B, C, D))


def test_a_new_user_begins_without_channels_whatever_the_server_gives() -> None:
    [made] = render(CreateUser(Grantee("a"), None, acl={"channels": ("&x:*",)}))
    assert str(made) == "ACL SETUSER a reset resetchannels on &x:*"
