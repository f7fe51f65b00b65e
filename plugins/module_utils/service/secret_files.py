# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets of a service, as they lie on the host. By themselves, as who only logs in needs nothing else of it."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout

NEXT = ".next"


class SecretFiles:
    """A file for each secret of one container."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def secret(self, name: str) -> Secret | None:
        found = files.read(f"{self.layout.secrets}/{name}")
        return Secret(found.content.decode("utf-8", "surrogateescape")) if found and found.content else None

    def is_private(self, name: str) -> bool:
        found = files.read(f"{self.layout.secrets}/{name}")
        return found is None or found.mode & 0o077 == 0

    def keep(self, name: str, secret: Secret, owner: int) -> None:
        """A secret's file is the container's own account's, and nobody else's."""
        files.sweep(self.layout.secrets)
        files.write(f"{self.layout.secrets}/{name}", secret.reveal().encode("utf-8", "surrogateescape"), 0o600, owner)

    def promote(self, name: str) -> None:
        """The password that was set becomes the one that is kept."""
        files.rename(f"{self.layout.secrets}/{name}{NEXT}", f"{self.layout.secrets}/{name}")
