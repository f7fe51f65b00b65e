# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules of this room."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.arguments import DOCKER, ROOT_DIR, Arguments

_NETWORK = {
    "name": {"type": "str", "required": True},
    "internal": {"type": "bool", "default": False},
}

_SERVICE = {
    "name": {"type": "str"},
    # No choices: a type that isn't known is refused with the item it stands in.
    "type": {"type": "str"},
    "state": {"type": "str", "choices": ["started", "present", "stopped", "restarted", "absent"], "default": "started"},
    "mode": {"type": "str", "choices": ["auto", "managed", "external"], "default": "auto"},
    "container": {"type": "str"},
    "image": {"type": "str"},
    "networks": {"type": "list", "elements": "str", "default": []},
    "published_ports": {"type": "list", "elements": "str"},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "config_files": {"type": "dict", "default": {}},
    "env": {"type": "dict", "default": {}},
    "volumes": {"type": "list", "elements": "str", "default": []},
    "command": {"type": "list", "elements": "str", "default": []},
    "memory": {"type": "str"},
    "cpus": {"type": "float"},
    "healthcheck": {"type": "dict", "default": {}},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "adopt": {"type": "bool", "default": False},
}

INFRA = (
    Arguments(
        {
            "networks": {"type": "list", "elements": "dict", "default": [], "options": _NETWORK},
            "services": {"type": "list", "elements": "dict", "default": [], "options": _SERVICE},
            "pull": {"type": "str", "choices": ["missing", "always", "never"], "default": "missing"},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 120},
        }
    )
    .merge(ROOT_DIR)
    .merge(DOCKER)
)
