# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server as the corridor sees it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import groupby
from queue import SimpleQueue

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal
from ansible_collections.flatrun.infra.plugins.module_utils.database import passwords
from ansible_collections.flatrun.infra.plugins.module_utils.database import postgresql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    CreateDatabase,
    Credential,
    DropDatabase,
    Statement,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.doubt import resolve
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import State
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task

# Any numbers will do, as long as they are always the same: the lock of a run, and that of its further connections.
_LOCK = 0x666C617472756E
_BESIDE = _LOCK + 1
_HOLDER = """
SELECT l.pid, a.usename, coalesce(host(a.client_addr), nullif(a.application_name, '')) FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::bigint << 32) + l.objid::bigint IN (%s, %s)
AND l.pid <> pg_backend_pid() LIMIT 1
"""
_PATIENCE = 60
# What two that grant at once do to each other; the loser's transaction is gone, and can be done anew.
_COLLISIONS = ("tuple concurrently updated", "deadlock detected", "could not serialize access")
_ATTEMPTS = 10
_SIDE_BY_SIDE, _STEP_BY_STEP = "\0side by side", "\0step by step"
Work = tuple[Action, tuple[Statement, ...]]
Digests = Mapping[Credential, str]


class PostgreSQLWorld:
    """Observes, and does what can be undone in transactions; databases come and go by themselves."""

    def __init__(self, session: Session, task: Task) -> None:
        self.session, self.task = session, task
        self.observer = Observer(session, task)

    def observe(self) -> State:
        return self.observer.look()

    @contextmanager
    def hold(self, patience: int = _PATIENCE) -> Iterator[None]:
        """The server's own lock, for two runs may come from two hosts; it goes with the connection.

        Where a run was killed, another connection of it may be at work for a moment longer than the one with the lock.
        """
        self.session.run(f"SET lock_timeout = '{patience}s'")
        try:
            self.session.run(f"SELECT pg_advisory_lock({_LOCK})")
            self.session.run(f"SELECT pg_advisory_lock({_BESIDE})")
            self.session.run(f"SELECT pg_advisory_unlock({_BESIDE})")
        except Refused:
            words = f"another run is at work on it{self._holder()}"
            raise Refused(words, self.session.endpoint.where, "Wait, then run again.") from None
        try:
            yield
        finally:
            with suppress(FlatrunError):
                self.session.run(f"SELECT pg_advisory_unlock({_LOCK})")

    def _holder(self) -> str:
        """Who has the lock; where a role is from is told its members alone, and whom the server lets see everybody."""
        rows = self.session.rows(_HOLDER, (_LOCK, _BESIDE))
        return f" (process {rows[0][0]} of {rows[0][1]} from {rows[0][2] or 'somewhere'})" if rows else ""

    def apply(self, plan: Plan, done: Journal) -> None:
        work = [(action, text.render(action.detail)) for action in plan.actions]
        self.observer.logins.forget()
        digests = self._digests([statement for _action, statements in work for statement in statements])
        for place, some in groupby(work, _place):
            told: list[Action] = []
            group = list(some)
            try:
                self._group(place, group, digests, told.append)
            except FlatrunError as error:
                doubtful = [action for action, _statements in group if action not in told]
                raise resolve(error, doubtful, self.task, self._anew, told.append) from None
            finally:
                for action in told:
                    done(action)

    def _group(self, place: str, group: Sequence[Work], digests: Digests, done: Journal) -> None:
        if place == _SIDE_BY_SIDE:
            self._side_by_side(group, digests, done)
        elif place == _STEP_BY_STEP:
            self._step_by_step(group, digests, done)
        elif place:
            with closing(Session(self.session.endpoint, place)) as session:
                _together(session, group, digests, done)
        else:
            _together(self.session, group, digests, done)

    @contextmanager
    def _anew(self) -> Iterator[PostgreSQLWorld]:
        # It may be another connection that broke, and this one still have the lock.
        self.session.close()
        with closing(Session(self.session.endpoint)) as session:
            yield PostgreSQLWorld(session, self.task)

    def _side_by_side(self, group: Sequence[Work], digests: Digests, done: Journal) -> None:
        """Databases are made of files, and several at once are made faster; nothing else is done beside that."""
        workers = min(self.task.workers, len(group))
        sessions: SimpleQueue[Session] = SimpleQueue()
        sessions.put(self.session)

        def work(one: Work) -> None:
            session = sessions.get()
            try:
                _do(session, one, digests)
            finally:
                sessions.put(session)

        with ExitStack() as more:
            for _worker in range(workers - 1):
                sessions.put(more.enter_context(self._beside()))
            with ThreadPoolExecutor(workers) as pool:
                jobs = [(action, pool.submit(work, (action, statements))) for action, statements in group]
        errors = [error for error in (job.exception() for _action, job in jobs) if error]
        for action, job in jobs:
            if not job.exception():
                done(action)
        if errors:
            raise errors[0]

    @contextmanager
    def _beside(self) -> Iterator[Session]:
        """One more connection, for whose statements the next run waits too."""
        with closing(Session(self.session.endpoint)) as session:
            session.run(f"SELECT pg_advisory_lock_shared({_BESIDE})")
            yield session

    def _step_by_step(self, group: Sequence[Work], digests: Digests, done: Journal) -> None:
        """What goes through several databases can't be one transaction."""
        for action, statements in group:
            for place, some in groupby(statements, lambda statement: statement.database):
                if place:
                    with closing(Session(self.session.endpoint, place)) as session, session.transaction():
                        _do(session, (action, tuple(some)), digests)
                else:
                    _do(self.session, (action, tuple(some)), digests)
            done(action)

    def _digests(self, statements: Sequence[Statement]) -> dict[Credential, str]:
        """What the server is to keep of each password, made all at once, for that is what takes time."""
        pieces = dict.fromkeys(piece for statement in statements for piece in statement.pieces)
        asked = [piece for piece in pieces if isinstance(piece, Credential)]
        scram = [each for each in asked if each.password and each.plugin != "md5"]
        made = passwords.make_postgresql([each.password.reveal() for each in scram if each.password])
        kept = {each: digest.decode() for each, digest in zip(scram, made)}
        for each in asked:
            if each.hash:
                kept[each] = each.hash.reveal()
            elif each.password:
                name = each.grantee.name
                # Where it isn't asked for, a host may have no MD5 at all (FIPS).
                if each.plugin == "md5":
                    kept[each] = passwords.md5(each.password.reveal().encode(), name.encode()).decode()
                self.observer.compared[name, kept[each], each.password] = True
        return kept


def _place(work: Work) -> str:
    """Where a step is done, so that those of one place make one transaction."""
    action, statements = work
    if isinstance(action.detail, (CreateDatabase, DropDatabase)):
        return _SIDE_BY_SIDE
    places = {statement.database for statement in statements}
    return places.pop() if len(places) == 1 else _STEP_BY_STEP


def _together(session: Session, group: Sequence[Work], digests: Digests, done: Journal) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            with session.transaction():
                for work in group:
                    _do(session, work, digests)
            break
        except Refused as error:
            if attempt + 1 == _ATTEMPTS or not any(each in error.what for each in _COLLISIONS):
                raise
            time.sleep(0.02 * (attempt + 1))
    for action, _statements in group:
        done(action)


def _do(session: Session, work: Work, digests: Digests) -> None:
    action, statements = work
    for statement in statements:
        try:
            session.run("".join(_sent(piece, digests) for piece in statement.pieces))
        except Refused as error:
            raise Refused(error.what, action.target, error.do) from None
        except FlatrunError as error:
            raise type(error)(error.what, f"{action.target} at {error.where}", error.do) from None


def _sent(piece: str | Credential, digests: Digests) -> str:
    return piece if isinstance(piece, str) else text.literal(digests[piece])
