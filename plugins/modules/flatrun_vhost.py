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
  - Adds, changes and removes vhosts of an nginx that M(flatrun.infra.flatrun_infra) runs, or that somebody else
    runs (see O(config_path)). All vhosts of a task become one new release of the whole configuration, which nginx
    tests before it is served, which is switched to at once, and which is proven to be the one that is served. If
    anything of that fails, the former release serves on.
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
  config_path:
    description:
      - For an nginx that somebody else runs. A folder of the host that its container has mounted, and whose files
        (C(*) or C(*.conf)) its configuration includes in C(http).
      - "What this module writes there: a file C(zz-flatrun.conf), and a folder C(.flatrun) with the releases. All other
        files there are never touched."
      - The container has to run, and is never started or stopped. For challenges it has C(<root_dir>/acme) mounted
        anywhere.
    type: path
    version_added: 0.1.0
  reload_command:
    description:
      - How the nginx of O(config_path) is reloaded, as a command in its container, without a shell. Default is
        V(nginx -s reload).
    type: str
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
          - nginx before 1.27.3 can't follow the names of a pool, so addresses are needed there, and takes no more
            than the address of a single name, to which it keeps no connections. V(sticky) needs nginx 1.29.6.
        type: raw
        version_added: 0.1.0
      root:
        description:
          - Static files instead of an upstream.
        type: dict
        version_added: 0.1.0
        suboptions:
          path:
            description:
              - The folder, as nginx' container has it (see O(flatrun.infra.flatrun_infra#module:services[].volumes)).
            type: str
            required: true
            version_added: 0.1.0
          index:
            description:
              - The file for a folder.
            type: str
            default: index.html
            version_added: 0.1.0
          fallback:
            description:
              - The file below C(path) for what isn't there, such as V(/index.html) for an app that routes in the
                browser.
            type: str
            version_added: 0.1.0
      redirect:
        description:
          - Send clients elsewhere instead of answering.
        type: dict
        version_added: 0.1.0
        suboptions:
          to:
            description:
              - Where to, such as V(https://www.example.com) or V(/new/).
            type: str
            required: true
            version_added: 0.1.0
          code:
            description:
              - One of V(301), V(302), V(303), V(307) and V(308).
            type: int
            default: 301
            version_added: 0.1.0
          keep_path:
            description:
              - Whether the path and the query that were asked for are appended. If they are, C(to) has no query.
            type: bool
            default: true
            version_added: 0.1.0
      websocket:
        description:
          - Whether a client's request for a WebSocket is handed on. Default is V(true). No other protocol is ever asked
            for (C(h2c)).
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
      compression:
        description:
          - Whether text is compressed for clients that take it (gzip). Default is what nginx' own configuration says,
            V(true) with role C(flatrun.infra.nginx) and else V(false).
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
      basic_auth:
        description:
          - Who may enter, by name and password. Their file is readable by nginx' workers alone.
        type: dict
        version_added: 0.1.0
        suboptions:
          realm:
            description:
              - What browsers show.
            type: str
            default: Restricted
            version_added: 0.1.0
          users:
            description:
              - The users.
            type: list
            elements: dict
            required: true
            version_added: 0.1.0
            suboptions:
              name:
                description:
                  - Name of the user.
                type: str
                required: true
                version_added: 0.1.0
              password:
                description:
                  - The password. Its SHA-512 hash is what is kept, and stays as long as it fits.
                type: raw
                version_added: 0.1.0
              password_hash:
                description:
                  - A bcrypt (V($2y$...)) or SHA-512 (V($6$...)) hash instead of the password.
                type: raw
                version_added: 0.1.0
      allow:
        description:
          - Addresses and networks that may enter. If there are any, all others may not.
        type: list
        elements: str
        version_added: 0.1.0
      deny:
        description:
          - Addresses and networks that may not enter.
        type: list
        elements: str
        version_added: 0.1.0
      rate_limit:
        description:
          - How often one client address may ask. What is above it gets 429.
        type: dict
        version_added: 0.1.0
        suboptions:
          rate:
            description:
              - Requests per second or minute, such as V(10r/s) or V(30r/m).
            type: str
            required: true
            version_added: 0.1.0
          burst:
            description:
              - How many may come at once above the rate.
            type: int
            default: 0
            version_added: 0.1.0
      connection_limit:
        description:
          - How many requests of one client address may be under way. What is above it gets 429.
        type: int
        version_added: 0.1.0
      raw:
        description:
          - Directives of nginx as they are, put at the end. Taken only with O(allow_raw=true).
        type: str
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
              - "The path, such as V(/api/), as nginx compares it: decoded (V(/my files/) and not C(/my%20files/)), and
                without a query, C(//) and C(/../)."
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
                path must end with V(/), and be no redirect's."
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
              - nginx before 1.27.3 can't follow the names of a pool, so addresses are needed there, and takes no more
                than the address of a single name, to which it keeps no connections. V(sticky) needs nginx 1.29.6.
            type: raw
            version_added: 0.1.0
          root:
            description:
              - Static files instead of an upstream.
            type: dict
            version_added: 0.1.0
            suboptions:
              path:
                description:
                  - The folder, as nginx' container has it (see
                    O(flatrun.infra.flatrun_infra#module:services[].volumes)).
                type: str
                required: true
                version_added: 0.1.0
              index:
                description:
                  - The file for a folder.
                type: str
                default: index.html
                version_added: 0.1.0
              fallback:
                description:
                  - The file below C(path) for what isn't there, such as V(/index.html) for an app that routes in the
                    browser.
                type: str
                version_added: 0.1.0
          redirect:
            description:
              - Send clients elsewhere instead of answering.
            type: dict
            version_added: 0.1.0
            suboptions:
              to:
                description:
                  - Where to, such as V(https://www.example.com) or V(/new/).
                type: str
                required: true
                version_added: 0.1.0
              code:
                description:
                  - One of V(301), V(302), V(303), V(307) and V(308).
                type: int
                default: 301
                version_added: 0.1.0
              keep_path:
                description:
                  - Whether the path and the query that were asked for are appended. If they are, C(to) has no query.
                type: bool
                default: true
                version_added: 0.1.0
          websocket:
            description:
              - Whether a client's request for a WebSocket is handed on. Default is V(true). No other protocol is ever
                asked for (C(h2c)).
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
          compression:
            description:
              - Whether text is compressed for clients that take it (gzip). Default is what nginx' own configuration
                says, V(true) with role C(flatrun.infra.nginx) and else V(false).
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
          basic_auth:
            description:
              - Who may enter, by name and password. Their file is readable by nginx' workers alone.
            type: dict
            version_added: 0.1.0
            suboptions:
              realm:
                description:
                  - What browsers show.
                type: str
                default: Restricted
                version_added: 0.1.0
              users:
                description:
                  - The users.
                type: list
                elements: dict
                required: true
                version_added: 0.1.0
                suboptions:
                  name:
                    description:
                      - Name of the user.
                    type: str
                    required: true
                    version_added: 0.1.0
                  password:
                    description:
                      - The password. Its SHA-512 hash is what is kept, and stays as long as it fits.
                    type: raw
                    version_added: 0.1.0
                  password_hash:
                    description:
                      - A bcrypt (V($2y$...)) or SHA-512 (V($6$...)) hash instead of the password.
                    type: raw
                    version_added: 0.1.0
          allow:
            description:
              - Addresses and networks that may enter. If there are any, all others may not.
            type: list
            elements: str
            version_added: 0.1.0
          deny:
            description:
              - Addresses and networks that may not enter.
            type: list
            elements: str
            version_added: 0.1.0
          rate_limit:
            description:
              - How often one client address may ask. What is above it gets 429.
            type: dict
            version_added: 0.1.0
            suboptions:
              rate:
                description:
                  - Requests per second or minute, such as V(10r/s) or V(30r/m).
                type: str
                required: true
                version_added: 0.1.0
              burst:
                description:
                  - How many may come at once above the rate.
                type: int
                default: 0
                version_added: 0.1.0
          connection_limit:
            description:
              - How many requests of one client address may be under way. What is above it gets 429.
            type: int
            version_added: 0.1.0
          raw:
            description:
              - Directives of nginx as they are, put at the end. Taken only with O(allow_raw=true).
            type: str
            version_added: 0.1.0
      tls:
        description:
          - Serve over TLS. Without it, only port 80 is served.
        type: dict
        version_added: 0.1.0
        suboptions:
          certificate:
            description:
              - Name of a certificate, which is C(<root_dir>/certificates/<name>/fullchain.pem) with C(privkey.pem)
                beside it. Or a mapping of C(fullchain) and C(privkey), two paths in nginx' container.
              - "It is checked before: that both exist and fit each other, are in date, and cover the names."
              - nginx reads a copy of it, so whoever removes it takes no site down. One that was renewed is served from
                the next run on that lists the vhost.
            type: raw
            required: true
            version_added: 0.1.0
          redirect:
            description:
              - Whether port 80 sends clients to HTTPS. Challenges for certificates are answered there all the same.
            type: bool
            default: true
            version_added: 0.1.0
          redirect_code:
            description:
              - One of V(301), V(302), V(303), V(307) and V(308). The last two keep the method.
            type: int
            default: 301
            version_added: 0.1.0
          hsts:
            description:
              - Have browsers remember that the site is served over TLS alone. Left out, they are told nothing.
            type: dict
            version_added: 0.1.0
            suboptions:
              max_age:
                description:
                  - For how many seconds.
                type: int
                default: 63072000
                version_added: 0.1.0
              include_subdomains:
                description:
                  - Whether it holds for all subdomains.
                type: bool
                default: false
                version_added: 0.1.0
              preload:
                description:
                  - Whether browsers may have it built in.
                type: bool
                default: false
                version_added: 0.1.0
          policy:
            description:
              - "Versions and ciphers after Mozilla's guideline: V(intermediate) is TLS 1.2 and 1.3, V(modern) TLS 1.3
                alone."
            type: str
            choices: [intermediate, modern]
            default: intermediate
            version_added: 0.1.0
          http2:
            description:
              - Whether HTTP/2 is spoken. V(false) needs nginx 1.25.1.
            type: bool
            default: true
            version_added: 0.1.0
          http3:
            description:
              - Whether HTTP/3 is spoken, on UDP port 443, which has to be published. Needs nginx 1.25 with that
                module.
            type: bool
            default: false
            version_added: 0.1.0
          placeholder:
            description:
              - "Whether HTTPS is answered with a self-signed certificate until the one that is named is there.
                Meanwhile port 80 serves the site too, and browsers are not told O(vhosts[].tls.hsts)."
              - Once the certificate is there, the next run of this module serves it. Without this, a certificate that
                is not there is refused.
            type: bool
            default: false
            version_added: 0.1.0
      trusted_proxies:
        description:
          - Proxies before this one, whose word about a client's address and scheme is believed.
        type: list
        elements: str
        version_added: 0.1.0
      real_ip_header:
        description:
          - The header in which they say the client's address. Another one than the default needs
            O(vhosts[].trusted_proxies). V(proxy_protocol) needs O(vhosts[].proxy_protocol=true), with which it is
            always taken.
        type: str
        default: X-Forwarded-For
        version_added: 0.1.0
      proxy_protocol:
        description:
          - Whether the vhost is also served on port 81, and with O(vhosts[].tls) on 444, to proxies that speak the
            PROXY protocol. The ports have to be published, and O(vhosts[].trusted_proxies) is needed.
        type: bool
        default: false
        version_added: 0.1.0
      maintenance:
        description:
          - Whether everything is answered by 503, with the page of that code in O(vhosts[].error_pages).
        type: bool
        default: false
        version_added: 0.1.0
      error_pages:
        description:
          - Pages for what nginx itself can't answer, as status code to HTML, such as C(502).
        type: dict
        version_added: 0.1.0
      access_log:
        description:
          - Format of the access log, or none. Default is V(combined). It is written to the container's standard
            output.
        type: str
        choices: [combined, json, 'off']
        version_added: 0.1.0
  state:
    description:
      - V(rolled_back) serves the vhosts of the last release that had others, as a new release. Once more undoes that.
        It takes no O(vhosts).
    type: str
    choices: [present, rolled_back]
    default: present
    version_added: 0.1.0
  exclusive:
    description:
      - Whether vhosts made by this module that are not listed are removed.
    type: bool
    default: false
    version_added: 0.1.0
  on_invalid:
    description:
      - What to do with a vhost that is refused, by this module or by nginx. V(fail) changes nothing. V(quarantine)
        has the others go live, leaves that one as it was, and then fails naming it.
    type: str
    choices: [fail, quarantine]
    default: fail
    version_added: 0.1.0
  allow_raw:
    description:
      - Whether O(vhosts[].raw) is taken. Whoever may write it may do with nginx what they like.
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

- name: Route a domain through an nginx that somebody else runs
  flatrun.infra.flatrun_vhost:
    container: their-nginx
    config_path: /opt/their-nginx/conf.d
    vhosts:
      - name: blog.example.com
        upstream: my-wordpress:80

- name: Remove one
  flatrun.infra.flatrun_vhost:
    vhosts:
      - name: app.example.com
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
