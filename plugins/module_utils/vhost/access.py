# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is let in, and how often: basic auth, addresses and limits."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret, parse_secret
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.passwords import is_hash
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import unscoped, whole

_RATE = re.compile(r"[1-9]\d{0,8}r/[sm]")


@dataclass(frozen=True)
class User:
    """Exactly one of ``password`` and ``hashed`` is given."""

    name: str
    password: Secret | None = None
    hashed: str = ""


@dataclass(frozen=True)
class BasicAuth:
    users: tuple[User, ...]
    realm: str = "Restricted"


@dataclass(frozen=True)
class RateLimit:
    """``burst`` requests above the rate are served at once, what comes on top of them gets 429."""

    rate: str
    burst: int = 0


def parse_basic_auth(entry: Mapping[str, Any] | None) -> BasicAuth | None:
    if not entry:
        return None
    users = tuple(_user(user, f"basic_auth.users[{index}]") for index, user in enumerate(entry.get("users") or ()))
    if not users:
        raise InvalidParameter("needs at least one user", "basic_auth.users")
    names.distinct((user.name for user in users), "basic_auth.users", "the user")
    realm = names.text(entry.get("realm") or "Restricted", "basic_auth.realm")
    if '"' in realm or "$" in realm:
        raise InvalidParameter("holds '\"' or '$'", "basic_auth.realm", "Leave them out.")
    if realm == "off":
        raise InvalidParameter("off has nginx ask for no password", "basic_auth.realm", "Choose another one.")
    return BasicAuth(users, realm)


def _user(entry: Mapping[str, Any], where: str) -> User:
    name = names.text(entry.get("name"), f"{where}.name")
    if ":" in name or name.startswith("#"):
        raise InvalidParameter(f"{name!r} holds ':' or begins with '#'", f"{where}.name", "Choose another name.")
    password, hashed = entry.get("password"), entry.get("password_hash")
    if (password is None) == (hashed is None):
        raise InvalidParameter("needs either password or password_hash", where)
    if password is not None:
        return User(name, parse_secret(password, f"{where}.password"))
    if not isinstance(hashed, str) or not is_hash(hashed):
        raise InvalidParameter(
            "is neither a bcrypt nor a SHA-512 hash", f"{where}.password_hash", "It begins with $2y$ or $6$."
        )
    return User(name, hashed=hashed)


def parse_networks(values: Sequence[Any] | None, where: str) -> tuple[str, ...]:
    """Addresses and networks, each in its shortest form."""
    return tuple(_network(value, f"{where}[{index}]") for index, value in enumerate(values or ()))


def _network(value: Any, where: str) -> str:
    given = names.text(value, where)
    try:
        network = ipaddress.ip_network(unscoped(given))
    except ValueError:
        raise InvalidParameter(
            f"{given!r} is neither an address nor a network", where, "Write it like 192.0.2.0/24 or 2001:db8::1."
        ) from None
    alone = network.num_addresses == 1
    return str(network.network_address) if alone else str(network)


def parse_rate_limit(entry: Mapping[str, Any] | None) -> RateLimit | None:
    if not entry:
        return None
    rate = str(entry.get("rate"))
    if not _RATE.fullmatch(rate):
        raise InvalidParameter(f"{rate!r} is not a rate", "rate_limit.rate", "Write it like 10r/s or 30r/m.")
    return RateLimit(rate, whole(entry.get("burst") or 0, "rate_limit.burst", 0, 1000000))
