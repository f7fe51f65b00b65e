# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are a type: they print redacted, and whoever wants the text has to say so."""

from __future__ import annotations

import base64
import hmac
import json
import secrets as random
import string
from typing import Any, NoReturn
from urllib.parse import quote

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.core.names import encodable

SECRET = "(secret)"
GENERATED = "(generated)"


class Secret:
    """A text that must not be seen; ``reveal()`` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return SECRET

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return SECRET

    def __eq__(self, other: object) -> bool:
        # compare_digest, so that the time a comparison takes tells nothing about the text.
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not to be pickled")


def parse_secret(value: Any, where: str, instead: str = "Give one.") -> Secret:
    """A secret from a parameter.

    YAML turns ``0123`` into 83 and ``yes`` into a boolean, so anything but a string is refused instead of being
    turned back into a text that nobody wrote. NUL ends a string in C, in files and in SQL alike.
    """
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        what = f"a password must be a string, and this is {kind_of(value)}"
        raise InvalidParameter(what, where, "Put it into quotes.")
    if not value:
        raise InvalidParameter("an empty password is none", where, instead)
    if any(forbidden in value for forbidden in "\0\r\n"):
        raise InvalidParameter("a password can't hold NUL or a line break", where, "Choose another one.")
    return Secret(encodable(str(value), where))


def generate(length: int = 32) -> Secret:
    """A strong random password of ASCII letters and digits: 32 of them carry 190 bits."""
    alphabet = string.ascii_letters + string.digits
    return Secret("".join(random.choice(alphabet) for _position in range(length)))


def disguises(text: str) -> frozenset[str]:
    """The spellings under which a secret could turn up: plain, SQL, URL, base64, JSON and shell."""
    quoted = text.replace("'", "''")
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    shell = text.replace("'", "'\"'\"'")
    encoded = base64.b64encode(text.encode()).decode()
    return frozenset(
        {text, quoted, escaped, shell, encoded, encoded.rstrip("="), quote(text, safe=""), json.dumps(text)[1:-1]}
    )


def kind_of(value: Any) -> str:
    """What something is, told without showing it."""
    names = {bool: "a boolean", int: "a number", float: "a number", dict: "a mapping", list: "a list", str: "a text"}
    return "nothing" if value is None else names.get(type(value), f"of type {type(value).__name__}")
