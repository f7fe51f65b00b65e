# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths of locations: as nginx compares them, and as clients send them."""

from __future__ import annotations

import re
import urllib.parse
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter

# What nginx reads in a path without giving it another meaning.
_PATH = re.compile(r"/(?:[^\s{};\"'\\$]| ){0,500}")
# What stands for itself in a path, and never in a request's.
_ALWAYS_ENCODED = frozenset(" #%<>`")


def location_path(value: Any, exact: bool, where: str) -> str:
    """A path that requests can have. Whoever may enter one that none has, others enter what was meant."""
    path = names.text(value, where)
    if not _PATH.fullmatch(path):
        raise InvalidParameter(
            f"{path!r} is not a path", where, "Write it like /api/, without quotes, braces, ';', '\\' or '$'."
        )
    meant = compared(path, exact)
    if meant != path:
        can_be_said = _PATH.fullmatch(meant) and meant.isprintable() and compared(meant, exact) == meant
        raise InvalidParameter(
            f"no request has {path!r}: nginx compares decoded paths, without a query and without //, /./ and /../",
            where,
            f"Write {meant!r}." if can_be_said else "Give a path that it begins with.",
        )
    return path


def compared(path: str, exact: bool = True) -> str:
    """What nginx compares of a request's path. The last part of a prefix may go on, so dots there are its own."""
    decoded = urllib.parse.unquote(path.partition("?")[0], errors="surrogateescape")
    *folders, last = re.split("/+", decoded)
    kept: list[str] = []
    for name in folders[1:]:
        _enter(name, kept)
    if exact and last in (".", ".."):
        _enter(last, kept)
        last = ""
    return "/" + "/".join([*kept, last])


def _enter(name: str, kept: list[str]) -> None:
    if name == "..":
        del kept[-1:]
    elif name != ".":
        kept.append(name)


def sent(path: str) -> str:
    """A path as clients send it: what is beyond ASCII in percents."""
    words = (each if each.isascii() and each not in _ALWAYS_ENCODED else urllib.parse.quote(each) for each in path)
    return "".join(words)
