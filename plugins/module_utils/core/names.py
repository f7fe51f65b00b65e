# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and small values that come from outside, checked once at the edge."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter

# What the engine itself accepts (RestrictedNamePattern of moby), less than a DNS label's 63 characters,
# because containers find each other by this name.
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}")
# A name that becomes a file: no directory, no hidden file, nothing a shell or an include pattern would read.
_FILE = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,99}")
_SIZES = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt])?(?:i?b)?", re.IGNORECASE)
# As Ansible itself reads them, which hands over as they are what it knows no type of.
_FLAGS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}


def text(value: Any, where: str) -> str:
    """A non-empty string without control characters and halves of others."""
    if not isinstance(value, str):
        raise InvalidParameter(f"must be a string, and {value!r} is not", where, "Put it into quotes.")
    if not value:
        raise InvalidParameter("must not be empty", where)
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise InvalidParameter("holds a control character", where, "Remove it.")
    return encodable(str(value), where)


def encodable(value: str, where: str) -> str:
    """A text that can be written down: JSON knows halves of characters, and UTF-8 doesn't."""
    if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise InvalidParameter("holds half a character (a lone surrogate)", where, "Remove it.")
    return value


def flag(value: Any, where: str) -> bool:
    """True or false; a survey hands booleans over as strings."""
    found = _FLAGS.get(str(value).strip().lower())
    if found is None:
        raise InvalidParameter(f"{value!r} is neither true nor false", where)
    return found


def container_name(value: Any, where: str) -> str:
    return _matching(_CONTAINER, value, where, "a container's name: letters, digits, '_', '.' and '-', 2 to 63 of them")


def network_name(value: Any, where: str) -> str:
    return _matching(_CONTAINER, value, where, "a network's name: letters, digits, '_', '.' and '-', 2 to 63 of them")


def file_name(value: Any, where: str) -> str:
    return _matching(_FILE, value, where, "a plain file name: letters, digits, '_', '.' and '-', and no '.' first")


def port(value: Any, where: str) -> int:
    """A TCP port from 1 to 65535; a survey hands numbers over as strings."""
    # int() takes more than a port is written as: "8_0", " 80" and digits of other scripts.
    number = int(str(value)) if re.fullmatch("[0-9]{1,5}", str(value)) else 0
    if not 1 <= number <= 65535:
        raise InvalidParameter(f"{value!r} is not a port", where, "Give a number from 1 to 65535.")
    return number


def size(value: Any, where: str) -> int:
    """Bytes, from a number or a text like ``512m`` (binary units, as the engine counts)."""
    found = _SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or not found:
        raise InvalidParameter(f"{value!r} is not a size", where, "Write it like 512m or 2g.")
    return int(float(found.group(1)) * _SIZES[(found.group(2) or "b").lower()])


def absolute_path(value: Any, where: str) -> str:
    path = text(value, where)
    if not path.startswith("/") or ".." in path.split("/"):
        raise InvalidParameter(f"{path!r} is not an absolute path without '..'", where)
    return "/" + "/".join(part for part in path.split("/") if part)


def distinct(values: Iterable[str], where: str, what: str) -> None:
    """Refuse what is named twice, since one of the two would silently win."""
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise InvalidParameter(f"{what} {twice[0]!r} is listed twice", where, "Keep one of them.")


def _matching(pattern: re.Pattern[str], value: Any, where: str, kind: str) -> str:
    name = text(value, where)
    if not pattern.fullmatch(name):
        raise InvalidParameter(f"{name!r} is not {kind}", where)
    return name
