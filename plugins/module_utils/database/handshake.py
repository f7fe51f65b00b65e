# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers at a port where the driver of an engine was not understood."""

from __future__ import annotations

import socket

from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import MARIADB, MYSQL, POSTGRESQL

_MYSQL, _POSTGRESQL = "MySQL or MariaDB", "PostgreSQL"
_NAMES = {MYSQL: _MYSQL, MARIADB: _MYSQL, POSTGRESQL: _POSTGRESQL}
# What PostgreSQL is asked for TLS by, and answers with one letter.
_ASKS_FOR_TLS = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
_SECONDS = 1.5


def other_engine(endpoint: Endpoint) -> str:
    """The name of the engine, if it is told by what it says and is not the one that was expected."""
    if endpoint.socket:
        return ""
    try:
        with socket.create_connection((endpoint.host, endpoint.port), _SECONDS) as peer:
            found = _name(peer)
    except OSError:
        return ""
    return "" if found == _NAMES.get(endpoint.engine) else found


def _name(peer: socket.socket) -> str:
    """PostgreSQL answers at once; MySQL has spoken already: a version of its protocol, or an error."""
    peer.sendall(_ASKS_FOR_TLS)
    said = peer.recv(64)
    if said in (b"S", b"N"):
        return _POSTGRESQL
    return _MYSQL if said[4:5] in (b"\x0a", b"\xff") else ""
