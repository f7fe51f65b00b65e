# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where what belongs to a container lies on the host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """Where a container's folders lie on the host."""

    root: str
    container: str

    @property
    def home(self) -> str:
        return f"{self.root}/{self.container}"

    @property
    def config(self) -> str:
        return f"{self.home}/config"

    @property
    def secrets(self) -> str:
        return f"{self.home}/secrets"

    @property
    def data(self) -> str:
        return f"{self.home}/data"

    @property
    def releases(self) -> str:
        return f"{self.home}/releases"

    @property
    def name(self) -> str:
        return f"{self.home}/service"

    @property
    def record(self) -> str:
        return f"{self.home}/record.json"
