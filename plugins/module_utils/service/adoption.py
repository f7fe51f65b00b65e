# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking over a container that somebody else made: which one a run began with, and what is kept of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.database import administrator
from ansible_collections.flatrun.infra.plugins.module_utils.service import catalog
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import ServiceType
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Container, Found


def is_under_way(record: Mapping[str, Any], container: Container | None) -> bool:
    """Whether a run began to take over this very container. Another one may have its name by now."""
    return container is not None and not container.ours and record.get("adopting") == container.id


def mounts(kind: ServiceType, container: Container) -> dict[str, str]:
    """What is kept of a container that is taken over: its data, and whatever isn't ours to provide."""
    provided = {catalog.SECRETS, "/etc/nginx"} | (set() if kind.released else {kind.config})
    return {target: mount for target, mount in container.mounts.items() if target not in provided and _is_folder(mount)}


def with_whereabouts(kind: ServiceType, account: administrator.Account, found: Found) -> Found:
    """Where its server has its data, which nobody else can tell for certain."""
    try:
        told = administrator.whereabouts(kind.name, account)
    except FlatrunError as error:
        return replace(found, answers=False, login="", words=error.what)
    return replace(found, told=told)


def _is_folder(mount: str) -> bool:
    """A volume, or a folder: a single file would still show its old content after it was replaced."""
    source = mount.rsplit(":", 1)[0]
    return "/" not in source or os.path.isdir(source)
