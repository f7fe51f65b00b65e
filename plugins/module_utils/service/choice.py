# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services are meant by ``service=``: a key of the block, a type, a container's name, several, or ``all``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.service.block import Entry

ALL = "all"
_ALIASES = {"postgres": "postgresql"}


def chosen(entries: Iterable[Entry], wanted: Any) -> tuple[Entry, ...]:
    """The enabled services that are meant, each once, in the order of the block; raises InvalidParameter."""
    entries, meant = tuple(entries), _words(wanted)
    names = [name for word in meant for name in _named(entries, word)]
    return tuple(entry for entry in entries if entry.name in names)


def controlled(entries: Iterable[Entry], wanted: Any) -> tuple[Entry, ...]:
    """The same, for those whose life is ours: what somebody else runs is refused, and no part of ``all``."""
    by_name = ALL not in _words(wanted)
    found = chosen(entries, wanted)
    for entry in found:
        if entry.external and by_name:
            raise InvalidParameter(
                "is external: it is connected to and never started, stopped or removed",
                entry.where,
                "Do it where it is run.",
            )
    return tuple(entry for entry in found if not entry.external)


def _words(wanted: Any) -> list[str]:
    parts = wanted.split(",") if isinstance(wanted, str) else list(wanted or ())
    words = [str(part).strip() for part in parts if str(part).strip()]
    if not words:
        raise InvalidParameter(
            "says which one is meant, and is empty", "service", "Give a name, a type, a container, several, or all."
        )
    return words


def _named(entries: tuple[Entry, ...], word: str) -> list[str]:
    if word == ALL:
        return [entry.name for entry in entries if entry.enabled]
    kind = _ALIASES.get(word, word)
    found = [entry for entry in entries if entry.name == word] or [
        entry for entry in entries if kind == entry.type or word == entry.container
    ]
    enabled = [entry.name for entry in found if entry.enabled]
    if not enabled:
        what = f"{word} is not enabled" if found else f"there is no {word}"
        known = ", ".join(_spellings(entry) for entry in entries if entry.enabled)
        raise InvalidParameter(what, "service", f"Known are {known or 'none'}.")
    return enabled


def _spellings(entry: Entry) -> str:
    others = dict.fromkeys(name for name in (entry.type, entry.container) if name not in ("", entry.name))
    return f"{entry.name} ({', '.join(others)})" if others else entry.name
