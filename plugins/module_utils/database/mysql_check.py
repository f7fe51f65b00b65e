# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What MySQL and MariaDB can't have, told before anything is done."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_check_users
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database.check_users import (
    refuse_former_password,
    refuse_rules,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    LOCKED,
    ROLE,
    WITHOUT_PASSWORD,
    Grantee,
    State,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import (
    Task,
    WantedDatabase,
    WantedGrant,
    WantedUser,
)

_LONGEST_NAME = 64
SYSTEM_ACCOUNTS = frozenset({"mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys"})
# A directory that an old server named; MariaDB takes it for no name of a database.
_OLD_NAME = "#mysql50#"
# Databases that are no directories, so that their names are compared without case; by whether it is MariaDB.
_IN_ANY_CASE = {False: ("information_schema", "performance_schema"), True: ("information_schema",)}
# What MySQL takes from both ends of a user's name.
_CUT_OFF = " \t\n\v\f\r"
_LONGEST_HOST = 255
# MySQL keeps a longer one, and then refuses every login with it (MAX_PLAINTEXT_LENGTH of its sha2_password.h).
_LONGEST_PASSWORD = 256
_KINDS = ("server", "database", "table", "procedure", "function", "role")
_POSTGRESQL_ONLY = ("template", "extensions", "connection_limit")
# What a password can be told from; None needs no password.
PLUGINS = {
    "caching_sha2_password": (False,),
    "mysql_native_password": (False, True),
    "ed25519": (True,),
    "unix_socket": (True,),
    "auth_socket": (False,),
}


def check(task: Task, state: State, mariadb: bool) -> None:
    for database in task.databases:
        _check_name(database.name, f"{database.item}.name", _LONGEST_NAME)
        if database.name.lower() in _IN_ANY_CASE[mariadb]:
            raise Refused(
                f"{database.name} belongs to the server itself", f"{database.item}.name", "Choose another one."
            )
        if mariadb and database.name.startswith(_OLD_NAME):
            raise InvalidParameter(f"begins with {_OLD_NAME}, which MariaDB keeps to itself", f"{database.item}.name")
        _check_texts(database, state)
        for key in _POSTGRESQL_ONLY:
            if getattr(database, key) not in ("", (), None):
                raise InvalidParameter("is for PostgreSQL alone", f"{database.item}.{key}", "Leave it out.")
    longest = 128 if mariadb else 32
    for user in task.users:
        _check_name(user.name, f"{user.item}.name", longest)
        _check_host(user.host, f"{user.item}.host")
        _check_account(user, mariadb)
        _check_user(user, state, mariadb)
        place = "" if mariadb and user.is_role else user.host.lower()
        mysql_check_users.check(user, state.users.get(Grantee(user.name, place)), mariadb)
        refuse_rules(user)
        if mariadb:
            refuse_former_password(user)
    for grant in task.grants:
        _check_name(grant.user, f"{grant.item}.user", longest)
        _check_host(grant.host, f"{grant.item}.host")
        _check_grant(grant, state)


def _check_texts(wanted: WantedDatabase, state: State) -> None:
    if not state.reached:
        return
    charsets = frozenset(state.collations.values())
    if wanted.encoding and wanted.encoding not in charsets:
        raise Refused(
            f"{wanted.encoding!r} is not a character set of this server",
            f"{wanted.item}.encoding",
            f"It knows {', '.join(sorted(charsets))}.",
        )
    if wanted.collation and wanted.collation not in state.collations:
        where = f"{wanted.item}.collation"
        if wanted.collation in state.shared_collations:
            raise Refused(f"{wanted.collation} is of several character sets", where, "Say encoding too.")
        raise Refused(f"{wanted.collation!r} is not a collation of this server", where)
    charset = state.collations.get(wanted.collation, "")
    if wanted.encoding and charset not in ("", wanted.encoding):
        raise Refused(
            f"{wanted.collation} is not a collation of {wanted.encoding}",
            f"{wanted.item}.collation",
            f"It belongs to {charset}.",
        )


def _check_account(wanted: WantedUser, mariadb: bool) -> None:
    where = f"{wanted.item}.name"
    if wanted.name in SYSTEM_ACCOUNTS:
        raise Refused(f"{wanted.name} belongs to the server itself", where, "Leave it.")
    if mariadb and wanted.name.upper() in ("PUBLIC", "NONE"):
        raise InvalidParameter(f"{wanted.name!r} is a name that MariaDB keeps to itself", where, "Choose another one.")
    if not mariadb and wanted.name != wanted.name.strip(_CUT_OFF):
        raise InvalidParameter("begins or ends with a space, which the server would cut off", where)


def _check_user(wanted: WantedUser, state: State, mariadb: bool) -> None:
    for word in wanted.attributes:
        if word not in (ROLE, LOCKED):
            raise InvalidParameter(
                f"{word} is not an attribute of this server", f"{wanted.item}.attributes", "It knows ROLE and LOCKED."
            )
    _check_limits(wanted, mariadb)
    plugin = wanted.plugin
    if plugin and mariadb not in PLUGINS.get(plugin, ()):
        known = ", ".join(name for name, servers in PLUGINS.items() if mariadb in servers)
        raise InvalidParameter(f"{plugin!r} is not known", f"{wanted.item}.plugin", f"Take of: {known}.")
    if state.reached and plugin and plugin not in state.plugins:
        raise Refused(f"{plugin} is not loaded in this server", f"{wanted.item}.plugin", "Load it, or take another.")
    if plugin in WITHOUT_PASSWORD and (wanted.password or wanted.hash):
        raise InvalidParameter(f"{plugin} takes no password", f"{wanted.item}.password", "Leave it out.")
    if not mariadb and wanted.password and len(wanted.password.reveal().encode()) > _LONGEST_PASSWORD:
        raise InvalidParameter(
            f"has more than the {_LONGEST_PASSWORD} bytes that MySQL lets anybody in with",
            f"{wanted.item}.password",
            "Shorten it.",
        )
    _check_hash(wanted, state)


def _check_limits(wanted: WantedUser, mariadb: bool) -> None:
    if "valid_until" in wanted.limits:
        raise InvalidParameter("is for PostgreSQL alone", f"{wanted.item}.limits.valid_until", "Leave it out.")
    for key, value in wanted.limits.items():
        # MariaDB lets nobody in with -1; to MySQL it is no number.
        if value == "-1" and not (mariadb and key == "max_user_connections"):
            raise InvalidParameter("can't be less than 0", f"{wanted.item}.limits.{key}", "0 means none.")
    if wanted.is_role and (wanted.limits or wanted.tls):
        key = "limits" if wanted.limits else "tls_requires"
        raise InvalidParameter("nobody logs in as a role", f"{wanted.item}.{key}", "Leave it out.")


def _check_hash(wanted: WantedUser, state: State) -> None:
    if not wanted.hash:
        return
    by_hash = text.plugin_of(wanted.hash.reveal())
    if state.reached and by_hash and not wanted.plugin and by_hash not in state.plugins:
        raise Refused(
            f"it is what {by_hash} keeps, which is not loaded in this server",
            f"{wanted.item}.password_hash",
            "Load it, or give the password.",
        )
    if not by_hash:
        raise InvalidParameter(
            "is not what this server keeps of a password",
            f"{wanted.item}.password_hash",
            "Copy authentication_string, caching_sha2_password's in hex with 0x before.",
        )


def _check_grant(wanted: WantedGrant, state: State) -> None:
    if wanted.object_type not in _KINDS:
        raise InvalidParameter(
            f"{wanted.object_type} is for PostgreSQL alone", f"{wanted.item}.object_type", f"Take of: {_KINDS}."
        )
    if wanted.schema:
        raise InvalidParameter("is for PostgreSQL alone", f"{wanted.item}.schema", "Leave it out.")
    if wanted.pattern and state.literal_patterns:
        raise Refused(
            "this server has partial_revokes on, and so no pattern in the name of a database",
            wanted.item,
            "Turn that off, or name each database.",
        )
    if wanted.object_type in ("table", "procedure", "function") and not wanted.objects:
        raise InvalidParameter("is needed", f"{wanted.item}.objects", "For all of them, grant on the database.")
    longest = _LONGEST_NAME * 2 if wanted.pattern else _LONGEST_NAME
    if wanted.database:
        _check_name(wanted.database, f"{wanted.item}.database", longest)
    for index, name in enumerate(wanted.objects):
        _check_name(name, f"{wanted.item}.objects[{index}]", _LONGEST_NAME)


def _check_name(name: str, where: str, longest: int) -> None:
    if len(name) > longest:
        raise InvalidParameter(f"has {len(name)} characters, and the server takes {longest}", where, "Shorten it.")
    if name.endswith(" "):
        raise InvalidParameter("ends with a space, which the server would cut off", where, "Choose another one.")
    if not text.is_storable(name):
        raise InvalidParameter("holds a character that the server's names can't (above U+FFFF)", where)


def _check_host(host: str, where: str) -> None:
    if len(host) > _LONGEST_HOST or any(character in "'\"`\\@ " or ord(character) < 33 for character in host):
        raise InvalidParameter(f"{host!r} is not a host or a pattern of hosts", where, "Write it like % or 10.0.0.%.")
