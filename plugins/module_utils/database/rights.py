# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rights compared by what they mean: which are missing, which are too many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Grant, Revoke
from ansible_collections.flatrun.infra.plugins.module_utils.database.dialect import Dialect
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    ALL,
    GRANT_OPTION,
    PUBLIC,
    Grantee,
    Rights,
    State,
    Target,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    ABSENT,
    PRESENT,
    Task,
    WantedGrant,
)


class Ledger:
    """The rights as they will be at a point of the plan: those that were found, and what came before."""

    def __init__(self, rights: Rights) -> None:
        self._rights = {key: dict(held) for key, held in rights.items()}

    @property
    def rights(self) -> Rights:
        return self._rights

    def held(self, grantee: Grantee, target: Target) -> dict[str, bool]:
        return self._rights.setdefault((grantee, target), {})

    def add(self, rights: Rights) -> None:
        for (grantee, target), privileges in rights.items():
            self.held(grantee, target).update(privileges)

    def hand_over(self, database: str, before: str, after: str) -> None:
        """A new owner gets what the former one had, as PostgreSQL does it."""
        target = Target("database", database)
        self.held(Grantee(after), target).update(self._rights.pop((Grantee(before), target), {}))


def plan_rights(task: Task, state: State, dialect: Dialect, ledger: Ledger) -> Iterator[Action]:
    grants = [*_of_owners(task, dialect), *task.grants]
    named = {(wanted.user.upper(), wanted.database) for wanted in grants}
    yield from _lock_out(task, state, ledger, named)
    for wanted in grants:
        for grantee in _grantees(wanted, task, state, dialect):
            target = dialect.database_target(wanted.database, grantee, ledger.rights)
            yield from _settle(wanted, grantee, target, state, dialect, ledger.held(grantee, target))


def _of_owners(task: Task, dialect: Dialect) -> list[WantedGrant]:
    """Where a database has no owner of its own, being its owner is to have all rights on it."""
    if not dialect.owners_are_granted:
        return []
    return [
        WantedGrant(item=wanted.item, user=wanted.owner, privileges=frozenset({ALL}), database=wanted.name)
        for wanted in task.databases
        if wanted.owner and wanted.state == PRESENT
    ]


def _lock_out(task: Task, state: State, ledger: Ledger, named: set[tuple[str, str]]) -> Iterator[Action]:
    """PostgreSQL lets everybody into a new database; into ours come those who are granted it."""
    for wanted in task.databases:
        found = state.databases.get(wanted.name)
        target = Target("database", wanted.name)
        public = ledger.held(PUBLIC, target)
        new = wanted.state == PRESENT and (found is None or found.unfinished)
        if new and public and ("PUBLIC", wanted.name) not in named:
            change = Revoke(PUBLIC, target, tuple(sorted(public)))
            why = "a new database is for those who are granted it"
            yield _action(wanted.item, change, dict(public), {}, why, frozenset())
            public.clear()


def _grantees(wanted: WantedGrant, task: Task, state: State, dialect: Dialect) -> list[Grantee]:
    """The accounts that are meant: of the host that is said, else the user's own of the task, else of the server."""
    if wanted.host:
        meant = [dialect.grantee(wanted.user, wanted.host)]
    else:
        named = [dialect.grantee(user.name, user.host) for user in task.users if user.name == wanted.user]
        plain = dialect.grantee(wanted.user, "")
        meant = named or sorted(grantee for grantee in state.users if grantee.name == plain.name) or [plain]
    coming = {dialect.grantee(user.name, user.host) for user in task.users if user.state == PRESENT}
    going = {dialect.grantee(user.name, user.host) for user in task.users if user.state == ABSENT}
    known = [each for each in meant if (each in state.users or each in coming or each == PUBLIC) and each not in going]
    if not state.reached:
        return [each for each in meant if each not in going]
    if wanted.state == ABSENT:
        return known
    unknown = [each for each in meant if each not in known]
    if unknown:
        where = "owner" if wanted.item.startswith("databases") else "user"
        raise Refused(
            f"there is no user {unknown[0]}",
            f"{wanted.item}.{where}",
            "Put it into users, or name one that exists, with its host.",
        )
    return known


def _settle(
    wanted: WantedGrant, grantee: Grantee, target: Target, state: State, dialect: Dialect, held: dict[str, bool]
) -> Iterator[Action]:
    """The one change, if any, that gives or takes what is wanted."""
    known = state.privileges.get(target.kind, frozenset())
    if wanted.state == ABSENT:
        yield from _take(wanted, grantee, target, known, dialect, held)
        return
    privileges = expand(wanted, known, target)
    option = wanted.grant_option and not dialect.option_is_privilege
    asked = dict.fromkeys(privileges, option)
    if wanted.grant_option and dialect.option_is_privilege:
        asked[GRANT_OPTION] = False
    missing = {name: grantable for name, grantable in asked.items() if name not in held or (grantable > held[name])}
    if missing:
        before = dict(held)
        held.update(missing)
        change = Grant(grantee, target, missing, bool(known) and known <= {*missing})
        yield _action(wanted.item, change, before, held, _reason_to_grant(missing, before, known), known)


def _take(
    wanted: WantedGrant,
    grantee: Grantee,
    target: Target,
    known: frozenset[str],
    dialect: Dialect,
    held: dict[str, bool],
) -> Iterator[Action]:
    privileges = expand(wanted, known, target)
    only_option = wanted.grant_option
    if only_option and dialect.option_is_privilege:
        present = [GRANT_OPTION] if GRANT_OPTION in held else []
    elif only_option:
        present = [name for name in privileges if held.get(name)]
    else:
        # To grant on nothing would be a right that nobody asked for.
        everything = privileges | {GRANT_OPTION} if privileges >= {*held} - {GRANT_OPTION} else privileges
        present = [name for name in everything if name in held]
    if not present:
        return
    before = dict(held)
    taken_option = only_option and not dialect.option_is_privilege
    for name in present:
        if taken_option:
            held[name] = False
        else:
            del held[name]
    change = Revoke(grantee, target, tuple(sorted(present)), taken_option)
    what = f"the option to grant {_listed(present)} on" if taken_option else _listed(present)
    yield _action(wanted.item, change, before, held, f"it has {what}", known)


def expand(wanted: WantedGrant, known: frozenset[str], target: Target) -> frozenset[str]:
    """ALL is what the server knows on such a target. A privilege it doesn't know is refused with those it does."""
    if not known:
        # The server isn't there yet, so nobody can tell.
        return wanted.privileges
    if ALL in wanted.privileges:
        return known
    strange = sorted(wanted.privileges - known)
    if strange:
        raise Refused(
            f"{strange[0]} is not a privilege that this server knows on a {target.kind}",
            f"{wanted.item}.privileges",
            f"It knows {', '.join(sorted(known))}.",
        )
    return wanted.privileges


def _reason_to_grant(missing: Mapping[str, bool], before: Mapping[str, bool], known: frozenset[str]) -> str:
    if known and known <= {*missing}:
        return "it lacks all privileges" if not known & {*before} else "it may not grant them on"
    return f"it lacks {_listed(missing)}"


def _listed(privileges: Mapping[str, bool] | list[str]) -> str:
    return ", ".join(sorted(privileges))


def _action(
    item: str,
    change: Grant | Revoke,
    before: Mapping[str, bool],
    after: Mapping[str, bool],
    why: str,
    known: frozenset[str],
) -> Action:
    verb = "grant" if isinstance(change, Grant) else "revoke"
    target = f"{change.grantee} on {change.target}"
    return Action(verb, target, why, item, _lines(before, known), _lines(after, known), change)


def _lines(privileges: Mapping[str, bool], known: frozenset[str]) -> list[str]:
    """What the diff shows: ALL for all that the server knows, because nobody reads twenty lines for each user."""
    shown = dict(privileges)
    values = {shown.get(name) for name in known}
    if known and len(values) == 1 and None not in values:
        shown = {ALL: shown[min(known)], **{name: option for name, option in shown.items() if name not in known}}
    return [f"{name} with grant option" if grantable else name for name, grantable in sorted(shown.items())]
