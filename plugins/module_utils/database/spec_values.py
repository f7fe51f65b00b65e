# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values inside of a task's items: names, privileges, attributes and limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import ALL, GRANT_OPTION, MEMBER

# A privilege, and the columns it is limited to.
Privilege = tuple[str, tuple[str, ...]]
_PRIVILEGE = re.compile(r"([A-Za-z][A-Za-z0-9_ ]*?)\s*(?:\(([^()]+)\))?")
_WORD = re.compile(r"[A-Z][A-Z_]*")
_TIME = re.compile(r"infinity|(\d{4})-(\d\d)-(\d\d)[0-9T :.+-]*", re.ASCII)
_TLS_PARTS = ("cipher", "issuer", "subject")
LIMITS = (
    "max_queries_per_hour",
    "max_updates_per_hour",
    "max_connections_per_hour",
    "max_user_connections",
    "valid_until",
)


def name(value: Any, where: str) -> str:
    """A name as the server will have it; what each engine refuses in one is known to its own rules."""
    if not isinstance(value, str) or not value:
        raise InvalidParameter(f"must be a name, and {value!r} is none", where)
    if "\0" in value or any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise InvalidParameter("holds NUL or half a character, which no name can", where)
    return str(value)


def optional(params: Mapping[str, Any], key: str) -> str:
    """A name that may be left out."""
    return name(params[key], key) if params.get(key) else ""


def seconds(value: int, where: str, most: int) -> int:
    if not 1 <= value <= most:
        raise InvalidParameter(f"must be from 1 to {most} seconds", where)
    return value


def objects(given: Iterable[Any]) -> tuple[str, ...]:
    """Empty for all that there are, which is written as nothing or as ``*``."""
    found = tuple(name(value, f"objects[{index}]") for index, value in enumerate(given))
    if "*" in found and len(found) > 1:
        raise InvalidParameter("'*' is all of them, so nothing stands beside it", "objects")
    return () if found == ("*",) else found


def privileges(given: Sequence[Any] | None, kind: str) -> tuple[Privilege, ...]:
    if kind == "role":
        if given and [str(each).upper() for each in given] not in ([MEMBER], [ALL]):
            raise InvalidParameter("a role is only to be a member of", "privileges", "Leave it out.")
        return ((MEMBER, ()),)
    if given is None:
        raise InvalidParameter("is needed", "privileges", "Name them, or say ALL.")
    found: dict[Privilege, None] = {}
    for index, value in enumerate(given):
        where = f"privileges[{index}]"
        parts = _PRIVILEGE.fullmatch(value.strip()) if isinstance(value, str) else None
        if not parts:
            raise InvalidParameter(f"{value!r} is not a privilege", where, "Write it like SELECT or UPDATE (a, b).")
        word = " ".join(parts[1].upper().split())
        if word == GRANT_OPTION:
            raise InvalidParameter("is not to be named here", where, "Say grant_option: true.")
        columns = tuple(name(column.strip(), where) for column in parts[2].split(",")) if parts[2] else ()
        found[ALL if word == "ALL PRIVILEGES" else word, columns] = None
    return tuple(found)


def attributes(given: Iterable[Any]) -> dict[str, bool]:
    """CREATEDB holds and NOCREATEDB doesn't; UNLOCKED is not LOCKED."""
    found: dict[str, bool] = {}
    for index, value in enumerate(given):
        where = f"attributes[{index}]"
        word = value.strip().upper() if isinstance(value, str) else ""
        if not _WORD.fullmatch(word):
            raise InvalidParameter(f"{value!r} is not an attribute", where, "Write it like CREATEDB or NOLOGIN.")
        negative = (word.startswith("NO") and word != "NO") or word == "UNLOCKED"
        bare = word[2:] if negative else word
        if found.setdefault(bare, not negative) == negative:
            raise InvalidParameter(f"{bare} is asked for and refused at once", where, "Keep one of them.")
    return found


def limits(given: Mapping[Any, Any]) -> dict[str, str]:
    found = {}
    for key, value in given.items():
        where = f"limits.{key}"
        if key not in LIMITS:
            raise InvalidParameter("is not known", where, f"Take of: {', '.join(LIMITS)}.")
        if key == "valid_until":
            if not _is_time(value):
                raise InvalidParameter(f"{value!r} is not a time", where, "Write it like '2030-12-31 00:00:00+00'.")
            found[key] = value
        elif isinstance(value, bool) or not re.fullmatch(r"-1|\d{1,9}", str(value)):
            raise InvalidParameter(f"{value!r} is not a number", where)
        else:
            found[key] = str(int(value))
    return found


def _is_time(value: Any) -> bool:
    """Whether it begins with a day that there is; what the server makes of the rest, it says."""
    parts = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not parts or parts[0] == "infinity":
        return bool(parts)
    try:
        date(int(parts[1]), int(parts[2]), int(parts[3]))
    except ValueError:
        return False
    return True


def tls_requires(given: Any) -> str:
    """none, ssl, x509, or parts such as ``issuer '...' and subject '...'`` in the order of their names."""
    if isinstance(given, str) and given.lower() in ("none", "ssl", "x509"):
        return given.lower()
    if not isinstance(given, dict) or not given or not set(given) <= set(_TLS_PARTS):
        raise InvalidParameter(
            f"{given!r} is not a requirement", "tls_requires", "Take none, ssl, x509, or cipher, issuer and subject."
        )
    for key, value in given.items():
        if not isinstance(value, str) or not value or "\0" in value:
            raise InvalidParameter("must be a text", f"tls_requires.{key}")
    return tls_text(given)


def tls_text(parts: Mapping[str, str]) -> str:
    return " AND ".join(f"{key.upper()} '{_escaped(parts[key])}'" for key in _TLS_PARTS if parts.get(key))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "''")
