# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords of basic auth: SHA-512 crypt, since Python has no crypt() any more. Pure: the salt comes from outside.

The scheme is Ulrich Drepper's (https://www.akkadia.org/drepper/SHA-crypt.txt), as crypt(3) has it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ROUNDS = 5000
_HASH = re.compile(r"\$6\$(?:rounds=(\d{4,9})\$)?([./0-9A-Za-z]{1,16})\$[./0-9A-Za-z]{86}")
_BCRYPT = re.compile(r"\$2[aby]\$\d{2}\$[./0-9A-Za-z]{53}")
# The order in which the scheme spells the 64 bytes, three at a time.
_TRIPLES = [(0, 21, 42)]
while len(_TRIPLES) < 21:
    _TRIPLES.append((_TRIPLES[-1][1] + 1, _TRIPLES[-1][2] + 1, _TRIPLES[-1][0] + 1))


def is_hash(text: str) -> bool:
    """Whether nginx takes it for a hash: SHA-512 or bcrypt."""
    return bool(_HASH.fullmatch(text) or _BCRYPT.fullmatch(text))


@lru_cache(maxsize=4096)
def matches(secret: Secret, hashed: str) -> bool:
    found = _HASH.fullmatch(hashed)
    if not found:
        return False
    return hmac.compare_digest(_crypt(secret.reveal().encode(), found[2], int(found[1] or 0)), hashed)


def hash_password(secret: Secret, salt: str) -> str:
    """``salt`` is 1 to 16 letters and digits."""
    return _crypt(secret.reveal().encode(), salt, 0)


def _crypt(password: bytes, salt_text: str, rounds: int) -> str:
    salt, length = salt_text.encode(), len(password)
    digest = _mixed(password, salt)
    of_password = _repeated(hashlib.sha512(password * length).digest(), length)
    of_salt = _repeated(hashlib.sha512(salt * (16 + digest[0])).digest(), len(salt))
    for number in range(rounds or _ROUNDS):
        odd = number % 2
        parts = of_password if odd else digest
        parts += of_salt if number % 3 else b""
        parts += of_password if number % 7 else b""
        parts += digest if odd else of_password
        digest = hashlib.sha512(parts).digest()
    prefix = f"rounds={rounds}$" if rounds else ""
    return f"$6${prefix}{salt_text}${_spelled(digest)}"


def _mixed(password: bytes, salt: bytes) -> bytes:
    length = len(password)
    inner = hashlib.sha512(password + salt + password).digest()
    outer = hashlib.sha512(password + salt + _repeated(inner, length))
    while length:
        outer.update(inner if length & 1 else password)
        length >>= 1
    return outer.digest()


def _repeated(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _spelled(digest: bytes) -> str:
    words = [(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _TRIPLES] + [(digest[63], 2)]
    return "".join(_ALPHABET[word >> 6 * place & 63] for word, count in words for place in range(count))
