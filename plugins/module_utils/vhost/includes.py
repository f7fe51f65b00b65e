# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How somebody else's configuration leads to one file, and what it would be with another in its place. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Callable

from ansible_collections.flatrun.infra.plugins.module_utils.vhost.place import inclusion
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.syntax import includes

_PATTERN = re.compile(r"[*?\[]")
_DEEPEST = 10
_HEADER = re.compile(r"^# configuration file (/.*):$", re.MULTILINE)


@dataclass(frozen=True)
class Files:
    """The files of a configuration, by the paths that nginx has for them.

    ``prefix`` is the folder that relative names begin in, ``known`` what is read already, ``read`` reads another.
    """

    prefix: str
    known: Mapping[str, str] = field(default_factory=dict)
    names: Collection[str] = ()
    read: Callable[[str], str] = lambda _path: ""

    def text(self, path: str) -> str:
        return self.known[path] if path in self.known else self.read(path)

    def matching(self, pattern: str) -> list[str]:
        """Files of a pattern, in nginx' order. As for a shell, a star stands for no slash, and no leading dot."""
        folder, _slash, name = pattern.rpartition("/")
        every = {*self.known, *self.names}
        return sorted(path for path in every if path.rpartition("/")[0] == folder and _fits(path, name))


def instead(files: Files, path: str, entry: str, words: str, depth: int = 0) -> str:
    """The text of a file with ``words`` wherever it leads to ``entry``; empty if it doesn't lead there."""
    text = files.text(path)
    pieces: list[str] = []
    place = 0
    for found in includes(text):
        pattern = found.pattern if found.pattern.startswith("/") else files.prefix + found.pattern
        put = _put(files, pattern, entry, words, depth)
        if put:
            pieces += [text[place : found.start], put]
            place = found.end
    return "".join([*pieces, text[place:]]) if pieces else ""


def _put(files: Files, pattern: str, entry: str, words: str, depth: int) -> str:
    """What an ``include`` becomes; empty if it stays."""
    if depth >= _DEEPEST:
        return ""
    paths = files.matching(pattern) if _PATTERN.search(pattern) else [pattern]
    put = [words if each == entry else instead(files, each, entry, words, depth + 1) for each in paths]
    return "".join(text or inclusion([each]) for each, text in zip(paths, put)) if any(put) else ""


def _fits(path: str, pattern: str) -> bool:
    name = path.rpartition("/")[2]
    return fnmatchcase(name, pattern) and (not name.startswith(".") or pattern.startswith("."))


def dumped(said: str) -> dict[str, str]:
    """What ``nginx -T`` prints: its files by their paths."""
    parts = _HEADER.split(said)
    return {path: text.removeprefix("\n") for path, text in zip(parts[1::2], parts[2::2])}
