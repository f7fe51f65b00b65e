#!/usr/bin/python
# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flatrun_db_query
short_description: Run SQL on a database server, read-only unless told otherwise
version_added: 0.1.0
description:
  - Runs one statement or several on MySQL, MariaDB or PostgreSQL, in one transaction, each sent by itself.
  - With O(read_only=true), the server itself keeps the session from writing. What a function of the server does, such
    as reading files of its host, is stopped by the rights of O(login_user) alone, so give it no more than it needs.
  - A query that only reads is opened by PL/pgSQL on PostgreSQL, which every database has unless somebody took it away.
    So the server itself takes one statement at a time, and none about the transaction.
  - The transaction and the session are the task's, so statements about them (C(COMMIT), C(SET), C(BEGIN) and the like)
    are refused, and so are those that reach beyond the database (C(ANALYZE), C(COPY), C(DO), C(FLUSH), C(KILL),
    C(LOAD), C(INTO OUTFILE)).
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
    details:
      - A query with O(read_only=false) is not run.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff
      mode.
    support: none
options:
  query:
    description:
      - The statement, several with C(;) between, or a list of them. C(%s) and C(%(name\)s) stand for arguments, and
        with arguments C(%%) for a percent sign.
    type: raw
    required: true
    version_added: 0.1.0
  positional_args:
    description: Arguments in their order, for each statement the same. They are bound as values, never as SQL.
    type: list
    elements: raw
    version_added: 0.1.0
  named_args:
    description: Arguments by name, for each statement the same.
    type: dict
    version_added: 0.1.0
  database:
    description: Database to run it in. The default is none, and O(login_db) for PostgreSQL.
    type: str
    version_added: 0.1.0
  read_only:
    description:
      - Whether nothing may be written. With V(false) the task is always changed, and MySQL and MariaDB commit
        statements like C(CREATE TABLE) by themselves.
    type: bool
    default: true
    version_added: 0.1.0
  max_rows:
    description:
      - Most rows that are returned of each statement. With O(read_only=false) the server goes through all of them
        nevertheless, as what selects may write too.
    type: int
    default: 1000
    version_added: 0.1.0
  timeout:
    description:
      - Seconds that each statement may take. The server itself ends one that takes longer, and nothing of the
        transaction is kept.
      - How long to wait for the Docker engine is O(docker_timeout).
    type: int
    default: 60
    version_added: 0.1.0
  docker_timeout:
    description: Seconds to wait for each answer of the Docker engine.
    type: int
    default: 60
    version_added: 0.1.0
seealso:
  - module: flatrun.infra.flatrun_db
  - module: flatrun.infra.flatrun_db_info
"""

EXAMPLES = r"""
- name: Count the orders of a day
  flatrun.infra.flatrun_db_query:
    container: flatrun-postgresql
    database: shop
    query: SELECT count(*) AS orders FROM orders WHERE placed::date = %(day)s
    named_args:
      day: "2026-01-31"

- name: Give a page another title
  flatrun.infra.flatrun_db_query:
    container: flatrun-mysql
    database: blog
    query: UPDATE pages SET title = %s WHERE id = %s
    positional_args: [Welcome, 1]
    read_only: false
"""

RETURN = r"""
rows:
  description: Rows of the last statement. Decimals, times of the day and intervals are texts, as the server has them.
    Dates are as ISO 8601 has them, and where that has none (C(infinity), years before 1) as the server has them too.
    Binary values are base64.
  type: list
  elements: dict
  returned: success
  sample:
    - orders: 42
columns:
  description: Names of its columns, in their order. A name that comes twice has a number behind.
  type: list
  elements: str
  returned: success
  sample: [orders]
rowcount:
  description: How many rows are returned, or were written.
  type: int
  returned: success
  sample: 1
truncated:
  description: Whether there are more rows than O(max_rows).
  type: bool
  returned: success
  sample: false
results:
  description: The same for each statement, in their order.
  type: list
  elements: dict
  returned: success
  sample:
    - rows: [{orders: 42}]
      columns: [orders]
      rowcount: 1
      truncated: false
actions:
  description: That the query was run, where it may write; on failure whether it was.
  type: list
  elements: dict
  returned: always
  sample:
    - action: run
      target: container flatrun-mysql
      reason: the query may write
reason:
  description: Why nothing was to be done.
  type: str
  returned: when nothing was to be done
  sample: the query only reads
"""

from ansible_collections.flatrun.infra.plugins.module_utils.core.module import change
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import QUERY
from ansible_collections.flatrun.infra.plugins.module_utils.database.query import ROOM


def main() -> None:
    change(QUERY, ROOM)


if __name__ == "__main__":
    main()
