"""Random desired states on real servers: foreseen as done, done once, and felt by those who log in.

FLATRUN_TEST_EXAMPLES says how many states are tried on each engine; the seed is fixed.
"""

from __future__ import annotations

import os
from typing import Any

import psycopg2
import pymysql
import pytest
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, ONE_OF_EACH, Server
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

pytestmark = GROUP
EXAMPLES = int(os.environ.get("FLATRUN_TEST_EXAMPLES", "8"))
# Wildcards, quotes, comment signs, what looks like another account, a reserved word, composed and decomposed.
USERS = ("a_p", "o'r\"i`g\\", "-- x;@%", "select", "é", "e\u0301")
DATABASES = ("s_p", "s%p", "sxp", "q'u\"o`t\\e;", "TABLE", "日本")
PASSWORDS = ("pl4in-enough", "q'u\"o`t\\e;-- $x %s {{ y }}", " ", "pässwörd \u2168", "*" + "A" * 40, "x" * 200)
PRIVILEGES = {
    "mysql": ("SELECT", "INSERT", "CREATE TEMPORARY TABLES", "ALL"),
    "mariadb": ("SELECT", "INSERT", "CREATE TEMPORARY TABLES", "ALL"),
    "postgresql": ("CONNECT", "TEMPORARY", "CREATE", "ALL"),
}

# MySQL's and MariaDB's numbers for a database, a table and a grant that one has no right to.
MAY_NOT = (1044, 1142, 1410)


def states(engine: str) -> st.SearchStrategy[dict[str, Any]]:
    """Some users with passwords, some databases with owners, and all that the users may do, and no more."""

    def task(
        users: dict[str, str], databases: dict[str, int], grants: list[tuple[int, int, str, bool]]
    ) -> dict[str, Any]:
        names = sorted(users)
        present = [{"name": name, "password": users[name]} for name in names]
        absent = [{"name": name, "state": "absent", "force": True} for name in USERS if name not in users]
        made = [{"name": name, "owner": names[owner % len(names)]} for name, owner in sorted(databases.items())]
        gone = [{"name": name, "state": "absent", "force": True} for name in DATABASES if name not in databases]
        asked = [
            {
                "user": names[user % len(names)],
                "database": sorted(databases)[database % len(databases)],
                "privileges": [privilege],
                "grant_option": option,
            }
            for user, database, privilege, option in grants
            if databases
        ]
        # Each user is named, so that what nobody asks for is taken from all of them.
        nothing = [{"user": name, "database": made[0]["name"], "privileges": []} for name in names if made]
        return {
            "users": present + absent,
            "databases": made + gone,
            "grants": asked + nothing,
            "grants_mode": "exclusive",
        }

    number = st.integers(0, 5)
    return st.builds(
        task,
        st.dictionaries(st.sampled_from(USERS), st.sampled_from(PASSWORDS), min_size=1, max_size=4),
        st.dictionaries(st.sampled_from(DATABASES), number, max_size=3),
        st.lists(st.tuples(number, number, st.sampled_from(PRIVILEGES[engine]), st.booleans()), max_size=5),
    )


def tries(server: Server, place: str) -> dict[str, str]:
    """A statement for each privilege, which works for those who have it, and leaves nothing behind."""
    if server.is_postgresql:
        quoted = '"' + place.replace('"', '""') + '"'
        return {
            "CONNECT": "SELECT 1",
            "TEMPORARY": "CREATE TEMPORARY TABLE tried (n int)",
            "CREATE": "CREATE SCHEMA tried",
            "OPTION": f"GRANT CONNECT ON DATABASE {quoted} TO pg_monitor",
        }
    pattern = place.replace("`", "``").replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
    return {
        "SELECT": "SELECT n FROM tried",
        "INSERT": "INSERT INTO tried VALUES (1)",
        "DELETE": "DELETE FROM tried",
        "CREATE TEMPORARY TABLES": "CREATE TEMPORARY TABLE tried_too (n int)",
        # To oneself, of what one has, so that nothing changes.
        "OPTION": f"GRANT {{}} ON `{pattern}`.* TO CURRENT_USER()",
    }


def works(server: Server, opened: Any, statement: str) -> bool:
    """Whether the server does it. PostgreSQL only warns of a grant without effect."""
    cursor = opened.cursor()
    try:
        if server.is_postgresql:
            opened.notices.clear()
            cursor.execute("BEGIN")
        cursor.execute(statement)
    except (psycopg2.errors.InsufficientPrivilege, pymysql.err.OperationalError, pymysql.err.ProgrammingError) as error:
        if error.args[0] not in MAY_NOT and not server.is_postgresql:
            raise
        return False
    else:
        return not (server.is_postgresql and opened.notices)
    finally:
        if server.is_postgresql:
            cursor.execute("ROLLBACK")
        cursor.close()


def asked_for(server: Server, task: dict[str, Any], name: str, place: dict[str, Any]) -> set[str]:
    """What a user is to be able to do in a database."""
    possible = {*tries(server, place["name"])}
    owner = [("ALL", server.is_postgresql)] if place["owner"] == name else []
    given = owner + [
        (privilege, grant["grant_option"])
        for grant in task["grants"]
        if (grant["user"], grant["database"]) == (name, place["name"])
        for privilege in grant["privileges"]
    ]
    can: set[str] = set()
    for privilege, _option in given:
        can |= possible - {"OPTION"} if privilege == "ALL" else {privilege}
    # PostgreSQL's option is a privilege's own, MySQL's is one for all that is held on a database.
    optional = [privilege for privilege, option in given if option]
    on = {"CONNECT", "ALL"} & {*optional} if server.is_postgresql else {*optional}
    return can | ({"OPTION"} if on else set())


def hold_what_users_feel(server: Server, task: dict[str, Any]) -> None:
    databases = [each for each in task["databases"] if each.get("state") != "absent"]
    for each in [] if server.is_postgresql else databases:
        quoted = each["name"].replace("`", "``")
        server.say(f"CREATE TABLE IF NOT EXISTS `{quoted}`.tried (n int)")
    for user in task["users"]:
        name, password = user["name"], user.get("password", "")
        if user.get("state") == "absent":
            assert all(server.may_enter(name, each) is None for each in PASSWORDS)
            continue
        assert server.may_enter(name, password) is True, user
        assert server.may_enter(name, password + "x") is None, user
        for place in databases:
            expected = asked_for(server, task, name, place)
            # On PostgreSQL whatever else somebody may do is of no use to those who may not connect.
            enters = "CONNECT" in expected if server.is_postgresql else bool(expected)
            assert server.may_enter(name, password, place["name"]) is enters, (name, place, task)
            if enters:
                assert can_do(server, user, place["name"], expected) == expected, (name, place, task)


def can_do(server: Server, user: dict[str, Any], place: str, expected: set[str]) -> set[str]:
    with server.opened(user["name"], user["password"], place) as opened:
        held = min(expected - {"OPTION"})
        return {
            privilege
            for privilege, statement in tries(server, place).items()
            if works(server, opened, statement.format(held) if privilege == "OPTION" else statement)
        }


@pytest.mark.parametrize("server", ONE_OF_EACH, indirect=True)
def test_random_states(server: Server) -> None:
    @seed(20260131)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(states(server.engine))
    def reach(task: dict[str, Any]) -> None:
        foreseen = server.run(task, check_mode=True)
        done = server.run(task)
        assert done.diff() == foreseen.diff()
        again = server.run(task)
        assert not again, again.actions
        hold_what_users_feel(server, task)

    reach()
