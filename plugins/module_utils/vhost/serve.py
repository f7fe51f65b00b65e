# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a release the one that nginx serves: tested before, switched at once, proven after, or taken back."""

from __future__ import annotations

import http.client
import time

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import Engine
from ansible_collections.flatrun.infra.plugins.module_utils.service.readiness import served_release
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.release import MAIN, Releases

_PATIENCE = 10.0
_PAUSE = 0.05


class Nginx:
    """One nginx in a container, and its releases."""

    def __init__(self, engine: Engine, container: str, releases: Releases) -> None:
        self.engine, self.container, self.releases = engine, container, releases

    def serve(self, release: str, running: bool) -> None:
        """Switch to a staged release; where nginx runs, it is tested first, and what is served is what counts."""
        former = self.releases.current()
        if not running:
            self.releases.switch(release)
            return
        self._require_valid(release)
        self.releases.switch(release)
        try:
            self._reload()
            self._prove(release)
        except Refused:
            self.releases.switch(former)
            self._reload()
            self.releases.discard(release)
            raise
        self.releases.prune()

    def _require_valid(self, release: str) -> None:
        code, said = self.engine.run(self.container, ["nginx", "-t", "-c", f"/etc/nginx/{release}/{MAIN}"])
        if code:
            self.releases.discard(release)
            raise Refused(f"nginx does not take the configuration: {said}", f"container {self.container}")

    def _reload(self) -> None:
        code, said = self.engine.run(self.container, ["nginx", "-s", "reload"])
        if code:
            raise Refused(f"nginx does not reload: {said}", f"container {self.container}")

    def _prove(self, release: str) -> None:
        """A reload that returned 0 may have changed nothing: only what is served tells."""
        until = time.monotonic() + _PATIENCE
        served = ""
        while served != release:
            if time.monotonic() >= until:
                raise Refused(
                    f"nginx serves release {served or 'none'} after its reload: {self.engine.log(self.container, 5)}",
                    f"container {self.container}",
                )
            try:
                served = served_release(self.engine.address(self.container))
            except (OSError, http.client.HTTPException):
                served = ""
            time.sleep(_PAUSE)
