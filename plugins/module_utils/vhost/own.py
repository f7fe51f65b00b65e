# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An nginx that flatrun_infra made: all of its /etc/nginx is a release."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import Engine, address
from ansible_collections.flatrun.infra.plugins.module_utils.service.served import served_release
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import processes
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.place import OURS
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.release import MAIN

Command = list[str]
Raw = Mapping[str, Any]
_WORKERS = "nginx"


class Own:
    """How it is tested, told and asked."""

    place = OURS

    def __init__(self, engine: Engine, container: str) -> None:
        self.engine, self.container = engine, container

    @contextmanager
    def trial(self, release: str) -> Iterator[Command]:
        """The command that tests a release which nothing points to yet."""
        yield ["nginx", "-t", "-c", f"/etc/nginx/{release}/{MAIN}"]

    def tell(self, master: int) -> None:
        """Tell the master; where it can't be seen from here, by a command, which reads the whole configuration too."""
        if not (master and processes.reload(master)):
            tell_by(self.engine, self.container, ["nginx", "-s", "reload"])

    def served(self, raw: Raw | None = None) -> str:
        """The release that nginx answers with; empty where it doesn't. ``raw`` is what the engine has told before."""
        return asked(raw or self.engine.find("inspect_container", self.container) or {})

    def account(self) -> int:
        """Who the workers run as."""
        return self.engine.account(self.container, _WORKERS)


def tell_by(engine: Engine, container: str, command: Command) -> None:
    code, said = engine.run(container, command)
    if code:
        raise Refused(f"nginx does not reload: {said}", f"container {container}")


def asked(raw: Raw, *marker: Any) -> str:
    """The release that a container answers with; ``marker`` is where it tells it, if that isn't the usual place."""
    is_host = (raw.get("HostConfig") or {}).get("NetworkMode") == "host"
    host = "127.0.0.1" if is_host else address(raw)
    try:
        found = served_release(host, 3, *marker) if host else ""
    except (OSError, http.client.HTTPException):
        return ""
    return found if found.isdigit() else ""
