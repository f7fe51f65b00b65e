# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx' configuration as a typed tree, and the one function that quotes what goes into it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# What nginx reads as one word without quotes, wherever in the word it stands.
_BARE = re.compile(r"[A-Za-z0-9_./:=,+@~*^$?!%&|()\[\]<>-]+")
_INDENT = "    "


@dataclass(frozen=True)
class Directive:
    """A name with its arguments; ``block`` is what stands in its braces, ``None`` where it has none.

    ``verbatim`` is text that somebody else wrote, and takes the place of all three.
    """

    name: str
    arguments: tuple[str, ...] = ()
    block: tuple[Directive, ...] | None = None
    verbatim: str = ""


Tree = tuple[Directive, ...]


def line(name: str, *arguments: object) -> Directive:
    return Directive(name, tuple(str(argument) for argument in arguments))


def block(name: str, *arguments: object, inner: Iterable[Directive]) -> Directive:
    return Directive(name, tuple(str(argument) for argument in arguments), tuple(inner))


def verbatim(text: str) -> Directive:
    return Directive("", verbatim=text)


def quote(word: str) -> str:
    """One argument, whatever it holds. In quotes nginx takes back only the escapes of the quote and the backslash."""
    if _BARE.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def text(tree: Iterable[Directive], depth: int = 0) -> str:
    """The tree as nginx reads it, stable to the byte."""
    return "".join(_text(directive, depth) for directive in tree)


def _text(directive: Directive, depth: int) -> str:
    if directive.verbatim:
        return directive.verbatim.rstrip("\n") + "\n"
    # Names too: in a map or geo they are somebody's values.
    words = " ".join(quote(word) for word in (directive.name, *directive.arguments))
    if directive.block is None:
        return f"{_INDENT * depth}{words};\n"
    return f"{_INDENT * depth}{words} {{\n{text(directive.block, depth + 1)}{_INDENT * depth}}}\n"
