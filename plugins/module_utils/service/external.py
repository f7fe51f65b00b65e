# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that somebody else runs: noted, so that whoever looks later is told of them too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.host import files

_NOTE = "external.json"


def externals(root_dir: str) -> dict[str, dict[str, Any]]:
    """The services that were noted, by name: their type, and host and port, or container."""
    found = files.read(f"{root_dir}/{_NOTE}")
    return dict(json.loads(found.content)) if found else {}


def note(root_dir: str, services: Mapping[str, Mapping[str, Any]]) -> None:
    files.write(f"{root_dir}/{_NOTE}", json.dumps(services, sort_keys=True, indent=1).encode(), 0o644)
