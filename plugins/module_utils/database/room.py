# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The room of flatrun_db: its world is a database server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import Any, Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import REACH, Plan, item_report
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal, Room, World
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint, locate
from ansible_collections.flatrun.infra.plugins.module_utils.database.engines import dialect_of
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import POSTGRESQL, REDIS, UNKNOWN, State
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan import plan
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task, WantedUser, parse


class Absent:
    """A server that isn't there yet: it holds nothing, and nothing can be done to it."""

    def __init__(self, task: Task, words: str) -> None:
        self.task, self.words = task, words

    def observe(self) -> State:
        return State(self.task.connection.engine, reached=False, words=self.words)

    def hold(self) -> AbstractContextManager[None]:
        return nullcontext()

    def apply(self, plan: Plan, done: Journal) -> None:
        raise Unreachable(self.words, str(self.task.connection), "Start it with flatrun.infra.flatrun_infra.")


@contextmanager
def _world(task: Task) -> Iterator[World[State]]:
    found = locate(task.connection)
    if isinstance(found, str):
        yield Absent(task, found)
        return
    session_of, world_of = _of_engine(found.engine)
    with closing(session_of(found)) as session:
        yield world_of(session, task)


def _of_engine(engine: str) -> tuple[Callable[[Endpoint], Any], Callable[[Any, Task], World[State]]]:
    """How a session with the engine is opened and what is done in it; imported only here, as in ``engines``."""
    if engine == POSTGRESQL:
        from ansible_collections.flatrun.infra.plugins.module_utils.database import postgresql_session, postgresql_world

        return postgresql_session.Session, postgresql_world.PostgreSQLWorld
    if engine == REDIS:
        from ansible_collections.flatrun.infra.plugins.module_utils.database import redis_session, redis_world

        return redis_session.Session, redis_world.RedisWorld
    from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_session, mysql_world

    return mysql_session.Session, mysql_world.MySQLWorld


def report(task: Task, state: State, done: Plan) -> dict[str, Any]:
    """The result: each item with what was done for it, and the statements with placeholders for secrets."""
    dialect = dialect_of(state.engine)
    changes = [action.detail for action in done.actions if action.verb != REACH]
    statements = [str(statement) for change in changes for statement in dialect.render(change)] if dialect else []
    return {
        "databases": [{"name": wanted.name, **item_report(done, wanted.item)} for wanted in task.databases],
        "users": [
            {"name": wanted.name, "host": wanted.host, **_checked(wanted, state), **item_report(done, wanted.item)}
            for wanted in task.users
        ],
        "grants": [
            {
                "user": wanted.user,
                "object_type": wanted.object_type,
                "database": wanted.database,
                **item_report(done, wanted.item),
            }
            for wanted in task.grants
        ],
        "statements": statements,
    }


def _checked(wanted: WantedUser, state: State) -> dict[str, str]:
    """How the password was compared, where one was given and the user is there."""
    dialect = dialect_of(state.engine)
    found = state.users.get(dialect.grantee(wanted.name, "" if wanted.is_role else wanted.host)) if dialect else None
    if found is None or not (wanted.password or wanted.hash):
        return {}
    return {"checked_by": "nothing" if found.password == UNKNOWN else found.checked_by}


ROOM = Room(parse=parse, world=_world, plan=plan, report=report)
