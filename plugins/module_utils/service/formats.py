# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server wrote a data folder, and in which format: read from the files that the servers leave there."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ansible_collections.flatrun.infra.plugins.module_utils.host import files

# What a file system or an operator leaves in an otherwise empty folder.
_NO_DATA = ("lost+found", ".gitkeep")
_SERIES = re.compile(r"\d+\.\d+")


def visible(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in _NO_DATA]


def detect(folder: str, names: Sequence[str]) -> tuple[str, str]:
    """Engine and series of the data, each empty where it can't be told.

    PostgreSQL writes PG_VERSION (its "Database File Layout"); MySQL has its dictionary in mysql.ibd and notes upgrades
    in mysql_upgrade_history; MariaDB keeps aria_log_control and notes its version in mariadb_upgrade_info.
    """
    if "PG_VERSION" in names:
        return "postgresql", _text(f"{folder}/PG_VERSION").strip()
    if "aria_log_control" in names:
        noted = _text(f"{folder}/mariadb_upgrade_info") or _text(f"{folder}/mysql_upgrade_info")
        return "mariadb", _series(noted)
    if "mysql.ibd" in names:
        return "mysql", _series(_last_upgrade(_text(f"{folder}/mysql_upgrade_history")))
    return "", ""


def _last_upgrade(history: str) -> str:
    """The newest version in MySQL's JSON history: {"file_format":"1","upgrade_history":[{"version":"9.7.4-2",..}]}."""
    try:
        return str(json.loads(history)["upgrade_history"][-1]["version"])
    except (ValueError, LookupError, TypeError):
        return ""


def _series(text: str) -> str:
    found = _SERIES.search(text)
    return found.group() if found else ""


def _text(path: str) -> str:
    found = files.read(path)
    return found.content.decode("utf-8", "replace") if found else ""
