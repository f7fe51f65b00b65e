# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first line of a vhost's file, which tells what is in it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_MARK = "# flatrun.infra "


def headed(summary: Mapping[str, Any], text: str) -> str:
    return f"{_MARK}{json.dumps(summary, sort_keys=True)}\n{text}"


def summary_of(content: str) -> dict[str, Any]:
    """What the first line of a vhost's file tells of it; empty where somebody changed that line."""
    first = content.split("\n", 1)[0]
    try:
        found = json.loads(first[len(_MARK) :]) if first.startswith(_MARK) else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def copy_in(content: str, source: Mapping[str, str]) -> str:
    """The folder of the copy that a vhost reads, if it is one of the certificate that is asked for; else empty."""
    summary = summary_of(content)
    return str(summary["certificate"]["fullchain"]).rpartition("/")[0] if summary.get("source") == source else ""


def shown(content: str | None) -> str | None:
    """A vhost's text for a diff: with the certificate that was asked for in the place of its copy."""
    summary = summary_of(content or "")
    if not content or "source" not in summary:
        return content
    text = _with_paths(content.partition("\n")[2], summary["certificate"], summary["source"])
    summary["certificate"] = summary.pop("source")
    return headed(summary, text)


def with_certificates_of(present: Mapping[str, str], former: Mapping[str, str]) -> dict[str, str]:
    """A former release's texts with the certificates of today: a way back is none to one that may have run out."""
    summaries = [summary for summary in map(summary_of, present.values()) if "source" in summary]
    today = {str(summary["source"]): summary["certificate"] for summary in summaries}
    renewed = dict(former)
    for name, content in former.items():
        summary = summary_of(content)
        if str(summary.get("source")) in today:
            renewed[name] = _with_paths(content, summary["certificate"], today[str(summary["source"])])
    return renewed


def _with_paths(content: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    for part, path in old.items():
        content = content.replace(path, new[part])
    return content
