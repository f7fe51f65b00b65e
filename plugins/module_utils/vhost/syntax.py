# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading nginx' configuration that somebody else wrote: as much of it as is needed to keep out of its way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# A comment, a text in quotes, one of the signs that end a word, or a word, which may hold "${name}" and "}".
_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)|(?P<space>\s+)|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'"""
    r"""|(?P<sign>[{};])|(?P<word>(?:\$\{|\\.|[^\s{};"'\\])(?:\$\{|\\.|[^\s{;\\])*)""",
    re.DOTALL,
)


class Named(NamedTuple):
    """A server's name, the ports it is for, and where it stands."""

    name: str
    ports: frozenset[str]
    line: int


class Include(NamedTuple):
    """What a directive ``include`` names, and where in the text it stands, with its end."""

    pattern: str
    start: int
    end: int


class _Token(NamedTuple):
    text: str
    is_sign: bool
    line: int
    start: int


def _tokens(content: str) -> Iterator[_Token]:
    """Words and signs; raises ValueError where a quote has no end."""
    place, line = 0, 1
    while place < len(content):
        found = _TOKEN.match(content, place)
        if not found:
            raise ValueError("a quote has no end")
        if found.lastgroup not in ("comment", "space"):
            yield _Token(found[found.lastgroup or 0], found.lastgroup == "sign", line, place)
        line += found[0].count("\n")
        place = found.end()


def imbalance(content: str) -> str:
    """Why a text would reach out of the place it is put into; empty if it wouldn't."""
    depth, last = 0, ";"
    if "\0" in content:
        return "holds NUL"
    try:
        for token in _tokens(content):
            last = token.text if token.is_sign else "word"
            depth += (last == "{") - (last == "}")
            if depth < 0:
                return "closes a block that it did not open"
    except ValueError as error:
        return str(error)
    if depth:
        return "leaves a block open"
    return "" if last in (";", "}") else "ends without ';'"


def server_names(content: str) -> list[Named]:
    """The names of all servers of a file, with their ports; none where it can't be read."""
    found: list[Named] = []
    blocks: list[str] = []
    words: list[_Token] = []
    names: list[_Token] = []
    ports: list[str] = []
    try:
        for token in _tokens(content):
            if not token.is_sign:
                words.append(token)
                continue
            head = words[0].text if words else ""
            if token.text == "{":
                blocks.append(head)
            elif token.text == ";" and blocks[-1:] == ["server"]:
                if head == "server_name":
                    names += words[1:]
                elif head == "listen" and len(words) > 1:
                    ports.append(_port(words[1].text))
            elif token.text == "}" and blocks and blocks.pop() == "server":
                found += [Named(name.text.lower(), frozenset(ports or ["80"]) - {""}, name.line) for name in names]
                names, ports = [], []
            words = []
    except ValueError:
        return found
    return found


def includes(content: str) -> list[Include]:
    """What a file includes; none where it can't be read."""
    found: list[Include] = []
    words: list[_Token] = []
    try:
        for token in _tokens(content):
            if not token.is_sign:
                words.append(token)
                continue
            if token.text == ";" and len(words) == 2 and words[0].text == "include":
                found.append(Include(words[1].text, words[0].start, token.start + 1))
            words = []
    except ValueError:
        return []
    return found


def _port(listen: str) -> str:
    """The port of a ``listen``: 80 unless it says another, and none of a socket's path."""
    if listen.startswith("unix:"):
        return ""
    last = listen.rsplit("]", 1)[-1].rsplit(":", 1)[-1] if ":" in listen else listen
    return last if last.isdigit() else "80"
