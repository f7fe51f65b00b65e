# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the connection to a database server."""

from __future__ import annotations


class ModuleDocFragment:
    """Documented once, used by every module that talks to a database server."""

    DOCUMENTATION = r"""
options:
  engine:
    description:
      - Which server it is. It is compared with what the server says of itself.
      - Left out, it is what the container was made for. Anything but a container of M(flatrun.infra.flatrun_infra)
        needs it.
    type: str
    choices: [mysql, mariadb, postgresql]
    aliases: [type]
    version_added: 0.1.0
  container:
    description:
      - Container of the server. It is reached through its network, so no port has to be published,
        and the engine has to be that of the host itself, which runs it as root.
      - For a container that M(flatrun.infra.flatrun_infra) made, nothing else is needed. The administrator and the
        password that is kept on the host are the defaults of O(login_user) and O(login_password).
    type: str
    version_added: 0.1.0
  login_host:
    description: Host of a server that is in no container here.
    type: str
    version_added: 0.1.0
  login_port:
    description: Port of the server. The default is the container's own, else 3306, 5432 or 6379.
    type: int
    version_added: 0.1.0
  login_unix_socket:
    description: Socket of the server. For PostgreSQL, the folder the socket is in.
    type: path
    version_added: 0.1.0
  login_user:
    description:
      - Who logs in. The default is C(root) for MySQL and MariaDB, for PostgreSQL C(postgres) or the C(POSTGRES_USER)
        that a container was made with, and C(default) for Redis.
    type: str
    version_added: 0.1.0
  login_password:
    description: The password of O(login_user). It must be a string.
    type: raw
    version_added: 0.1.0
  login_db:
    description: Database of PostgreSQL to log in to. The default is C(postgres). A task can't remove it.
    type: str
    version_added: 0.1.0
  connect_timeout:
    description: Seconds to wait for a connection.
    type: int
    default: 10
    version_added: 0.1.0
  ssl_mode:
    description:
      - Whether the connection is over TLS. V(prefer) takes it where the server offers it, V(require) insists on it,
        V(verify-ca) verifies the server's certificate and V(verify-full) its name too.
      - Redis speaks TLS at a port of its own, so there V(prefer) is V(disable).
    type: str
    choices: [disable, prefer, require, verify-ca, verify-full]
    default: prefer
    version_added: 0.1.0
  ca_cert:
    description:
      - File with the certificates of the authorities that the server's certificate is verified with, by
        O(ssl_mode=verify-ca) and O(ssl_mode=verify-full), which need it.
    type: path
    version_added: 0.1.0
  check_hostname:
    description: Whether V(verify-full) compares the name. With V(false) it is V(verify-ca).
    type: bool
    default: true
    version_added: 0.1.0
  client_cert:
    description:
      - File with the certificate to present to the database server, over TLS. Needs O(client_key).
      - It is never presented to the Docker engine, as it is by the other modules. That has O(docker_client_cert) here.
    type: path
    version_added: 0.1.0
  client_key:
    description: File with the key of O(client_cert).
    type: path
    version_added: 0.1.0
  docker_client_cert:
    description: File with the certificate to present to the Docker engine. Needs O(docker_client_key).
    type: path
    version_added: 0.1.0
  docker_client_key:
    description: File with the key of O(docker_client_cert).
    type: path
    version_added: 0.1.0
  timeout:
    description: Seconds to wait for each answer of the Docker engine.
    type: int
    default: 60
    version_added: 0.1.0
requirements:
  - PyMySQL (C(python3-pymysql)) and C(python3-cryptography) for MySQL and MariaDB
  - psycopg2 (C(python3-psycopg2)) for PostgreSQL
  - redis-py (C(python3-redis)) for Redis
"""
