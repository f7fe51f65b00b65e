# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis server as the corridor sees it."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Plan
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import redis_acl as acl
from ansible_collections.flatrun.infra.plugins.module_utils.database import redis_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database import spec_administrators
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Credential, Statement
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DIFFERS,
    LOCKED,
    REDIS,
    SAME,
    UNKNOWN,
    Grantee,
    State,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.redis_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task, WantedUser

_NO_FILE = "not configured to use an ACL file"


class RedisWorld:
    """Observes, and does all of a plan in one transaction that also writes it to the server's disk."""

    def __init__(self, session: Session, task: Task) -> None:
        self.session, self.task = session, task

    def observe(self) -> State:
        listed = [acl.read(_text(line)) for line in self.session.ask("ACL", "LIST")]
        asked = any("commands" in user.acl for user in spec_administrators.redis(self.task, ()).users)
        known = self._known() if asked else {}
        task = spec_administrators.redis(self.task, known.get(acl.COMMANDS, ()))
        wanted = {user.name: user for user in task.users}
        return State(
            engine=REDIS,
            administrator=_text(self.session.ask("ACL", "WHOAMI")),
            users={Grantee(each.name): _user(each, wanted.get(each.name), known) for each in listed},
            privileges=known,
        )

    def _known(self) -> acl.Known:
        """The commands that the server has, and in which categories."""
        names = [_text(name) for name in self.session.ask("ACL", "CAT")]
        answers = self.session.ask_all([("COMMAND", "LIST"), *(("ACL", "CAT", name) for name in names)])
        for answer in answers:
            if self.session.refused(answer):
                raise Refused(f"the server says: {answer}", self.session.endpoint.where, "Give the administrator it.")
        sets = [frozenset(_text(command).lower() for command in answer) for answer in answers]
        return {acl.COMMANDS: frozenset().union(*sets), **{f"@{name}": some for name, some in zip(names, sets[1:])}}

    def hold(self) -> AbstractContextManager[None]:
        """Each user is set whole, so there is nothing that two runs could make half of."""
        return nullcontext()

    def apply(self, plan: Plan, done: Journal) -> None:
        keep = self._keep()
        work = [(action, statement) for action in plan.actions for statement in text.render(action.detail)]
        commands = [_sent(statement) for _action, statement in work]
        *answers, kept = self.session.ask_all([*commands, keep], whole=True)
        errors = []
        for (action, _statement), answer in zip(work, answers):
            words = self.session.refused(answer)
            if words:
                errors.append(Refused(f"the server says: {words}", action.target))
            else:
                done(action)
        if self.session.refused(kept):
            errors.append(Refused(f"users are set and not kept: {kept}", self.session.endpoint.where, "See its log."))
        if errors:
            raise errors[0]

    def _keep(self) -> tuple[str, str]:
        """How users outlive a restart. It is tried before anything is changed, for then it is too late."""
        words = self.session.refused(self.session.ask_all([("ACL", "SAVE")])[0])
        if not words:
            return ("ACL", "SAVE")
        if _NO_FILE in words:
            words = self.session.refused(self.session.ask_all([("CONFIG", "REWRITE")])[0])
            if not words:
                return ("CONFIG", "REWRITE")
        raise Refused(
            f"users would be lost with a restart, for the server can't write them down: {words}",
            self.session.endpoint.where,
            "Give it an aclfile, or a configuration file, that it may write.",
        )


def _user(found: acl.Account, wanted: WantedUser | None, known: acl.Known) -> User:
    rules = {"keys": found.keys, "channels": found.channels, "commands": found.commands, "selectors": found.selectors}
    asked = wanted.acl.get("commands") if wanted else None
    # Rules may be written in many ways; those that mean the same are told as the task has them.
    if asked is not None and acl.allowed(asked, known) == acl.allowed(found.commands, known):
        rules["commands"] = asked
    return User(
        Grantee(found.name),
        _password(found, wanted),
        "sha256",
        frozenset() if found.on else frozenset({LOCKED}),
        acl=rules,
        former=len(found.digests) > 1,
        kept=tuple(map(Secret, found.digests)),
    )


def _password(found: acl.Account, wanted: WantedUser | None) -> str:
    if not wanted or not (wanted.password or wanted.hash):
        return UNKNOWN
    digest = _digest(Credential(Grantee(found.name), "sha256", wanted.password, wanted.hash))
    # The one that was set last is the present one; what else works is a former one.
    return SAME if found.digests[-1:] == (digest,) and not found.open else DIFFERS


def _digest(credential: Credential) -> str:
    if credential.hash:
        return credential.hash.reveal()
    return hashlib.sha256(credential.password.reveal().encode()).hexdigest() if credential.password else ""


def _sent(statement: Statement) -> list[str]:
    pieces = (piece if isinstance(piece, str) else f"#{_digest(piece)}" for piece in statement.pieces)
    return "".join(pieces).split(" ")


def _text(value: Any) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
