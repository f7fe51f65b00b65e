# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers keep of passwords: making it, and telling whether a password is the one that was kept.

Nothing of the password itself is ever sent, so that no log of a server can hold it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import string
from typing import Callable

_CRYPT = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CACHING_SHA2 = re.compile(rb"\$A\$([0-9A-F]{3})\$(.{20})(.{43})", re.DOTALL)
_SCRAM = re.compile(rb"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_SALT_ALPHABET = (string.ascii_letters + string.digits).encode()
SCRAM_ROUNDS = 4096


def native(password: bytes) -> bytes:
    """mysql_native_password: SHA-1 of SHA-1, as MySQL's PASSWORD() had it."""
    return b"*" + hashlib.sha1(hashlib.sha1(password).digest()).hexdigest().upper().encode()


def caching_sha2(password: bytes, thousands: int, salt: bytes = b"") -> bytes:
    """caching_sha2_password: ``$A$``, the rounds in hex thousands, 20 bytes of salt, SHA-256 crypt's digest."""
    salt = salt or bytes(secrets.choice(_SALT_ALPHABET) for _position in range(20))
    return b"$A$%03X$%s%s" % (thousands, salt, _sha256_crypt(password, salt, thousands * 1000))


def _repeated(pattern: bytes, length: int) -> bytes:
    return (pattern * (length // len(pattern) + 1))[:length] if pattern else b""


def _sha256_crypt(password: bytes, salt: bytes, rounds: int) -> bytes:
    """SHA-256 crypt (https://www.akkadia.org/drepper/SHA-crypt.txt), with a salt that isn't cut to 16 bytes."""
    sha256 = hashlib.sha256
    alternate = sha256(password + salt + password).digest()
    first = password + salt + _repeated(alternate, len(password))
    bits = len(password)
    while bits:
        first += alternate if bits & 1 else password
        bits >>= 1
    digest = sha256(first).digest()
    secret = _repeated(sha256(password * len(password)).digest(), len(password))
    salted = _repeated(sha256(salt * (16 + digest[0])).digest(), len(salt))
    # What surrounds the digest repeats after 42 rounds (2 x 3 x 7), so it is put together once.
    around = []
    for number in range(42):
        middle = (salted if number % 3 else b"") + (secret if number % 7 else b"")
        around.append((b"", middle + secret) if number % 2 == 0 else (secret + middle, b""))
    whole, rest = divmod(rounds, 42)
    for _turn in range(whole):
        for before, after in around:
            digest = sha256(before + digest + after).digest()
    for before, after in around[:rest]:
        digest = sha256(before + digest + after).digest()
    return _crypt_base64(digest)


def _crypt_base64(digest: bytes) -> bytes:
    """The digest's bytes in SHA-256 crypt's own order and alphabet."""
    text = []
    first, second, third = 0, 10, 20
    for _group in range(10):
        text += _four(digest[first], digest[second], digest[third], 4)
        first, second, third = third + 1, first + 1, second + 1
    text += _four(0, digest[31], digest[30], 3)
    return "".join(text).encode()


def _four(high: int, middle: int, low: int, count: int) -> list[str]:
    bits = high << 16 | middle << 8 | low
    return [_CRYPT[bits >> 6 * position & 63] for position in range(count)]


def scram(password: str, salt: bytes = b"", rounds: int = SCRAM_ROUNDS) -> bytes:
    """A SCRAM-SHA-256 verifier as PostgreSQL keeps it (RFC 5803)."""
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt, stored, server = (base64.b64encode(part) for part in (salt, stored, server))
    return b"SCRAM-SHA-256$%d:%s$%s:%s" % (rounds, salt, stored, server)


def md5(password: bytes, user: bytes) -> bytes:
    """PostgreSQL's md5: the name is the salt."""
    return b"md5" + hashlib.md5(password + user).hexdigest().encode()


def _matches_caching_sha2(password: bytes, stored: bytes) -> bool:
    found = _CACHING_SHA2.fullmatch(stored)
    return found is not None and hmac.compare_digest(caching_sha2(password, int(found[1], 16), found[2]), stored)


_MATCHES: dict[str, Callable[[bytes, bytes], bool]] = {
    "mysql_native_password": lambda password, stored: hmac.compare_digest(native(password), stored.upper()),
    "caching_sha2_password": _matches_caching_sha2,
}


def matches_mysql(plugin: str, password: bytes, stored: bytes) -> bool | None:
    """Whether it is the account's password; None for a plugin that this can't be told of."""
    compare = _MATCHES.get(plugin)
    return compare(password, stored) if compare else None


def matches_postgresql(password: str, user: str, stored: str) -> bool:
    """Whether it is the role's password, of which the server keeps a SCRAM verifier or an MD5 digest."""
    found = _SCRAM.fullmatch(stored.encode())
    if found:
        salt = base64.b64decode(found[2])
        return hmac.compare_digest(scram(password, salt, int(found[1])), stored.encode())
    return hmac.compare_digest(md5(password.encode(), user.encode()), stored.encode())
