# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names a vhost answers to, as nginx compares them: lower case, in punycode, without a dot at the end."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import unscoped

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST = 253
# Letters, marks and digits of any script. Signs, spaces and what turns the direction of writing are in no name.
_CATEGORIES = ("L", "M", "N")


def server_name(value: Any, where: str) -> str:
    """A domain, wildcard as nginx has them (``*.example.com``, ``www.example.*``, ``.example.com``), or an address."""
    given = names.text(value, where)
    address = _address(given)
    if address:
        return address
    bare = unicodedata.normalize("NFC", given).lower()
    bare = bare[:-1] if bare.endswith(".") and not bare.startswith(".") else bare
    first = next((prefix for prefix in ("*.", ".") if bare.startswith(prefix)), "")
    last = ".*" if bare.endswith(".*") and not first else ""
    labels = [_label(label, given, where) for label in bare[len(first) : len(bare) - len(last)].split(".")]
    name = first + ".".join(labels) + last
    if len(name) > _LONGEST:
        raise InvalidParameter(f"{given!r} is longer than {_LONGEST} characters", where)
    if (labels[-1].isdigit() and len(labels) > 1) or labels == ["_"]:
        raise InvalidParameter(f"{given!r} is neither a domain nor an address", where)
    return name


def spelled_out(names: Iterable[str]) -> Iterator[str]:
    """The names as nginx compares them: ``.example.com`` is ``example.com`` and ``*.example.com``."""
    for name in names:
        yield from (name[1:], f"*{name}") if name.startswith(".") else (name,)


def _address(given: str) -> str:
    try:
        address = ipaddress.ip_address(unscoped(given[1:-1] if given[:1] + given[-1:] == "[]" else given))
    except ValueError:
        return ""
    return str(address) if address.version == 4 else f"[{address}]"


def _label(label: str, given: str, where: str) -> str:
    encoded = label
    if not label.isascii():
        strange = [character for character in label if unicodedata.category(character)[0] not in _CATEGORIES]
        encoded = "" if set(strange) - {"-"} else "xn--" + label.encode("punycode").decode("ascii")
    if not _LABEL.fullmatch(encoded):
        raise InvalidParameter(
            f"{given!r} is not a domain", where, "Write it like blog.example.com, *.example.com or 192.0.2.1."
        )
    return encoded
