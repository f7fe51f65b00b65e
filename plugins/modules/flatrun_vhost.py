#!/usr/bin/python
# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flatrun_vhost
short_description: Route domains through nginx to containers
version_added: 0.1.0
description:
  - Adds, changes and removes vhosts of an nginx that M(flatrun.infra.flatrun_infra) runs. All vhosts of a task become
    one new release of the whole configuration, which nginx tests before it is served, which is switched to at once, and
    which is proven to be the one that is served. If anything of that fails, the former release serves on.
  - A second run changes nothing, and doesn't reload nginx.
  - nginx starts and reloads although an upstream is missing, and follows a container whose address changed.
  - Files of your own in the container's C(conf.d) are never touched.
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
    support: full
options:
  container:
    description:
      - Name of nginx' container.
    type: str
    default: flatrun-nginx
    version_added: 0.1.0
  vhosts:
    description:
      - The vhosts. Those that are there already and not listed stay as they are, unless O(exclusive=true).
      - A listed vhost is the whole specification. What it leaves out has its default.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
    suboptions:
      name:
        description:
          - "Name of the vhost, by which it is found again: letters, digits, V(_), V(.) and V(-)."
          - It is the domain too where O(vhosts[].server_names) is left out.
        type: str
        required: true
        version_added: 0.1.0
      state:
        description:
          - Whether the vhost is to be there.
        type: str
        choices: [present, absent]
        default: present
        version_added: 0.1.0
      server_names:
        description:
          - The domains it answers to, such as V(blog.example.com), V(*.example.com) or V(www.example.*). Other
            scripts than Latin are turned into punycode.
          - Default is the O(vhosts[].name).
        type: list
        elements: str
        aliases: [domains]
        version_added: 0.1.0
      upstream:
        description:
          - "Where requests go: an address such as V(my-app:8080), V(https://my-app), V([2001:db8::1]:80) or
            V(unix:/run/app.sock), or a mapping for a pool."
          - A pool has C(servers), a list of addresses or of mappings with C(address), C(weight), C(max_fails),
            C(fail_timeout), C(backup) and C(down).
          - It has C(method), one of V(round_robin) (the default), V(least_conn), V(ip_hash), V(hash) (by C(hash_key),
            an nginx expression, V($request_uri) by default), V(random) and V(sticky) (by a cookie of the name
            C(cookie)).
          - It has C(keepalive), the idle connections that each worker keeps (32 by default, 0 for none), and
            C(scheme), V(http) or V(https).
          - nginx before 1.27.3 can't follow the names of a pool, so addresses are needed there, and has no kept
            connections to a single name. V(sticky) needs nginx 1.29.6.
        type: raw
        version_added: 0.1.0
      websocket:
        description:
          - Whether a client's request for another protocol is handed on, as WebSocket needs it. Default is V(true).
        type: bool
        version_added: 0.1.0
      timeouts:
        description:
          - How long to wait for the upstream, such as V(90s) or V(5m).
        type: dict
        version_added: 0.1.0
        suboptions:
          connect:
            description:
              - For a connection. Default is 10 seconds.
            type: str
            version_added: 0.1.0
          send:
            description:
              - Between two writes to it. Default is 60 seconds.
            type: str
            version_added: 0.1.0
          read:
            description:
              - Between two reads from it. Default is 60 seconds.
            type: str
            version_added: 0.1.0
      body_size:
        description:
          - The largest request body, such as V(1g), or V(0) for no limit. Default is V(64m).
        type: str
        version_added: 0.1.0
      buffering:
        description:
          - Whether nginx takes the upstream's answer as fast as it comes, and holds it for a slow client. Default is
            V(true).
        type: bool
        version_added: 0.1.0
      request_buffering:
        description:
          - Whether nginx takes the whole request before it asks the upstream. Default is V(true).
        type: bool
        version_added: 0.1.0
      request_headers:
        description:
          - Headers set for the upstream, as name to value. An empty value takes the header away. Values may hold
            nginx' variables, such as V($remote_addr).
          - C(Host), C(X-Real-IP), C(X-Forwarded-For), C(X-Forwarded-Host), C(X-Forwarded-Port) and
            C(X-Forwarded-Proto) are set to what nginx itself knows. What a client says there is not passed on.
        type: dict
        version_added: 0.1.0
      response_headers:
        description:
          - Headers added to every answer, as name to value. Values may hold nginx' variables.
        type: dict
        version_added: 0.1.0
      locations:
        description:
          - Paths that are answered in another way. What a location leaves out it has from its vhost.
        type: list
        elements: dict
        version_added: 0.1.0
        suboptions:
          path:
            description:
              - The path, such as V(/api/).
            type: str
            required: true
            version_added: 0.1.0
          match:
            description:
              - Whether the path begins a request's path, or is all of it.
            type: str
            choices: [prefix, exact]
            default: prefix
            version_added: 0.1.0
          strip_prefix:
            description:
              - "Whether the upstream is asked without the path: with V(/api/), C(/api/users) becomes C(/users). The
                path must end with V(/)."
            type: bool
            default: false
            version_added: 0.1.0
          upstream:
            description:
              - "Where requests go: an address such as V(my-app:8080), V(https://my-app), V([2001:db8::1]:80) or
                V(unix:/run/app.sock), or a mapping for a pool."
              - A pool has C(servers), a list of addresses or of mappings with C(address), C(weight), C(max_fails),
                C(fail_timeout), C(backup) and C(down).
              - It has C(method), one of V(round_robin) (the default), V(least_conn), V(ip_hash), V(hash) (by
                C(hash_key), an nginx expression, V($request_uri) by default), V(random) and V(sticky) (by a cookie of
                the name C(cookie)).
              - It has C(keepalive), the idle connections that each worker keeps (32 by default, 0 for none), and
                C(scheme), V(http) or V(https).
              - nginx before 1.27.3 can't follow the names of a pool, so addresses are needed there, and has no kept
                connections to a single name. V(sticky) needs nginx 1.29.6.
            type: raw
            version_added: 0.1.0
          websocket:
            description:
              - Whether a client's request for another protocol is handed on, as WebSocket needs it. Default is
                V(true).
            type: bool
            version_added: 0.1.0
          timeouts:
            description:
              - How long to wait for the upstream, such as V(90s) or V(5m).
            type: dict
            version_added: 0.1.0
            suboptions:
              connect:
                description:
                  - For a connection. Default is 10 seconds.
                type: str
                version_added: 0.1.0
              send:
                description:
                  - Between two writes to it. Default is 60 seconds.
                type: str
                version_added: 0.1.0
              read:
                description:
                  - Between two reads from it. Default is 60 seconds.
                type: str
                version_added: 0.1.0
          body_size:
            description:
              - The largest request body, such as V(1g), or V(0) for no limit. Default is V(64m).
            type: str
            version_added: 0.1.0
          buffering:
            description:
              - Whether nginx takes the upstream's answer as fast as it comes, and holds it for a slow client. Default
                is V(true).
            type: bool
            version_added: 0.1.0
          request_buffering:
            description:
              - Whether nginx takes the whole request before it asks the upstream. Default is V(true).
            type: bool
            version_added: 0.1.0
          request_headers:
            description:
              - Headers set for the upstream, as name to value. An empty value takes the header away. Values may hold
                nginx' variables, such as V($remote_addr).
              - C(Host), C(X-Real-IP), C(X-Forwarded-For), C(X-Forwarded-Host), C(X-Forwarded-Port) and
                C(X-Forwarded-Proto) are set to what nginx itself knows. What a client says there is not passed on.
            type: dict
            version_added: 0.1.0
          response_headers:
            description:
              - Headers added to every answer, as name to value. Values may hold nginx' variables.
            type: dict
            version_added: 0.1.0
  exclusive:
    description:
      - Whether vhosts made by this module that are not listed are removed.
    type: bool
    default: false
    version_added: 0.1.0
  keep_releases:
    description:
      - How many releases are kept, the served one included; at least 2.
    type: int
    default: 5
    version_added: 0.1.0
"""

EXAMPLES = r"""
- name: Route a domain to a container
  flatrun.infra.flatrun_vhost:
    vhosts:
      - name: blog.example.com
        upstream: http://my-wordpress:80

- name: Route several, and no others
  flatrun.infra.flatrun_vhost:
    exclusive: true
    vhosts:
      - name: shop
        domains: [shop.example.com, www.shop.example.com]
        upstream:
          method: least_conn
          servers:
            - address: shop-1:8080
              weight: 3
            - shop-2:8080
      - name: app.example.com
        upstream: app-web:3000
        body_size: 1g
        locations:
          - path: /api/
            upstream: app-api:8000
            strip_prefix: true
            timeouts:
              read: 5m

- name: Remove one
  flatrun.infra.flatrun_vhost:
    vhosts:
      - name: blog.example.com
        state: absent
"""

RETURN = r"""
vhosts:
  description: The vhosts of the task in its order, then those that were removed because they are not listed.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the vhost.
      type: str
      sample: blog.example.com
    state:
      description: V(present) or V(absent).
      type: str
      sample: present
    server_names:
      description: The names it answers to, as nginx compares them.
      type: list
      elements: str
      sample: [blog.example.com]
    changed:
      description: Whether anything was done, or would be in check mode.
      type: bool
      sample: true
    actions:
      description: What was done and why, as in RV(actions).
      type: list
      elements: dict
      sample:
        - action: add
          target: vhost blog.example.com
          reason: it does not exist
release:
  description: Name of the release on disk, empty where nginx has none.
  type: str
  returned: success
  sample: "000007"
reloaded:
  description: Whether nginx was reloaded, or would be in check mode.
  type: bool
  returned: success
  sample: true
live:
  description: Whether what nginx answers is what is on disk.
  type: bool
  returned: success
  sample: true
actions:
  description: Everything that was done, in the order of the plan; on failure what was done before it.
  type: list
  elements: dict
  returned: always
  sample:
    - action: add
      target: vhost blog.example.com
      reason: it does not exist
    - action: release
      target: configuration of flatrun-nginx
      reason: its vhosts change
reason:
  description: Why nothing was to be done.
  type: str
  returned: when nothing was to be done
  sample: every vhost is as asked
"""

from ansible_collections.flatrun.infra.plugins.module_utils.core.module import change
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.arguments import VHOST
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.room import ROOM


def main() -> None:
    change(VHOST, ROOM)


if __name__ == "__main__":
    main()
