"""Redis' rules: read as the server lists them, and compared by what they allow."""

from __future__ import annotations

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import CreateUser
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Grantee
from ansible_collections.flatrun.infra.plugins.module_utils.database.redis_acl import COMMANDS, allowed, patterns, read
from ansible_collections.flatrun.infra.plugins.module_utils.database.redis_text import render

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


def test_a_new_user_begins_without_channels_whatever_the_server_gives() -> None:
    [made] = render(CreateUser(Grantee("a"), None, acl={"channels": ("&x:*",)}))
    assert str(made) == "ACL SETUSER a reset resetchannels on &x:*"
