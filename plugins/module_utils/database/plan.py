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
from ansible_collections.flatrun.infra.plugins.module_utils.database import guards, plan_schemas, plan_users
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    AddExtension,
    AlterDatabase,
    CreateDatabase,
    DropDatabase,
    OpenDatabase,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.dialect import Dialect
from ansible_collections.flatrun.infra.plugins.module_utils.database.engines import dialect_of
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    POSTGRESQL,
    Database,
    State,
    Target,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_joins import joins
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_ledger import Ledger
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_missing import refuse_missing
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_rights import Settlement
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_places import inside_of
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import ABSENT, PRESENT, Task, WantedDatabase

REASON = "every database, user and grant is as asked"
# From here on a database's owner owns its schema public by itself.
_OWNS_PUBLIC = (15,)
# From here on PostgreSQL writes a new database, some 8 MB, into its log and into its files. So many of them fill the
# log (max_wal_size, 1 GB by default), which has it flush all of them again and again; then copying files is faster.
_HAS_STRATEGIES = (15,)
_FILL_THE_LOG = 128


def plan(task: Task, state: State) -> Plan:
    """Pure: the same task and state give the same plan."""
    missing = () if state.reached else (reach(str(task.connection), state.words),)
    dialect = dialect_of(state.engine)
    if dialect is None:
        # Nothing tells which engine it will be, so no statement can be foreseen.
        return Plan(missing)
    task = dialect.adapt(task, state)
    guards.check(task, state, dialect)
    ledger = Ledger(state.rights, lambda target: dialect.fold(target, state))
    for inside in state.insides.values():
        ledger.add(inside.rights)
    ledger.add(dialect.usual_rights(task, state))
    arrivals = list(plan_users.arrivals(task, state, dialect))
    work = [
        *_databases(task, state, dialect, ledger),
        *_arrange(task, state, dialect, ledger),
        *plan_schemas.departures(task, state),
        *_drops(task, state),
        *plan_users.departures(task, state, dialect),
    ]
    refuse_missing([*arrivals, *work], state, lambda target: dialect.fold(target, state))
    return Plan((*missing, *arrivals, *joins(task, state, [*arrivals, *work]), *work), REASON)


def _arrange(task: Task, state: State, dialect: Dialect, ledger: Ledger) -> Iterator[Action]:
    """A new database is opened when its rights are set; only then can anything be done inside."""
    schemas = list(plan_schemas.arrivals(task, state, ledger))
    actions = list(Settlement(task, state, dialect, ledger).actions())
    inner = [action for action in actions if _is_inside(action)]
    yield from (action for action in actions if not _is_inside(action))
    yield from _openings(task, state)
    yield from schemas
    yield from _extensions(task, state)
    yield from inner


def _is_inside(action: Action) -> bool:
    return action.detail.target.kind not in ("server", "database", "role")


def _databases(task: Task, state: State, dialect: Dialect, ledger: Ledger) -> Iterator[Action]:
    strategy = _strategy(task, state)
    for wanted in task.databases:
        if wanted.state == ABSENT:
            continue
        found = state.databases.get(wanted.name)
        target = f"database {wanted.name}"
        if found is None:
            made = dialect.new_database(wanted, state)
            ledger.add(dialect.first_rights(made, state))
            change = CreateDatabase(made, strategy)
            yield Action("create", target, "it does not exist", wanted.item, None, _shown_database(made), change)
            continue
        altered = dialect.altered_database(wanted, found, state)
        if altered != found:
            if altered.owner != found.owner:
                ledger.hand_over(Target("database", wanted.name), found.owner, altered.owner)
            yield _alteration(wanted, found, altered)


def _strategy(task: Task, state: State) -> str:
    new = sum(wanted.state != ABSENT and wanted.name not in state.databases for wanted in task.databases)
    many = state.engine == POSTGRESQL and not _is_before(_HAS_STRATEGIES, state) and new >= _FILL_THE_LOG
    return "FILE_COPY" if many else ""


def _is_before(version: tuple[int, ...], state: State) -> bool:
    """Whether the server is an older one; of one that isn't reached yet nobody knows, and few are."""
    return () < state.version < version


def _alteration(wanted: WantedDatabase, found: Database, after: Database) -> Action:
    before, then = _shown_database(found), _shown_database(after)
    differing = sorted(key for key in {*before, *then} if then.get(key) != before.get(key))
    reason = "; ".join(f"its {key.replace('_', ' ')} is {before.get(key, 'unset')}" for key in differing)
    return Action("alter", f"database {wanted.name}", reason, wanted.item, before, then, AlterDatabase(found, after))


def _shown_database(database: Database) -> dict[str, str]:
    limit = database.connection_limit
    facts = {
        "owner": database.owner,
        "encoding": database.encoding,
        "collation": database.collation,
        "template": database.template,
        "connection_limit": str(limit) if limit >= 0 else "",
    }
    return {key: value for key, value in facts.items() if value}


def _openings(task: Task, state: State) -> Iterator[Action]:
    if state.engine != POSTGRESQL:
        return
    for wanted in task.databases:
        found = state.databases.get(wanted.name)
        if wanted.state == PRESENT and (found is None or found.unfinished):
            heir = wanted.owner if _is_before(_OWNS_PUBLIC, state) else ""
            change = OpenDatabase(wanted.name, heir, -1 if wanted.connection_limit is None else wanted.connection_limit)
            yield Action(
                "open",
                f"database {wanted.name}",
                "its rights are set",
                wanted.item,
                {"connections": "refused"},
                {"connections": "allowed"},
                change,
            )


def _extensions(task: Task, state: State) -> Iterator[Action]:
    for wanted in task.databases:
        present = inside_of(wanted.name, task, state).extensions if wanted.extensions else ()
        for name in dict.fromkeys(wanted.extensions) if wanted.state == PRESENT else ():
            if name not in present:
                target = f"extension {name} of database {wanted.name}"
                change = AddExtension(wanted.name, name)
                yield Action("create", target, "it is not there", wanted.item, None, {"extension": name}, change)


def _drops(task: Task, state: State) -> Iterator[Action]:
    for wanted in task.databases:
        found = state.databases.get(wanted.name)
        if wanted.state == ABSENT and found:
            change = DropDatabase(wanted.name, wanted.force)
            target = f"database {wanted.name}"
            yield Action("drop", target, "it exists", wanted.item, _shown_database(found), None, change)
