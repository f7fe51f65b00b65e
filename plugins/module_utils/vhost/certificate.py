# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a certificate will do for a vhost. Pure: it was read before, and the clock too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.flatrun.infra.plugins.module_utils.vhost.pairs import Pair

_DAY = 86400


@dataclass(frozen=True)
class Certificate:
    """``problem`` says why it can't be used at all; times are seconds since the epoch."""

    problem: str = ""
    not_before: float = 0.0
    not_after: float = 0.0
    names: tuple[str, ...] = ()
    missing: bool = False
    pair: Pair | None = None

    def days_left(self, now: float) -> int:
        return int((self.not_after - now) // _DAY)


def objection(certificate: Certificate, server_names: Iterable[str], now: float) -> str:
    """Why it won't do; empty if it will."""
    if certificate.problem:
        return certificate.problem
    if now >= certificate.not_after:
        days = int((now - certificate.not_after) // _DAY)
        return f"it expired {days} days ago" if days > 1 else "it expired a day ago" if days else "it expired today"
    if now < certificate.not_before:
        return "it is not valid yet"
    missing = [name for name in server_names if not _covered(name, certificate.names)]
    return f"it is not for {missing[0]} (but for {', '.join(certificate.names) or 'no name'})" if missing else ""


def _covered(name: str, names: tuple[str, ...]) -> bool:
    """RFC 6125: the star of a certificate stands for one label."""
    known = {each.lower() for each in names}
    if name.startswith("."):
        return {name[1:], "*" + name} <= known
    if name.endswith(".*"):
        return True
    bare = name.strip("[]")
    return bare in known or (not name.startswith("*") and "*." + bare.partition(".")[2] in known)
