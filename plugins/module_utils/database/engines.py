# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engines there are. A run imports the one that it meets, since Python compiles what it imports on a host anew."""

from __future__ import annotations

from functools import cache

from ansible_collections.flatrun.infra.plugins.module_utils.database.dialect import Dialect
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import MARIADB, MYSQL, POSTGRESQL, REDIS


@cache
def dialect_of(engine: str) -> Dialect | None:
    """How the engine is spoken to; None where it isn't known yet which it will be."""
    if engine in (MYSQL, MARIADB):
        from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_dialect import MySQL

        return MySQL(mariadb=engine == MARIADB)
    if engine == POSTGRESQL:
        from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_dialect import (
            PostgreSQL,
        )

        return PostgreSQL()
    if engine == REDIS:
        from ansible_collections.flatrun.infra.plugins.module_utils.database.redis_dialect import Redis

        return Redis()
    return None
