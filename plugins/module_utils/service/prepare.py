# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing what belongs to no service alone: the networks, the folders in common, and the notes of what others run."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL, Engine
from ansible_collections.flatrun.infra.plugins.module_utils.service.external import note
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import Infra, Network


def prepare(spec: Infra, engine: Engine, action: Action) -> None:
    """Do one action of the plan that has no service."""
    if isinstance(action.detail, Network):
        _create_network(engine, action.detail)
    elif action.verb == "note":
        _make_folders((spec.root_dir,))
        note(spec.root_dir, action.detail)
    else:
        _make_folders(action.detail)


def _make_folders(paths: Sequence[str]) -> None:
    for path in paths:
        files.require_trusted(path)
        files.make_folder(path)


def _create_network(engine: Engine, network: Network) -> None:
    engine.ask(
        "create_network",
        network.name,
        driver="bridge",
        internal=network.internal,
        check_duplicate=True,
        labels={f"{LABEL}network": network.name},
    )
