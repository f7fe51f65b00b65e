# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engines there are."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.database.dialect import Dialect
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import MARIADB, MYSQL, POSTGRESQL, REDIS
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_dialect import MySQL
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_dialect import PostgreSQL
from ansible_collections.flatrun.infra.plugins.module_utils.database.redis_dialect import Redis

DIALECTS: Mapping[str, Dialect] = {
    MYSQL: MySQL(),
    MARIADB: MySQL(mariadb=True),
    POSTGRESQL: PostgreSQL(),
    REDIS: Redis(),
}
