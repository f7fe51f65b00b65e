# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules of this room."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.arguments import DOCKER, ROOT_DIR, Arguments

_STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}
# raw: Ansible would make a string of the 83 that YAML made of 0123.
_PASSWORD = {"type": "raw", "no_log": True}

CONNECTION = (
    Arguments(
        {
            "engine": {"type": "str", "choices": ["mysql", "mariadb", "postgresql"], "aliases": ["type"]},
            "container": {"type": "str"},
            "login_host": {"type": "str"},
            "login_port": {"type": "int"},
            "login_unix_socket": {"type": "path"},
            "login_user": {"type": "str"},
            "login_password": _PASSWORD,
            "login_db": {"type": "str"},
            "connect_timeout": {"type": "int", "default": 10},
        },
        mutually_exclusive=(("container", "login_host", "login_unix_socket"),),
    )
    .merge(ROOT_DIR)
    .merge(DOCKER)
)

_DATABASE = {
    "name": {"type": "str", "required": True},
    "state": _STATE,
    "owner": {"type": "str"},
    "encoding": {"type": "str"},
    "collation": {"type": "str"},
}

_USER = {
    "name": {"type": "str", "required": True},
    "host": {"type": "str", "default": "%"},
    "password": _PASSWORD,
    "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
    "state": _STATE,
}

_GRANT = {
    "user": {"type": "str", "required": True},
    "host": {"type": "str"},
    "database": {"type": "str", "required": True},
    "privileges": {"type": "list", "elements": "str", "required": True},
    "grant_option": {"type": "bool", "default": False},
    "state": _STATE,
}

DB = Arguments(
    {
        "databases": {"type": "list", "elements": "dict", "default": [], "options": _DATABASE},
        "users": {"type": "list", "elements": "dict", "default": [], "options": _USER},
        "grants": {"type": "list", "elements": "dict", "default": [], "options": _GRANT},
    }
).merge(CONNECTION)
