# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small values of nginx' own kinds, checked at the edge."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter

Version = tuple[int, ...]

_DURATION = re.compile(r"\d{1,9}(?:ms|s|m|h|d)?")
_SIZE = re.compile(r"\d{1,12}[kKmMgG]?")
_NO_VARIABLE = re.compile(r"\$(?!\{[A-Za-z0-9_]+\}|[A-Za-z0-9_])")
# Less than a token of RFC 9110, section 5.6.2: what nginx would read as a variable is left out.
_HEADER = re.compile(r"[A-Za-z0-9_.-]{1,100}")


def version_of(given: str) -> Version:
    """``1.27.4-1~trixie`` to (1, 27, 4); empty for what is no version."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", given)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def whole(value: Any, where: str, least: int, most: int) -> int:
    """A whole number; a survey hands numbers over as strings."""
    try:
        number = int(str(value))
    except ValueError:
        number = least - 1
    if isinstance(value, (bool, float)) or not least <= number <= most:
        raise InvalidParameter(f"{value!r} is not a whole number from {least} to {most}", where)
    return number


def duration(value: Any, where: str, least: str = "ms") -> str:
    """``90``, ``90s`` or ``5m``, as nginx writes it; where it takes no milliseconds, ``least`` is ``s``."""
    found = str(value).strip()
    if isinstance(value, bool) or not _DURATION.fullmatch(found):
        raise InvalidParameter(f"{value!r} is not a duration", where, "Write it like 30s or 5m.")
    if least != "ms" and found.endswith("ms"):
        raise InvalidParameter("is taken by nginx in whole seconds alone", where, "Write it like 30s or 5m.")
    return f"{found}s" if found.isdigit() else found


def size(value: Any, where: str) -> str:
    """``64m``, as nginx writes it; 0 is without limit."""
    found = str(value).strip()
    if isinstance(value, bool) or not _SIZE.fullmatch(found):
        raise InvalidParameter(f"{value!r} is not a size", where, "Write it like 64m, or 0 for no limit.")
    return found.lower()


def unscoped(address: str) -> str:
    """An address for Python's ipaddress, which takes any text at all behind a "%"; raises ValueError for one."""
    if "%" in address:
        raise ValueError(address)
    return address


def readable(value: Any, where: str) -> str:
    """A text that becomes one argument; it may hold nginx' variables."""
    found = names.text(value, where)
    if _NO_VARIABLE.search(found):
        raise InvalidParameter("holds a '$' without a variable's name behind it", where, "nginx has no way to mean it.")
    return found


def header_name(value: Any, where: str) -> str:
    name = names.text(value, where)
    if not _HEADER.fullmatch(name):
        raise InvalidParameter(f"{name!r} is not the name of a header", where)
    return name
