# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody may do on all of a MySQL or MariaDB server, in the server's own words."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import GRANT_OPTION, Grantee
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_session import Session

_OPTION = " WITH GRANT OPTION"
_ALL = "ALL PRIVILEGES"


def listed(session: Session) -> frozenset[str]:
    """The privileges that can be granted on the server."""
    return frozenset(row["Privilege"].upper() for row in session.rows("SHOW PRIVILEGES")) - {"PROXY", "USAGE"}


def of_accounts(
    session: Session, accounts: Collection[Grantee], dynamic: frozenset[str]
) -> dict[Grantee, dict[str, bool]]:
    """Its tables have some of the names as columns only."""
    by_text = {f"'{who.name}'@'{who.host}'": who for who in accounts}
    found: dict[Grantee, dict[str, bool]] = {}
    if not by_text:
        return found
    rows = session.rows(
        "SELECT GRANTEE AS who, PRIVILEGE_TYPE AS name, IS_GRANTABLE AS grantable"
        " FROM information_schema.USER_PRIVILEGES WHERE GRANTEE IN %s",
        (sorted(by_text),),
    )
    for row in rows:
        # The server compares without case there, and answers for others too.
        if row["who"] not in by_text:
            continue
        held = found.setdefault(by_text[row["who"]], {})
        name, grantable = row["name"].upper(), row["grantable"] == "YES"
        if name in dynamic:
            held[name] = grantable
            continue
        if name != "USAGE":
            held[name] = False
        if grantable:
            held[GRANT_OPTION] = False
    return found


def of_role(session: Session, role: Grantee, known: Collection[str]) -> dict[str, bool]:
    """MariaDB lists roles and PUBLIC nowhere else; the bits that it keeps mean something else in each version."""
    rows = session.rows(f"SHOW GRANTS FOR {text.account(role)}")
    return read((line for row in rows for line in row.values()), role, known)


def read(lines: Iterable[str], role: Grantee, known: Collection[str]) -> dict[str, bool]:
    """From what is told of a role, with that of the roles it is a member of in other lines."""
    # A server may be set to quote names only where it must.
    ends = tuple(f" ON *.* TO {who}" for who in (text.name(role.name), role.name))
    for line in lines:
        plain = line.removesuffix(_OPTION)
        for end in ends:
            if plain.startswith("GRANT ") and plain.endswith(end):
                names = set(plain[len("GRANT ") : -len(end)].split(", ")) - {"USAGE"}
                held = {*known} - {GRANT_OPTION} if _ALL in names else names
                return dict.fromkeys([*sorted(held), *([GRANT_OPTION] if plain != line else [])], False)
    return {}
