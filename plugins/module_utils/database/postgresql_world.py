# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server as the corridor sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby

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
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import State
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task

# Any number will do, as long as it is always the same.
_LOCK = 0x666C617472756E
_PATIENCE = "60s"


class PostgreSQLWorld:
    """Observes, and does what can be undone in one transaction; databases come and go by themselves."""

    def __init__(self, session: Session, task: Task) -> None:
        self.session = session
        self.observer = Observer(session, task)

    def observe(self) -> State:
        return self.observer.look()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """The server's own lock, for two runs may come from two hosts; it goes with the connection."""
        self.session.run(f"SET lock_timeout = '{_PATIENCE}'")
        try:
            self.session.run(f"SELECT pg_advisory_lock({_LOCK})")
        except Refused:
            raise Refused(
                "another run is at work on it", self.session.endpoint.where, "Wait, then run again."
            ) from None
        try:
            yield
        finally:
            with suppress(FlatrunError):
                self.session.run(f"SELECT pg_advisory_unlock({_LOCK})")

    def apply(self, plan: Plan, done: Journal) -> None:
        for alone, actions in groupby(plan.actions, _stands_alone):
            if alone:
                for action in actions:
                    self._do(action)
                    done(action)
            else:
                self._together(list(actions), done)

    def _together(self, actions: Sequence[Action], done: Journal) -> None:
        with self.session.transaction():
            for action in actions:
                self._do(action)
        for action in actions:
            done(action)

    def _do(self, action: Action) -> None:
        for statement in text.render(action.detail):
            try:
                self.session.run(self._text(statement))
            except Refused as error:
                raise Refused(error.what, action.target, error.do) from None
            except FlatrunError as error:
                raise type(error)(error.what, f"{action.target} at {error.where}", error.do) from None

    def _text(self, statement: Statement) -> str:
        return "".join(piece if isinstance(piece, str) else self._stored(piece) for piece in statement)

    def _stored(self, credential: Credential) -> str:
        stored = passwords.scram(credential.password.reveal()).decode()
        self.observer.compared[stored, credential.password] = True
        return text.literal(stored)


def _stands_alone(action: Action) -> bool:
    return isinstance(action.detail, (CreateDatabase, DropDatabase))
