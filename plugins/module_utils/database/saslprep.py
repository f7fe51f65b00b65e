# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SASLprep (RFC 4013): passwords that look the same are the same. PostgreSQL takes one that it forbids as it is."""

from __future__ import annotations

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def prepare(password: str) -> str:
    """The password as both sides compute with it."""
    if password.isascii():
        return password
    mapped = "".join(" " if stringprep.in_table_c12(each) else each for each in password if not _is_nothing(each))
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return password if not prepared or _is_forbidden(prepared) else prepared


def _is_nothing(character: str) -> bool:
    return stringprep.in_table_b1(character)


def _is_forbidden(prepared: str) -> bool:
    if any(table(character) for table in _PROHIBITED for character in prepared):
        return True
    # Section 2.3: with one character that is written from right to left, no other direction, and one at each end.
    if not any(map(stringprep.in_table_d1, prepared)):
        return False
    ends = stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])
    return not ends or any(map(stringprep.in_table_d2, prepared))
