# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found of one nginx, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.flatrun.infra.plugins.module_utils.vhost.certificate import Certificate
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.place import OURS, Place
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version

SHARED = "_shared.conf"
FOLDER = "vhosts/"


@dataclass(frozen=True)
class Foreign:
    """A server of a file that isn't ours: one of its names, the ports it is for, and where it stands."""

    name: str
    ports: frozenset[str]
    place: str


@dataclass(frozen=True)
class Files:
    """What a release has of vhosts: ``texts`` below ``vhosts/`` by name, ``extras`` of other folders by path."""

    texts: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, str] = field(default_factory=dict)

    @property
    def vhosts(self) -> dict[str, str]:
        """The vhosts' own files, by the vhost's name."""
        return {name[: -len(".conf")]: text for name, text in self.texts.items() if name != SHARED}

    def extras_of(self, vhost: str) -> dict[str, str]:
        return {path: text for path, text in self.extras.items() if owner_of(path) == vhost}


@dataclass(frozen=True)
class State:
    """``status`` is the container's, empty without one; ``release`` is on disk, ``served`` what nginx answers.

    What somebody else runs and doesn't run now can't be looked into: then only ``found`` has its status.

    ``certificates`` are those of the vhosts that are asked for, by the path of their chain. ``former`` is what an
    earlier release had, where a way back is asked for. ``signed``: there is a placeholder for certificates. ``copies``
    are the folders with those of them that nginx reads, ``exposed`` the files of passwords that others may read, and
    ``withheld`` those that nginx may not.
    """

    status: str = ""
    version: Version = ()
    release: str = ""
    served: str = ""
    files: Files = field(default_factory=Files)
    foreign: tuple[Foreign, ...] = ()
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    now: float = 0.0
    former: Files | None = None
    place: Place = OURS
    signed: bool = False
    copies: frozenset[str] = frozenset()
    exposed: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    found: str = ""

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def live(self) -> bool:
        return bool(self.release) and self.served == self.release


def owner_of(path: str) -> str:
    """The vhost a file beside ``vhosts/`` belongs to: ``auth/name`` or ``pages/name:502.html``."""
    return path.rpartition("/")[2].partition(":")[0]
