# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements as Redis takes them: words with a space between, for none of its words can hold one."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    AlterUser,
    Change,
    CreateUser,
    Credential,
    DiscardPassword,
    DropUser,
    SetPassword,
    Statement,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import LOCKED

# What begins each part of the rules anew.
_ANEW = {"keys": "resetkeys", "channels": "resetchannels", "commands": "-@all", "selectors": "clearselectors"}


def _rules(attributes: Mapping[str, bool], acl: Mapping[str, tuple[str, ...]], created: bool = False) -> list[str]:
    words = [] if LOCKED not in attributes else ["off" if attributes[LOCKED] else "on"]
    for part, anew in _ANEW.items():
        words += [*([] if created else [anew]), *acl[part]] if part in acl else []
    return words


def _set(name: str, *words: str | Credential) -> tuple[Statement, ...]:
    pieces: list[str | Credential] = [f"ACL SETUSER {name}"]
    for word in words:
        pieces += [" ", word] if isinstance(word, Credential) else [f" {word}"]
    return (Statement(tuple(pieces)),)


def render(change: Change) -> tuple[Statement, ...]:
    """Each change is one statement, and the server does it whole: nobody has half of their rules in between."""
    if isinstance(change, CreateUser):
        password = [change.credential] if change.credential else []
        rules = _rules({LOCKED: False, **change.attributes}, change.acl, created=True)
        # A reset gives what acl-pubsub-default says, which may be all channels.
        return _set(change.grantee.name, "reset", "resetchannels", *password, *rules)
    if isinstance(change, AlterUser):
        return _set(change.grantee.name, *_rules(change.attributes, change.acl))
    if isinstance(change, (SetPassword, DiscardPassword)):
        # The server keeps them in the order in which they are given, and the last is the present one.
        return _set(change.credential.grantee.name, "resetpass", *change.beside, change.credential)
    if isinstance(change, DropUser):
        return (Statement((f"ACL DELUSER {change.grantee.name}",)),)
    raise FlatrunError(f"{type(change).__name__} is nothing that Redis does")
