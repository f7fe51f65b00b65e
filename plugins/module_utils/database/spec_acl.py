# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis' rules as a task says them, each part in one spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.database import redis_acl as acl

# The server's own idea of what ends a word.
SPACES = frozenset(" \t\n\v\f\r")
_COMMAND = re.compile(r"([+-]?)(@?)([a-z0-9_.-]+(?:\|[a-z0-9_.-]+)?)")
_KEY = re.compile(r"(?:~|%(?:R|W|RW|WR)~)", re.IGNORECASE)


def rules(entry: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The parts that are said: patterns in one order, commands in their own, for theirs counts."""
    found: dict[str, tuple[str, ...]] = {}
    if "keys" in entry:
        found["keys"] = acl.patterns("keys", _patterns(entry["keys"], "keys", "~", "%"))
    if "channels" in entry:
        found["channels"] = acl.patterns("channels", _patterns(entry["channels"], "channels", "&", ""))
    if "commands" in entry:
        found["commands"] = tuple(_command(each, f"commands[{index}]") for index, each in enumerate(entry["commands"]))
    return found


def _patterns(given: list[Any], key: str, sign: str, limited: str) -> Iterator[str]:
    for index, value in enumerate(given):
        where = f"{key}[{index}]"
        if not isinstance(value, str) or not value or any(each in SPACES or each == "\0" for each in value):
            raise InvalidParameter(f"{value!r} is no pattern: empty, or with a space", where, "Write ? for a space.")
        if limited and value.startswith(limited):
            start = _KEY.match(value)
            if not start:
                raise InvalidParameter(f"{value!r} begins like %R~ and is none", where, f"Write {sign}{value}.")
            yield start[0].upper() + value[start.end() :]
        else:
            yield value if value.startswith(sign) else f"{sign}{value}"


def _command(value: Any, where: str) -> str:
    parts = _COMMAND.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if not parts or (parts[2] and "|" in parts[3]):
        raise InvalidParameter(
            f"{value!r} is not a command", where, "Write it like get, -keys, config|get or @read, or +@all for all."
        )
    return f"{parts[1] or '+'}{parts[2]}{parts[3]}"
