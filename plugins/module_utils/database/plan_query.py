# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own SQL: which statements are not to be run, and whether its arguments have their places."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Union

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_lexer import Sql, split

Arguments = Union[tuple[Any, ...], Mapping[str, Any], None]
_EXPLAINING = frozenset({"EXPLAIN", "DESCRIBE", "DESC"})
# What only reads, whatever stands behind it.
_READING = _EXPLAINING | {"SELECT", "WITH", "VALUES", "TABLE", "SHOW"}
# The transaction is ours, and so are the session's settings; the rest reaches beyond the database.
_NEVER = frozenset(
    {
        *("BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "END", "ABORT", "PREPARE", "EXECUTE", "XA"),
        *("SET", "RESET", "DISCARD", "USE", "FLUSH", "KILL", "SHUTDOWN", "COPY", "DO", "LOAD", "HANDLER", "DELIMITER"),
        "ANALYZE",
    }
)
# Servers take a word right behind a number (1.5INTO).
_FILES = re.compile(r"INTO\s+(?:OUTFILE|DUMPFILE)", re.IGNORECASE)
_ANALYZE = re.compile(r"\bANALYZE\b", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"%(?:%|\((?P<name>[^)]*)\))?")


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
    if read_only and verb in _EXPLAINING and _ANALYZE.search(statement.bare):
        raise InvalidParameter(f"{verb} ANALYZE runs what it explains", where, "Leave out ANALYZE.")


def check_places(statements: Sequence[Sql], arguments: Arguments, where: str) -> None:
    """Refuse what would be no value (a place within a text), and arguments that nobody asks for."""
    if not arguments:
        return
    for statement in statements:
        if _places(statement.text) != _places(statement.bare):
            raise InvalidParameter(
                "a placeholder stands within a text, a name or a comment",
                where,
                "Write it without quotes, as the value gets its own, and %% for a percent sign.",
            )
    asked = {place for statement in statements for place in _places(statement.text)}
    if isinstance(arguments, Mapping):
        unused = [f"named_args.{name}" for name in arguments if name not in asked]
    else:
        unused = [] if asked else ["positional_args[0]"]
    if unused:
        raise InvalidParameter("no statement asks for it", unused[0], "Leave it out, or write where it belongs.")


def arguments_of(statement: Sql, arguments: Arguments) -> Arguments:
    """What one of the statements takes of the arguments: of those in their order nothing, where it has no place."""
    return arguments if isinstance(arguments, Mapping) or _places(statement.text) else ()


def _places(text: str) -> list[str]:
    return [found["name"] or "" for found in _PLACEHOLDER.finditer(text) if found[0] != "%%"]


def check_bound(text: str, engine: str, read_only: bool) -> None:
    """With its arguments in it, it is still one statement, and one that may be run."""
    found = split(text, engine, "query")
    if len(found) != 1:
        raise InvalidParameter("its arguments make more than one statement of it", "query", "Give each place room.")
    check(found[0], read_only, "query")
