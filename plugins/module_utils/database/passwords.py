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
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Callable, TypeVar

from ansible_collections.flatrun.infra.plugins.module_utils.database import ed25519, mysql_native, saslprep

Work = TypeVar("Work")
Result = TypeVar("Result")

_CRYPT = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CACHING_SHA2 = re.compile(rb"\$A\$([0-9A-F]{3})\$(.{20})(.{43})", re.DOTALL)
_SCRAM = re.compile(rb"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_SALT_ALPHABET = (string.ascii_letters + string.digits).encode()
SCRAM_ROUNDS = 4096
# Fewer are done before the processes are there.
_WORTH_FORKING = 16


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
    # What surrounds the digest repeats after 42 rounds (2 x 3 x 7), so it is put together once, and two by two: an
    # even round has the digest in front, an odd one at the end.
    pairs = []
    for number in range(0, 42, 2):
        even, odd = ((salted if n % 3 else b"") + (secret if n % 7 else b"") for n in (number, number + 1))
        pairs.append((even + secret, secret + odd))
    whole, rest = divmod(rounds // 2, 21)
    for turn in [pairs] * whole + [pairs[:rest]]:
        for after, before in turn:
            digest = sha256(before + sha256(digest + after).digest()).digest()
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
    salted = hashlib.pbkdf2_hmac("sha256", saslprep.prepare(password).encode(), salt, rounds)
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


_MAKES: dict[str, Callable[[bytes, int], bytes]] = {
    "mysql_native_password": lambda password, _thousands: mysql_native.digest(password),
    "caching_sha2_password": caching_sha2,
    "ed25519": lambda password, _thousands: ed25519.public_key(password),
}
_MATCHES: dict[str, Callable[[bytes, bytes], bool]] = {
    "mysql_native_password": lambda password, stored: hmac.compare_digest(
        mysql_native.digest(password), stored.upper()
    ),
    "caching_sha2_password": _matches_caching_sha2,
    "ed25519": lambda password, stored: hmac.compare_digest(ed25519.public_key(password), stored),
}


def _make_one(work: tuple[str, bytes, int]) -> bytes:
    plugin, password, thousands = work
    return _MAKES[plugin](password, thousands)


def _match_one(work: tuple[str, bytes, bytes]) -> bool | None:
    plugin, password, stored = work
    compare = _MATCHES.get(plugin)
    return compare(password, stored) if compare else None


def make_mysql(work: Sequence[tuple[str, bytes, int]]) -> list[bytes]:
    """What is to be kept of each password; each with its plugin, and thousands of rounds for those that have them."""
    return side_by_side(_make_one, work)


def matches_mysql(work: Sequence[tuple[str, bytes, bytes]]) -> list[bool | None]:
    """Whether each is the password that was kept; None for a plugin that this can't be told of."""
    return side_by_side(_match_one, work)


def side_by_side(compute: Callable[[Work], Result], work: Sequence[Work]) -> list[Result]:
    """Compute in one process for each processor. They are forked: one that is started anew can't import a payload.

    None of them waits for work, so that they end by themselves where this one is killed, and take the passwords along.
    """
    processors = len(os.sched_getaffinity(0))
    if len(work) < _WORTH_FORKING or processors < 2:
        return [compute(each) for each in work]
    shares = [work[number::processors] for number in range(processors)]
    forked = [_fork(compute, share) for share in shares[1:]]
    results: list[Any] = [None] * len(work)
    results[::processors] = [compute(each) for each in shares[0]]
    for number, (receiver, process) in enumerate(forked, 1):
        with receiver:
            try:
                results[number::processors] = receiver.recv()
            except EOFError:
                # Killed, most likely for want of memory.
                results[number::processors] = [compute(each) for each in shares[number]]
        process.join()
    return results


def _fork(compute: Callable[[Work], Result], share: Sequence[Work]) -> tuple[Connection, BaseProcess]:
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_results, args=(compute, share, receiver, sender), daemon=True)
    process.start()
    sender.close()
    return receiver, process


def _send_results(
    compute: Callable[[Work], Result], share: Sequence[Work], receiver: Connection, sender: Connection
) -> None:
    # As long as this end were open too, nothing would tell that nobody is there any more.
    receiver.close()
    with suppress(BrokenPipeError), sender:
        sender.send([compute(each) for each in share])


def _make_scram(password: str) -> bytes:
    return scram(password)


def make_postgresql(work: Sequence[str]) -> list[bytes]:
    return side_by_side(_make_scram, work)


def _match_postgresql(work: tuple[str, str, str]) -> bool:
    """PostgreSQL keeps a SCRAM verifier or an MD5 digest."""
    password, user, stored = work
    found = _SCRAM.fullmatch(stored.encode())
    if found:
        salt = base64.b64decode(found[2])
        return hmac.compare_digest(scram(password, salt, int(found[1])), stored.encode())
    return hmac.compare_digest(md5(password.encode(), user.encode()), stored.encode())


def matches_postgresql(work: Sequence[tuple[str, str, str]]) -> list[bool]:
    """Whether each is the password of its user, of which this is stored."""
    return side_by_side(_match_postgresql, work)
