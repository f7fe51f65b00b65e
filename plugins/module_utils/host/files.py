# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that are written as root: never through a link somebody else put there, and never half a file."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Callable, NamedTuple

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused

# A file that is read to be compared; what is larger isn't ours.
_LONGEST = 16 * 1024**2
_SCRATCH = ".flatrun-"


class Found(NamedTuple):
    """What a file was found to be; ``modified`` in nanoseconds since the epoch."""

    content: bytes
    mode: int
    owner: int
    modified: int


def exists(path: str) -> bool:
    return os.path.lexists(path)


@contextmanager
def folder(path: str) -> Iterator[int]:
    """A descriptor of a folder that no link leads to; raises FileNotFoundError, and Refused for a link or a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (NotADirectoryError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise _unfit(error, "is not a folder of its own", path) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _unfit(error: OSError, what: str, path: str) -> Refused:
    """Nobody is told to remove what he only may not see, nor the link to all that he has."""
    if isinstance(error, PermissionError):
        return Refused("can't be looked into without root's rights", path, "Run the task with become: true.")
    if os.path.islink(path):
        do = "Put what it leads to in its place, or name that instead; remove it if nobody should have made it."
        return Refused(f"{what}: it is a link", path, do)
    return Refused(f"{what} ({error.strerror})", path, "Remove what is there.")


def require_own(path: str) -> None:
    """Refuse a link or a file where a folder is to be; nothing at all is no obstacle."""
    with suppress(FileNotFoundError), folder(path):
        pass


def require_trusted(path: str) -> None:
    """Refuse a path that somebody else could redirect: the owner of each part, and who may write there, decide."""
    part = ""
    for name in [""] + [word for word in path.split("/") if word]:
        part = f"{part.rstrip('/')}/{name}"
        try:
            found = os.lstat(part)
        except FileNotFoundError:
            return
        writable = found.st_mode & 0o002 and not found.st_mode & stat.S_ISVTX and not stat.S_ISLNK(found.st_mode)
        if found.st_uid not in (0, os.geteuid()) or writable:
            raise Refused(
                "others can write there, so a link could be put where files are written as root",
                part,
                "Make it root's alone (chown root, chmod o-w), or choose another root_dir.",
            )


def refusal(require: Callable[[str], None], path: str) -> Refused | None:
    """What is wrong with a path, for whoever refuses it later if anything is to be done there."""
    try:
        require(path)
    except Refused as error:
        return error
    return None


def make_folder(path: str, mode: int = 0o755) -> None:
    """The folder and what is missing above it; one that exists keeps its mode and its owner."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        make_folder(parent)
    # With this it has its mode from the first moment: a run killed before a chmod would leave what no server can enter.
    os.umask(0o022)
    with folder(parent) as descriptor:
        try:
            os.mkdir(os.path.basename(path), mode, dir_fd=descriptor)
        except FileExistsError:
            return
        except OSError as error:
            raise Refused(f"can't be made ({error.strerror})", path, "Make room, or run with become: true.") from None
        os.fsync(descriptor)


def read(path: str) -> Found | None:
    """The file, or None where there is none; Refused for a link, a device or a file of more than 16 MiB."""
    try:
        with folder(os.path.dirname(path)) as parent:
            descriptor = os.open(os.path.basename(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unfit(error, "can't be read", path) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LONGEST:
            raise Refused("is not a plain file of at most 16 MiB", path, "Remove what is there.")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return Found(file.read(), stat.S_IMODE(found.st_mode), found.st_uid, found.st_mtime_ns)
    finally:
        os.close(descriptor)


@contextmanager
def _changing(path: str, how: str) -> Iterator[None]:
    """What a disk refuses, as a sentence."""
    try:
        yield
    except OSError as error:
        do = "Make room, make the disk writable, or repair it."
        raise Refused(f"can't be {how} ({error.strerror})", path, do) from None


def write(path: str, content: bytes, mode: int = 0o644, owner: int = -1) -> None:
    """Put the whole file there at once, on disk before it has its name."""
    name, scratch = os.path.basename(path), _SCRATCH + secrets.token_hex(8)
    with folder(os.path.dirname(path)) as parent, _changing(path, "written"):
        try:
            descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode)
                if owner >= 0:
                    os.fchown(file.fileno(), owner, owner)
                file.flush()
                os.fsync(file.fileno())
            os.rename(scratch, name, src_dir_fd=parent, dst_dir_fd=parent)
        except OSError:
            with suppress(OSError):
                _forget(scratch, parent)
            raise
        os.fsync(parent)


def rename(old: str, new: str) -> None:
    """Give a file or a folder of the same parent another name, replacing a file of that name."""
    with folder(os.path.dirname(new)) as parent, _changing(old, "renamed"):
        os.rename(os.path.basename(old), os.path.basename(new), src_dir_fd=parent, dst_dir_fd=parent)
        os.fsync(parent)


def remove(path: str) -> None:
    with folder(os.path.dirname(path)) as parent, _changing(path, "removed"):
        _forget(os.path.basename(path), parent)
        os.fsync(parent)


def names(path: str) -> list[str]:
    """What a folder holds, sorted, without the scratch files of a run that was killed."""
    try:
        with folder(path) as descriptor:
            return sorted(name for name in os.listdir(descriptor) if not name.startswith(_SCRATCH))
    except FileNotFoundError:
        return []


def sweep(path: str) -> None:
    """Remove the scratch files that a killed run left in the folder."""
    with folder(path) as descriptor, _changing(path, "swept"):
        for name in os.listdir(descriptor):
            if name.startswith(_SCRATCH):
                _forget(name, descriptor)


def own(path: str, owner: int) -> None:
    """Give a folder to an account."""
    with folder(path) as descriptor, _changing(path, "given to its account"):
        os.fchown(descriptor, owner, owner)


def keep_only(parent: str, kept: str) -> None:
    """Remove the folders below ``parent`` but one."""
    for name in names(parent):
        path = f"{parent}/{name}"
        if path != kept and os.path.isdir(path) and not os.path.islink(path):
            with _changing(path, "removed"):
                shutil.rmtree(path)


def _forget(name: str, parent: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)
