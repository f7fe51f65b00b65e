# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release: one whole nginx configuration in a folder of its own, and a link that says which one is served.

The folder of releases is what a container has as ``/etc/nginx``; all links in it are relative, so they mean the same
there. ``current`` is the one link that is ever switched, by a rename.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.service.nginx import status_server

CURRENT = "current"
MAIN = "nginx.conf"
STATUS = "status.conf"
# What nginx finds at the top of /etc/nginx, each a link into the current release.
_LINKS = (MAIN, "mime.types", STATUS, "default.conf", "http", "vhosts")
_FOLDERS = ("http", "vhosts")


class Releases:
    """The releases of one nginx, below ``path`` on the host."""

    def __init__(self, path: str) -> None:
        self.path = path

    def current(self) -> str:
        """The name of the release that is served; empty before the first."""
        try:
            return os.readlink(f"{self.path}/{CURRENT}")
        except FileNotFoundError:
            return ""

    def read(self, release: str) -> dict[str, str]:
        """The files of a release by their paths in it, without the status server, which only names it."""
        found: dict[str, str] = {}
        for name in self._paths(release):
            content = files.read(f"{self.path}/{release}/{name}")
            if content is not None and name != STATUS:
                found[name] = content.content.decode("utf-8", "surrogateescape")
        return found

    def stage(self, content: Mapping[str, str], modes: Mapping[str, int] | None = None) -> str:
        """Write a candidate, on disk when this returns; nothing points to it yet."""
        release = f"{self._last() + 1:06d}"
        top = f"{self.path}/{release}"
        for folder in ("", *(f"/{name}" for name in _FOLDERS)):
            files.make_folder(top + folder)
        for name, text in {**content, STATUS: status_server(release)}.items():
            mode = (modes or {}).get(name, 0o644)
            files.write(f"{top}/{name}", text.encode("utf-8", "surrogateescape"), mode)
        return release

    def switch(self, release: str) -> None:
        """Make a release the current one by a single rename."""
        for name in _LINKS:
            if not files.exists(f"{self.path}/{name}"):
                os.symlink(f"{CURRENT}/{name}", f"{self.path}/{name}")
        scratch = f"{self.path}/.{CURRENT}.{os.getpid()}"
        if files.exists(scratch):
            files.remove(scratch)
        os.symlink(release, scratch)
        files.rename(scratch, f"{self.path}/{CURRENT}")

    def discard(self, release: str) -> None:
        shutil.rmtree(f"{self.path}/{release}", ignore_errors=True)

    def prune(self, keep: int = 5) -> None:
        """Remove all but the current release and the last ones; those later than it were never served."""
        served = self.current()
        older = [name for name in self.names() if name <= served]
        for name in self.names():
            if name not in older[-keep:]:
                self.discard(name)

    def names(self) -> list[str]:
        return [name for name in files.names(self.path) if name.isdigit()]

    def _last(self) -> int:
        return max((int(name) for name in self.names()), default=0)

    def _paths(self, release: str) -> Iterator[str]:
        top = f"{self.path}/{release}"
        for name in files.names(top):
            if name in _FOLDERS:
                yield from (f"{name}/{inner}" for inner in files.names(f"{top}/{name}"))
            else:
                yield name
