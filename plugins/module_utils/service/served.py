# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release an nginx of ours serves, as it tells itself."""

from __future__ import annotations

import http.client

from ansible_collections.flatrun.infra.plugins.module_utils.service.nginx import STATUS_PORT


def served_release(
    address: str, timeout: float = 3, port: int = STATUS_PORT, host: str = "flatrun.invalid", path: str = "/"
) -> str:
    """The release that the nginx at this address serves; raises OSError or HTTPException."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": host, "Connection": "close"})
        return connection.getresponse().read(64).decode("ascii", "replace").strip()
    finally:
        connection.close()
