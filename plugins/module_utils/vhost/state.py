# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found of one nginx, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version

SHARED = "_shared.conf"
FOLDER = "vhosts/"


@dataclass(frozen=True)
class State:
    """``status`` is the container's, empty without one; ``release`` is on disk, ``served`` what nginx answers.

    ``files`` are those of the release below ``vhosts/``, by name.
    """

    status: str = ""
    version: Version = ()
    release: str = ""
    served: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def live(self) -> bool:
        return bool(self.release) and self.served == self.release

    @property
    def vhosts(self) -> dict[str, str]:
        """The vhosts' own files, by the vhost's name."""
        return {name[: -len(".conf")]: text for name, text in self.files.items() if name != SHARED}
