# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: service_verbs
short_description: Choose services of a host to be started, stopped or restarted
version_added: 0.1.0
description:
  - Turns the services that M(flatrun.infra.flatrun_infra_info) has found into items of
    M(flatrun.infra.flatrun_infra) that only tell them what to do, all else being kept.
options:
  _input:
    description: RV(flatrun.infra.flatrun_infra_info#module:services).
    type: list
    elements: dict
    required: true
  service:
    description: Which of them, by name, type or container. One, a list, a string with commas, or V(all).
    type: raw
    required: true
  state:
    description: State that they are to have.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Look at what there is
  flatrun.infra.flatrun_infra_info:
  register: seen

- name: Restart Redis
  flatrun.infra.flatrun_infra:
    services: "{{ (seen.services | flatrun.infra.service_verbs('redis', 'restarted')).services }}"
"""

RETURN = r"""
_value:
  description:
    - Mapping with C(problem), a sentence that is empty where all that was asked for is there and ours, and with
      C(services) as M(flatrun.infra.flatrun_infra) takes them.
  type: dict
"""

from collections import Counter
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.service.choice import controlled


def service_verbs(services: Any, service: Any, state: str) -> dict[str, Any]:
    try:
        meant = controlled(list(services), service)
    except FlatrunError as error:
        return {"problem": error.sentence(), "services": []}
    # A role that is used twice makes two services of its name.
    count = Counter(each["name"] for each in meant)
    items = [
        {
            "name": each["name"] if count[each["name"]] == 1 else each["container"],
            "container": each["container"],
            "state": state,
        }
        for each in meant
    ]
    return {"problem": "", "services": items}


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"service_verbs": service_verbs}
