# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service answers in its own protocol."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import administrator
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import ServiceType
from ansible_collections.flatrun.infra.plugins.module_utils.service.served import served_release
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import DENIED, OPEN

Candidate = tuple[str, Secret]


@dataclass(frozen=True)
class Answer:
    """``login`` is the name of the password that was taken, ``release`` what nginx serves; ``words`` say what was
    answered instead."""

    answers: bool
    login: str = ""
    words: str = ""
    release: str = ""


def probe(kind: ServiceType, address: str, port: int, user: str, candidates: Sequence[Candidate]) -> Answer:
    """Ask once. A port that is open proves nothing, so each is asked in its own protocol."""
    if kind.port and not address:
        return Answer(False, words="it has no address on any network")
    if kind.secret:
        return _login(kind, address, port, user, candidates)
    return _http(address) if kind.released else Answer(True)


def _http(address: str) -> Answer:
    try:
        release = served_release(address)
    except (OSError, http.client.HTTPException) as error:
        return Answer(False, words=f"no answer over HTTP ({error})")
    return Answer(bool(release), words="it does not tell its release", release=release)


def _login(kind: ServiceType, address: str, port: int, user: str, candidates: Sequence[Candidate]) -> Answer:
    words = "no password is known for it"
    denied = not candidates
    for name, secret in candidates:
        try:
            administrator.attempt(kind.name, administrator.Account(address, port, user, secret))
            return Answer(True, name)
        except administrator.Denied as error:
            denied, words = True, words if name == OPEN else str(error)
        except Unreachable as error:
            return Answer(False, words=str(error))
    return Answer(False, DENIED if denied else "", words)
