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
  - Creates, changes and removes databases, users and grants of MySQL, MariaDB and PostgreSQL, and users of Redis, all
    of a task in one connection.
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
  engine:
    description:
      - Which server it is. It is compared with what the server says of itself.
      - Left out, it is what the container was made for. Anything but a container of M(flatrun.infra.flatrun_infra)
        needs it.
      - Redis has O(users) alone. A change of them is written to its ACL file, else to its configuration file, in one
        transaction. A server that may write neither is refused, for a restart would lose them.
    type: str
    choices: [mysql, mariadb, postgresql, redis]
    aliases: [type]
    version_added: 0.1.0
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
          - One of MariaDB for several character sets, such as V(uca1400_ai_ci), takes O(databases[].encoding) too.
          - PostgreSQL can't change that of a database that exists, so another one is refused. V(C.utf8) is the same.
        type: str
        version_added: 0.1.0
      template:
        description:
          - Database of PostgreSQL that a new one is a copy of. The default is C(template1), and C(template0) with
            O(databases[].encoding) or O(databases[].collation), which has nothing of what was put into the other. For a
            database that exists it has no meaning, so it may go then.
        type: str
        version_added: 0.1.0
      extensions:
        description: Extensions of PostgreSQL that are to be there, with those that they need. Others stay.
        type: list
        elements: str
        default: []
        version_added: 0.1.0
      schemas:
        description: Schemas of PostgreSQL. What isn't named stays.
        type: list
        elements: dict
        default: []
        version_added: 0.1.0
        suboptions:
          name:
            description: Name of the schema.
            type: str
            required: true
            version_added: 0.1.0
          owner:
            description: Who owns the schema. Without it, a new one is the administrator's, and another is as it is.
            type: str
            version_added: 0.1.0
          state:
            description: Whether the schema is there. With something in it, it goes only with O(databases[].force).
            type: str
            choices: [present, absent]
            default: present
            version_added: 0.1.0
      connection_limit:
        description: How many may be connected to the database of PostgreSQL at once. V(-1) is no limit.
        type: int
        version_added: 0.1.0
      force:
        description:
          - Whether a database goes although somebody is connected to it, and a schema with what is in it. Without it,
            that is refused with who or what it is.
        type: bool
        default: false
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
      password_hash:
        description:
          - What the server itself keeps of the password, in place of O(users[].password). For MySQL and MariaDB
            C(authentication_string), that of C(caching_sha2_password) in hex with C(0x) before; for PostgreSQL
            C(rolpassword); for Redis SHA-256 in hexadecimal digits.
        type: raw
        version_added: 0.1.0
      plugin:
        description:
          - How the user proves its password. For MySQL V(caching_sha2_password) (default), V(mysql_native_password)
            and V(auth_socket), for MariaDB V(mysql_native_password) (default), V(ed25519) and V(unix_socket), for
            PostgreSQL V(scram-sha-256) (default) and V(md5).
          - Left out, a user that exists keeps its own. To give it another one takes its password too, unless that is
            a socket's.
          - A user of MariaDB with several keeps those that need no password of it, such as a socket's. Where more
            than one has a password, another O(users[].password) is refused, unless this says of which one it is; the
            others then go.
        type: str
        version_added: 0.1.0
      update_password:
        description: Whether another password is set whenever it differs (V(always)), or only with a new user.
        type: str
        choices: [always, on_create]
        default: always
        version_added: 0.1.0
      retain_password:
        description:
          - Whether the present password goes on working beside a new one, so that an app can be told the new one first.
            Of MySQL (C(RETAIN CURRENT PASSWORD)) and Redis. It takes O(users[].password) or O(users[].password_hash).
          - There is one former password, so a third one ends the first. On Redis the present one is the one set last.
          - With V(false), a former password that still works is discarded where O(users[].update_password=always).
        type: bool
        default: false
        version_added: 0.1.0
      attributes:
        description:
          - Words that hold, or don't with C(NO) before. Those that aren't named stay as they are.
          - V(ADMINISTRATOR) is a user who may do what this module does for apps, on all four, and no more. It is what
            O(login_user) of other tasks may then be, in place of C(root).
          - V(ROLE) is a role that nobody logs in as, on all but Redis. MySQL and MariaDB have V(LOCKED) and V(UNLOCKED)
            besides, and Redis has these two alone. PostgreSQL has V(SUPERUSER), V(CREATEDB), V(CREATEROLE),
            V(INHERIT), V(LOGIN), V(REPLICATION) and V(BYPASSRLS).
          - A role has no host. On MariaDB, a user that is V(absent) without a O(users[].host) takes a role of the same
            name along, as there is but one of them elsewhere.
        type: list
        elements: str
        default: []
        version_added: 0.1.0
      limits:
        description:
          - C(max_user_connections) on all three, C(max_queries_per_hour), C(max_updates_per_hour) and
            C(max_connections_per_hour) on MySQL and MariaDB, C(valid_until) on PostgreSQL, as in
            V(2030-12-31 00:00:00+00) or V(infinity). Those that aren't named stay as they are.
        type: dict
        default: {}
        version_added: 0.1.0
      tls_requires:
        description:
          - What MySQL and MariaDB ask of the user's connection. V(none), V(ssl), V(x509), or a mapping of C(cipher),
            C(issuer) and C(subject).
        type: raw
        version_added: 0.1.0
      keys:
        description:
          - Patterns of the keys that a user of Redis may use, such as V(app:*). V(%R~app:*) may be read and V(%W~app:*)
            written.
          - Left out, a user that exists keeps its own, and a new one has none. The same holds for
            O(users[].channels) and O(users[].commands).
        type: list
        elements: str
        version_added: 0.1.0
      channels:
        description: Patterns of the channels that a user of Redis may use.
        type: list
        elements: str
        version_added: 0.1.0
      commands:
        description:
          - Commands that a user of Redis may give, one rule after the other, beginning with none, such as V(get),
            V(-keys), V(config|get), V(@read) for a category and V(+@all) for all.
          - They are compared by what they allow on this server, not by how they are written.
        type: list
        elements: str
        version_added: 0.1.0
      force:
        description:
          - Whether a user goes although it owns something. On PostgreSQL the administrator then gets what it owns. On
            MySQL and MariaDB it is the routines, views, triggers and events that run as the user, and they stay.
          - Without it, that is refused with what it is.
        type: bool
        default: false
        version_added: 0.1.0
      state:
        description: Whether it is to exist.
        type: str
        choices: [present, absent]
        default: present
        version_added: 0.1.0
  grants:
    description: What users may do, each on its own. O(grants_mode) says what becomes of the rest.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
    suboptions:
      user:
        description: Name of the user. For PostgreSQL and MariaDB, V(PUBLIC) is everybody.
        type: str
        required: true
        version_added: 0.1.0
      host:
        description:
          - Host of the user. The default is each host that O(users) names for it, else each that it has.
        type: str
        version_added: 0.1.0
      object_type:
        description:
          - What the privileges are on. V(server) is everything on MySQL and MariaDB. V(role) makes the user a member
            of O(grants[].objects).
          - V(schema), V(sequence), V(type) and the defaults are PostgreSQL's alone. V(default_tables) and the like
            are privileges on what O(grants[].objects), which are roles then, will create from now on; left out, that
            is the owner of the database.
        type: str
        choices:
          - server
          - database
          - schema
          - table
          - sequence
          - function
          - procedure
          - type
          - role
          - default_tables
          - default_sequences
          - default_functions
          - default_types
          - default_schemas
        default: database
        version_added: 0.1.0
      database:
        description:
          - Name of the database, needed for all but V(server) and V(role). The wildcards C(_) and C(%) of MySQL and
            MariaDB have no meaning in it, unless O(grants[].pattern) is true.
        type: str
        version_added: 0.1.0
      schema:
        description:
          - Schema of PostgreSQL. The default is C(public), and for default privileges any schema.
        type: str
        version_added: 0.1.0
      objects:
        description:
          - Names of the objects. On PostgreSQL, left out or V(*), it is all that there are in the schema, unless
            O(grants[].privileges) name columns, and but for those that an extension brought, which says itself who may
            use them. Named, they are meant too.
          - A routine may have its arguments behind, as in V(total(int, text)).
        type: list
        elements: str
        default: []
        version_added: 0.1.0
      privileges:
        description:
          - Privileges, in the server's own words. V(ALL) is all that this server knows on such an object. For tables
            they may be limited to columns, as in V(SELECT (id, name)), which takes O(grants[].objects).
          - On a database of PostgreSQL these are V(CONNECT), V(CREATE) and V(TEMPORARY).
          - Needed for everything but V(role). An empty list names a user without any, for
            O(grants_mode=exclusive).
        type: list
        elements: str
        version_added: 0.1.0
      pattern:
        description:
          - Whether O(grants[].database) is a pattern of MySQL and MariaDB, in which C(_) is any character and C(%) any
            text.
        type: bool
        default: false
        version_added: 0.1.0
      grant_option:
        description:
          - Whether the user may grant the privileges on. With O(grants[].state=absent), only this is taken away.
          - On MySQL and MariaDB it is one for a table and all of its columns.
        type: bool
        default: false
        version_added: 0.1.0
      state:
        description:
          - Whether the user is to have the privileges. With V(absent), as with O(grants_mode=subtract), what isn't
            there is nothing to do, so that grants may go together with what they are on.
        type: str
        choices: [present, absent]
        default: present
        version_added: 0.1.0
  grants_mode:
    description:
      - V(append) leaves alone what O(grants) doesn't name. V(exclusive) takes everything else away from the users that
        O(grants) names, anywhere on the server, but for what they own. V(subtract) takes away what O(grants) names.
    type: str
    choices: [append, exclusive, subtract]
    default: append
    version_added: 0.1.0
  workers:
    description: How many connections create and remove databases of PostgreSQL side by side.
    type: int
    default: 4
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

- name: Let a role read all tables of a schema, those to come too, and nothing else
  flatrun.infra.flatrun_db:
    container: flatrun-postgresql
    users:
      - name: readers
        attributes: [ROLE]
      - name: reports
        password: "{{ reports_password }}"
    grants:
      - {user: readers, object_type: schema, database: shop, privileges: [USAGE]}
      - {user: readers, object_type: table, database: shop, privileges: [SELECT]}
      - {user: readers, object_type: default_tables, database: shop, privileges: [SELECT]}
      - {user: readers, database: shop, privileges: [CONNECT]}
      - {user: reports, object_type: role, objects: [readers]}
    grants_mode: exclusive

- name: Have an administrator with the rights that this takes, and no more
  flatrun.infra.flatrun_db:
    container: flatrun-mysql
    users:
      - name: provisioner
        password: "{{ provisioner_password }}"
        attributes: [ADMINISTRATOR]

- name: Work as that
  flatrun.infra.flatrun_db:
    container: flatrun-mysql
    login_user: provisioner
    login_password: "{{ provisioner_password }}"
    databases:
      - name: wiki

- name: Let an app use its own keys of Redis
  flatrun.infra.flatrun_db:
    container: flatrun-redis
    users:
      - name: blog
        password: "{{ blog_password }}"
        keys: ["blog:*"]
        channels: ["blog:*"]
        commands: ["@all", "-@admin", "-@dangerous"]

- name: Change a password while the app still has the former one
  flatrun.infra.flatrun_db:
    container: flatrun-mysql
    users:
      - name: blog
        password: "{{ blog_new_password }}"
        retain_password: true

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
    checked_by:
      description:
        - How the password was compared. V(stored) is with what the server keeps of it, V(login) by logging in where
          that may not be seen, and V(nothing) is that neither told, so that it was left as it is.
      type: str
      sample: stored
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
    object_type:
      description: What the privileges are on.
      type: str
      sample: database
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
    - CREATE USER 'blog'@'%' IDENTIFIED WITH caching_sha2_password AS '(secret)'
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
