# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PostgreSQL server holds, read with a constant number of statements, and one in each database of interest."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import passwords
from ansible_collections.flatrun.infra.plugins.module_utils.database.logins import Logins
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DIFFERS,
    DORMANT,
    MEMBER,
    POSTGRESQL,
    PUBLIC,
    SAME,
    UNFINISHED,
    UNKNOWN,
    Database,
    Grantee,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_check import scheme
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_dialect import privileges
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_inside import look_inside
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_locales import locales
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_places import (
    EMPTY,
    UNTOUCHED,
    looked_into,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_session import Session, try_login
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import ABSENT, EXCLUSIVE, Task, WantedUser

_DATABASES = """
SELECT d.datname, r.rolname, pg_encoding_to_char(d.encoding), d.datcollate, d.datconnlimit
FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
"""
_ATTRIBUTES = {
    "SUPERUSER": "rolsuper",
    "CREATEDB": "rolcreatedb",
    "CREATEROLE": "rolcreaterole",
    "INHERIT": "rolinherit",
    "LOGIN": "rolcanlogin",
    "REPLICATION": "rolreplication",
    "BYPASSRLS": "rolbypassrls",
}
_ROLES = f"""
SELECT rolname, {{password}}, rolconnlimit::text, coalesce(rolvaliduntil::text, 'infinity'),
coalesce(rolvaliduntil < now(), false), ARRAY[{", ".join(_ATTRIBUTES.values())}] FROM {{table}}
"""
# NULL means the default. An owner may grant on what it has, which the list itself doesn't tell.
_RIGHTS = """
SELECT d.datname, o.rolname, coalesce(r.rolname, ''), a.privilege_type,
bool_or(a.is_grantable OR a.grantee = d.datdba), array_agg(g.rolname) FILTER (WHERE a.grantor <> d.datdba)
FROM pg_database d
JOIN pg_roles o ON o.oid = d.datdba
CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
LEFT JOIN pg_roles r ON r.oid = a.grantee
LEFT JOIN pg_roles g ON g.oid = a.grantor
WHERE %s OR d.datname = ANY(%s)
GROUP BY 1, 2, 3, 4
"""
_MEMBERSHIPS = """
SELECT m.rolname, r.rolname, bool_or({useful}), bool_or(a.admin_option), array_agg(g.rolname) FROM pg_auth_members a
JOIN pg_roles m ON m.oid = a.member JOIN pg_roles r ON r.oid = a.roleid LEFT JOIN pg_roles g ON g.oid = a.grantor
WHERE m.rolname = ANY(%(names)s) OR g.rolname = ANY(%(names)s) GROUP BY 1, 2
"""
_IN_USE = """
SELECT DISTINCT datname, usename, coalesce(nullif(application_name, ''), host(client_addr), 'its socket')
FROM pg_stat_activity WHERE datname = ANY(%s) AND pid <> pg_backend_pid()
AND coalesce(backend_type, 'client backend') = 'client backend'
AND NOT (usename = current_user AND application_name = 'flatrun.infra')
"""
_OWNED = """
SELECT r.rolname, coalesce(d.datname, ''), s.deptype = 'o', coalesce(o.datname, ''), count(*)
FROM pg_shdepend s JOIN pg_roles r ON s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
LEFT JOIN pg_database d ON d.oid = s.dbid
LEFT JOIN pg_database o ON s.classid = 'pg_database'::regclass AND s.objid = o.oid
WHERE r.rolname = ANY(%s) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""


class Observer:
    """Reads the state; remembers which password belonged to what is stored, for comparing is what takes time."""

    def __init__(self, session: Session, task: Task) -> None:
        self.session, self.task = session, task
        self.compared: dict[tuple[str, str, Secret], bool] = {}
        self.logins = Logins(session.endpoint)
        self.names = sorted({user.name for user in task.users} | {grant.user for grant in task.grants})
        self.exclusive = task.grants_mode == EXCLUSIVE

    def look(self) -> State:
        who, reads_passwords = self.session.rows("SELECT current_user, has_table_privilege('pg_authid', 'SELECT')")[0]
        users = self._users(bool(reads_passwords))
        administers = users[Grantee(str(who))].attributes
        databases = self._databases()
        state = State(
            engine=POSTGRESQL,
            version=self.session.version,
            administrator=str(who),
            databases=databases,
            users=users,
            privileges=privileges(self.session.version),
            collations=self._encodings(),
            locales=locales(self.session, self.task, databases),
            extensions=self._extensions(),
            in_use=self._in_use(),
            owned=self._owned(),
            administers=administers,
            member_of=None if "SUPERUSER" in administers else self._member_of(),
        )
        return self._with_insides(self._with_rights(state))

    def _member_of(self) -> frozenset[str]:
        """Whose member the administrator is, with all that this brings."""
        # Before PostgreSQL 16, a member that inherits may always become the role.
        may_become = " AND pg_has_role(oid, 'SET')" if self.session.version >= (16,) else ""
        rows = self.session.rows(f"SELECT rolname FROM pg_roles WHERE pg_has_role(oid, 'USAGE'){may_become}")
        return frozenset(name for (name,) in rows)

    def _databases(self) -> dict[str, Database]:
        return {
            name: Database(name, owner, encoding, collation, "", limit, limit == UNFINISHED)
            for name, owner, encoding, collation, limit in self.session.rows(_DATABASES)
        }

    def _encodings(self) -> dict[str, str]:
        if not any(each.encoding for each in self.task.databases):
            return {}
        # Those that come after are for clients alone (pg_wchar.h).
        rows = self.session.rows("SELECT pg_encoding_to_char(n) FROM generate_series(0, 34) n")
        return {name: "" for (name,) in rows if name}

    def _extensions(self) -> frozenset[str]:
        if not any(each.extensions for each in self.task.databases):
            return frozenset()
        return frozenset(name for (name,) in self.session.rows("SELECT name FROM pg_available_extensions"))

    def _users(self, reads_passwords: bool) -> dict[Grantee, User]:
        table, password = ("pg_authid", "rolpassword") if reads_passwords else ("pg_roles", "NULL")
        rows = self.session.rows(_ROLES.format(table=table, password=password))
        wanted = {user.name: user for user in self.task.users}
        times = self._times()
        stored = {name: kept for name, kept, *_rest in rows if name in wanted}
        self._compare({name: kept for name, kept in stored.items() if kept}, wanted)
        found = {}
        for name, kept, limit, until, expired, flags in rows:
            user = wanted.get(name)
            given = user.limits.get("valid_until", "") if user else ""
            found[Grantee(name)] = User(
                Grantee(name),
                self._password(name, kept, user)
                if reads_passwords
                else self._try(name, user, flags[4] and not expired),
                (scheme(kept or "") or "none") if reads_passwords else "",
                frozenset(word for word, holds in zip(_ATTRIBUTES, flags) if holds),
                # A time may be written in many ways; the same is told as the task has it.
                {"max_user_connections": limit, "valid_until": given if times.get(given) == until else until},
                checked_by="stored" if reads_passwords else "login",
            )
        return found

    def _times(self) -> dict[str, str]:
        """Each time that is asked for, as the server tells it; the first that it doesn't know is named."""
        given = [(user.item, user.limits["valid_until"]) for user in self.task.users if "valid_until" in user.limits]
        try:
            return self._told(sorted({time for _item, time in given}))
        except Refused:
            for item, time in given:
                try:
                    self._told([time])
                except Refused as error:
                    do = "Write it like '2030-12-31 00:00:00+00'."
                    raise Refused(error.what, f"{item}.limits.valid_until", do) from None
            raise

    def _told(self, times: list[str]) -> dict[str, str]:
        return dict(self.session.rows("SELECT t, t::timestamptz::text FROM unnest(%s) t", (times,)) if times else ())

    def _compare(self, stored: dict[str, str], wanted: dict[str, WantedUser]) -> None:
        keys = [(name, kept, wanted[name].password) for name, kept in stored.items()]
        new = [
            (name, kept, secret) for name, kept, secret in keys if secret and (name, kept, secret) not in self.compared
        ]
        work = [(secret.reveal(), name, kept) for name, kept, secret in new]
        self.compared.update(zip(new, passwords.matches_postgresql(work)))

    def _password(self, name: str, stored: str | None, wanted: WantedUser | None) -> str:
        if wanted and wanted.hash:
            return SAME if stored == wanted.hash.reveal() else DIFFERS
        if not wanted or not wanted.password:
            return UNKNOWN
        return SAME if stored and self.compared[name, stored, wanted.password] else DIFFERS

    def _try(self, name: str, wanted: WantedUser | None, may_log_in: bool) -> str:
        password = wanted.password if wanted and may_log_in else None
        return self.logins.tell(Grantee(name), password, try_login)

    def _in_use(self) -> dict[str, tuple[str, ...]]:
        going = [database.name for database in self.task.databases if database.state == ABSENT]
        found: dict[str, tuple[str, ...]] = {}
        for database, user, whence in self.session.rows(_IN_USE, (going,)) if going else ():
            found[database] = (*found.get(database, ()), f"{user} from {whence}")
        return found

    def _owned(self) -> dict[Grantee, tuple[tuple[str, str], ...]]:
        """For each role where it has something, and what it owns there; nothing where it only has rights."""
        going = {user.name for user in self.task.users if user.state == ABSENT}
        names = sorted(going | (set(self.names) if self.exclusive else set()))
        found: dict[Grantee, tuple[tuple[str, str], ...]] = {}
        for role, place, owns, database, count in self.session.rows(_OWNED, (names,)) if names else ():
            what = f"database {database}" if database else f"{count} objects in database {place}"
            found[Grantee(role)] = (*found.get(Grantee(role), ()), (place, what if owns else ""))
        return found

    def _with_rights(self, state: State) -> State:
        named = {each.name for each in self.task.databases} | {grant.database for grant in self.task.grants}
        rights: dict[tuple[Grantee, Target], dict[str, bool]] = {}
        grantors: dict[tuple[Grantee, Target, str], tuple[str, ...]] = {}
        owners: dict[Target, Grantee] = {}
        for database, owner, role, name, grantable, others in self.session.rows(
            _RIGHTS, (self.exclusive, sorted(named))
        ):
            grantee, target = Grantee(role) if role else PUBLIC, Target("database", database)
            owners[target] = Grantee(owner)
            rights.setdefault((grantee, target), {})[name] = grantable
            if others:
                grantors[grantee, target, name] = tuple(others)
        for member, role, useful, admin, others in self._memberships():
            grantee, target, name = Grantee(member), Target("role", name=role), MEMBER if useful else DORMANT
            rights[grantee, target] = {name: admin}
            if self._each_grants:
                grantors[grantee, target, name] = tuple(others)
        return replace(state, rights=rights, grantors=grantors, owners=owners)

    def _memberships(self) -> list[tuple[Any, ...]]:
        useful = "a.inherit_option OR a.set_option" if self._each_grants else "true"
        query = _MEMBERSHIPS.format(useful=useful)
        return self.session.rows(query, {"names": self.names}) if self.names else []

    @property
    def _each_grants(self) -> bool:
        """Before PostgreSQL 16 there is one grant of a membership, whoever made it, and none is dormant."""
        return self.session.version >= (16,)

    def _with_insides(self, state: State) -> State:
        places = looked_into(self.task, state.databases)
        if self.exclusive:
            places |= {place for owned in state.owned.values() for place, _what in owned if place}
        insides = {EMPTY: UNTOUCHED} if EMPTY in places else {}
        grantors = dict(state.grantors)
        for place in sorted(places - {EMPTY}):
            with closing(Session(self.session.endpoint, place)) as session:
                insides[place], others = look_inside(session, self.task)
                grantors.update(others)
        return replace(state, insides=insides, grantors=grantors)
