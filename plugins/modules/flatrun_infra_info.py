#!/usr/bin/python
# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flatrun_infra_info
short_description: Look at the shared services of a Docker host
version_added: 0.1.0
description:
  - Tells which services there are below a O(root_dir), whether they run and are healthy, and on request what they
    use and
    what they wrote. It takes the same number of calls to the engine for any number of services, apart from
    O(gather=stats) and
    O(gather=logs).
author:
  - flatrun.infra contributors (@flatrun)
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
    support: none
options:
  services:
    description: Names, types or containers of the services to tell of. Empty means all.
    type: list
    elements: str
    default: []
    version_added: 0.1.0
  gather:
    description:
      - What to tell. V(status) is always told; V(stats) takes the engine a second or two; V(logs) are the last
        lines.
    type: list
    elements: str
    choices: [status, stats, logs]
    default: [status]
    version_added: 0.1.0
  tail:
    description: Lines of each stream of the log.
    type: int
    default: 100
    version_added: 0.1.0
  since:
    description: Only lines of the log that are younger, as a span such as V(15m) or a moment such as
      V(2026-01-31T12:00:00Z).
    type: str
    version_added: 0.1.0
seealso:
  - module: flatrun.infra.flatrun_infra
"""

EXAMPLES = r"""
- name: See how the services are
  flatrun.infra.flatrun_infra_info:
  register: infrastructure

- name: See what the database wrote in the last quarter of an hour
  flatrun.infra.flatrun_infra_info:
    services: [database]
    gather: [status, logs]
    since: 15m
"""

RETURN = r"""
services:
  description: The services, those of ours sorted by container.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the service.
      type: str
      sample: database
    type:
      description: Its type.
      type: str
      sample: mysql
    status:
      description: V(running), V(stopped), V(external) or V(unknown).
      type: str
      sample: running
    managed:
      description: Whether its container is ours to control.
      type: bool
      sample: true
    external:
      description: Whether somebody else runs it.
      type: bool
      sample: false
    container:
      description: Name of its container.
      type: str
      sample: flatrun-mysql
    container_id:
      description: Id of its container.
      type: str
      sample: 0d4b1a3f1b5c
    image:
      description: Image it runs.
      type: str
      sample: mysql:9.7
    health:
      description: What its health check says. V(healthy), V(unhealthy), V(starting) or V(none).
      type: str
      sample: healthy
    created_at:
      description: When its container was created, in ISO 8601.
      type: str
      sample: '2026-01-31T12:00:00+00:00'
    addresses:
      description: Its address on each network.
      type: dict
      sample:
        database: 172.19.0.2
    config:
      description: What its container was created with, without any secret.
      type: dict
      sample:
        image: mysql:9.7
        memory: 1073741824
        networks: [database]
    stats:
      description: What it uses; processor time in percent of one processor, the rest in bytes.
      type: dict
      returned: when asked for
      sample:
        cpu_percent: 0.4
        memory: 402653184
        memory_limit: 1073741824
        network_received: 1024
        network_sent: 2048
        processes: 40
    logs:
      description: Its last lines, by stream.
      type: dict
      returned: when asked for
      sample:
        stdout: []
        stderr: ['ready for connections']
stats:
  description: How many services there are, and how.
  type: dict
  returned: success
  sample:
    total_services: 4
    running: 3
    stopped: 0
    external: 1
"""

from ansible_collections.flatrun.infra.plugins.module_utils.core.module import look
from ansible_collections.flatrun.infra.plugins.module_utils.service.info import INFO, answer


def main() -> None:
    look(INFO, answer)


if __name__ == "__main__":
    main()
