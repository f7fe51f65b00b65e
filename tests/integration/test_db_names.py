"""Names and passwords of every kind: as they are, byte for byte, or refused by the parameter; a canary survives all."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.database import passwords
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, ONE_OF_EACH, Server

pytestmark = GROUP
SYSTEM = ("mysql", "information_schema", "performance_schema", "sys", "postgres", "template0", "template1")
# Longest names of databases and of users.
LIMITS = {"mysql": (64, 32), "mariadb": (64, 128), "postgresql": (63, 63)}
NAMES = (
    *("q'uote", 'q"uote', "q`uote", "b\\ackslash", "ends with\\", "x;DROP TABLE bird;--", "/* c */ # --", "'; -- "),
    *("new\nline", "re\rturn", "t\tab", "in side", " before", "behind ", " ", "\x01\x7f", "nul\0", "half\ud800"),
    *("\u00e9", "e\u0301", "a\u202eb", "\u200b", "\ufeff", "\u65e5\u672c", "\U0001f426", "\u212a", "I\u0307"),
    *("select", "TABLE", "user", "public", "PUBLIC", "none", "current_user", "session_user", "all", "default", "root"),
    *("12345", "0", "1e9", "0x41", "-rf", "%", "_", "%_", "a_b", "a%b", "aXb", "a.b", "..", ".", "a/b", "~", "*"),
    *("a@b", "@", "root@localhost", "{{ x }}", "$(x)", "${x}", "%s", "%(x)s", "#mysql50#x", "Mixed", "mixed", "pg_x"),
    *("mysql.sys", "", *SYSTEM),
)
PASSWORDS = (
    "".join(map(chr, range(32, 127))),
    *(
        "0123",
        "yes",
        "null",
        "~",
        "{{ x }}",
        "%s %(x)s",
        "'",
        '"',
        "\\",
        "\\'",
        "a\\",
        "`",
        "t\tab",
        " ",
        " both ends ",
    ),
    *("*" + "2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "md5" + "0" * 32, "0x41", "$A$005$" + "x" * 63),
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" + "A" * 43 + "=:" + "B" * 43 + "=",
    *("p\u00e4ssw\u00f6rd", "e\u0301", "\u2168", "\u00ad", "\u00a0", "\U0001f426", "\u05d0a", "\x01", "\x7f"),
    *("x" * 72, "x" * 255, "x" * 256, "x" * 257, "\u00e9" * 500),
)
NO_PASSWORDS = ("", "nul\0", "new\nline", "re\rturn", 83, True, None, ["x"], {"x": "y"}, "half\ud800")


@pytest.fixture
def canary(server: Server) -> Iterator[None]:
    """A table, an account, and what it may do: none of it is ever named by a task."""
    where = {"database": "canary"}
    server.run(
        {
            "databases": [{"name": "canary"}],
            "users": [{"name": "canary", "password": "sings"}],
            "grants": [{"user": "canary", **where, "privileges": ["ALL" if not server.is_postgresql else "CONNECT"]}],
        }
    )
    server.say("CREATE TABLE bird (song int)", "INSERT INTO bird VALUES (42)", **where)
    before = listed(server)
    yield
    gone = {"name": "canary", "state": "absent", "force": True}
    try:
        assert server.ask("SELECT song FROM bird", **where) == [(42,)]
        assert server.may_enter("canary", "sings", "canary") is True
        assert listed(server) == before
    finally:
        server.run({"databases": [gone], "users": [gone]})


def listed(server: Server) -> tuple[set[str], set[tuple[str, ...]]]:
    """Databases and users in the server's own words."""
    if server.is_postgresql:
        databases, users = "SELECT datname FROM pg_database", "SELECT rolname FROM pg_roles"
    else:
        databases = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"
        users = "SELECT User, Host FROM mysql.user"
    return {row[0] for row in server.ask(databases)}, {tuple(row) for row in server.ask(users)}


def sifted(server: Server, task: dict[str, Any], parameter: str = "") -> tuple[dict[str, Any], list[Any]]:
    """The task less what is refused, and that; each refusal names the item and what of it."""
    task, refused = {key: list(items) for key, items in task.items()}, []
    while True:
        try:
            server.run(task, check_mode=True)
        except FlatrunError as error:
            said = error.sentence()
            found = re.match(r"(databases|users)\[(\d+)\]\.(\w+): ", said)
            assert found, said
            assert not parameter or found[3] == parameter, said
            refused.append(task[found[1]].pop(int(found[2])))
        else:
            return task, refused


def longest(server: Server, size: int) -> list[str]:
    """At the limit and one over it, in letters and in those that take several bytes."""
    return [letter * count for letter in ("n", "\u00e9") for count in (size, size + 1, size // 2, size // 2 + 1)]


@pytest.mark.usefixtures("canary")
@pytest.mark.parametrize("server", ONE_OF_EACH, indirect=True)
def test_names_are_exact_or_refused(server: Server) -> None:
    before = listed(server)
    databases, users = ([*NAMES, *longest(server, size)] for size in LIMITS[server.engine])
    task, refused = sifted(
        server,
        {
            "databases": [{"name": name} for name in dict.fromkeys(databases)],
            "users": [
                {"name": name, "password": f"of {name}"}
                for name in dict.fromkeys(users)
                if name not in {row[0] for row in before[1]}
            ],
        },
    )
    assert {each["name"] for each in refused} >= {"", "nul\0", "half\ud800"}
    made, coming = ({each["name"] for each in task[key]} for key in ("databases", "users"))
    assert len(refused) < len(made) + len(coming)
    places = dict(zip(sorted(coming), sorted(made)))
    task["grants"] = [{"user": user, "database": place, "privileges": ["ALL"]} for user, place in places.items()]
    gone = {key: [{"name": each["name"], "state": "absent"} for each in task[key]] for key in ("databases", "users")}
    try:
        hold_exactly(server, task, before)
    finally:
        server.settle(gone)
    assert listed(server) == before


def hold_exactly(server: Server, task: dict[str, Any], before: tuple[set[str], set[tuple[str, ...]]]) -> None:
    made, coming = ({each["name"] for each in task[key]} for key in ("databases", "users"))
    places = {grant["user"]: grant["database"] for grant in task["grants"]}
    server.settle(task)
    after = listed(server)
    assert after[0] - before[0] == made
    assert {row[0] for row in after[1] - before[1]} == coming
    for user, place in places.items():
        other = next(each for each in places.values() if each != place)
        assert server.may_enter(user, f"of {user}", place) is True, (user, place)
        assert server.may_enter(user, f"of {user}", other) is False, (user, other)
        assert server.may_enter(user, "another") is None, user


@pytest.mark.usefixtures("canary")
def test_passwords_are_exact_or_refused(server: Server) -> None:
    given = [{"name": f"pass_{number}", "password": each} for number, each in enumerate((*PASSWORDS, *NO_PASSWORDS))]
    task, refused = sifted(server, {"users": given}, "password")
    passwords_refused = [each["password"] for each in refused]
    assert all(password in passwords_refused for password in NO_PASSWORDS)
    assert len(refused) < len(NO_PASSWORDS) + 5, refused
    users = task["users"]
    server.settle(task)
    for each in users:
        assert server.may_enter(each["name"], each["password"]) is True, each
        assert server.may_enter(each["name"], each["password"][:-1] + "??") is None, each
    # Each gets another's.
    passed = [{**each, "password": other["password"]} for each, other in zip(users, users[1:] + users[:1])]
    assert len(server.settle({"users": passed}).actions) == len(users)
    for each, before in zip(passed, users):
        assert server.may_enter(each["name"], each["password"]) is True, each
        assert server.may_enter(each["name"], before["password"]) is None, each
    server.settle({"users": [{"name": each["name"], "state": "absent"} for each in users]})


@pytest.mark.parametrize("engine", ["postgresql"])
def test_passwords_are_prepared_as_clients_do(engine: str, servers: dict[str, Server]) -> None:
    """What libpq makes of a password is what its owner can log in with."""
    drawn = random.Random(4)
    # All that a password can hold, and more often what is mapped, forbidden or written from right to left.
    often = "\u00ad\u00a0\u200b\u2060\ufe0f\u05d0\u0627\u2168\ufb1d\u0340\u200e\ue000\ufdfa\u0041\u0031\u0300\uac00"
    with servers[engine].opened() as opened:
        for _number in range(300):
            letters = [drawn.choice(often) for _letter in range(drawn.randint(1, 4))]
            letters += [chr(drawn.choice([*range(1, 0xD800), *range(0xE000, 0x30000)])) for _letter in range(2)]
            password = "".join(drawn.sample(letters, len(letters)))
            theirs = psycopg2.extensions.encrypt_password(password, "u", opened, "scram-sha-256")
            assert passwords.matches_postgresql([(password, "u", theirs)]) == [True], password.encode("unicode_escape")
