# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own SQL: where a statement ends, and which statements are not to be run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import POSTGRESQL

# What only reads, whatever stands behind it.
_READING = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC"})
# The transaction is ours, and so are the session's settings; the rest reaches beyond the database.
_NEVER = frozenset(
    {
        *("BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "END", "ABORT", "PREPARE", "EXECUTE", "XA"),
        *("SET", "RESET", "DISCARD", "USE", "FLUSH", "KILL", "SHUTDOWN", "COPY", "DO", "LOAD", "HANDLER", "DELIMITER"),
    }
)
_FILES = re.compile(r"\bINTO\s+(?:OUTFILE|DUMPFILE)\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]+")
# Texts, quoted names and comments, as far as the two kinds of engines have them in common.
_SHARED = r"""
  (?P<name>"(?:[^"]|"")*") | (?P<line>--[^\n]*) | (?P<end>;) | (?P<other>[^'"`$#;/\-eE]+|.)
"""
_POSTGRESQL = re.compile(
    r"""(?P<escaped>\b[eE]'(?:[^'\\]|''|\\.)*') | (?P<text>'(?:[^']|'')*')
    | (?P<dollar>\$(?P<tag>[A-Za-z_\x80-\U0010ffff][\w]*)?\$.*?\$(?(tag)(?P=tag)|)\$) | (?P<open>/\*)"""
    "|" + _SHARED,
    re.VERBOSE | re.DOTALL,
)
_MYSQL = re.compile(
    r"""(?P<text>'(?:[^'\\]|''|\\.)*') | (?P<double>"(?:[^"\\]|""|\\.)*") | (?P<tick>`(?:[^`]|``)*`)
    | (?P<hash>\#[^\n]*) | (?P<run>/\*M?!) | (?P<comment>/\*.*?\*/) | (?P<open>/\*)"""
    "|" + _SHARED,
    re.VERBOSE | re.DOTALL,
)
_SILENT = ("line", "hash", "comment")
_QUOTED = ("text", "escaped", "dollar", "name", "double", "tick")


@dataclass(frozen=True)
class Sql:
    """One statement. ``bare`` is what is left without texts, quoted names and comments."""

    text: str
    bare: str

    @property
    def verb(self) -> str:
        found = _WORD.search(self.bare.lstrip("( \t\r\n"))
        return found[0].upper() if found else ""


def split(script: str, engine: str, where: str) -> tuple[Sql, ...]:
    """The statements of a script; each is sent by itself, so that nothing rides along unseen."""
    pattern = _POSTGRESQL if engine == POSTGRESQL else _MYSQL
    found, text, bare, place = [], "", "", 0
    while place < len(script):
        match = pattern.match(script, place)
        if match is None:
            break
        kind, piece = match.lastgroup or "", match[0]
        if kind == "tag":
            kind = "dollar"
        if kind == "open" and engine == POSTGRESQL:
            piece, kind = script[place : _end_of_comment(script, place, where)], "comment"
        if kind in ("open", "run") or piece in ("'", "`") or (piece == '"' and kind == "other"):
            what = "a comment that the server would run" if kind == "run" else f"{piece} that is never closed"
            raise InvalidParameter(f"holds {what}", where, "Remove it.")
        place += len(piece)
        if kind == "end":
            found.append(Sql(text.strip(), bare))
            text = bare = ""
            continue
        text += piece
        bare += " " if kind in _SILENT else "''" if kind in _QUOTED else piece
    found.append(Sql(text.strip(), bare))
    return tuple(each for each in found if each.bare.strip())


def _end_of_comment(script: str, start: int, where: str) -> int:
    """PostgreSQL's comments nest."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", script[start:]):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return start + mark.end()
    raise InvalidParameter("holds /* that is never closed", where, "Remove it.")


def check(statement: Sql, read_only: bool, where: str) -> None:
    """Refuse by name what is not to be run."""
    verb = statement.verb
    if verb in _NEVER:
        raise InvalidParameter(
            f"{verb} is not to be run here", where, "The transaction and the session are the task's."
        )
    if _FILES.search(statement.bare):
        raise InvalidParameter("INTO OUTFILE writes files of the server's host", where, "Take what is returned.")
    if read_only and verb not in _READING:
        raise InvalidParameter(f"{verb or 'it'} is no query that only reads", where, "Say read_only: false.")
    if read_only and verb == "EXPLAIN" and re.search(r"\bANALYZE\b", statement.bare, re.IGNORECASE):
        raise InvalidParameter("EXPLAIN ANALYZE runs what it explains", where, "Leave out ANALYZE.")
