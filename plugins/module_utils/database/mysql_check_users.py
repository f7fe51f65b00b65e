# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account of MySQL and MariaDB can't become, told before anything is done."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database import mysql_text as text
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DIFFERS,
    LOCKED,
    ROLE,
    UNKNOWN,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import ALWAYS, PRESENT, WantedUser


def check(wanted: WantedUser, found: User | None, mariadb: bool) -> None:
    _check_role(wanted, mariadb)
    _check_plugin_of_hash(wanted)
    if found and wanted.state == PRESENT:
        _check_comparable(wanted, found)
        _check_only_password(wanted, found)
        _check_stays_role(wanted, found)


def _check_role(wanted: WantedUser, mariadb: bool) -> None:
    if not wanted.is_role:
        return
    if wanted.host != "%":
        raise InvalidParameter("a role has no host here", f"{wanted.item}.host", "Leave it out.")
    if LOCKED in wanted.attributes and wanted.attributes[LOCKED] == mariadb:
        always = "can't be locked" if mariadb else "is always locked"
        raise InvalidParameter(f"a role {always}", f"{wanted.item}.attributes", "Leave it out.")


def _check_plugin_of_hash(wanted: WantedUser) -> None:
    by_hash = text.plugin_of(wanted.hash.reveal()) if wanted.hash else ""
    if by_hash and wanted.plugin and wanted.plugin != by_hash:
        raise InvalidParameter(
            f"it is what {by_hash} keeps, and plugin says {wanted.plugin}",
            f"{wanted.item}.password_hash",
            "Leave out the plugin, or give the password.",
        )


def _check_comparable(wanted: WantedUser, found: User) -> None:
    """What is seen, and still not known to be the password or another one, is nothing that a password is told from."""
    seen = found.checked_by == "stored" and found.password == UNKNOWN
    other = found.password == DIFFERS and bool(found.plugin) and not text.is_made(found.plugin)
    asked = wanted.password and wanted.update_password == ALWAYS and wanted.plugin in ("", found.plugin)
    if asked and (seen or other):
        what = "whether that takes the password can't be told" if seen else "a password of that can't be made here"
        raise Refused(
            f"{found.grantee} logs in by {found.plugin}, and {what}",
            f"{wanted.item}.password",
            "Say plugin, to have it log in by that one, or update_password: on_create.",
        )


def _check_only_password(wanted: WantedUser, found: User) -> None:
    """Of several that keep one each, one would go unsaid, or go on letting in by a former password."""
    asked = found.password == DIFFERS and wanted.update_password == ALWAYS and not wanted.plugin
    if found.rivals and asked:
        raise Refused(
            f"{found.grantee} logs in by {' or '.join([found.plugin, *found.rivals])}, and each keeps something else",
            f"{wanted.item}.password{'_hash' if wanted.hash else ''}",
            "Say plugin, to have a password of that one alone, or update_password: on_create.",
        )


def _check_stays_role(wanted: WantedUser, found: User) -> None:
    turned = wanted.attributes.get(ROLE) is False or wanted.password or wanted.hash
    if ROLE in found.attributes and turned:
        raise Refused(
            f"{found.grantee} is a role, and can't be turned into a user",
            f"{wanted.item}.name",
            "Choose another one.",
        )
