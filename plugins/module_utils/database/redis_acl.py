# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of Redis' access control lists: how they are written, and what they mean.

https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# A category with its @, or COMMANDS, to the commands in it; those with subcommands have each as ``config|get``.
Known = Mapping[str, frozenset[str]]
COMMANDS = "commands"
EVERYTHING = {"keys": "~*", "channels": "&*"}
_STARTS = {"keys": ("~", "%"), "channels": ("&",)}


@dataclass(frozen=True)
class Account:
    """A user as the server lists it. ``selectors`` are further lists of rules, any of which may allow a command."""

    name: str
    on: bool
    open: bool
    digests: tuple[str, ...]
    keys: tuple[str, ...]
    channels: tuple[str, ...]
    commands: tuple[str, ...]
    selectors: tuple[str, ...]


def read(line: str) -> Account:
    """A line of ACL LIST; none of its words holds a space."""
    _user, name, rest = line.split(" ", 2)
    plain, *selectors = rest.split(" (")
    words = plain.split(" ")
    return Account(
        name=name,
        on="on" in words,
        open="nopass" in words,
        digests=tuple(word[1:] for word in words if word.startswith("#")),
        keys=patterns("keys", (word for word in words if word.startswith(_STARTS["keys"]))),
        channels=patterns("channels", (word for word in words if word.startswith(_STARTS["channels"]))),
        commands=tuple(word for word in words if word[:1] in "+-"),
        selectors=tuple(f"({each}" for each in selectors),
    )


def patterns(kind: str, given: Iterable[str]) -> tuple[str, ...]:
    """In one order, for theirs means nothing; beside the one that is everything there are no others.

    A pattern that may be read by one rule and written by another may be both, and the server makes one rule of it.
    """
    found: dict[str, set[str]] = {}
    for each in given:
        limit, sign, name = each.partition("~") if each.startswith("%") else ("%RW", "", each)
        found.setdefault(f"{sign}{name}", set()).update(limit[1:].upper())
    rules = {f"%{min(may)}{pattern}" if len(may) == 1 else pattern for pattern, may in found.items()}
    return (EVERYTHING[kind],) if EVERYTHING[kind] in rules else tuple(sorted(rules))


def allowed(rules: Iterable[str], known: Known) -> frozenset[str]:
    """The commands that rules, one after the other, leave allowed; what has subcommands is none itself."""
    found: set[str] = set()
    heads = {each.partition("|")[0] for each in known.get(COMMANDS, frozenset()) if "|" in each}
    for rule in rules:
        meant = _meant(rule[1:].lower(), known)
        found = found | meant if rule[0] == "+" else found - meant
    return frozenset(found - heads)


def _meant(word: str, known: Known) -> set[str]:
    """A command with its subcommands, or all that are in a category. What isn't known stands for itself."""
    every = known.get(COMMANDS, frozenset())
    if word == "@all":
        return {*every}
    heads = known.get(word, frozenset()) if word.startswith("@") else {word}
    return {*heads, *(each for each in every if each.partition("|")[0] in heads)}


def strange(rule: str, known: Known) -> str:
    """Why a rule can't be meant on this server; empty where it can."""
    word = rule[1:]
    every = known.get(COMMANDS, frozenset())
    if word == "@all" or word in known or word in every:
        return ""
    if word.startswith("@"):
        return f"It knows {', '.join(sorted({'@all', *known} - {COMMANDS}))}."
    head = word.partition("|")[0]
    near = {each for each in every if each.startswith(f"{head}|")} if "|" in word else set()
    near = near or {each for each in every if each[0] == word[0] and "|" not in each}
    near = near or {each for each in every if "|" not in each}
    return f"Of those that are near it knows {', '.join(sorted(near))}."
