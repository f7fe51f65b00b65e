# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What MariaDB keeps of a password with its plugin ed25519: the public key of a key pair made from it.

RFC 8032, section 5.1.5, with the password in place of the 32 random bytes, so no library of the usual kind does it.
"""

from __future__ import annotations

import base64
import hashlib

_P = 2**255 - 19
_D = -121665 * pow(121666, _P - 2, _P) % _P
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y = 46316835694926478169428394003475163141307993866256225615783033603165251855960
# X, Y, Z and T of extended coordinates (RFC 8032, section 5.1.4).
_Point = tuple[int, int, int, int]
_BASE: _Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)


def public_key(password: bytes) -> bytes:
    """Base64 without its last sign, as the server keeps it."""
    scalar = int.from_bytes(hashlib.sha512(password).digest()[:32], "little")
    scalar = scalar & ~(7 | 1 << 255) | 1 << 254
    x, y, z, _t = _times(scalar, _BASE)
    inverse = pow(z, _P - 2, _P)
    x, y = x * inverse % _P, y * inverse % _P
    return base64.b64encode((y | (x & 1) << 255).to_bytes(32, "little")).rstrip(b"=")


def _times(scalar: int, point: _Point) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _plus(total, point)
        point = _plus(point, point)
        scalar >>= 1
    return total


def _plus(first: _Point, second: _Point) -> _Point:
    a = (first[1] - first[0]) * (second[1] - second[0]) % _P
    b = (first[1] + first[0]) * (second[1] + second[0]) % _P
    c = 2 * first[3] * second[3] * _D % _P
    d = 2 * first[2] * second[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P
