# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL can't have, told before anything is done."""

from __future__ import annotations

import re

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database import check_names
from ansible_collections.flatrun.infra.plugins.module_utils.database.check_names import Fates
from ansible_collections.flatrun.infra.plugins.module_utils.database.check_users import (
    refuse_former_password,
    refuse_rules,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import PUBLIC, State
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    ABSENT,
    PRESENT,
    Task,
    WantedDatabase,
    WantedGrant,
    WantedUser,
)

_LONGEST_NAME = 63
# The template that may be copied with another encoding and locale.
_EMPTY = "template0"
ATTRIBUTES = frozenset({"SUPERUSER", "CREATEDB", "CREATEROLE", "INHERIT", "LOGIN", "REPLICATION", "BYPASSRLS"})
LIMITS = {"max_user_connections": "CONNECTION LIMIT", "valid_until": "VALID UNTIL"}
_SCHEMES = {
    "scram-sha-256": re.compile(r"SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+"),
    "md5": re.compile(r"md5[0-9a-f]{32}"),
}


def scheme(verifier: str) -> str:
    """How a verifier was made; empty for what is none."""
    return next((name for name, pattern in _SCHEMES.items() if pattern.fullmatch(verifier)), "")


def check(task: Task, state: State) -> None:
    roles = check_names.roles(task, state)
    for database in task.databases:
        _check_open(database, task.connection.database)
        _database(database, roles, state)
    for user in task.users:
        _user(user)
        refuse_rules(user)
        refuse_former_password(user)
    databases = check_names.databases(task, state)
    for grant in task.grants:
        _grant(grant)
        if not task.takes(grant):
            _require_place(grant, databases, roles, state)


def _check_open(wanted: WantedDatabase, opened: str) -> None:
    if wanted.state == ABSENT and wanted.name == opened:
        raise Refused(
            f"{wanted.name} is the database that this task logs in to",
            f"{wanted.item}.name",
            "Name another one in login_db, or leave that out.",
        )


def _database(wanted: WantedDatabase, roles: Fates, state: State) -> None:
    _check_name(wanted.name, f"{wanted.item}.name")
    if wanted.state != PRESENT:
        return
    if wanted.owner:
        do = "Put it into users, or name another."
        check_names.require(wanted.owner, roles, state, "role", f"{wanted.item}.owner", do)
    if not state.reached:
        return
    comes = wanted.name not in state.databases
    if comes and wanted.template and wanted.template not in state.databases:
        raise Refused(f"there is no database {wanted.template}", f"{wanted.item}.template", "Name one that exists.")
    if wanted.encoding and wanted.encoding not in state.collations:
        raise Refused(f"{wanted.encoding} is not an encoding of this server", f"{wanted.item}.encoding")
    _check_locale(wanted, state)
    for index, name in enumerate(wanted.extensions):
        if name not in state.extensions:
            raise Refused(
                f"{name} is not an extension that this server has",
                f"{wanted.item}.extensions[{index}]",
                f"It has {', '.join(sorted(state.extensions))}.",
            )


def _check_locale(wanted: WantedDatabase, state: State) -> None:
    """Of a database to come: what the server would refuse after it has made the users."""
    base = state.databases.get(wanted.template or _EMPTY)
    if wanted.name in state.databases or base is None or not (wanted.encoding or wanted.collation):
        return
    encoding, locale = wanted.encoding or base.encoding, wanted.collation or base.collation
    if wanted.collation and wanted.collation not in state.locales:
        raise Refused(f"{wanted.collation!r} is not a locale of this server", f"{wanted.item}.collation")
    if base.name != _EMPTY and (encoding, locale) != (base.encoding, base.collation):
        raise Refused(
            f"{base.name} has {base.encoding} and {base.collation}, and so has a copy of it",
            f"{wanted.item}.template",
            f"Take {_EMPTY}, or leave out encoding and collation.",
        )
    fitting = state.locales.get(locale, "")
    if fitting and encoding not in (fitting, "SQL_ASCII"):
        raise Refused(
            f"{locale} is a locale of {fitting}, and not of {encoding}",
            f"{wanted.item}.{'encoding' if wanted.encoding else 'collation'}",
            "Say both, so that they fit; collation C fits with all.",
        )


def _user(wanted: WantedUser) -> None:
    _check_name(wanted.name, f"{wanted.item}.name")
    if wanted.name.startswith("pg_") or wanted.name.lower() in ("public", "none"):
        raise InvalidParameter(
            f"{wanted.name!r} is a name that PostgreSQL keeps to itself", f"{wanted.item}.name", "Choose another one."
        )
    _check_host(wanted.host, f"{wanted.item}.host")
    for word in wanted.attributes:
        if word not in ATTRIBUTES:
            raise InvalidParameter(
                f"{word} is not an attribute of PostgreSQL",
                f"{wanted.item}.attributes",
                f"It knows {', '.join(sorted(ATTRIBUTES))}.",
            )
    for key in wanted.limits:
        if key not in LIMITS:
            raise InvalidParameter("is for MySQL and MariaDB alone", f"{wanted.item}.limits.{key}", "Leave it out.")
    if wanted.tls:
        raise InvalidParameter(
            "is for MySQL and MariaDB alone", f"{wanted.item}.tls_requires", "Say it in pg_hba.conf, with hostssl."
        )
    if wanted.plugin and wanted.plugin not in _SCHEMES:
        raise InvalidParameter(f"{wanted.plugin!r} is not known", f"{wanted.item}.plugin", "Take scram-sha-256 or md5.")
    if wanted.hash and not scheme(wanted.hash.reveal()):
        raise InvalidParameter(
            "is neither a SCRAM verifier nor an MD5 digest", f"{wanted.item}.password_hash", "Copy rolpassword."
        )
    if wanted.hash and wanted.plugin not in ("", scheme(wanted.hash.reveal())):
        raise InvalidParameter(
            f"it is what {scheme(wanted.hash.reveal())} keeps, and plugin says {wanted.plugin}",
            f"{wanted.item}.password_hash",
            "Leave out the plugin, or give the password.",
        )


def _grant(wanted: WantedGrant) -> None:
    _check_name(wanted.user, f"{wanted.item}.user")
    _check_host(wanted.host, f"{wanted.item}.host")
    if wanted.object_type == "server":
        raise InvalidParameter(
            "no grant is on all of a PostgreSQL server", f"{wanted.item}.object_type", "See attributes of users."
        )
    if wanted.pattern:
        raise InvalidParameter("is for MySQL and MariaDB alone", f"{wanted.item}.pattern", "Leave it out.")
    _check_everybody(wanted)
    if wanted.object_type == "default_schemas" and wanted.schema:
        raise InvalidParameter("future schemas are in no schema", f"{wanted.item}.schema", "Leave it out.")
    if not wanted.objects and any(columns for _name, columns in wanted.privileges):
        raise InvalidParameter("is needed", f"{wanted.item}.objects", "Name the tables whose columns are meant.")


def _require_place(wanted: WantedGrant, databases: Fates, roles: Fates, state: State) -> None:
    """What is granted is on something that is there, or comes; nothing has to be there to be taken."""
    if wanted.database:
        where, do = f"{wanted.item}.database", "Put it into databases."
        check_names.require(wanted.database, databases, state, "database", where, do)
    if wanted.object_type == "role" or wanted.object_type.startswith("default_"):
        for index, name in enumerate(wanted.objects):
            where, do = f"{wanted.item}.objects[{index}]", "Put it into users."
            check_names.require(name, roles, state, "role", where, do)


def _check_everybody(wanted: WantedGrant) -> None:
    if wanted.user.upper() != PUBLIC.name or wanted.state != PRESENT:
        return
    if wanted.grant_option:
        raise InvalidParameter("PUBLIC can't grant anything on", f"{wanted.item}.grant_option", "Leave it out.")
    if wanted.object_type == "role":
        raise InvalidParameter("PUBLIC can't be a member of a role", f"{wanted.item}.user", "Name a role.")


def _check_name(name: str, where: str) -> None:
    size = len(name.encode())
    if size > _LONGEST_NAME:
        # The server would cut it off and take what is left.
        raise InvalidParameter(f"has {size} bytes, and PostgreSQL takes {_LONGEST_NAME}", where, "Shorten it.")


def _check_host(host: str, where: str) -> None:
    if host not in ("", "%"):
        raise InvalidParameter(
            "a role of PostgreSQL has no host", where, "Leave it out; pg_hba.conf says who comes from where."
        )
