# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules of this room."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.arguments import DOCKER, ROOT_DIR, Arguments

# What vhosts and their locations have in common.
_HANDLING = {
    "upstream": {"type": "raw"},
    "websocket": {"type": "bool"},
    "timeouts": {
        "type": "dict",
        "options": {"connect": {"type": "str"}, "send": {"type": "str"}, "read": {"type": "str"}},
    },
    "body_size": {"type": "str"},
    "buffering": {"type": "bool"},
    "request_buffering": {"type": "bool"},
    "request_headers": {"type": "dict"},
    "response_headers": {"type": "dict"},
}

_LOCATION = {
    "path": {"type": "str", "required": True},
    "match": {"type": "str", "choices": ["prefix", "exact"], "default": "prefix"},
    "strip_prefix": {"type": "bool", "default": False},
    **_HANDLING,
}

_VHOST = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "server_names": {"type": "list", "elements": "str", "aliases": ["domains"]},
    "locations": {"type": "list", "elements": "dict", "options": _LOCATION},
    **_HANDLING,
}

VHOST = (
    Arguments(
        {
            "container": {"type": "str", "default": "flatrun-nginx"},
            "vhosts": {"type": "list", "elements": "dict", "default": [], "options": _VHOST},
            "exclusive": {"type": "bool", "default": False},
            "keep_releases": {"type": "int", "default": 5},
        }
    )
    .merge(ROOT_DIR)
    .merge(DOCKER)
)
