"""Random desired states on real servers: foreseen as done, done once, and felt by those who log in.

FLATRUN_TEST_EXAMPLES says how many states are tried on each engine; the seed is fixed.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import psycopg2
import pymysql
import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import DB
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint, locate
from ansible_collections.flatrun.infra.plugins.module_utils.database.room import ROOM
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import connection
from ansible_collections.flatrun.infra.plugins.module_utils.service.arguments import INFRA
from ansible_collections.flatrun.infra.plugins.module_utils.service.room import ROOM as INFRA_ROOM
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

ENGINES = ("mysql", "mariadb", "postgresql")
EXAMPLES = int(os.environ.get("FLATRUN_TEST_EXAMPLES", "8"))
# Wildcards, quotes, comment signs, what looks like another account, a reserved word, composed and decomposed.
USERS = ("a_p", "o'r\"i`g\\", "-- x;@%", "select", "é", "e\u0301")
DATABASES = ("s_p", "s%p", "sxp", "q'u\"o`t\\e;", "TABLE", "日本")
PASSWORDS = ("pl4in-enough", "q'u\"o`t\\e;-- $x %s {{ y }}", " ", "pässwörd \u2168", "*" + "A" * 40, "x" * 200)
PRIVILEGES = {
    "mysql": ("SELECT", "INSERT", "CREATE TEMPORARY TABLES", "ALL"),
    "mariadb": ("SELECT", "INSERT", "CREATE TEMPORARY TABLES", "ALL"),
    "postgresql": ("CONNECT", "ALL"),
}


def filled(options: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """As Ansible hands parameters over: each option with its default."""
    found = {name: deepcopy(given.get(name, option.get("default"))) for name, option in options.items()}
    for name, option in options.items():
        if option.get("options") and found[name]:
            found[name] = [filled(option["options"], entry) for entry in found[name]]
    return found


@pytest.fixture(scope="module")
def servers(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """A server of each engine, by what a task needs to reach it."""
    prefix = f"frt{secrets.token_hex(3)}"
    # The folders above may be nobody else's to write, so it is none of pytest's.
    root = f"/var/tmp/flatrun-test-{prefix}"
    items = [
        {
            "name": engine,
            "type": engine,
            "container": f"{prefix}-{engine}",
            "image": images[engine],
            "networks": [prefix],
        }
        for engine in ENGINES
    ]
    os.mkdir(root, 0o755)
    params = filled(INFRA.options, {"root_dir": root, "networks": [{"name": prefix}], "services": items})
    try:
        walk(INFRA_ROOM, INFRA_ROOM.parse(params), False, Walk())
        yield {engine: {"container": f"{prefix}-{engine}", "root_dir": root} for engine in ENGINES}
    finally:
        names = [f"{prefix}-{engine}" for engine in ENGINES]
        subprocess.run(["docker", "rm", "--force", *names], capture_output=True, check=False)
        subprocess.run(["docker", "network", "rm", prefix], capture_output=True, check=False)
        subprocess.run(["rm", "-rf", root], check=True)


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


def run(server: dict[str, str], task: dict[str, Any], check_mode: bool = False) -> Any:
    course: Walk[Any] = Walk()
    walk(ROOM, ROOM.parse(filled(DB.options, {**server, **task})), check_mode, course)
    return course.plan


def may_enter(endpoint: Endpoint, user: str, password: str, database: str) -> bool | None:
    """Whether the user gets into the database; None where the password isn't even taken."""
    try:
        if endpoint.engine == "postgresql":
            psycopg2.connect(
                host=endpoint.host, port=endpoint.port, user=user, password=password, dbname=database or "postgres"
            ).close()
        else:
            pymysql.connect(
                host=endpoint.host,
                port=endpoint.port,
                user=user,
                password=password.encode(),
                database=database or None,
                charset="utf8mb4",
            ).close()
    except psycopg2.OperationalError as error:
        return None if "authentication failed" in str(error) else False
    except pymysql.err.OperationalError as error:
        return None if error.args[0] == 1045 else False
    return True


def hold_what_users_feel(endpoint: Endpoint, task: dict[str, Any]) -> None:
    databases = [each for each in task["databases"] if each.get("state") != "absent"]
    for user in task["users"]:
        name = user["name"]
        if user.get("state") == "absent":
            assert all(may_enter(endpoint, name, password, "") is None for password in PASSWORDS)
            continue
        assert may_enter(endpoint, name, user["password"], "") is True, user
        assert may_enter(endpoint, name, user["password"] + "x", "") is None, user
        for database in databases:
            place = database["name"]
            granted = any(
                (each["user"], each["database"]) == (name, place) and each["privileges"] for each in task["grants"]
            )
            expected = granted or database["owner"] == name
            assert may_enter(endpoint, name, user["password"], place) is expected, (name, place, task)


@pytest.mark.parametrize("engine", ENGINES)
def test_random_states(engine: str, servers: dict[str, dict[str, str]]) -> None:
    server = servers[engine]
    endpoint = locate(connection(filled(DB.options, server)))
    assert isinstance(endpoint, Endpoint)

    @seed(20260131)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(states(engine))
    def reach(task: dict[str, Any]) -> None:
        foreseen = run(server, task, check_mode=True)
        done = run(server, task)
        assert done.diff() == foreseen.diff()
        again = run(server, task)
        assert not again, again.actions
        hold_what_users_feel(endpoint, task)

    reach()
