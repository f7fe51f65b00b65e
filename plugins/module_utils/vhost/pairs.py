# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as nginx reads them: from copies beside the releases. Pure.

nginx doesn't start if a single certificate is missing or doesn't fit its key, so whoever removes one, or is killed
while writing one, would take all sites down at the next restart. A copy is never changed; its folder has the
certificate's name and a digest of its content. So a renewed one changes the text of its vhost, and is tested, switched
to and taken back like any other change.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret

COPIES = "certificates"
CHAIN, KEY = "fullchain.pem", "privkey.pem"
_UNNAMED = "files"


@dataclass(frozen=True)
class Pair:
    """A certificate's chain and its key in PEM; ``owner`` is that of the key's file."""

    chain: str
    key: Secret
    owner: int = -1


def folder_of(name: str, pair: Pair) -> str:
    """The folder of a copy; ``name`` is empty for a certificate that was given by its files."""
    digest = hashlib.sha256(pair.chain.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{name or _UNNAMED}.{digest}"
