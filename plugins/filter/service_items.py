# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: service_items
short_description: Read a configuration block into networks and services
version_added: 0.1.0
description:
  - Reads the block that the playbook C(flatrun.infra.site) takes, and returns what
    M(flatrun.infra.flatrun_infra) is to be called with.
  - C(${NAME}) is read from the environment of the controller, where this runs. C($${) stands for a C(${) that is
    meant as it is.
options:
  _input:
    description: Mapping with the keys C(infrastructure), C(nginx), C(certbot), C(databases) and C(deployments).
    type: dict
    required: true
  roles:
    description: Item of M(flatrun.infra.flatrun_infra) for each type of service, as its role computes it.
    type: dict
    required: true
  root_dir:
    description: Folder of the host below which all services have theirs.
    type: str
    default: /srv/flatrun
  over:
    description: Another block, which counts where both say something. What is empty in it says nothing.
    type: dict
    default: {}
  open_default:
    description: Text of the default server that answers a host nobody asked for.
    type: str
    default: ""
  internal:
    description: The networks of those that services are on, from which there is no way out of the host.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Have what a block says
  flatrun.infra.flatrun_infra:
    networks: "{{ read.networks }}"
    services: "{{ read.services }}"
  vars:
    read: "{{ {'infrastructure': infrastructure} | flatrun.infra.service_items(roles={'nginx': nginx_service}) }}"
"""

RETURN = r"""
_value:
  description:
    - Mapping with C(problem), a sentence that is empty where the block is sound, and with C(networks) and C(services)
      as M(flatrun.infra.flatrun_infra) takes them.
    - C(nginx) is the name of its container, and C(route) has the C(config_path) and the C(reload_command) of one that
      somebody else runs. C(apps) are the deployments as they are listed, and C(servers) the options
      by which M(flatrun.infra.flatrun_db) connects to each database server, by its name.
  type: dict
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.service.block import Block
from ansible_collections.flatrun.infra.plugins.module_utils.service.block_entry import BLOCKS, Reading
from ansible_collections.flatrun.infra.plugins.module_utils.service.block_values import merged, require_known
from ansible_collections.flatrun.infra.plugins.module_utils.service.deployments import servers_of


def service_items(
    block: Any,
    roles: Mapping[str, Any],
    root_dir: str = "/srv/flatrun",
    open_default: str = "",
    internal: Sequence[str] = (),
    over: Any = None,
) -> dict[str, Any]:
    if not isinstance(block, Mapping) or not isinstance(roles, Mapping):
        raise AnsibleFilterError("flatrun.infra.service_items takes a mapping, and roles as another.")
    try:
        said = merged(block, require_known(over, "infrastructure_block", BLOCKS))
        return _specified(Block(said, roles, os.environ, root_dir, open_default).read(), internal)
    except FlatrunError as error:
        nothing = {"networks": [], "services": [], "nginx": "", "route": {}, "apps": [], "servers": {}}
        return {"problem": error.sentence(), **nothing}


def _specified(found: Reading, internal: Sequence[str]) -> dict[str, Any]:
    unknown = [name for name in internal if name not in found.networks]
    if unknown:
        do = f"Take of: {', '.join(found.networks)}."
        raise InvalidParameter(
            f"{unknown[0]!r} is a network of none of the services", "infrastructure_internal_networks", do
        )
    for warning in found.warnings:
        Display().warning(warning)
    return {
        "problem": "",
        "networks": [{"name": name, "internal": name in internal} for name in found.networks],
        "services": [dict(item) for item in found.items],
        "nginx": found.entries[0].container,
        "route": dict(found.entries[0].login),
        "apps": list(found.apps),
        "servers": servers_of(found.entries),
    }


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"service_items": service_items}
