# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files in which a Redis looks for its data, as its configuration names them."""

from __future__ import annotations

import re

from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import ServiceType
from ansible_collections.flatrun.infra.plugins.module_utils.service.settings import config_files
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import Service

# What it calls them where nobody says otherwise.
_APPENDED = {"appendfilename": "appendonly.aof", "appenddirname": "appendonlydir"}
_SNAPSHOT = {"dbfilename": "dump.rdb"}


def redis_files(service: Service, kind: ServiceType) -> dict[str, str]:
    """By the settings that name them; it reads one of its two forms alone."""
    files = config_files(service, kind)
    read = sorted(name for name in files if name.endswith(".conf"))
    words = " ".join(service.command).replace(" --", "\n--")
    text = "\n".join([files.get("main", ""), *(files[name] for name in read), words])
    usual = _SNAPSHOT if _setting(text, "appendonly", "no") == "no" else _APPENDED
    return {name: _setting(text, name, file) for name, file in usual.items()}


def _setting(text: str, name: str, usual: str) -> str:
    """The last one counts."""
    found = re.findall(rf"^[ \t]*(?:--)?{name}[ \t]+[\"']?([^\s\"']+)", text, re.MULTILINE | re.IGNORECASE)
    return str(found[-1]) if found else usual
