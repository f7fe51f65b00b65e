# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of a configuration block: keys that are known, empty ones unset, ``${NAME}`` from the environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import kind_of, parse_secret

# "$${" stands for a "${" that is meant as it is.
_VARIABLE = re.compile(r"\$(?P<literal>\$?)\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)\})?")
_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_NAMELESS = "holds a ${ without a name and } behind it"


def expand(text: str, where: str, environment: Mapping[str, str]) -> str:
    """The text with every ``${NAME}`` replaced, once; raises InvalidParameter naming the variable that is missing."""

    def value(found: re.Match[str]) -> str:
        if found["literal"]:
            return found[0][1:]
        if not found["name"]:
            raise InvalidParameter(_NAMELESS, where, "Write $${ for a literal ${.")
        if not environment.get(found["name"]):
            state = "is empty" if found["name"] in environment else "is not set"
            raise InvalidParameter(
                f"the environment variable {found['name']} {state}", where, "Export it where ansible-playbook is run."
            )
        return environment[found["name"]]

    return _VARIABLE.sub(value, text)


def merged(below: Any, over: Any) -> Any:
    """``below`` with what ``over`` says in its place, key by key at every depth; what is empty there says nothing."""
    if not isinstance(below, Mapping) or not isinstance(over, Mapping):
        return over
    return {**below, **{key: merged(below.get(key), value) for key, value in over.items() if value not in (None, "")}}


def require_known(given: Any, where: str, known: Iterable[str]) -> Mapping[str, Any]:
    """The mapping, if all its keys are known; nothing at all is an empty one."""
    if given in (None, ""):
        return {}
    if not isinstance(given, Mapping):
        # Not what it is: it may hold a password.
        raise InvalidParameter(f"must be a mapping, and this is {kind_of(given)}", where)
    strange = sorted(str(key) for key in given if key not in known)
    if strange:
        raise InvalidParameter("is not known", f"{where}.{strange[0]}", f"The keys of {where} are {', '.join(known)}.")
    return given


class Values:
    """One block. A survey hands numbers and booleans over as strings, so those are taken too."""

    def __init__(self, given: Any, where: str, known: Iterable[str], environment: Mapping[str, str]) -> None:
        self.given, self.where, self.environment = require_known(given, where, known), where, environment

    def at(self, key: str) -> str:
        return f"{self.where}.{key}"

    def get(self, key: str) -> Any:
        """What was given, None where that is nothing."""
        value = self.given.get(key)
        if isinstance(value, str):
            value = expand(value, self.at(key), self.environment)
        return None if value == "" else value

    def text(self, key: str, default: str = "") -> str:
        value = self.get(key)
        return default if value is None else names.text(value, self.at(key))

    def flag(self, key: str, default: bool) -> bool:
        value = self.get(key)
        return default if value is None else names.flag(value, self.at(key))

    def choice(self, key: str, choices: Iterable[str]) -> str:
        value = self.text(key)
        if value and value not in choices:
            raise InvalidParameter(f"{value!r} is not known", self.at(key), f"Take one of: {', '.join(choices)}.")
        return value

    def port(self, key: str) -> int:
        """A port, 0 where none is given: the zero of a program's own configuration means that too."""
        value = self.get(key)
        return 0 if value is None or str(value) == "0" else names.port(value, self.at(key))

    def network(self, key: str) -> str:
        value = self.text(key)
        return names.network_name(value, self.at(key)) if value else ""

    def days(self, key: str) -> int:
        value = self.get(key)
        if value is not None and (isinstance(value, bool) or not str(value).isdecimal()):
            raise InvalidParameter(f"{value!r} is not a number of days", self.at(key))
        return int(value or 0)

    def span(self, key: str) -> int:
        """Seconds, from a text like ``12h`` or ``12h0m0s``."""
        value = self.get(key)
        found = _SPAN.fullmatch(str(value or "0s"))
        if not found or not any(found.groups()):
            raise InvalidParameter(f"{value!r} is not a duration", self.at(key), "Write it like 12h or 30m.")
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return hours * 3600 + minutes * 60 + seconds

    def path(self, key: str) -> str:
        value = self.text(key)
        return names.absolute_path(value, self.at(key)) if value else ""

    def secret(self, key: str) -> str:
        value = self.get(key)
        return "" if value is None else parse_secret(value, self.at(key)).reveal()
