# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password file of a vhost: what stays of it, and what has yet to be hashed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.access import BasicAuth
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.passwords import hash_password, matches


@dataclass(frozen=True)
class PasswordFile:
    """Names, each with its hash, or with the password that gets one with a salt that is not known beforehand."""

    users: tuple[tuple[str, str | Secret], ...]

    def text(self, salt: Callable[[], str]) -> str:
        lines = (
            (name, known if isinstance(known, str) else hash_password(known, salt())) for name, known in self.users
        )
        return "".join(f"{name}:{hashed}\n" for name, hashed in lines)


def resolve(auth: BasicAuth, present: str) -> str | PasswordFile:
    """The file as it is to be; a hash that fits its password already is kept, so that a second run changes nothing."""
    known: Mapping[str, str] = dict(line.split(":", 1) for line in present.splitlines() if ":" in line)
    users: list[tuple[str, str | Secret]] = []
    for user in auth.users:
        hashed = known.get(user.name, "")
        if user.password is None:
            users.append((user.name, user.hashed))
        else:
            users.append((user.name, hashed if hashed and matches(user.password, hashed) else user.password))
    wanted = PasswordFile(tuple(users))
    if any(isinstance(hashed, Secret) for _name, hashed in users):
        return wanted
    return wanted.text(str)
