# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is a member of which role of MySQL and MariaDB, and which of them are active at a login."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.flatrun.infra.plugins.module_utils.database.model import ACTIVE, MEMBER, Grantee, Target
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_dialect import MySQL
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_session import Session

_EDGES = """
SELECT TO_USER AS User, TO_HOST AS Host, FROM_USER AS role, FROM_HOST AS place, WITH_ADMIN_OPTION AS admin
FROM mysql.role_edges WHERE TO_USER IN %s
"""
Found = dict[tuple[Grantee, Target], dict[str, bool]]


def memberships(session: Session, names: Sequence[str], mariadb: bool) -> Found:
    return _mariadb(session, names) if mariadb else _mysql(session, names)


def _mariadb(session: Session, names: Sequence[str]) -> Found:
    rows = session.rows("SELECT * FROM mysql.roles_mapping WHERE User IN %s", (names,))
    return {
        (MySQL(mariadb=True).grantee(row["User"], row["Host"]), Target("role", name=row["Role"])): {
            MEMBER: row["Admin_option"] == "Y"
        }
        for row in rows
    }


def _mysql(session: Session, names: Sequence[str]) -> Found:
    found = {
        (_account(row["User"], row["Host"]), _role(_account(row["role"], row["place"]))): {MEMBER: row["admin"] == "Y"}
        for row in session.rows(_EDGES, (names,))
    }
    for who, role in _defaults(session, names):
        if (who, _role(role)) in found:
            found[who, _role(role)][ACTIVE] = False
    return found


def mandatory(session: Session, names: Sequence[str], listed: str) -> dict[Grantee, frozenset[Grantee]]:
    """The defaults among the roles that everybody has; ``listed`` are those, as the server's setting has them."""
    everybodys = set()
    for each in listed.replace("`", "").replace("'", "").replace('"', "").split(",") if names else ():
        name, _at, host = each.strip().partition("@")
        everybodys.add(_account(name, host))
    found: dict[Grantee, frozenset[Grantee]] = {}
    for who, role in _defaults(session, names) if listed and names else ():
        if role in everybodys:
            found[who] = found.get(who, frozenset()) | {role}
    return found


def _defaults(session: Session, names: Sequence[str]) -> list[tuple[Grantee, Grantee]]:
    rows = session.rows("SELECT * FROM mysql.default_roles WHERE USER IN %s", (names,))
    return [
        (_account(row["USER"], row["HOST"]), _account(row["DEFAULT_ROLE_USER"], row["DEFAULT_ROLE_HOST"]))
        for row in rows
    ]


def _account(name: str, host: str) -> Grantee:
    return MySQL().grantee(name, host)


def _role(role: Grantee) -> Target:
    return Target("role", name=role.name, host=role.host)
