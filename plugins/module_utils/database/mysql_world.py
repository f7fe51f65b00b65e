# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A MySQL or MariaDB server as the corridor sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database import passwords
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Credential, Statement
from ansible_collections.flatrun.infra.plugins.module_utils.database.doubt import resolve
from ansible_collections.flatrun.infra.plugins.module_utils.database.drivers import Forbidden
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import State
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_needs import needed
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task

_LOCK = "flatrun.infra"
_PATIENCE = 60


class MySQLWorld:
    """Observes, and does one statement after the other: the server commits each of them by itself."""

    def __init__(self, session: Session, task: Task) -> None:
        self.session, self.task = session, task
        self.observer = Observer(session, task)

    def observe(self) -> State:
        return self.observer.look()

    @contextmanager
    def hold(self, patience: int = _PATIENCE) -> Iterator[None]:
        """The server's own lock, for two runs may come from two hosts; it goes with the connection."""
        taken = self.session.rows("SELECT GET_LOCK(%s, %s) AS taken", (_LOCK, patience))[0]["taken"]
        if not taken:
            words = f"another run is at work on it{self._holder()}"
            raise Refused(words, self.session.endpoint.where, "Wait, then run again.")
        try:
            yield
        finally:
            with suppress(FlatrunError):
                self.session.rows("SELECT RELEASE_LOCK(%s) AS released", (_LOCK,))

    def _holder(self) -> str:
        """Who has the lock; who somebody is the server tells those alone who may see everybody's connections."""
        place = "information_schema.PROCESSLIST" if self.observer.mariadb else "performance_schema.processlist"
        row = self.session.rows(
            "SELECT l.number, p.USER AS who, p.HOST AS whence FROM (SELECT IS_USED_LOCK(%s) AS number) l"
            f" LEFT JOIN {place} p ON p.ID = l.number",
            (_LOCK,),
        )[0]
        whose = f" of {row['who']} from {row['whence']}" if row["who"] else ""
        return f" (connection {row['number']}{whose})" if row["number"] else ""

    def apply(self, plan: Plan, done: Journal) -> None:
        work = [(action, text.render(action.detail, self.observer.mariadb)) for action in plan.actions]
        self.observer.logins.forget()
        kept = self._digests([statement for _action, statements in work for statement in statements])
        for action, statements in work:
            try:
                self._do(action, statements, kept)
            except FlatrunError as error:
                raise resolve(error, [action], self.task, self._anew, done) from None
            done(action)

    def _do(self, action: Action, statements: Sequence[Statement], kept: Mapping[Credential, bytes]) -> None:
        for statement in statements:
            try:
                self.session.run(self._text(statement, kept))
            except Forbidden as error:
                who, lacks = self.session.endpoint.user, needed(action.detail)
                raise Refused(error.what, action.target, f"Give {who} {lacks}, or log in as another one.") from None
            except Refused as error:
                raise Refused(error.what, action.target, error.do) from None
            except FlatrunError as error:
                raise type(error)(error.what, f"{action.target} at {error.where}", error.do) from None

    @contextmanager
    def _anew(self) -> Iterator[MySQLWorld]:
        with closing(Session(self.session.endpoint)) as session:
            yield MySQLWorld(session, self.task)

    def _digests(self, statements: list[Statement]) -> dict[Credential, bytes]:
        """What the server is to keep of each password, made all at once, for that is what takes time."""
        asked = {piece: None for statement in statements for piece in statement.pieces if isinstance(piece, Credential)}
        made = [each for each in asked if each.password]
        thousands = self._thousands() if any(each.plugin == "caching_sha2_password" for each in made) else 0
        work = [(each.plugin, each.password.reveal().encode(), thousands) for each in made if each.password]
        kept = dict(zip(made, passwords.make_mysql(work)))
        for each, digest in kept.items():
            if each.password:
                self.observer.compared[each.plugin, digest, each.password] = True
        return kept

    def _text(self, statement: Statement, kept: Mapping[Credential, bytes]) -> str:
        return "".join(piece if isinstance(piece, str) else self._stored(piece, kept) for piece in statement.pieces)

    def _stored(self, credential: Credential, kept: Mapping[Credential, bytes]) -> str:
        given = credential.hash.reveal() if credential.hash else ""
        if given.startswith("0x"):
            return given
        digest = given.encode() or kept[credential]
        # The salt may be any byte, so MySQL takes it in hex; MariaDB's digests are plain ASCII, and it wants a text.
        return text.literal(digest.decode()) if self.observer.mariadb else f"0x{digest.hex()}"

    def _thousands(self) -> int:
        """Rounds, as many as the server itself would take; servers that can't be told take 5,000."""
        rows = self.session.rows("SHOW VARIABLES LIKE 'caching_sha2_password_digest_rounds'")
        return int(rows[0]["Value"]) // 1000 if rows else 5
