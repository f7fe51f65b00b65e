# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a statement ends: texts, quoted names and comments as each server reads them, to the letter.

What is read here otherwise than there would ride along unseen, so this follows the servers' own lexers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import POSTGRESQL

# A closing quote is none where another one follows: the two stand for one.
_COMMON = r"""
  (?P<never>/\*|'|"|`) | (?P<end>;) | (?P<other>[0-9\s,()=.]+|.)
"""
# A comment ends with a carriage return too. What follows E'' on a later line belongs to it, and is read like it. A
# dollar or an E within a name begins nothing, and what isn't ASCII belongs to names.
_POSTGRESQL = re.compile(
    r"""
    (?P<silent>--[^\n\r]*)
    | (?P<quoted>
        [eE]'(?:[^'\\]|''|\\.)*'(?!')
            (?:[ \t\f\v]*(?:--[^\n\r]*)?[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'(?:[^'\\]|''|\\.)*'(?!'))*
        | '(?:[^']|'')*'(?!') | "(?:[^"]|"")*"(?!")
        | \$(?P<tag>[A-Za-z_\x80-\U0010ffff][A-Za-z_0-9\x80-\U0010ffff]*)?\$.*?\$(?(tag)(?P=tag)|)\$)
    | (?P<broken>[eE]'|\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z_0-9\x80-\U0010ffff]*)?\$)
    | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z_0-9$\x80-\U0010ffff]*)
    | (?P<backtick>`)
    |"""
    + _COMMON,
    re.VERBOSE | re.DOTALL,
)
# Two dashes begin a comment only before white space, a control character or the end.
_MYSQL = re.compile(
    r"""
    (?P<silent>--(?=[\x00-\x20\x7f]|\Z)[^\n]* | \#[^\n]* | /\*(?!M?!).*?\*/)
    | (?P<quoted>'(?:[^'\\]|''|\\.)*'(?!') | "(?:[^"\\]|""|\\.)*"(?!") | `(?:[^`]|``)*`(?!`))
    | (?P<run>/\*M?!)
    |"""
    + _COMMON,
    re.VERBOSE | re.DOTALL,
)
# The space of SQL, which is less than Python's.
_SPACE = " \t\n\r\f\v"
_VERB = re.compile(r"[ \t\n\r\f\v(]*([A-Za-z_0-9$\x80-\U0010ffff]+)")


@dataclass(frozen=True)
class Sql:
    """One statement. ``bare`` is what is left without texts, quoted names and comments."""

    text: str
    bare: str

    @property
    def verb(self) -> str:
        found = _VERB.match(self.bare)
        # Outside ASCII there are letters whose capitals are in it.
        return found[1].upper() if found and found[1].isascii() else ""


def split(script: str, engine: str, where: str) -> tuple[Sql, ...]:
    """The statements of a script; each is sent by itself, so that nothing rides along unseen."""
    pattern = _POSTGRESQL if engine == POSTGRESQL else _MYSQL
    found, text, bare, place = [], "", "", 0
    while match := pattern.match(script, place):
        kind, piece = match.lastgroup, match[0]
        if kind == "never" and piece == "/*" and engine == POSTGRESQL:
            kind, piece = "silent", script[place : _end_of_comment(script, place, where)]
        if kind in ("never", "broken", "run"):
            what = "a comment that the server would run" if kind == "run" else f"{piece} that is never closed"
            raise InvalidParameter(f"holds {what}", where, "Remove it.")
        place += len(piece)
        if kind == "end":
            found.append(Sql(text.strip(_SPACE), bare))
            text = bare = ""
            continue
        text += piece
        bare += " " if kind == "silent" else "''" if kind == "quoted" else piece
    found.append(Sql(text.strip(_SPACE), bare))
    return tuple(each for each in found if each.bare.strip(_SPACE))


def _end_of_comment(script: str, start: int, where: str) -> int:
    """PostgreSQL's comments nest."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", script[start:]):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return start + mark.end()
    raise InvalidParameter("holds /* that is never closed", where, "Remove it.")
