# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules of this room."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.arguments import DOCKER, ROOT_DIR, Arguments
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import REDIS, SQL

_STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}
# raw: Ansible would make a string of the 83 that YAML made of 0123.
_PASSWORD = {"type": "raw", "no_log": True}

MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"]

# Here client_cert, client_key and the query's timeout are the database server's, so the engine's have another name.
_ENGINES = {name: DOCKER.options[name] for name in ("client_cert", "client_key")}

CONNECTION = (
    Arguments(
        {
            "engine": {"type": "str", "choices": [*SQL], "aliases": ["type"]},
            "container": {"type": "str"},
            "login_host": {"type": "str"},
            "login_port": {"type": "int"},
            "login_unix_socket": {"type": "path"},
            "login_user": {"type": "str"},
            "login_password": _PASSWORD,
            "login_db": {"type": "str"},
            "connect_timeout": {"type": "int", "default": 10},
            "ssl_mode": {"type": "str", "choices": MODES, "default": "prefer"},
            "ca_cert": {"type": "path"},
            "check_hostname": {"type": "bool", "default": True},
            **{f"docker_{name}": option for name, option in _ENGINES.items()},
        },
        mutually_exclusive=(("container", "login_host", "login_unix_socket"),),
        required_together=(("docker_client_cert", "docker_client_key"),),
    )
    .merge(ROOT_DIR)
    .merge(DOCKER)
)

_SCHEMA = {
    "name": {"type": "str", "required": True},
    "owner": {"type": "str"},
    "state": _STATE,
}

_DATABASE = {
    "name": {"type": "str", "required": True},
    "state": _STATE,
    "owner": {"type": "str"},
    "encoding": {"type": "str"},
    "collation": {"type": "str"},
    "template": {"type": "str"},
    "extensions": {"type": "list", "elements": "str", "default": []},
    "schemas": {"type": "list", "elements": "dict", "default": [], "options": _SCHEMA},
    "connection_limit": {"type": "int"},
    "force": {"type": "bool", "default": False},
}

_USER = {
    "name": {"type": "str", "required": True},
    "host": {"type": "str", "default": "%"},
    "password": _PASSWORD,
    "password_hash": _PASSWORD,
    "plugin": {"type": "str"},
    "retain_password": {"type": "bool", "default": False, "no_log": False},
    "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
    "attributes": {"type": "list", "elements": "str", "default": []},
    "limits": {"type": "dict", "default": {}},
    "tls_requires": {"type": "raw"},
    **{part: {"type": "list", "elements": "str", "no_log": False} for part in ("keys", "channels", "commands")},
    "force": {"type": "bool", "default": False},
    "state": _STATE,
}

KINDS = [
    *("server", "database", "schema", "table", "sequence", "function", "procedure", "type", "role"),
    *("default_tables", "default_sequences", "default_functions", "default_types", "default_schemas"),
]

_GRANT = {
    "user": {"type": "str", "required": True},
    "host": {"type": "str"},
    "database": {"type": "str"},
    "schema": {"type": "str"},
    "object_type": {"type": "str", "choices": KINDS, "default": "database"},
    "objects": {"type": "list", "elements": "str", "default": []},
    "privileges": {"type": "list", "elements": "str"},
    "pattern": {"type": "bool", "default": False},
    "grant_option": {"type": "bool", "default": False},
    "state": _STATE,
}

DB = (
    Arguments(
        {
            "databases": {"type": "list", "elements": "dict", "default": [], "options": _DATABASE},
            "users": {"type": "list", "elements": "dict", "default": [], "options": _USER},
            "grants": {"type": "list", "elements": "dict", "default": [], "options": _GRANT},
            "grants_mode": {"type": "str", "choices": ["append", "exclusive", "subtract"], "default": "append"},
            "workers": {"type": "int", "default": 4},
        }
    )
    .merge(CONNECTION)
    .merge(Arguments({"engine": {**CONNECTION.options["engine"], "choices": [*SQL, REDIS]}}))
)

QUERY = (
    Arguments(
        {
            "query": {"type": "raw", "required": True},
            "positional_args": {"type": "list", "elements": "raw"},
            "named_args": {"type": "dict"},
            "database": {"type": "str"},
            "read_only": {"type": "bool", "default": True},
            "max_rows": {"type": "int", "default": 1000},
        },
        mutually_exclusive=(("positional_args", "named_args"),),
    )
    .merge(CONNECTION)
    .merge(Arguments({"timeout": {"type": "int", "default": 60}, "docker_timeout": DOCKER.options["timeout"]}))
)

INFO = Arguments(
    {
        "gather": {
            "type": "list",
            "elements": "str",
            "choices": ["version", "databases", "users", "grants", "tables"],
            "default": ["version", "databases"],
        },
        "database": {"type": "str"},
        "schema": {"type": "str", "default": "public"},
        "table": {"type": "str"},
        "limit": {"type": "int", "default": 100},
        "offset": {"type": "int", "default": 0},
    }
).merge(CONNECTION)
