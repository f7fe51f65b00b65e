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
    """The password as both sides compute with it.

    In two things as libpq does it, for what a client makes of a password is what counts: U+200B, which is both a
    space and nothing, is a space, and what is forbidden is looked for before the text is normalized.
    """
    if password.isascii():
        return password
    spaced = (" " if stringprep.in_table_c12(each) else each for each in password)
    mapped = "".join(each for each in spaced if not stringprep.in_table_b1(each))
    return password if not mapped or _is_forbidden(mapped) else unicodedata.normalize("NFKC", mapped)


def _is_forbidden(mapped: str) -> bool:
    if any(table(character) for table in _PROHIBITED for character in mapped):
        return True
    # Section 2.3: with one character that is written from right to left, no other direction, and one at each end.
    if not any(map(stringprep.in_table_d1, mapped)):
        return False
    ends = stringprep.in_table_d1(mapped[0]) and stringprep.in_table_d1(mapped[-1])
    return not ends or any(map(stringprep.in_table_d2, mapped))
