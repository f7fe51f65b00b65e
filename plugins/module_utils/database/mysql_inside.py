# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the tables, columns and routines that a task's grants name there are, in one statement for each kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import MARIADB, Target
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import PRESENT, Task

_COLUMNS = {
    "TABLES": ("TABLE_SCHEMA", "TABLE_NAME"),
    "COLUMNS": ("TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME"),
    "ROUTINES": ("ROUTINE_SCHEMA", "ROUTINE_NAME", "ROUTINE_TYPE"),
}
_PLACES = {"table": "TABLES", "column": "COLUMNS", "procedure": "ROUTINES", "function": "ROUTINES"}


def look_inside(session: Session, task: Task, folds_case: bool) -> frozenset[Target]:
    named = {target for target in _named(task, folds_case) if all(map(text.is_storable, _words(target)))}
    found: set[tuple[str, ...]] = set()
    for place in _COLUMNS:
        asked = sorted({_words(target) for target in named if _PLACES[target.kind] == place})
        rows = session.rows(*_query(session.engine, place, asked)) if asked else ()
        found |= {(place, *_folded(place, tuple(row.values()), folds_case)) for row in rows}
    return frozenset(
        target
        for target in named
        if (_PLACES[target.kind], *_folded(_PLACES[target.kind], _words(target), folds_case)) in found
    )


def _query(engine: str, place: str, asked: Sequence[tuple[str, ...]]) -> tuple[str, Sequence[Any]]:
    """MariaDB looks a table up that is asked for by itself, and would open all there are otherwise."""
    columns = ", ".join(_COLUMNS[place])
    every = f"SELECT {columns} FROM information_schema.{place} WHERE "
    if engine == MARIADB and place != "ROUTINES":
        one = every + " AND ".join(f"{column} = %s" for column in _COLUMNS[place])
        return " UNION ALL ".join([one] * len(asked)), [word for words in asked for word in words]
    return f"{every}({columns}) IN %s", [asked]


def _named(task: Task, folds_case: bool) -> Iterator[Target]:
    for grant in task.grants:
        if grant.state != PRESENT or grant.object_type not in ("table", "procedure", "function"):
            continue
        database = grant.database.lower() if folds_case else grant.database
        for given in grant.objects:
            name = given.lower() if folds_case and grant.object_type == "table" else given
            whole = Target(grant.object_type, database, name=name)
            yield whole
            for column in {column for _privilege, columns in grant.privileges for column in columns}:
                yield replace(whole, kind="column", column=column)


def _words(target: Target) -> tuple[str, ...]:
    last = {"table": (), "column": (target.column,)}.get(target.kind, (target.kind.upper(),))
    return (target.database, target.name, *last)


def _folded(place: str, words: tuple[str, ...], folds_case: bool) -> tuple[str, ...]:
    """Columns and routines are named without regard to case on any server, tables and databases on some."""
    exact = 0 if folds_case else 1 if place == "ROUTINES" else 2
    return (*words[:exact], *(word.lower() for word in words[exact:]))
