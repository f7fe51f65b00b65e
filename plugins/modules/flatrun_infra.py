#!/usr/bin/python
# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flatrun_infra
short_description: Run the shared services of a Docker host
version_added: 0.1.0
description:
  - Brings up nginx, MySQL, MariaDB, PostgreSQL, Redis and Certbot in containers, with their networks, folders,
    configuration and administrators' passwords. All services of a task are started side by side, and waited for until
    they answer in their own protocol.
  - A second run changes nothing. What has drifted (a stopped container, another image, a missing network, an edited
    configuration) is planned like any other change.
  - A container is replaced only by one that answers. If the new one does not, the former serves again.
author:
  - flatrun.infra contributors (@flatrun)
notes:
  - nginx listens on IPv6 too, so the kernel must not be started with C(ipv6.disable=1). To do without IPv6, set the
    sysctl C(net.ipv6.conf.all.disable_ipv6=1) instead.
extends_documentation_fragment:
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
  networks:
    description:
      - Networks that are to exist. One that exists is used as it is.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
    suboptions:
      name:
        description: Name of the network.
        type: str
        required: true
        version_added: 0.1.0
      internal:
        description: Whether containers on it are kept from reaching the outside.
        type: bool
        default: false
        version_added: 0.1.0
  services:
    description:
      - The services. An item of which only O(services[].name), O(services[].container) and O(services[].state) are
        given is told to start, stop, restart or go, and keeps all the rest as it is. Without O(services[].container) it
        is the container of the service of that name.
      - Any other item, also one with O(services[].type), is the whole specification, and what it leaves out has its
        default.
      - An option that has no effect on the service is refused. Of an external one only its name, type, mode,
        container, host and port can be told.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
    suboptions:
      name:
        description:
          - Name of the service in the task and its result, by which it is found later. The default is the container,
            else the type.
          - A container that was made for a service of another name is taken over by the one in a whole specification.
            It is neither made anew nor stopped for that.
        type: str
        version_added: 0.1.0
      type:
        description: Which service it is. One of V(nginx), V(mysql), V(mariadb), V(postgresql), V(redis) and
          V(certbot).
        type: str
        version_added: 0.1.0
      state:
        description:
          - V(started) and V(restarted) have it run, V(stopped) keeps the container and stops it, V(present) creates
            it and
            leaves a running one running, V(absent) removes the container and never its data.
          - V(restarted) is a request, so it changes something on every run.
        type: str
        choices: [started, present, stopped, restarted, absent]
        default: started
        version_added: 0.1.0
      mode:
        description:
          - V(managed) creates and controls the container. V(external) only connects, to O(services[].host) or to a
            container
            that somebody else runs. V(auto) is external with a host and managed without.
        type: str
        choices: [auto, managed, external]
        default: auto
        version_added: 0.1.0
      container:
        description: Name of the container. The default is C(flatrun-<type>).
        type: str
        version_added: 0.1.0
      image:
        description: Image by tag or by digest. The default is the official image of the type.
        type: str
        version_added: 0.1.0
      networks:
        description:
          - Networks the container is on. Each exists or stands in O(networks). Others that it was connected to by
            hand stay.
        type: list
        elements: str
        default: []
        version_added: 0.1.0
      published_ports:
        description:
          - Ports of the host, as V(80), V(8080:80), V(192.0.2.23:80:80) or V(*:80:80), with C(/udp) behind for UDP.
            Without
            an address it is 127.0.0.1, and V(*) is all addresses.
          - nginx publishes 80 and 443 on all addresses where this is left out, every other type none.
        type: list
        elements: str
        version_added: 0.1.0
      secrets:
        description:
          - Passwords of the administrator, O(services[].secrets) being V(root_password) for MySQL and MariaDB,
            V(postgres_password) for PostgreSQL and V(password) for Redis. Where none is given, a strong one is
            generated on
            the host, kept there in C(<root_dir>/<container>/secrets) with mode 0600, and used again.
          - One that differs from the present is changed in the server, and set in a Redis that lets everybody in. That
            of MySQL has at most 213 bytes, since no more can be sent at a login without TLS.
          - Each must be a string. YAML makes numbers and booleans of some that aren't in quotes, and those are
            refused.
        type: dict
        default: {}
        version_added: 0.1.0
      config_files:
        description:
          - Files of the server's configuration, name to content. For MySQL and MariaDB in C(/etc/mysql/conf.d), for
            PostgreSQL
            in C(/etc/postgresql), for Redis in C(/usr/local/etc/redis).
          - For nginx, V(nginx.conf), V(default.conf) and V(mime.types) replace the ones of the collection and
            others are
            included in the context C(http). They are tested before and reloaded, without a restart. Where the
            same run makes or replaces the container, they are tested in one like that before the former one stops.
          - C(%{memory:25%}) in a text is replaced by that share of the machine's memory, or of O(services[].memory), in
            MiB, rounded down so that it is the same on every run.
        type: dict
        default: {}
        version_added: 0.1.0
      env:
        description: Variables of the container's environment. Each must be a string. They are no place for secrets.
        type: dict
        default: {}
        version_added: 0.1.0
      volumes:
        description:
          - More mounts, as C(source:target) or C(source:target:ro). The source is a volume or a folder. The target is
            none of the folders in which the service has its configuration and its secrets.
          - The data of a service is in no volume of another driver, or of one that mounts something by options. The
            engine has its content there only while a container uses it, so the folder itself is given instead.
        type: list
        elements: str
        default: []
        version_added: 0.1.0
      command:
        description:
          - Command of the container in place of the image's, as a list of words.
          - That of Redis begins with C(redis-server /usr/local/etc/redis/main), and that of PostgreSQL with
            C(postgres -c config_file=/etc/postgresql/main -c port=5432), or whichever port it has. Without that they
            would read neither their configuration nor whom they let in, so it is refused.
        type: list
        elements: str
        default: []
        version_added: 0.1.0
      memory:
        description: Limit of the container's memory, such as V(512m), V(6m) at the least. Without it there is none.
        type: str
        version_added: 0.1.0
      cpus:
        description: Limit of the container's processor time, in processors, such as V(1.5). It is at least V(0.01), and
          no more than the host has. Without it there is none.
        type: float
        version_added: 0.1.0
      healthcheck:
        description:
          - Parts of the health check that are to differ from the type's own. Known are C(test), C(interval),
            C(timeout),
            C(retries) and C(start_period), durations as V(10s).
          - C(test) is a line for the shell, or a list that begins with C(CMD) or C(CMD-SHELL), or is C([NONE]).
        type: dict
        default: {}
        version_added: 0.1.0
      host:
        description: Address of an external service. It is never started, stopped or removed.
        type: str
        version_added: 0.1.0
      port:
        description: Port on which the service listens inside its networks. It is not published by it. nginx and
          Certbot have none to choose.
        type: int
        version_added: 0.1.0
      adopt:
        description:
          - Whether a container of that name that isn't ours is taken over. It is replaced by one of ours, and keeps its
            data, its volumes, and its networks with its aliases and fixed addresses there. Folders in memory (tmpfs)
            are left out.
          - A server is asked where it has its data. It is refused where its successor would look elsewhere, with what
            keeps that data, such as O(services[].volumes).
        type: bool
        default: false
        version_added: 0.1.0
  pull:
    description:
      - Whether an image is pulled that is not at hand (V(missing)), whenever the registry has another (V(always)),
        or not at
        all (V(never)).
    type: str
    choices: [missing, always, never]
    default: missing
    version_added: 0.1.0
  wait:
    description:
      - Whether to wait until each service answers. A server that has its password still to be set, or that takes the
        place of another, is waited for all the same.
    type: bool
    default: true
    version_added: 0.1.0
  wait_timeout:
    description: Seconds to wait for a service to answer, and for another run that is at work on the same O(root_dir).
    type: int
    default: 120
    version_added: 0.1.0
seealso:
  - module: flatrun.infra.flatrun_infra_info
requirements:
  - PyMySQL (C(python3-pymysql)) and C(python3-cryptography) for MySQL and MariaDB
  - psycopg2 (C(python3-psycopg2)) for PostgreSQL
  - redis-py (C(python3-redis)) for Redis
"""

EXAMPLES = r"""
- name: Run nginx, MySQL and Redis
  flatrun.infra.flatrun_infra:
    networks:
      - name: proxy
      - name: database
    services:
      - name: nginx
        type: nginx
        networks: [proxy]
      - name: database
        type: mysql
        networks: [database]
        secrets:
          root_password: "{{ mysql_root_password }}"
        memory: 1g
      - name: redis
        type: redis
        networks: [database]

- name: Restart Redis
  flatrun.infra.flatrun_infra:
    services:
      - name: redis
        container: flatrun-redis
        state: restarted
"""

RETURN = r"""
services:
  description: The services of the task, in its order.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the service.
      type: str
      sample: database
    type:
      description: Its type, empty where the item didn't say.
      type: str
      sample: mysql
    container:
      description: Its container, empty for a host.
      type: str
      sample: flatrun-mysql
    managed:
      description: Whether its container is ours to control.
      type: bool
      sample: true
    status:
      description: V(running), V(stopped), V(external) or V(absent).
      type: str
      sample: running
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
          target: container flatrun-mysql
          reason: it does not exist
networks:
  description: The networks of the task.
  type: list
  elements: dict
  returned: success
  sample:
    - name: proxy
      changed: false
actions:
  description: Everything that was done, in the order of the plan; on failure what was done before it.
  type: list
  elements: dict
  returned: always
  sample:
    - action: create
      target: network proxy
      reason: it does not exist
reason:
  description: Why nothing was to be done.
  type: str
  returned: when nothing was to be done
  sample: every network and service is as asked
"""

from ansible_collections.flatrun.infra.plugins.module_utils.core.module import change
from ansible_collections.flatrun.infra.plugins.module_utils.service.arguments import INFRA
from ansible_collections.flatrun.infra.plugins.module_utils.service.room import ROOM


def main() -> None:
    change(INFRA, ROOM)


if __name__ == "__main__":
    main()
