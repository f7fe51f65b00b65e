# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a service that got another one: a container keeps its labels, and is not made anew for a name."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout


def called(layout: Layout) -> str:
    """What was noted beside a container; empty where it is called as it was made."""
    found = files.read(layout.name)
    return found.content.decode("utf-8", "surrogateescape") if found else ""


def call(layout: Layout, name: str) -> None:
    """Everybody may read it, as everybody who may ask the engine may read a label."""
    files.write(layout.name, name.encode("utf-8", "surrogateescape"))


def service_of(labels: Mapping[str, str]) -> str:
    """The service that a container of ours is, from its labels."""
    layout = Layout(labels[f"{LABEL}root_dir"], labels.get(f"{LABEL}container", ""))
    return called(layout) or labels.get(f"{LABEL}service", "")
