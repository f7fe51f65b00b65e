#!/usr/bin/python
# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flatrun_db_info
short_description: Tell what a database server holds
version_added: 0.1.0
description:
  - Tells the version, databases with their sizes, users, grants, and tables with their columns, each in one statement,
    and shows a table's rows page by page. It writes nothing.
author:
  - flatrun.infra contributors (@flatrun)
extends_documentation_fragment:
  - flatrun.infra.database
  - flatrun.infra.docker
  - flatrun.infra.docker.root_dir
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff
      mode.
    support: none
options:
  gather:
    description: What to tell.
    type: list
    elements: str
    choices: [version, databases, users, grants, tables]
    default: [version, databases]
    version_added: 0.1.0
  database:
    description:
      - Database whose tables are told. PostgreSQL tells grants inside of it too, and without it inside of
        O(login_db).
    type: str
    version_added: 0.1.0
  schema:
    description: Schema of O(table) on PostgreSQL.
    type: str
    default: public
    version_added: 0.1.0
  table:
    description: Table whose rows are shown, in the order of its primary key.
    type: str
    version_added: 0.1.0
  limit:
    description: Most rows that are shown.
    type: int
    default: 100
    version_added: 0.1.0
  offset:
    description: Rows to be left out before.
    type: int
    default: 0
    version_added: 0.1.0
seealso:
  - module: flatrun.infra.flatrun_db
  - module: flatrun.infra.flatrun_db_query
"""

EXAMPLES = r"""
- name: List the databases and users
  flatrun.infra.flatrun_db_info:
    container: flatrun-mysql
    gather: [databases, users]

- name: Show the second page of a table
  flatrun.infra.flatrun_db_info:
    container: flatrun-postgresql
    database: shop
    table: orders
    limit: 20
    offset: 20
"""

RETURN = r"""
version:
  description: The engine and its version.
  type: dict
  returned: when asked for
  sample: {engine: mysql, version: 9.7.0}
databases:
  description: The databases, with their sizes in bytes. A size that may not be seen is null.
  type: list
  elements: dict
  returned: when asked for
  sample:
    - {name: blog, owner: "", encoding: utf8mb4, collation: utf8mb4_0900_ai_ci, size_bytes: 16384}
users:
  description: The users and roles. Those of PostgreSQL have attributes in place of a plugin. A role of MySQL is an
    account that is locked, expired and without a password.
  type: list
  elements: dict
  returned: when asked for
  sample:
    - {name: blog, host: "%", plugin: caching_sha2_password, locked: false, role: false}
grants:
  description:
    - Who may do what on what. MySQL and MariaDB tell of routines and of memberships in roles only whom they let read
      their own tables.
    - On PostgreSQL, C(object) is the schema with what is in it, as C(public.shop), C(public.shop.price) of a column and
      C(public.total(integer)) of a routine. Default privileges, such as C(default_tables), have the role whose future
      objects they are on, after the schema if they are for one alone. Inside a database, what an owner or everybody may
      do where nothing was granted is not listed.
    - A membership in a role is C(MEMBER). On PostgreSQL 16 and later it is C(DORMANT) where the role's rights are
      neither inherited nor to be had by C(SET ROLE), as for whoever creates a role without being a superuser.
  type: list
  elements: dict
  returned: when asked for
  sample:
    - {user: blog, host: "%", object_type: database, database: blog, object: "", privilege: SELECT, grantable: false}
tables:
  description: Tables and views of O(database), with estimated rows, sizes and columns.
  type: list
  elements: dict
  returned: when asked for
  sample:
    - schema: public
      name: orders
      kind: base table
      estimated_rows: 1200
      size_bytes: 163840
      columns:
        - {name: id, type: integer, nullable: false, default: null, key: true}
rows:
  description: A page of the table's rows, with C(rows), C(columns), C(rowcount) and whether it is C(truncated), which
    means that there are more.
  type: dict
  returned: with O(table)
  sample: {rows: [{id: 1}], columns: [id], rowcount: 1, truncated: false}
"""

from ansible_collections.flatrun.infra.plugins.module_utils.core.module import look
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import INFO
from ansible_collections.flatrun.infra.plugins.module_utils.database.info import answer


def main() -> None:
    look(INFO, answer)


if __name__ == "__main__":
    main()
