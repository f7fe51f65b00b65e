#!/usr/bin/python
# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flatrun_db
short_description: Manage databases, users and grants of a server, many at once
version_added: 0.1.0
description:
  - Creates, changes and removes databases, users and grants of MySQL, MariaDB and PostgreSQL, all of a task in one
    connection.
  - A second run changes nothing, passwords included. They are compared with what the server keeps of them, and only
    such a digest is sent to it, never the password itself.
  - A new database of PostgreSQL lets nobody in but its owner and those who are granted it.
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
    support: full
options:
  databases:
    description: The databases.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
    suboptions:
      name:
        description: Name of the database, exactly as the server is to have it.
        type: str
        required: true
        version_added: 0.1.0
      state:
        description: Whether it is to exist. One that goes takes its data with it.
        type: str
        choices: [present, absent]
        default: present
        version_added: 0.1.0
      owner:
        description:
          - User who may do everything in the database. For PostgreSQL it is the database's owner. MySQL and MariaDB
            have none, so there it is all privileges on the database for the user, at each host that O(users) names
            for it, else at each host it has.
        type: str
        version_added: 0.1.0
      encoding:
        description:
          - Character set, such as V(utf8mb4) for MySQL and MariaDB and V(UTF8) for PostgreSQL. The default is the
            server's.
          - PostgreSQL can't change that of a database that exists, so another one is refused.
        type: str
        version_added: 0.1.0
      collation:
        description:
          - Collation of MySQL and MariaDB, or locale of PostgreSQL, such as V(C.UTF-8). The default is the server's.
          - PostgreSQL can't change that of a database that exists, so another one is refused.
        type: str
        version_added: 0.1.0
  users:
    description: The users.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
    suboptions:
      name:
        description: Name of the user, exactly as the server is to have it.
        type: str
        required: true
        version_added: 0.1.0
      host:
        description: Where the user of MySQL and MariaDB comes from. A role of PostgreSQL has none.
        type: str
        default: "%"
        version_added: 0.1.0
      password:
        description:
          - Password. It must be a string, and is needed for a user that doesn't exist.
          - For the administrator that the task logs in as, only the present one is taken.
        type: raw
        version_added: 0.1.0
      update_password:
        description: Whether another password is set whenever it differs (V(always)), or only with a new user.
        type: str
        choices: [always, on_create]
        default: always
        version_added: 0.1.0
      state:
        description: Whether it is to exist.
        type: str
        choices: [present, absent]
        default: present
        version_added: 0.1.0
  grants:
    description: What users may do. Privileges that aren't named here stay as they are.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
    suboptions:
      user:
        description: Name of the user. For PostgreSQL, V(PUBLIC) is everybody.
        type: str
        required: true
        version_added: 0.1.0
      host:
        description:
          - Host of the user. The default is each host that O(users) names for it, else each that it has.
        type: str
        version_added: 0.1.0
      database:
        description:
          - Name of the database. The wildcards C(_) and C(%) of MySQL and MariaDB have no meaning in it.
        type: str
        required: true
        version_added: 0.1.0
      privileges:
        description:
          - Privileges on the database, in the server's own words. V(ALL) is all that this server knows.
          - For PostgreSQL these are V(CONNECT), V(CREATE) and V(TEMPORARY).
        type: list
        elements: str
        required: true
        version_added: 0.1.0
      grant_option:
        description:
          - Whether the user may grant the privileges on. With O(grants[].state=absent), only this is taken away.
        type: bool
        default: false
        version_added: 0.1.0
      state:
        description: Whether the user is to have the privileges.
        type: str
        choices: [present, absent]
        default: present
        version_added: 0.1.0
seealso:
  - module: flatrun.infra.flatrun_infra
"""

EXAMPLES = r"""
- name: Give two apps a database and a user each
  flatrun.infra.flatrun_db:
    container: flatrun-mysql
    databases:
      - name: blog
        owner: blog
      - name: shop
        owner: shop
    users:
      - name: blog
        password: "{{ blog_password }}"
      - name: shop
        password: "{{ shop_password }}"

- name: Let somebody read
  flatrun.infra.flatrun_db:
    container: flatrun-mysql
    users:
      - name: reports
        password: "{{ reports_password }}"
    grants:
      - user: reports
        database: shop
        privileges: [SELECT, SHOW VIEW]

- name: Remove an app's database and user from a server elsewhere
  flatrun.infra.flatrun_db:
    engine: postgresql
    login_host: db.example.com
    login_user: admin
    login_password: "{{ admin_password }}"
    databases:
      - name: blog
        state: absent
    users:
      - name: blog
        state: absent
"""

RETURN = r"""
databases:
  description: The databases of the task, in its order.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the database.
      type: str
      sample: blog
    changed:
      description: Whether anything was done, or would be in check mode.
      type: bool
      sample: true
    actions:
      description: What was done and why, as in RV(actions).
      type: list
      elements: dict
      sample:
        - action: create
          target: database blog
          reason: it does not exist
users:
  description: The users of the task, in its order.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the user.
      type: str
      sample: blog
    host:
      description: Its host.
      type: str
      sample: "%"
    changed:
      description: Whether anything was done, or would be in check mode.
      type: bool
      sample: true
    actions:
      description: What was done and why, as in RV(actions).
      type: list
      elements: dict
      sample:
        - action: create
          target: user blog@%
          reason: it does not exist
grants:
  description: The grants of the task, in its order.
  type: list
  elements: dict
  returned: success
  contains:
    user:
      description: Name of the user.
      type: str
      sample: reports
    database:
      description: Name of the database.
      type: str
      sample: shop
    changed:
      description: Whether anything was done, or would be in check mode.
      type: bool
      sample: true
    actions:
      description: What was done and why, as in RV(actions).
      type: list
      elements: dict
      sample:
        - action: grant
          target: reports@% on database shop
          reason: it lacks SELECT, SHOW VIEW
statements:
  description: The statements of the plan, with a placeholder for each secret.
  type: list
  elements: str
  returned: success
  sample:
    - CREATE USER 'blog'@'%' IDENTIFIED WITH `caching_sha2_password` AS '(secret)'
actions:
  description: Everything that was done, in the order of the plan; on failure what was done before it.
  type: list
  elements: dict
  returned: always
  sample:
    - action: create
      target: database blog
      reason: it does not exist
reason:
  description: Why nothing was to be done.
  type: str
  returned: when nothing was to be done
  sample: every database, user and grant is as asked
"""

from ansible_collections.flatrun.infra.plugins.module_utils.core.module import change
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import DB
from ansible_collections.flatrun.infra.plugins.module_utils.database.room import ROOM


def main() -> None:
    change(DB, ROOM)


if __name__ == "__main__":
    main()
