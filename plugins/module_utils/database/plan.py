# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a task and a server's state to the changes, in the order in which nobody ever has more than they should.

Users come first and get their password with their existence, then databases, then rights; PostgreSQL's new databases
are opened once their rights are set. What goes, goes last.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan, reach
from ansible_collections.flatrun.infra.plugins.module_utils.database import guards
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    AlterDatabase,
    CreateDatabase,
    CreateUser,
    Credential,
    DropDatabase,
    DropUser,
    OpenDatabase,
    SetPassword,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.dialect import Dialect
from ansible_collections.flatrun.infra.plugins.module_utils.database.engines import DIALECTS
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import DIFFERS, Database, State
from ansible_collections.flatrun.infra.plugins.module_utils.database.rights import Ledger, plan_rights
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import ABSENT, ALWAYS, PRESENT, Task

REASON = "every database, user and grant is as asked"


def plan(task: Task, state: State) -> Plan:
    """Pure: the same task and state give the same plan."""
    missing = () if state.reached else (reach(str(task.connection), state.words),)
    dialect = DIALECTS.get(state.engine)
    if dialect is None:
        # Nothing tells which engine it will be, so no statement can be foreseen.
        return Plan(missing)
    guards.check(task, state, dialect)
    ledger = Ledger(state.rights)
    actions = [
        *missing,
        *_users(task, state, dialect),
        *_databases(task, state, dialect, ledger),
        *plan_rights(task, state, dialect, ledger),
        *_openings(task, state),
        *_drops(task, state),
    ]
    return Plan(tuple(actions), REASON)


def _users(task: Task, state: State, dialect: Dialect) -> Iterator[Action]:
    for wanted in task.users:
        grantee = dialect.grantee(wanted.name, wanted.host)
        found = state.users.get(grantee)
        if wanted.state == ABSENT:
            continue
        target = f"user {grantee}"
        if found is None:
            user = dialect.new_user(wanted, state)
            assert wanted.password is not None  # guards.check has seen to it
            credential = Credential(grantee, user.plugin, wanted.password)
            yield Action(
                "create", target, "it does not exist", wanted.item, None, _shown_user(), CreateUser(credential)
            )
        elif wanted.password and wanted.update_password == ALWAYS and found.password == DIFFERS:
            credential = Credential(grantee, found.plugin, wanted.password)
            yield Action(
                "set_password",
                target,
                "its password is another",
                wanted.item,
                {"password": "(another)"},
                _shown_user(),
                SetPassword(credential),
            )


def _shown_user() -> dict[str, str]:
    return {"password": "(secret)"}


def _databases(task: Task, state: State, dialect: Dialect, ledger: Ledger) -> Iterator[Action]:
    for wanted in task.databases:
        found = state.databases.get(wanted.name)
        target = f"database {wanted.name}"
        if wanted.state == ABSENT:
            continue
        if found is None:
            made = dialect.new_database(wanted, state)
            ledger.add(dialect.first_rights(made, state))
            yield Action(
                "create", target, "it does not exist", wanted.item, None, _shown_database(made), CreateDatabase(made)
            )
            continue
        after = dialect.altered_database(wanted, found, state)
        if after != found:
            if after.owner != found.owner:
                ledger.hand_over(wanted.name, found.owner, after.owner)
            before, then = _shown_database(found), _shown_database(after)
            differing = [key for key in then if then[key] != before.get(key)]
            reason = "; ".join(f"its {key} is {before.get(key) or 'unset'}, not {then[key]}" for key in differing)
            yield Action("alter", target, reason, wanted.item, before, then, AlterDatabase(found, after))


def _shown_database(database: Database) -> dict[str, str]:
    facts = {"owner": database.owner, "encoding": database.encoding, "collation": database.collation}
    return {key: value for key, value in facts.items() if value}


def _openings(task: Task, state: State) -> Iterator[Action]:
    if state.engine != "postgresql":
        return
    for wanted in task.databases:
        found = state.databases.get(wanted.name)
        if wanted.state == PRESENT and (found is None or found.unfinished):
            yield Action(
                "open",
                f"database {wanted.name}",
                "its rights are set",
                wanted.item,
                {"connections": "refused"},
                {"connections": "allowed"},
                OpenDatabase(wanted.name),
            )


def _drops(task: Task, state: State) -> Iterator[Action]:
    for wanted in task.databases:
        found = state.databases.get(wanted.name)
        if wanted.state == ABSENT and found:
            target = f"database {wanted.name}"
            yield Action(
                "drop", target, "it exists", wanted.item, _shown_database(found), None, DropDatabase(wanted.name)
            )
    dialect = DIALECTS[state.engine]
    for user in task.users:
        grantee = dialect.grantee(user.name, user.host)
        if user.state == ABSENT and grantee in state.users:
            yield Action("drop", f"user {grantee}", "it exists", user.item, _shown_user(), None, DropUser(grantee))
