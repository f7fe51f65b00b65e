# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rights compared by what they mean: which are missing, which are too many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.database import plan_schemas
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Grant, Revoke
from ansible_collections.flatrun.infra.plugins.module_utils.database.dialect import Dialect
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    ACTIVE,
    ALL,
    DORMANT,
    GRANT_OPTION,
    MEMBER,
    PUBLIC,
    Grantee,
    State,
    Target,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_asked import Asked, expand
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_dependents import Dependents, whole
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_ledger import Held, Ledger
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_words import listed, reason_to_grant, step
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    EXCLUSIVE,
    PRESENT,
    Task,
    WantedGrant,
)


class Settlement:
    """Goes through the grants of a task, one after the other, each upon what those before it leave."""

    def __init__(self, task: Task, state: State, dialect: Dialect, ledger: Ledger) -> None:
        self.task, self.state, self.dialect, self.ledger = task, state, dialect, ledger
        self.grants = [*self._of_owners(), *task.grants]
        self.coming: dict[str, list[Grantee]] = {}
        self.going: set[Grantee] = set()
        for user in task.users:
            grantee = dialect.grantee(user.name, "" if user.is_role else user.host)
            if user.state == PRESENT:
                self.coming.setdefault(user.name, []).append(grantee)
            else:
                self.going.add(grantee)
        self.present: dict[str, list[Grantee]] = {}
        for grantee in sorted(state.users):
            self.present.setdefault(grantee.name, []).append(grantee)
        self.schemas = plan_schemas.owners(task, state)
        self.dependents = Dependents(state.grantors)
        self.wanted: dict[tuple[Grantee, Target], Held] = {}
        self.unwanted: dict[tuple[Grantee, Target], set[str]] = {}
        self.items: dict[Grantee, str] = {}

    def actions(self) -> Iterator[Action]:
        asked = [one for wanted in self.grants for one in self._asked(wanted)]
        yield from self._lock_out()
        if self.task.grants_mode == EXCLUSIVE:
            yield from self._surplus()
        # What goes, goes first, for what a table loses its columns lose too.
        for one in asked:
            if one.taken:
                self._refuse_contradiction(one)
                yield from self._take(one)
        for one in asked:
            if not one.taken:
                yield from self._give(one)

    def _refuse_contradiction(self, one: Asked) -> None:
        both = sorted(frozenset(one.privileges) & {*self.wanted.get((one.grantee, one.target), {})})
        if both and not one.option:
            raise Refused(
                f"{one.grantee} is to have {both[0]} on {one.target} and not to have it",
                one.item,
                "Keep one of the two.",
            )

    def _asked(self, wanted: WantedGrant) -> Iterator[Asked]:
        """What a grant means for each account and each object."""
        taken = self.task.takes(wanted)
        for grantee in self._grantees(wanted, taken):
            if wanted.item.startswith("grants"):
                self.items.setdefault(grantee, wanted.item)
            for meant, names in self.dialect.targets(wanted, grantee, self.task, self.state):
                for target in self._spelled(wanted, grantee, meant, taken):
                    yield self._on(wanted, grantee, target, names, taken)

    def _spelled(self, wanted: WantedGrant, grantee: Grantee, target: Target, taken: bool) -> list[Target]:
        """What there is in other spellings is taken as well, and counts as given."""
        if wanted.pattern:
            return [target]
        there = self.ledger.spelled(grantee, target)
        # A database's name with wildcards gives more than it means, and to be exclusive is to give no more.
        exact = target.kind == "database" and self.task.grants_mode == EXCLUSIVE
        return there if taken else [target] if exact else there[:1]

    def _on(self, wanted: WantedGrant, grantee: Grantee, target: Target, names: tuple[str, ...], taken: bool) -> Asked:
        known = self.state.privileges.get(target.kind, frozenset())
        meant = expand(wanted, frozenset(names), known, target)
        option = wanted.grant_option and not taken
        privileges = self.dialect.options(target, meant, self.state) if option else dict.fromkeys(meant, False)
        if taken:
            self.unwanted.setdefault((grantee, target), set()).update(meant)
        else:
            sought = self.wanted.setdefault((grantee, target), {})
            sought.update({name: sought.get(name, False) or grantable for name, grantable in privileges.items()})
        return Asked(wanted.item, grantee, target, privileges, known, taken, wanted.grant_option)

    def _of_owners(self) -> list[WantedGrant]:
        """Where a database has no owner of its own, being its owner is to have all rights on it."""
        if not self.dialect.owners_are_granted:
            return []
        return [
            WantedGrant(item=wanted.item, user=wanted.owner, privileges=((ALL, ()),), database=wanted.name)
            for wanted in self.task.databases
            if wanted.owner and wanted.state == PRESENT
        ]

    def _lock_out(self) -> Iterator[Action]:
        """PostgreSQL lets everybody into a new database; into ours come those who are granted it."""
        for wanted in self.task.databases:
            found = self.state.databases.get(wanted.name)
            if wanted.state == PRESENT and (found is None or found.unfinished):
                target = Target("database", wanted.name)
                asked = self.wanted.get((PUBLIC, target), {})
                more = [name for name in self.ledger.held(PUBLIC, target) if name not in asked]
                why = "a new database is for those who are granted it"
                yield from self._revoke(wanted.item, PUBLIC, target, more, False, why)

    def _grantees(self, wanted: WantedGrant, taken: bool) -> list[Grantee]:
        """The accounts that are meant: of the host that is said, else the user's own of the task or of the server."""
        plain = self.dialect.grantee(wanted.user, wanted.host)
        if wanted.host or plain == PUBLIC:
            meant = [plain]
        else:
            meant = self.coming.get(wanted.user) or self.present.get(wanted.user) or [plain]
        meant = [each for each in meant if each not in self.going]
        if not self.state.reached:
            return meant
        coming = self.coming.get(wanted.user, [])
        known = [each for each in meant if each in self.state.users or each in coming or each == PUBLIC]
        unknown = [each for each in meant if each not in known] or ([] if meant else [plain])
        if unknown and not taken:
            where = "owner" if wanted.item.startswith("databases") else "user"
            raise Refused(
                f"there is no user {unknown[0]}",
                f"{wanted.item}.{where}",
                "Put it into users, or name one that exists, with its host.",
            )
        return known

    def _give(self, one: Asked) -> Iterator[Action]:
        held = self.ledger.held(one.grantee, one.target)
        missing = {name: on for name, on in one.privileges.items() if name not in held or on > held[name]}
        if missing:
            before = dict(held)
            held.update(missing)
            active = self._active(one.grantee) if ACTIVE in missing else ()
            whole, inherit = bool(one.known) and one.known <= {*missing}, None
            if DORMANT in held:
                held[MEMBER] |= held.pop(DORMANT)
                inherit = "INHERIT" in self.state.users[one.grantee].attributes
            change = Grant(one.grantee, one.target, missing, whole, active, inherit)
            yield step(one.item, change, before, held, reason_to_grant(missing, before, one.known), one.known)

    def _take(self, one: Asked) -> Iterator[Action]:
        held, meant = self.ledger.held(one.grantee, one.target), frozenset(one.privileges)
        if DORMANT in held:
            meant |= {DORMANT}
        if one.option:
            options = {GRANT_OPTION} & {*self.dialect.options(one.target, meant, self.state)} & {*held}
            held_on = [name for name in meant if held.get(name)]
            # MySQL mixes up the options of dynamic privileges that are there when the one for all the others goes.
            yield from self._revoke(one.item, one.grantee, one.target, held_on, True, "it may grant them on")
            yield from self._revoke(one.item, one.grantee, one.target, [*options], False, "it may grant on")
            return
        present = [name for name in (*meant, *self._idle(one.grantee, one.target, meant)) if name in held]
        yield from self._revoke(one.item, one.grantee, one.target, present, False, f"it has {listed(present)}")
        if one.target.kind == "column":
            idle = self._idle(one.grantee, whole(one.target), ())
            why = "it has nothing there to grant on"
            yield from self._revoke(one.item, one.grantee, whole(one.target), idle, False, why)

    def _idle(self, grantee: Grantee, target: Target, gone: Iterable[str]) -> list[str]:
        """To grant on nothing would be a right that nobody asked for. MySQL's columns have their table's option."""
        held = self.ledger.held(grantee, target)
        if GRANT_OPTION not in held or GRANT_OPTION in self.wanted.get((grantee, target), ()):
            return []
        columns = [each for each in self.ledger.targets(grantee) if each.kind == "column" and whole(each) == target]
        left = {*held}.union(*(self.ledger.held(grantee, each) for each in columns)) - {GRANT_OPTION, *gone}
        return [] if left else [GRANT_OPTION]

    def _surplus(self) -> Iterator[Action]:
        """What a user of the task's grants has beyond them. Owners keep what is theirs."""
        # A table's privileges go together with those of its columns, so the columns come after.
        for grantee, target in sorted(self.ledger.rights, key=lambda key: (key[1].kind == "column", key)):
            if grantee not in self.items or self._owner(target) == grantee:
                continue
            if grantee == PUBLIC and (grantee, target) not in self.wanted:
                # What everybody may do elsewhere is not this task's affair.
                continue
            held, wanted = self.ledger.held(grantee, target), self.wanted.get((grantee, target), {})
            more = [name for name in held if name not in wanted]
            grantable = [name for name in held if name in wanted and held[name] > wanted[name]]
            why = "nothing asks for it to be granted on"
            yield from self._revoke(self.items[grantee], grantee, target, grantable, True, why)
            why = f"nothing asks for {listed(more)}"
            yield from self._revoke(self.items[grantee], grantee, target, more, False, why)

    def _owner(self, target: Target) -> Grantee | None:
        if target.kind == "database" and not self.dialect.owners_are_granted:
            owner = next((each.owner for each in self.task.databases if each.name == target.database), "")
            return Grantee(owner) if owner else self.state.owners.get(target)
        if target in self.schemas:
            return self.schemas[target]
        inside = self.state.insides.get(target.database)
        return self.state.owners.get(target) or (inside.owners.get(target) if inside else None)

    def _revoke(
        self, item: str, grantee: Grantee, target: Target, privileges: list[str], only_option: bool, why: str
    ) -> Iterator[Action]:
        if not privileges:
            return
        if grantee.name == self.state.administrator:
            raise Refused(
                f"{grantee} is the administrator that this task logs in as, and may lose none of its rights here",
                item,
                "Leave it out of the task, or log in as another one.",
            )
        yield from self._take_along(item, grantee, target, privileges)
        held = self.ledger.held(grantee, target)
        before = dict(held)
        for name in privileges:
            if only_option:
                held[name] = False
            else:
                del held[name]
        if not only_option and target.kind == "role" and MEMBER not in held:
            held.clear()
        grantors = {name: self.state.grantors.get((grantee, target, name), ()) for name in privileges}
        given = {name: who for name, who in grantors.items() if who}
        known = self.state.privileges.get(target.kind, frozenset())
        active = self._active(grantee) if ACTIVE in held else ()
        keeps = tuple(name for name, on in held.items() if on and GRANT_OPTION in privileges)
        change = Revoke(grantee, target, tuple(sorted(privileges)), only_option, given, active, keeps)
        yield step(item, change, before, held, why, known)
        if target.kind == "table" and not only_option:
            self._forget_columns(grantee, target, privileges)

    def _take_along(self, item: str, grantee: Grantee, target: Target, privileges: list[str]) -> Iterator[Action]:
        """Those who have it from somebody who is to lose it lose it first; who is to have it gets it anew."""
        for (who, place), names in self.dependents.of(grantee, target, privileges).items():
            there = [name for name in names if name in self.ledger.held(who, place)]
            said = {
                name
                for at in (place, whole(place))
                for name in (*self.wanted.get((who, at), ()), *self.unwanted.get((who, at), ()))
            }
            exclusive = self.task.grants_mode == EXCLUSIVE and who in self.items
            if not (exclusive or who in self.going or said >= {*there}):
                raise Refused(
                    f"{who} has {listed(there)} on {place} from {grantee}, who is to lose that",
                    item,
                    f"Say in this task what {who} is to have there, or take it away first.",
                )
            why = f"it has {listed(there)} from {grantee}, who is to lose that"
            yield from self._revoke(self.items.get(who, item), who, place, there, False, why)

    def _active(self, grantee: Grantee) -> tuple[Grantee, ...]:
        """MySQL: all the roles that are to be active at a login, for the server takes the whole list only."""
        granted = {
            Grantee(target.name, target.host)
            for target in self.ledger.targets(grantee)
            if target.kind == "role" and ACTIVE in self.ledger.held(grantee, target)
        }
        return tuple(sorted(granted | self.state.mandatory.get(grantee, frozenset())))

    def _forget_columns(self, grantee: Grantee, table: Target, privileges: Iterable[str]) -> None:
        """Servers take a table's privilege from its columns too."""
        for target in self.ledger.targets(grantee):
            if target.kind == "column" and whole(target) == table:
                for name in privileges:
                    self.ledger.held(grantee, target).pop(name, None)
