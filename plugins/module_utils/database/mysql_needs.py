# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which privilege a change needs; the server's own words name a database, and not what is lacking."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    AlterDatabase,
    Change,
    CreateDatabase,
    DropDatabase,
    Grant,
    Revoke,
)

_ON_DATABASES: dict[type, str] = {CreateDatabase: "CREATE", AlterDatabase: "ALTER", DropDatabase: "DROP"}


def needed(change: Change) -> str:
    if type(change) in _ON_DATABASES:
        return f"{_ON_DATABASES[type(change)]} on the database"
    if not isinstance(change, (Grant, Revoke)):
        return "CREATE USER"
    if change.target.kind == "role":
        return "ROLE_ADMIN, or ADMIN OPTION on the role"
    return f"{', '.join(sorted(change.privileges))} with GRANT OPTION on {change.target}"
