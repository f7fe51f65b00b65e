# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A MySQL or MariaDB server as the corridor sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Plan
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database import passwords
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Credential, Statement
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import MARIADB, State
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task

_LOCK = "flatrun.infra"
_PATIENCE = 60


class MySQLWorld:
    """Observes, and does one statement after the other: the server commits each of them by itself."""

    def __init__(self, session: Session, task: Task) -> None:
        self.session = session
        self.mariadb = session.engine == MARIADB
        self.observer = Observer(session, task, self.mariadb)
        self._thousands = 0

    def observe(self) -> State:
        return self.observer.look()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """The server's own lock, for two runs may come from two hosts; it goes with the connection."""
        taken = self.session.rows("SELECT GET_LOCK(%s, %s) AS taken", (_LOCK, _PATIENCE))[0]["taken"]
        if not taken:
            raise Refused("another run is at work on it", self.session.endpoint.where, "Wait, then run again.")
        try:
            yield
        finally:
            with suppress(FlatrunError):
                self.session.rows("SELECT RELEASE_LOCK(%s) AS released", (_LOCK,))

    def apply(self, plan: Plan, done: Journal) -> None:
        for action in plan.actions:
            for statement in text.render(action.detail, self.mariadb):
                try:
                    self.session.run(self._text(statement))
                except Refused as error:
                    raise Refused(error.what, action.target, error.do) from None
                except FlatrunError as error:
                    raise type(error)(error.what, f"{action.target} at {error.where}", error.do) from None
            done(action)

    def _text(self, statement: Statement) -> str:
        return "".join(piece if isinstance(piece, str) else self._stored(piece) for piece in statement)

    def _stored(self, credential: Credential) -> str:
        password = credential.password.reveal().encode()
        if credential.plugin == "caching_sha2_password":
            stored = passwords.caching_sha2(password, self._rounds())
        else:
            stored = passwords.native(password)
        self.observer.compared[stored, credential.password] = True
        # The salt may be any byte, so MySQL takes it in hex; MariaDB's are plain ASCII, and it wants a text.
        return text.literal(stored.decode()) if self.mariadb else f"0x{stored.hex()}"

    def _rounds(self) -> int:
        """As many as the server itself would take, in thousands; servers that can't be told take five."""
        if not self._thousands:
            rows = self.session.rows("SHOW VARIABLES LIKE 'caching_sha2_password_digest_rounds'")
            self._thousands = int(rows[0]["Value"]) // 1000 if rows else 5
        return self._thousands
