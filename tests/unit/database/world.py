"""A database server in memory: it does what the servers do to each change, and can be killed after any of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, Plan
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal, Room
from ansible_collections.flatrun.infra.plugins.module_utils.database import change as changes
from ansible_collections.flatrun.infra.plugins.module_utils.database import room as real
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import DB
from ansible_collections.flatrun.infra.plugins.module_utils.database.engines import dialect_of
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DIFFERS,
    DORMANT,
    GRANT_OPTION,
    MEMBER,
    POSTGRESQL,
    PUBLIC,
    SAME,
    UNKNOWN,
    Database,
    Grantee,
    Inside,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan import plan
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_dialect import privileges
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task, parse

ADMINISTRATOR = "boss"
SERVERS_ROLES = ("pg_read_all_stats", "pg_signal_backend")
# Few, so that ALL is soon reached piece by piece.
MYSQL_PRIVILEGES = {
    "server": {"SELECT", "INSERT", "PROCESS", "ROLE_ADMIN", "CREATE USER"},
    "database": {"SELECT", "INSERT", "CREATE"},
    "table": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "column": {"SELECT", "INSERT", "UPDATE"},
    "role": {"MEMBER", "ACTIVE"},
}


class Killed(Exception):
    """The run died."""


@dataclass
class Server:
    engine: str
    version: tuple[int, ...] = (17, 0)
    # Whether the administrator of PostgreSQL is no superuser, and does for a role only what its members may.
    limited: bool = False
    databases: dict[str, Database] = field(default_factory=dict)
    users: dict[Grantee, User] = field(default_factory=dict)
    passwords: dict[Grantee, str] = field(default_factory=dict)
    rights: dict[tuple[Grantee, Target], dict[str, bool]] = field(default_factory=dict)
    schemas: dict[Target, str] = field(default_factory=dict)
    lives: int = 10**9
    writes: int = 0

    def __post_init__(self) -> None:
        self.databases.setdefault("base", Database("base", ADMINISTRATOR, "UTF8", "C"))
        if self.engine == POSTGRESQL and not self.users:
            words = {"CREATEDB", "CREATEROLE"} if self.limited else {"SUPERUSER"}
            self.users[Grantee(ADMINISTRATOR)] = User(Grantee(ADMINISTRATOR), attributes=frozenset(words))
            self.users.update((Grantee(name), User(Grantee(name))) for name in SERVERS_ROLES)
            self._birthright("base", ADMINISTRATOR)
            self.schemas[Target("schema", "base", "public")] = ADMINISTRATOR

    def _birthright(self, name: str, owner: str) -> None:
        target = Target("database", name)
        self.rights[PUBLIC, target] = {"CONNECT": False, "TEMPORARY": False}
        self.rights[Grantee(owner), target] = dict.fromkeys(privileges(self.version)["database"], True)

    def seen(self, task: Task) -> State:
        wanted = {self._grantee(user): user.password for user in task.users}
        users = {who: replace(user, password=self._compared(who, wanted.get(who))) for who, user in self.users.items()}
        known = MYSQL_PRIVILEGES if self.engine != POSTGRESQL else privileges(self.version)
        outer = {key: dict(held) for key, held in self.rights.items() if held and not self._is_inner(key[1])}
        owners = {Target("database", name): Grantee(each.owner) for name, each in self.databases.items()}
        return State(
            engine=self.engine,
            version=self.version,
            administrator=ADMINISTRATOR,
            databases=dict(self.databases),
            users=users,
            rights=outer,
            owners=owners if self.engine == POSTGRESQL else {},
            insides=self._insides() if self.engine == POSTGRESQL else {},
            privileges={kind: frozenset(names) for kind, names in known.items()},
            dynamic=frozenset({"ROLE_ADMIN"}),
            collations={"utf8mb4_bin": "utf8mb4", "latin1_bin": "latin1", "UTF8": "", "LATIN1": ""},
            extensions=frozenset({"cube", "earthdistance"}),
            owned=self._owned(),
            administers=users[Grantee(ADMINISTRATOR)].attributes if self.engine == POSTGRESQL else frozenset(),
            member_of=self._member_of() if self.limited else None,
        )

    def _member_of(self) -> frozenset[str]:
        boss = Grantee(ADMINISTRATOR)
        return frozenset(target.name for (who, target), held in self.rights.items() if who == boss and MEMBER in held)

    def _works_for(self, *roles: str) -> bool:
        return not self.limited or {*roles} <= self._member_of() | {ADMINISTRATOR}

    def _is_inner(self, target: Target) -> bool:
        return self.engine == POSTGRESQL and target.kind not in ("database", "role")

    def _insides(self) -> dict[str, Inside]:
        return {name: self._inside(name) for name, each in self.databases.items() if not each.unfinished}

    def _inside(self, database: str) -> Inside:
        table = Target("table", "base", "public", "t")
        objects = {table, *(replace(table, kind="column", column=column) for column in "ab")}
        owners = {each: Grantee(ADMINISTRATOR) for each in objects if database == "base"}
        owners.update((each, Grantee(owner)) for each, owner in self.schemas.items() if each.database == database)
        inner = {
            key: dict(held)
            for key, held in self.rights.items()
            if held and self._is_inner(key[1]) and key[1].database == database
        }
        contents = {"public": ("table t",)} if database == "base" else {}
        return Inside(frozenset(), frozenset(owners), owners, inner, contents=contents)

    def _owned(self) -> dict[Grantee, tuple[tuple[str, str], ...]]:
        if self.engine != POSTGRESQL:
            return {}
        found: dict[Grantee, tuple[tuple[str, str], ...]] = {}
        for each in self.databases.values():
            found[Grantee(each.owner)] = (*found.get(Grantee(each.owner), ()), ("", f"database {each.name}"))
        for schema, owner in self.schemas.items():
            place = schema.database
            found[Grantee(owner)] = (*found.get(Grantee(owner), ()), (place, f"1 objects in database {place}"))
        return found

    def _grantee(self, user: Any) -> Grantee:
        return dialect_of(self.engine).grantee(user.name, "" if user.is_role else user.host)

    def _compared(self, who: Grantee, password: Any) -> str:
        return UNKNOWN if password is None else SAME if self.passwords.get(who) == password.reveal() else DIFFERS

    def do(self, action: Action) -> None:
        if not self.lives:
            raise Killed
        self.lives -= 1
        self.writes += 1
        getattr(self, f"_do_{type(action.detail).__name__}")(action.detail)

    def _do_CreateDatabase(self, change: changes.CreateDatabase) -> None:  # noqa: N802
        assert change.database.name not in self.databases
        given = change.database
        if self.engine == POSTGRESQL:
            owner = given.owner or ADMINISTRATOR
            assert Grantee(owner) in self.users
            assert self._works_for(owner)
            self.databases[given.name] = replace(given, owner=owner, encoding=given.encoding or "UTF8", unfinished=True)
            self._birthright(given.name, owner)
        else:
            self.databases[given.name] = replace(
                given, encoding=given.encoding or "utf8mb4", collation=given.collation or "utf8mb4_bin"
            )

    def _do_AlterDatabase(self, change: changes.AlterDatabase) -> None:  # noqa: N802
        before, after = self.databases[change.after.name], change.after
        self.databases[after.name] = replace(after, collation=after.collation or f"{after.encoding}_bin")
        if before.owner != after.owner:
            assert Grantee(after.owner) in self.users
            assert self._works_for(before.owner, after.owner)
            target = Target("database", after.name)
            held = self.rights.pop((Grantee(before.owner), target), {})
            self.rights.setdefault((Grantee(after.owner), target), {}).update(held)

    def _do_OpenDatabase(self, change: changes.OpenDatabase) -> None:  # noqa: N802
        assert self.databases[change.name].unfinished
        assert self._works_for(self.databases[change.name].owner)
        self.databases[change.name] = replace(self.databases[change.name], unfinished=False)

    def _do_DropDatabase(self, change: changes.DropDatabase) -> None:  # noqa: N802
        gone = self.databases.pop(change.name)
        assert self._works_for(gone.owner)
        if self.engine == POSTGRESQL:
            self.rights = {key: held for key, held in self.rights.items() if key[1].database != change.name}
            self.schemas = {each: owner for each, owner in self.schemas.items() if each.database != change.name}

    def _do_CreateSchema(self, change: changes.CreateSchema) -> None:  # noqa: N802
        assert change.target not in self.schemas
        assert not self.databases[change.target.database].unfinished
        owner = change.owner or ADMINISTRATOR
        assert Grantee(owner) in self.users
        assert self._works_for(self.databases[change.target.database].owner, owner)
        self.schemas[change.target] = owner
        self.rights[Grantee(owner), change.target] = {"CREATE": True, "USAGE": True}

    def _do_AlterSchema(self, change: changes.AlterSchema) -> None:  # noqa: N802
        assert self.schemas[change.target] == change.before
        assert Grantee(change.after) in self.users
        assert self._works_for(self.databases[change.target.database].owner, change.before, change.after)
        self.schemas[change.target] = change.after
        held = self.rights.pop((Grantee(change.before), change.target), {})
        self.rights.setdefault((Grantee(change.after), change.target), {}).update(held)

    def _do_DropSchema(self, change: changes.DropSchema) -> None:  # noqa: N802
        assert self._works_for(self.schemas.pop(change.target))
        self.rights = {key: held for key, held in self.rights.items() if key[1] != change.target}

    def _do_CreateUser(self, change: changes.CreateUser) -> None:  # noqa: N802
        assert change.grantee not in self.users
        held = frozenset(word for word, holds in change.attributes.items() if holds)
        if self.engine == POSTGRESQL and "LOGIN" not in change.attributes:
            held |= {"LOGIN"}
        self.users[change.grantee] = User(
            change.grantee, attributes=held, limits=dict(change.limits), tls=change.tls or "none"
        )
        if change.credential and change.credential.password:
            self.passwords[change.grantee] = change.credential.password.reveal()

    def _do_AlterUser(self, change: changes.AlterUser) -> None:  # noqa: N802
        found = self.users[change.grantee]
        held = {word: word in found.attributes for word in found.attributes} | dict(change.attributes)
        self.users[change.grantee] = replace(
            found,
            attributes=frozenset(word for word, holds in held.items() if holds),
            limits={**found.limits, **change.limits},
            tls=change.tls or found.tls,
        )

    def _do_SetPassword(self, change: changes.SetPassword) -> None:  # noqa: N802
        assert change.credential.password
        assert change.credential.grantee in self.users
        self.passwords[change.credential.grantee] = change.credential.password.reveal()

    def _do_DropUser(self, change: changes.DropUser) -> None:  # noqa: N802
        for each in list(self.databases.values()):
            if self.engine == POSTGRESQL and each.owner == change.grantee.name:
                assert change.heir, "it owns a database"
                self._do_AlterDatabase(changes.AlterDatabase(each, replace(each, owner=change.heir)))
                assert self.databases[each.name].owner == change.heir
        for schema, owner in list(self.schemas.items()):
            if owner == change.grantee.name:
                assert change.heir, "it owns a schema"
                self._do_AlterSchema(changes.AlterSchema(schema, owner, change.heir))
        del self.users[change.grantee]
        self.passwords.pop(change.grantee, None)
        gone = change.grantee
        self.rights = {
            key: held for key, held in self.rights.items() if key[0] != gone and not self._is_membership(key[1], gone)
        }

    @staticmethod
    def _is_membership(target: Target, role: Grantee) -> bool:
        return target.kind == "role" and (target.name, target.host) == (role.name, role.host)

    def _do_Grant(self, change: changes.Grant) -> None:  # noqa: N802
        assert change.grantee in self.users or change.grantee == PUBLIC
        if change.target.kind == "database" and self.engine == POSTGRESQL:
            assert self._works_for(self.databases[change.target.database].owner)
        # MySQL has it of the whole table.
        assert change.target.kind != "column" or GRANT_OPTION not in change.privileges
        held = self.rights.setdefault((change.grantee, change.target), {})
        for name, grantable in change.privileges.items():
            held[name] = held.get(name, False) or grantable
        if change.inherit is not None:
            held[MEMBER] |= held.pop(DORMANT)

    def _do_Revoke(self, change: changes.Revoke) -> None:  # noqa: N802
        if change.target.kind == "database" and self.engine == POSTGRESQL:
            assert self._works_for(self.databases[change.target.database].owner)
        held = self.rights[change.grantee, change.target]
        for name in change.privileges:
            if change.only_option:
                held[name] = False
            else:
                del held[name]
        if change.target.kind == "role" and MEMBER not in held and not change.only_option:
            held.clear()
        if change.target.kind == "table" and not change.only_option:
            self._take_from_columns(change)

    def _take_from_columns(self, change: changes.Revoke) -> None:
        for (who, target), held in self.rights.items():
            if who == change.grantee and replace(target, kind="table", column="") == change.target != target:
                for name in set(change.privileges) - {GRANT_OPTION}:
                    held.pop(name, None)

    def holds(self) -> Any:
        """All that there is, to be compared."""
        rights = {key: dict(held) for key, held in self.rights.items() if held}
        return dict(self.databases), dict(self.users), dict(self.passwords), rights, dict(self.schemas)

    def copy(self) -> Server:
        """Another one that holds the same."""
        return Server(self.engine, self.version, self.limited, *self.holds())


@dataclass
class World:
    server: Server
    task: Task

    def observe(self) -> State:
        return self.server.seen(self.task)

    def hold(self) -> AbstractContextManager[object]:
        return nullcontext()

    def apply(self, plan: Plan, done: Journal) -> None:
        for action in plan.actions:
            self.server.do(action)
            done(action)


def room(server: Server) -> Room[Task, State]:
    @contextmanager
    def world(task: Task) -> Iterator[World]:
        yield World(server, task)

    return Room(parse=parse, world=world, plan=plan, report=real.report)


def params(**given: Any) -> dict[str, Any]:
    """As Ansible hands them over: each option with its default."""
    return _filled(DB.options, {"container": "db", **given})


def _filled(options: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    unknown = set(given) - set(options)
    assert not unknown, unknown
    found = {name: deepcopy(given.get(name, option.get("default"))) for name, option in options.items()}
    for name, option in options.items():
        if option.get("options") and found[name]:
            found[name] = [_filled(option["options"], entry) for entry in found[name]]
    return found
