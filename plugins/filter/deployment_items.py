# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: deployment_items
short_description: Read apps into databases, users and vhosts
version_added: 0.1.0
description:
  - Reads a list of apps, and returns what M(flatrun.infra.flatrun_db) and M(flatrun.infra.flatrun_vhost) are to be
    called with, and how each app reaches its database.
  - C(${NAME}) is read from the environment of the controller, where this runs.
options:
  _input:
    description: The apps, each with C(name), C(state), C(domains), C(upstream), C(vhost) and C(database).
    type: list
    elements: dict
    required: true
  servers:
    description: Options of M(flatrun.infra.flatrun_db) to connect to each server, by the name it has for apps.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Create the databases of one server
  flatrun.infra.flatrun_db:
    container: flatrun-mysql
    databases: "{{ read.servers.main.databases }}"
    users: "{{ read.servers.main.users }}"
  vars:
    read: "{{ apps | flatrun.infra.deployment_items({'main': {'engine': 'mysql', 'container': 'flatrun-mysql'}}) }}"
"""

RETURN = r"""
_value:
  description:
    - Mapping with C(problem), a sentence that is empty where the apps are sound, C(servers) with C(databases) and
      C(users) of each beside the options to connect, C(vhosts), and C(connections) by app.
  type: dict
"""

import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.service.deployments import read_apps


def deployment_items(apps: Any, servers: Any) -> dict[str, Any]:
    if not isinstance(servers, Mapping):
        raise AnsibleFilterError("flatrun.infra.deployment_items takes servers as a mapping.")
    try:
        found = read_apps(apps, servers, os.environ)
    except FlatrunError as error:
        return {"problem": error.sentence(), "servers": {}, "vhosts": [], "connections": {}}
    return {
        "problem": "",
        "servers": dict(found.servers),
        "vhosts": list(found.vhosts),
        "connections": dict(found.connections),
    }


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"deployment_items": deployment_items}
