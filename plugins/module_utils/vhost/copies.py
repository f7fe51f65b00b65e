# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copies of certificates beside the releases of one nginx, on the disk."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.pairs import CHAIN, COPIES, KEY, Pair

_USED = re.compile(rf"/{COPIES}/([^/\"]+)/{re.escape(CHAIN)}")


def present(releases: str) -> frozenset[str]:
    return frozenset(files.names(f"{releases}/{COPIES}"))


@contextmanager
def kept(releases: str, pairs: Mapping[str, Pair]) -> Iterator[None]:
    """Have a copy of each pair, whole or not at all; what was made for this is gone again if what follows fails."""
    there = present(releases)
    made = [name for name in pairs if name not in there]
    folder = f"{releases}/{COPIES}"
    empty = [path for path in (folder, releases) if not files.exists(path)]
    try:
        for name in made:
            _copy(folder, name, pairs[name])
        yield
    except FlatrunError:
        for name in made:
            shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
        for path in empty:
            with suppress(OSError):
                os.rmdir(path)
        raise


def forget(releases: str, names: Iterable[str]) -> None:
    """Remove the copies that none of the releases reads. Files that releases have in common are read once."""
    there = present(releases)
    if not there:
        return
    used: set[str] = set()
    seen: set[int] = set()
    for name in names:
        with suppress(FileNotFoundError), os.scandir(f"{releases}/{name}/vhosts") as entries:
            for entry in entries:
                if entry.inode() not in seen and entry.is_file(follow_symlinks=False):
                    seen.add(entry.inode())
                    with open(entry.path, encoding="utf-8", errors="surrogateescape") as file:
                        used.update(_USED.findall(file.read()))
    for name in there - used:
        shutil.rmtree(f"{releases}/{COPIES}/{name}", ignore_errors=True)


def _copy(folder: str, name: str, pair: Pair) -> None:
    scratch = f"{folder}/.flatrun-{name}"
    shutil.rmtree(scratch, ignore_errors=True)
    files.make_folder(scratch)
    files.write(f"{scratch}/{CHAIN}", pair.chain.encode("utf-8", "surrogateescape"))
    files.write(f"{scratch}/{KEY}", pair.key.reveal().encode("utf-8", "surrogateescape"), 0o600, pair.owner)
    files.rename(scratch, f"{folder}/{name}")
