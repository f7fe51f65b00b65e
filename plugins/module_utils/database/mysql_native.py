# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What MySQL and MariaDB keep of a password with mysql_native_password."""

from __future__ import annotations

import hashlib


def digest(password: bytes) -> bytes:
    """SHA-1 of SHA-1, as MySQL's PASSWORD() had it."""
    return b"*" + hashlib.sha1(hashlib.sha1(password).digest()).hexdigest().upper().encode()
