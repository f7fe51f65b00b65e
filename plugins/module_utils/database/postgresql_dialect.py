# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL, as far as a plan is concerned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database import (
    check_names,
    check_schemas,
    spec_administrators,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database import postgresql_check as checking
from ansible_collections.flatrun.infra.plugins.module_utils.database import postgresql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Change, Statement
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DORMANT,
    MEMBER,
    PUBLIC,
    ROLE,
    Database,
    Grantee,
    Inside,
    Rights,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_places import inside_of, template_of
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    PRESENT,
    Task,
    WantedDatabase,
    WantedGrant,
    WantedUser,
)

_EVERYBODYS = {"CONNECT": False, "TEMPORARY": False}
_EVERYBODYS_FUTURE = {"default_functions": "EXECUTE", "default_types": "USAGE"}


def privileges(version: tuple[int, ...]) -> dict[str, frozenset[str]]:
    """Section 5.8 of the manual, as of PostgreSQL 15; 17 has MAINTAIN as well."""
    table = {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}
    table |= {"MAINTAIN"} if version >= (17,) else set()
    known = {
        "database": {"CONNECT", "CREATE", "TEMPORARY"},
        "schema": {"CREATE", "USAGE"},
        "table": table,
        "column": {"SELECT", "INSERT", "UPDATE", "REFERENCES"},
        "sequence": {"SELECT", "UPDATE", "USAGE"},
        "function": {"EXECUTE"},
        "procedure": {"EXECUTE"},
        "type": {"USAGE"},
        "role": {MEMBER, DORMANT},
    }
    future = {f"default_{kind}s": known[kind] for kind in ("table", "sequence", "function", "type", "schema")}
    return {kind: frozenset(names) for kind, names in {**known, **future}.items()}


def spelled(attributes: Mapping[str, bool]) -> dict[str, bool]:
    """What this collection calls a role is a role that may not log in."""
    found = {word: holds for word, holds in attributes.items() if word != ROLE}
    return {**found, "LOGIN": not attributes[ROLE]} if ROLE in attributes else found


@dataclass(frozen=True)
class PostgreSQL:
    system_databases: frozenset[str] = frozenset({"postgres", "template0", "template1"})
    owners_are_granted: bool = False

    def is_system_user(self, grantee: Grantee) -> bool:
        return grantee.name.startswith("pg_") or grantee.name == "postgres"

    def adapt(self, task: Task, state: State) -> Task:
        task = spec_administrators.postgresql(task)
        databases = [
            replace(each, encoding=encoding(each.encoding, state.collations), collation=_collation(each, state))
            for each in task.databases
        ]
        users = [replace(each, attributes=spelled(each.attributes)) for each in task.users]
        grants = [
            replace(
                each,
                privileges=tuple(
                    ("TEMPORARY" if name == "TEMP" else name, columns) for name, columns in each.privileges
                ),
            )
            for each in task.grants
        ]
        return replace(task, databases=tuple(databases), users=tuple(users), grants=tuple(grants))

    def check(self, task: Task, state: State) -> None:
        checking.check(task, state)
        check_schemas.check(task, state)

    def grantee(self, name: str, host: str) -> Grantee:
        return PUBLIC if name.upper() == PUBLIC.name else Grantee(name)

    def new_database(self, wanted: WantedDatabase, state: State) -> Database:
        limit = -1 if wanted.connection_limit is None else wanted.connection_limit
        return Database(
            wanted.name, wanted.owner, wanted.encoding, wanted.collation, wanted.template, limit, unfinished=True
        )

    def altered_database(self, wanted: WantedDatabase, found: Database, state: State) -> Database:
        for key in ("encoding", "collation"):
            asked, present = getattr(wanted, key), getattr(found, key)
            if asked and asked != present:
                raise Refused(
                    f"{wanted.name} has {present}, and PostgreSQL can't change that of a database that exists",
                    f"{wanted.item}.{key}",
                    "Move its content to a new one, or leave this out.",
                )
        # The limit of one that isn't finished is its mark, until it is opened.
        asked_limit = None if found.unfinished else wanted.connection_limit
        limit = found.connection_limit if asked_limit is None else asked_limit
        return replace(found, owner=wanted.owner or found.owner, connection_limit=limit)

    def plugin(self, wanted: WantedUser, found: User | None, state: State) -> str:
        by_hash = checking.scheme(wanted.hash.reveal()) if wanted.hash else ""
        return wanted.plugin or by_hash or "scram-sha-256"

    def first_rights(self, database: Database, state: State) -> Rights:
        target = Target("database", database.name)
        owner = Grantee(database.owner or state.administrator)
        everything = dict.fromkeys(privileges(state.version)["database"], True)
        inside = state.insides.get(template_of(database), Inside()).named(database.name)
        return {(PUBLIC, target): _EVERYBODYS, (owner, target): everything, **inside.rights}

    def usual_rights(self, task: Task, state: State) -> Rights:
        """Everybody may run a role's future functions, and use its types, where nothing else was said of them."""
        found: dict[tuple[Grantee, Target], dict[str, bool]] = {}
        databases, roles = check_names.databases(task, state), check_names.roles(task, state)
        for grant in task.grants:
            usual = _EVERYBODYS_FUTURE.get(grant.object_type)
            for target, _names in self.targets(grant, PUBLIC, task, state) if usual and not grant.schema else ():
                comes = not state.reached or (roles.get(target.name) and databases.get(target.database))
                if usual and comes and target not in inside_of(grant.database, task, state).objects:
                    found[PUBLIC, target] = {usual: False}
        return found

    def targets(
        self, wanted: WantedGrant, grantee: Grantee, task: Task, state: State
    ) -> list[tuple[Target, tuple[str, ...]]]:
        plain = tuple(name for name, columns in wanted.privileges if not columns)
        kind = wanted.object_type
        if kind == "database":
            return [(Target(kind, wanted.database), plain)]
        if kind == "role":
            return [(Target(kind, name=name), plain) for name in wanted.objects]
        if kind.startswith("default_"):
            owners = wanted.objects or (self._owner(wanted.database, task, state),)
            return [(Target(kind, wanted.database, wanted.schema, name), plain) for name in owners]
        schema = wanted.schema or "public"
        if kind == "schema":
            return [(self._present(wanted, Target(kind, wanted.database, schema), task, state), plain)]
        return self._objects(wanted, schema, plain, task, state)

    def _objects(
        self, wanted: WantedGrant, schema: str, plain: tuple[str, ...], task: Task, state: State
    ) -> list[tuple[Target, tuple[str, ...]]]:
        inside = inside_of(wanted.database, task, state)
        kind = wanted.object_type
        if not wanted.objects:
            self._present(wanted, Target("schema", wanted.database, schema), task, state)
            # What an extension brings, it says itself who may use; nor is it there before, nor the administrator's own.
            those = inside.objects - inside.brought
            every = sorted(each for each in those if each.kind == kind and each.schema == schema)
            return [(target, plain) for target in every]
        found: dict[Target, list[str]] = {}
        for name in wanted.objects:
            meant = inside.meant.get((kind, schema, name), Target(kind, wanted.database, schema, name))
            target = self._present(wanted, meant, task, state)
            if plain:
                found[target] = list(plain)
            for privilege, columns in wanted.privileges:
                for column in columns:
                    part = self._present(wanted, replace(target, kind="column", column=column), task, state)
                    found.setdefault(part, []).append(privilege)
        return [(target, tuple(names)) for target, names in found.items()]

    def _present(self, wanted: WantedGrant, target: Target, task: Task, state: State) -> Target:
        inside = inside_of(wanted.database, task, state)
        gone = task.takes(wanted) and not _is_ambiguous(target, inside)
        if state.reached and not (gone or target in inside.objects or _comes(target, task)):
            key = {"schema": "schema", "column": "privileges"}.get(target.kind, "objects")
            raise Refused(f"there is no {target}", f"{wanted.item}.{key}", "Create it, or name one that exists.")
        return target

    def _owner(self, database: str, task: Task, state: State) -> str:
        named = next((each.owner for each in task.databases if each.name == database and each.owner), "")
        found = state.databases.get(database)
        return named or (found.owner if found else state.administrator)

    def fold(self, target: Target, state: State) -> Target:
        return target

    def options(self, target: Target, privileges: frozenset[str], state: State) -> dict[str, bool]:
        return dict.fromkeys(privileges, True)

    def render(self, change: Change) -> tuple[Statement, ...]:
        return text.render(change)


def _comes(target: Target, task: Task) -> bool:
    """Whether it is a schema that the task makes."""
    return target.kind == "schema" and any(
        schema.name == target.schema and schema.state == PRESENT
        for each in task.databases
        if each.name == target.database
        for schema in each.schemas
    )


def _is_ambiguous(target: Target, inside: Inside) -> bool:
    """Whether it is a routine's name without arguments, and there are several of that name."""
    return target.kind in ("function", "procedure") and any(
        each.name.rpartition("(")[0] == target.name
        for each in inside.objects
        if (each.kind, each.schema) == (target.kind, target.schema)
    )


def encoding(given: str, known: Iterable[str]) -> str:
    """The name by which the server tells it: UTF-8 and utf8 are UTF8, euc-jp is EUC_JP."""
    plain = _plain(given)
    named = {_plain(each): each for each in known}
    return named.get({"UNICODE": "UTF8"}.get(plain, plain), given)


def _collation(wanted: WantedDatabase, state: State) -> str:
    """The locale as the database spells it, or as the template does, whose copy can have no other spelling."""
    base = state.databases.get(wanted.name) or state.databases.get(wanted.template)
    return base.collation if base and locale(base.collation) == locale(wanted.collation) else wanted.collation


def locale(given: str) -> str:
    """In one spelling: C.UTF-8 is C.utf8."""
    language, dot, charset = given.partition(".")
    return language + dot + charset.lower().replace("-", "")


def _plain(given: str) -> str:
    return given.upper().replace("-", "").replace("_", "")
