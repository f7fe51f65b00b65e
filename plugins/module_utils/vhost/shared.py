# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all vhosts have in common, in one file: maps, and each upstream once, whoever asks for it.

Upstreams are named after their content. So equal ones are the same one, and 10,000 vhosts cost nginx what their
distinct upstreams cost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tree import Directive, block, line, text
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.upstream import ZONE
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version

# A reload closes idle connections, and a request just then under way on one is lost, unless they may live on for this
# long (http://nginx.org/en/docs/http/ngx_http_core_module.html#keepalive_min_timeout).
LIVES_ON: Version = (1, 27, 4)
_LIVES_ON = "10s"

_BLOCK = re.compile(r"^upstream (flatrun_[0-9a-f]{12}) \{\n.*?^\}\n", re.MULTILINE | re.DOTALL)
# One zone for all: nginx compares each zone with each at every start. 8 KiB hold a server with its addresses. It begins
# large, because over a reload nginx remembers the addresses of a zone only while its size stays; what isn't used of it
# costs no memory.
_ZONE_SERVER = 8 * 1024
_ZONE_LEAST = 16 * 1024 * 1024
_HEAD = "# Written by flatrun.infra: what the vhosts here have in common.\n"


def upstreams_in(content: str) -> dict[str, str]:
    """The upstreams of a file of ours, by name."""
    return {found[1]: found[0] for found in _BLOCK.finditer(content)}


def render_shared(upstreams: Mapping[str, str], version: Version) -> str:
    tree: list[Directive] = []
    if version >= LIVES_ON:
        tree.append(line("keepalive_min_timeout", _LIVES_ON))
    # Connection is "upgrade" where the client asks for one, and left out otherwise, which keeps the upstream's alive.
    inner = (line("default", "upgrade"), line('""', ""))
    tree.append(block("map", "$http_upgrade", "$flatrun_connection", inner=inner))
    if upstreams:
        size = _ZONE_LEAST
        while size < _ZONE_SERVER * sum(found.count("server ") for found in upstreams.values()):
            size *= 2
        zone = (line("zone", ZONE, f"{size // 1024}k"), line("server", "127.0.0.1:1", "down"))
        tree.append(block("upstream", ZONE, inner=zone))
    return _HEAD + text(tree) + "".join(found for _name, found in sorted(upstreams.items()))
