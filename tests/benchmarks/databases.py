"""Databases, users and grants: many in one task, against the statements alone and against the community's modules."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import psycopg2
import pymysql
from harness import Bench

COUNT, LOOPED = 500, 50
# What the first run is held against: the statements' own time, times this, and so many plays with a ping.
REACHES = {"mysql": (1.5, 2), "mariadb": (1.5, 2), "postgresql": (1, 0)}
# PostgreSQL keeps rights within each database, so a task that looks into one opens a connection to it.
LOOK_INTO = 0.008
TIMES = {"mysql": 60, "mariadb": 60, "postgresql": 8}
SECRETS = {"mysql": "root_password", "mariadb": "root_password", "postgresql": "postgres_password"}
Raw = Callable[[int], tuple[str, ...]]


def databases(run: Bench) -> None:
    """500 databases, each with a user and a grant to another: first, again, and by the statements alone."""
    for engine in REACHES:
        run.play("services", True, bench_only=engine)
        _many(run, engine)
        run.clean()


def _many(run: Bench, engine: str) -> None:
    raw = _raw(run, engine)
    listed, gone = _listed(run, engine, COUNT), _listed(run, engine, COUNT, "absent")
    server = {"bench_only": engine}
    first = run.play("databases", True, extra=listed, **server)
    again = run.median("databases", 3, False, extra=listed, **server)
    reads = {}
    for count in (LOOPED, COUNT):
        reads[count] = _statements(run, engine, _listed(run, engine, count))
    removed = run.play("databases", True, extra=gone, **server)

    few = _listed(run, engine, LOOPED)
    address = {**server, "bench_address": _address(run, engine), "bench_password": _password(run, engine)}
    looped = [run.play("databases_looped", changes, extra=few, **address) for changes in (True, None)]
    scaled = [run.floor + (seconds - run.floor) * COUNT / LOOPED for seconds in looped]
    factor, floors = REACHES[engine]
    what = f"{engine}: {COUNT} databases, users and grants"
    reach = factor * raw + floors * run.floor
    run.row(f"{what}, the statements alone", raw, "one connection")
    run.row(f"{what}, first", first, f"reach {reach:.2f} s", f"looped {scaled[0] / first:.0f} x ({TIMES[engine]} x)")
    reach = 4 * run.floor + (LOOK_INTO * COUNT if engine == "postgresql" else 0)
    run.row(f"{what}, again", again, f"reach {reach:.2f} s", f"looped {scaled[1] / again:.0f} x (80 x)")
    run.row(f"{what}, removed", removed, "")
    told = ", ".join(f"{seconds:.1f} s" for seconds in looped)
    run.say(f"{engine}: looped over {LOOPED}: first and again {told}")
    run.say(
        f"{engine}: again, with nothing to change: {reads[LOOPED]} statements for {LOOPED}, {reads[COUNT]} for {COUNT}"
    )


def _listed(run: Bench, engine: str, count: int, state: str = "present") -> str:
    """A file of variables; each app's user owns its database, and may look into its neighbour's."""
    there, privilege = state == "present", "CONNECT" if engine == "postgresql" else "SELECT"
    databases, users, grants = [], [], []
    for number in range(count):
        name = f"bench_{number}"
        databases.append({"name": name, "state": state, **({"owner": name} if there else {})})
        users.append({"name": name, "password": f"benchmark-{number}", "state": state})
        grants.append({"user": name, "database": f"bench_{number ^ 1}", "privileges": [privilege]})
    path = Path(run.root, f"databases-{engine}-{count}-{state}.json")
    apps = {"bench_databases": databases, "bench_users": users, "bench_grants": grants if there else []}
    path.write_text(json.dumps(apps))
    return f"@{path}"


def _address(run: Bench, engine: str) -> str:
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    command = ["docker", "inspect", "--format", form, f"{run.prefix}-{engine}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _password(run: Bench, engine: str) -> str:
    return Path(run.root, f"{run.prefix}-{engine}", "secrets", SECRETS[engine]).read_text()


def _opened(run: Bench, engine: str) -> AbstractContextManager[Any]:
    address, password = _address(run, engine), _password(run, engine)
    if engine == "postgresql":
        made = psycopg2.connect(host=address, user="postgres", password=password, dbname="postgres")
        made.autocommit = True
        return closing(made)
    return closing(pymysql.connect(host=address, user="root", password=password, autocommit=True))


def _raw(run: Bench, engine: str) -> float:
    """Seconds of the statements that make the same, in one connection; afterwards all of it is gone again."""
    make, drop = (_postgresql, _postgresql_gone) if engine == "postgresql" else (_mysql, _mysql_gone)
    with _opened(run, engine) as made, made.cursor() as cursor:
        begun = time.perf_counter()
        for statements in (make(number) for number in range(COUNT)):
            for statement in statements:
                cursor.execute(statement)
        for number in range(COUNT):
            cursor.execute(_next(engine, number))
        seconds = time.perf_counter() - begun
        # Roles of PostgreSQL have rights on others' databases, so all of these go first.
        for kind in range(2):
            for number in range(COUNT):
                cursor.execute(drop(number)[kind])
    return seconds


def _mysql(number: int) -> tuple[str, ...]:
    return (
        f"CREATE DATABASE `bench_{number}`",
        f"CREATE USER 'bench_{number}'@'%' IDENTIFIED BY 'benchmark-{number}'",
        f"GRANT ALL ON `bench\\_{number}`.* TO 'bench_{number}'@'%'",
    )


def _mysql_gone(number: int) -> tuple[str, ...]:
    return f"DROP DATABASE `bench_{number}`", f"DROP USER 'bench_{number}'@'%'"


def _postgresql(number: int) -> tuple[str, ...]:
    return (
        f"CREATE ROLE bench_{number} LOGIN PASSWORD 'benchmark-{number}'",
        f"CREATE DATABASE bench_{number} OWNER bench_{number}",
    )


def _postgresql_gone(number: int) -> tuple[str, ...]:
    return f"DROP DATABASE bench_{number}", f"DROP ROLE bench_{number}"


def _next(engine: str, number: int) -> str:
    other = number ^ 1
    if engine == "postgresql":
        return f"GRANT CONNECT ON DATABASE bench_{other} TO bench_{number}"
    return f"GRANT SELECT ON `bench\\_{other}`.* TO 'bench_{number}'@'%'"


def _statements(run: Bench, engine: str, listed: str) -> int:
    """How many statements the server gets from a run that has nothing to change."""
    with _opened(run, engine) as made, made.cursor() as cursor:
        if engine != "postgresql":
            counts = []
            for _turn in range(2):
                cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
                counts.append(int(cursor.fetchone()[1]))
                if not counts[1:]:
                    run.play("databases", False, extra=listed, bench_only=engine)
            # Without the second of the two questions here.
            return counts[1] - counts[0] - 1
        for word in ("'all'", "DEFAULT"):
            cursor.execute(f"ALTER SYSTEM SET log_statement = {word}")
            cursor.execute("SELECT pg_reload_conf()")
            time.sleep(1)
            if word == "'all'":
                begun = time.time()
                run.play("databases", False, extra=listed, bench_only=engine)
    command = ["docker", "logs", "--since", f"{begun:.6f}", f"{run.prefix}-{engine}"]
    log = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = (log.stdout + log.stderr).splitlines()
    return sum(" LOG:  statement: " in line and "ALTER SYSTEM" not in line for line in lines)
