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
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.service.nginx import status_server
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import copies

CURRENT = "current"
MAIN = "nginx.conf"
STATUS = "status.conf"
# What nginx finds at the top of /etc/nginx, each a link into the current release.
_LINKS = (MAIN, "mime.types", STATUS, "default.conf", "http", "vhosts")
# What flatrun_vhost has in a release; all else is flatrun_infra's.
AUTH = "auth/"
OF_VHOSTS = ("vhosts/", AUTH, "pages/")
_FOLDERS = ("http", *(name.rstrip("/") for name in OF_VHOSTS))
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


@dataclass(frozen=True)
class Entry:
    """For an nginx that isn't ours: the file by which it finds the current release, and the server that tells it."""

    path: str
    text: str
    status: Callable[[str], str]


class Releases:
    """The releases of one nginx, below ``path`` on the host. With an ``entry``, only the vhosts are in them."""

    def __init__(self, path: str, entry: Entry | None = None) -> None:
        self.path, self.entry = path, entry
        self.status = entry.status if entry else status_server

    def current(self) -> str:
        """The name of the release that is served; empty before the first."""
        try:
            return os.readlink(f"{self.path}/{CURRENT}")
        except FileNotFoundError:
            return ""

    def read(self, release: str, folders: Collection[str] = ("", *_FOLDERS)) -> dict[str, str]:
        """The files of a release by their paths in it, without the status server, which only names it."""
        found: dict[str, str] = {}
        for inner in folders:
            with suppress(FileNotFoundError), files.folder(f"{self.path}/{release}/{inner}".rstrip("/")) as descriptor:
                for name in sorted(os.listdir(descriptor)):
                    path = f"{inner}/{name}" if inner else name
                    if path != STATUS and path not in _FOLDERS:
                        found[path] = _read(name, descriptor)
        return found

    def exposed(self, release: str) -> frozenset[str]:
        """The files of passwords that others than nginx may read."""
        return frozenset(name for name, found in self._passwords(release) if found.st_mode & 0o077)

    def withheld(self, release: str, account: int) -> frozenset[str]:
        """Those that nginx' ``account`` may not read, where it is known."""
        known = self._passwords(release) if account >= 0 else ()
        return frozenset(name for name, found in known if found.st_uid != account or not found.st_mode & 0o400)

    def _passwords(self, release: str) -> Iterator[tuple[str, os.stat_result]]:
        folder = f"{self.path}/{release}/{AUTH}"
        for name in files.names(folder.rstrip("/")) if release else ():
            yield AUTH + name, os.lstat(folder + name)

    def stage(self, content: Mapping[str, str], account: int = -1) -> str:
        """Write a candidate, on disk when this returns; nothing points to it yet.

        A file that the current release has with the same content is the same file, linked: so one vhost more among
        thousands costs one write. Those of ``auth/`` are for nothing but the workers' ``account``.
        """
        former = self.current()
        present = self.read(former) if former else {}
        for name in self.exposed(former) | self.withheld(former, account) if account >= 0 else ():
            del present[name]
        release = f"{self._last() + 1:06d}"
        self._sweep(former)
        top = f"{self.path}/{release}"
        for folder in ("", *(f"/{name}" for name in _FOLDERS)):
            files.make_folder(top + folder)
        written: list[str] = []
        try:
            for name, text in {**content, STATUS: self.status(release)}.items():
                if present.get(name) != text or not _linked(f"{self.path}/{former}/{name}", f"{top}/{name}"):
                    _write(f"{top}/{name}", text, *((0o600, account) if name.startswith(AUTH) else (0o644, -1)))
                    written.append(f"{top}/{name}")
            _settle([*written, *(f"{top}/{name}" for name in _FOLDERS), top])
        except (OSError, UnicodeError) as error:
            self.discard(release)
            raise Refused(
                f"can't be written ({getattr(error, 'strerror', error)})", top, "Make room or repair the disk."
            ) from None
        return release

    @contextmanager
    def beside(self, name: str, secret: str, account: int) -> Iterator[None]:
        """A file that is no release's own, for nginx' ``account`` alone; it is gone again if what follows fails."""
        files.make_folder(self.path)
        files.write(f"{self.path}/{name}", secret.encode(), 0o600, account)
        try:
            yield
        except FlatrunError:
            files.remove(f"{self.path}/{name}")
            raise

    def switch(self, release: str) -> None:
        """Make a release the current one by a single rename."""
        self.enter()
        scratch = f"{self.path}/.{CURRENT}.{os.getpid()}"
        if files.exists(scratch):
            files.remove(scratch)
        os.symlink(release, scratch)
        files.rename(scratch, f"{self.path}/{CURRENT}")

    def enter(self) -> None:
        """Have nginx find the current release; without one this changes nothing for it."""
        if self.entry:
            if not self.entered:
                files.write(self.entry.path, self.entry.text.encode())
            return
        for name in _LINKS:
            if not files.exists(f"{self.path}/{name}"):
                os.symlink(f"{CURRENT}/{name}", f"{self.path}/{name}")

    @property
    def entered(self) -> bool:
        """Whether nginx finds the current release."""
        found = files.read(self.entry.path) if self.entry else None
        return not self.entry or bool(found and found.content == self.entry.text.encode())

    def leave(self) -> None:
        """Have no release any more, where there was none before."""
        if self.entry:
            files.remove(f"{self.path}/{CURRENT}")
            files.remove(self.entry.path)

    def discard(self, release: str) -> None:
        self._remove(release)
        with suppress(OSError):
            # Only where nothing else is left of the first one.
            os.rmdir(self.path)

    def _remove(self, release: str) -> None:
        """First what makes it a whole one, so that a run which is killed here leaves none that looks like it."""
        with suppress(OSError, FlatrunError):
            files.remove(f"{self.path}/{release}/{STATUS}")
        shutil.rmtree(f"{self.path}/{release}", ignore_errors=True)

    def _sweep(self, served: str) -> None:
        """Remove the candidates of runs that were killed, which would pass for former releases.

        Their numbers aren't given again, since nginx may have been told of one.
        """
        if not served and files.exists(self.entry.path if self.entry else f"{self.path}/{MAIN}"):
            # Nothing tells which one was served: somebody has removed the link.
            return
        for name in self.names():
            if name > served:
                self._remove(name)

    def prune(self, keep: int = 5) -> None:
        """Remove all but the current release and the last ones before it."""
        served = self.current()
        kept = {served, *self.before(served)[: keep - 1]}
        for name in self.names():
            if name not in kept:
                self.discard(name)
        copies.forget(self.path, self.names())

    def names(self) -> list[str]:
        return [name for name in files.names(self.path) if name.isdigit()]

    def switched_at(self) -> float:
        """When the current release became it, in seconds since the epoch."""
        return os.lstat(f"{self.path}/{CURRENT}").st_mtime

    def size(self, release: str) -> int:
        """How many vhosts a release has."""
        return len(files.names(f"{self.path}/{release}/vhosts"))

    def before(self, release: str) -> list[str]:
        """The whole releases before one, the youngest first. Of each the status server is written last."""
        earlier = [name for name in reversed(self.names()) if name < release]
        return [name for name in earlier if files.exists(f"{self.path}/{name}/{STATUS}")]

    def _last(self) -> int:
        return max((int(name) for name in self.names()), default=0)


def _read(name: str, folder: int) -> str:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise Refused(f"can't be read ({error.strerror})", name, "Remove what is there.") from None


def _linked(old: str, new: str) -> bool:
    """Whether the file is there now too: linked, or copied with its owner where the filesystem has no (more) links."""
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:
        found = os.lstat(old)
        if not stat.S_ISREG(found.st_mode):
            return False
        shutil.copy2(old, new, follow_symlinks=False)
        os.chown(new, found.st_uid, found.st_gid)
    return True


def _write(path: str, text: str, mode: int, owner: int) -> None:
    """A new file, in a folder that nothing points to; it may not be on disk yet."""
    with os.fdopen(os.open(path, _CREATE, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        if owner >= 0:
            os.fchown(file.fileno(), owner, owner)
        os.fchmod(file.fileno(), mode)


def _settle(paths: Iterable[str]) -> None:
    """Have all of it on the disk: one after the other when all are written, since the first takes most along."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
