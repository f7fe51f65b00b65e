# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specifications: typed parts that a module merges into its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import env_fallback

Options = dict[str, Any]


@dataclass(frozen=True)
class Arguments:
    """What AnsibleModule is given; ``a.merge(b)`` has the options and the rules of both."""

    options: Options
    mutually_exclusive: tuple[tuple[str, ...], ...] = ()
    required_together: tuple[tuple[str, ...], ...] = ()
    required_if: tuple[tuple[Any, ...], ...] = field(default=())

    def merge(self, other: Arguments) -> Arguments:
        return Arguments(
            {**self.options, **other.options},
            self.mutually_exclusive + other.mutually_exclusive,
            self.required_together + other.required_together,
            self.required_if + other.required_if,
        )


DOCKER = Arguments(
    {
        "docker_host": {
            "type": "str",
            "default": "unix:///var/run/docker.sock",
            "fallback": (env_fallback, ["DOCKER_HOST"]),
            "aliases": ["docker_url"],
        },
        "api_version": {"type": "str", "default": "auto", "fallback": (env_fallback, ["DOCKER_API_VERSION"])},
        "tls": {"type": "bool", "default": False, "fallback": (env_fallback, ["DOCKER_TLS"])},
        "validate_certs": {"type": "bool", "default": False, "fallback": (env_fallback, ["DOCKER_TLS_VERIFY"])},
        "ca_path": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path"},
        "timeout": {"type": "int", "default": 60, "fallback": (env_fallback, ["DOCKER_TIMEOUT"])},
    },
    required_together=(("client_cert", "client_key"),),
)

ROOT_DIR = Arguments({"root_dir": {"type": "path", "default": "/srv/flatrun"}})
