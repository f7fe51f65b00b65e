# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine tells of a container (GET /containers/{id}/json), as the state that plans are made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.service import containers
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Container

# Mounts that outlive their container: what is in memory has no place to be found again.
_LASTING = ("bind", "volume")


def container_of(raw: Mapping[str, Any], known: Mapping[str, str]) -> Container:
    """``raw`` is the engine's own description, ``known`` the networks there are: name to id, empty if not asked."""
    labels, host, now = raw["Config"].get("Labels") or {}, raw["HostConfig"], raw["State"]
    settings = json.loads(labels.get(f"{LABEL}settings", "{}"))
    attached = (raw.get("NetworkSettings") or {}).get("Networks") or {}
    severed = frozenset(name for name, each in attached.items() if known and _is_severed(name, each, known))
    return Container(
        id=raw["Id"],
        name=raw["Name"].lstrip("/"),
        status=now["Status"],
        image=raw["Config"]["Image"],
        image_id=raw["Image"],
        started_at=now["StartedAt"],
        networks=frozenset(network for network in attached if not known or network in known),
        severed=severed,
        endpoints={name: containers.endpoint(each, raw["Id"], name in severed) for name, each in attached.items()},
        settings=settings,
        root_dir=labels.get(f"{LABEL}root_dir", ""),
        pgdata=environment_of(raw["Config"]).get("PGDATA", "").rstrip("/"),
        type=labels.get(f"{LABEL}type", ""),
        service=labels.get(f"{LABEL}service", ""),
        memory=host.get("Memory") or 0,
        cpus=(host.get("NanoCpus") or 0) / 10**9,
        restart=(host.get("RestartPolicy") or {}).get("Name") or "no",
        mounts={each["Destination"]: _mount(each) for each in raw.get("Mounts") or () if each["Type"] in _LASTING},
        exit_code=now.get("ExitCode") or 0,
        restarts=raw.get("RestartCount") or 0,
        out_of_memory=bool(now.get("OOMKilled")),
    )


def _is_severed(name: str, endpoint: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    """A container that was never started has no id of its network yet."""
    return name not in known or endpoint.get("NetworkID") not in ("", None, known[name])


def _mount(raw: Mapping[str, Any]) -> str:
    source = raw["Name"] if raw.get("Type") == "volume" else raw.get("Source", "")
    return f"{source}:{'rw' if raw.get('RW') else 'ro'}"


def environment_of(config: Mapping[str, Any]) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in config.get("Env") or () if "=" in entry)
