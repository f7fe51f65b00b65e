# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where nobody may see what a server keeps of passwords, as in a cloud, the users' own logins tell of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import UNKNOWN, Grantee


class Logins:
    """Each is tried once until something is changed: nobody is to be locked out for having tried too often."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.tried: dict[tuple[Grantee, Secret], str] = {}

    def tell(self, who: Grantee, password: Secret | None, attempt: Callable[[Endpoint], str]) -> str:
        """What is known of the password; ``attempt`` logs in."""
        if not password:
            return UNKNOWN
        key = who, password
        if key not in self.tried:
            self.tried[key] = attempt(replace(self.endpoint, user=who.name, passwords=(password,)))
        return self.tried[key]

    def forget(self) -> None:
        self.tried.clear()
