# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules of this room."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.arguments import DOCKER, ROOT_DIR, Arguments

_AUTH_USER = {
    "name": {"type": "str", "required": True},
    # Raw, so that what isn't a string is refused instead of being turned into one.
    "password": {"type": "raw", "no_log": True},
    "password_hash": {"type": "raw", "no_log": True},
}

# What vhosts and their locations have in common.
_HANDLING = {
    "upstream": {"type": "raw"},
    "root": {
        "type": "dict",
        "options": {
            "path": {"type": "str", "required": True},
            "index": {"type": "str", "default": "index.html"},
            "fallback": {"type": "str"},
        },
    },
    "redirect": {
        "type": "dict",
        "options": {
            "to": {"type": "str", "required": True},
            "code": {"type": "int", "default": 301},
            "keep_path": {"type": "bool", "default": True},
        },
    },
    "websocket": {"type": "bool"},
    "timeouts": {
        "type": "dict",
        "options": {"connect": {"type": "str"}, "send": {"type": "str"}, "read": {"type": "str"}},
    },
    "body_size": {"type": "str"},
    "buffering": {"type": "bool"},
    "request_buffering": {"type": "bool"},
    "compression": {"type": "bool"},
    "request_headers": {"type": "dict"},
    "response_headers": {"type": "dict"},
    "basic_auth": {
        "type": "dict",
        "options": {
            "realm": {"type": "str", "default": "Restricted"},
            "users": {"type": "list", "elements": "dict", "required": True, "options": _AUTH_USER},
        },
    },
    "allow": {"type": "list", "elements": "str"},
    "deny": {"type": "list", "elements": "str"},
    "rate_limit": {
        "type": "dict",
        "options": {"rate": {"type": "str", "required": True}, "burst": {"type": "int", "default": 0}},
    },
    "connection_limit": {"type": "int"},
    "raw": {"type": "str"},
}

_LOCATION = {
    "path": {"type": "str", "required": True},
    "match": {"type": "str", "choices": ["prefix", "exact"], "default": "prefix"},
    "strip_prefix": {"type": "bool", "default": False},
    **_HANDLING,
}

_TLS = {
    "certificate": {"type": "raw", "required": True},
    "redirect": {"type": "bool", "default": True},
    "redirect_code": {"type": "int", "default": 301},
    "hsts": {
        "type": "dict",
        "options": {
            "max_age": {"type": "int", "default": 63072000},
            "include_subdomains": {"type": "bool", "default": False},
            "preload": {"type": "bool", "default": False},
        },
    },
    "policy": {"type": "str", "choices": ["intermediate", "modern"], "default": "intermediate"},
    "http2": {"type": "bool", "default": True},
    "http3": {"type": "bool", "default": False},
    "placeholder": {"type": "bool", "default": False},
}

_VHOST = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "server_names": {"type": "list", "elements": "str", "aliases": ["domains"]},
    **_HANDLING,
    "locations": {"type": "list", "elements": "dict", "options": _LOCATION},
    "tls": {"type": "dict", "options": _TLS},
    "trusted_proxies": {"type": "list", "elements": "str"},
    "real_ip_header": {"type": "str", "default": "X-Forwarded-For"},
    "proxy_protocol": {"type": "bool", "default": False},
    "maintenance": {"type": "bool", "default": False},
    "error_pages": {"type": "dict"},
    "access_log": {"type": "str", "choices": ["combined", "json", "off"]},
}

VHOST = (
    Arguments(
        {
            "container": {"type": "str", "default": "flatrun-nginx"},
            "config_path": {"type": "path"},
            "reload_command": {"type": "str"},
            "vhosts": {"type": "list", "elements": "dict", "default": [], "options": _VHOST},
            "state": {"type": "str", "choices": ["present", "rolled_back"], "default": "present"},
            "exclusive": {"type": "bool", "default": False},
            "on_invalid": {"type": "str", "choices": ["fail", "quarantine"], "default": "fail"},
            "allow_raw": {"type": "bool", "default": False},
            "keep_releases": {"type": "int", "default": 5},
        }
    )
    .merge(ROOT_DIR)
    .merge(DOCKER)
)

VHOST_INFO = (
    Arguments(
        {
            "container": {"type": "str", "default": "flatrun-nginx"},
            "config_path": {"type": "path"},
            "vhosts": {"type": "list", "elements": "str", "default": []},
            "probe": {"type": "bool", "default": False},
        }
    )
    .merge(ROOT_DIR)
    .merge(DOCKER)
)
