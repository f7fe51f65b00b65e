#!/usr/bin/python
# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flatrun_vhost_info
short_description: Look at the vhosts of nginx
version_added: 0.1.0
description:
  - Tells which vhosts M(flatrun.infra.flatrun_vhost) made, where they lead, how long their certificates last, and
    whether nginx serves what is on disk. Changes nothing.
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
  container:
    description:
      - Name of nginx' container.
    type: str
    default: flatrun-nginx
    version_added: 0.1.0
  config_path:
    description:
      - For an nginx that somebody else runs, the O(flatrun.infra.flatrun_vhost#module:config_path) of its vhosts.
    type: path
    version_added: 0.1.0
  vhosts:
    description:
      - Names of the vhosts to tell of. Empty means all.
    type: list
    elements: str
    default: []
    version_added: 0.1.0
  probe:
    description:
      - Whether each upstream is asked for a connection, from inside nginx' container. One that is missing takes two
        seconds, and up to 64 are asked side by side.
    type: bool
    default: false
    version_added: 0.1.0
"""

EXAMPLES = r"""
- name: Look at all vhosts
  flatrun.infra.flatrun_vhost_info:
  register: nginx

- name: See that one is well
  flatrun.infra.flatrun_vhost_info:
    vhosts: [blog.example.com]
    probe: true
  register: blog

- name: Fail unless it is
  ansible.builtin.assert:
    that: blog.live and blog.vhosts[0].upstreams[0].answers
"""

RETURN = r"""
vhosts:
  description: The vhosts, sorted by name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the vhost.
      type: str
      sample: blog.example.com
    server_names:
      description: The names it answers to.
      type: list
      elements: str
      sample: [blog.example.com]
    upstreams:
      description: The addresses it leads to. C(answers) is null where O(probe=false), or nginx isn't running.
      type: list
      elements: dict
      sample:
        - address: my-wordpress:80
          answers: true
    certificate:
      description:
        - Its certificate as it is served, null without TLS. C(fullchain) is the one that was asked for.
        - C(problem) says why it won't do, or that another one is there and not served yet; it is empty if all is well.
      type: dict
      sample:
        fullchain: /etc/flatrun/certificates/blog.example.com/fullchain.pem
        days_left: 61
        names: [blog.example.com]
        problem: ""
    edited:
      description: Whether somebody changed the line that tells all this, so that it is not known.
      type: bool
      sample: false
container:
  description: The container, C(absent) where there is none, and the version of its nginx.
  type: dict
  returned: success
  sample:
    name: flatrun-nginx
    status: running
    version: 1.30.0
release:
  description: Name of the release on disk, empty where nginx has none.
  type: str
  returned: success
  sample: "000007"
release_age:
  description: Seconds since it was switched to.
  type: int
  returned: success
  sample: 86400
served:
  description: Name of the release that nginx answers with, empty where it doesn't answer.
  type: str
  returned: success
  sample: "000007"
live:
  description: Whether what nginx serves is what is on disk.
  type: bool
  returned: success
  sample: true
"""

from ansible_collections.flatrun.infra.plugins.module_utils.core.module import look
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.arguments import VHOST_INFO
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.info import answer


def main() -> None:
    look(VHOST_INFO, answer)


if __name__ == "__main__":
    main()
