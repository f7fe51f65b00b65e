# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flatrun_infra_info tells: one listing, however many services there are; statistics and logs on request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.arguments import DOCKER, ROOT_DIR, Arguments
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.service.calling import service_of
from ansible_collections.flatrun.infra.plugins.module_utils.service.choice import chosen, unknown
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL, Engine
from ansible_collections.flatrun.infra.plugins.module_utils.service.external import externals
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import FORMER

INFO = (
    Arguments(
        {
            "services": {"type": "list", "elements": "str", "default": []},
            "gather": {
                "type": "list",
                "elements": "str",
                "choices": ["status", "stats", "logs"],
                "default": ["status"],
            },
            "tail": {"type": "int", "default": 100},
            "since": {"type": "str"},
        }
    )
    .merge(ROOT_DIR)
    .merge(DOCKER)
)

# The engine's own word in the text of a status: "Up 2 minutes (healthy)".
_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")
_RUNNING = ("running", "restarting")
_SIDE_BY_SIDE = 8
_FIGURES = ("cpu_percent", "memory", "memory_limit", "network_received", "network_sent", "processes")


def answer(params: Mapping[str, Any]) -> dict[str, Any]:
    """Result of the module for its parameters; raises FlatrunError."""
    if params["tail"] < 1:
        raise InvalidParameter("must be at least 1 line", "tail")
    root_dir = names.absolute_path(params["root_dir"], "root_dir")
    since = _moment(params["since"])
    engine = Engine(params)
    try:
        listing = engine.ask("containers", all=True)
        told = _chosen([*_managed(listing, root_dir), *_external(listing, root_dir)], params["services"])
        if "stats" in params["gather"]:
            _add(told, "stats", lambda service: _stats(engine, service))
        if "logs" in params["gather"]:
            _add(told, "logs", lambda service: _logs(engine, service, params["tail"], since))
        return {"services": told, "stats": _totals(told)}
    finally:
        engine.close()


def _managed(listing: Sequence[Mapping[str, Any]], root_dir: str) -> list[dict[str, Any]]:
    ours = [entry for entry in listing if (entry.get("Labels") or {}).get(f"{LABEL}root_dir") == root_dir]
    found = [_told(entry) for entry in ours if not entry["Names"][0].endswith(FORMER)]
    return sorted(found, key=lambda service: str(service["container"]))


def _told(entry: Mapping[str, Any]) -> dict[str, Any]:
    labels = entry["Labels"]
    container = entry["Names"][0].lstrip("/")
    settings = json.loads(labels.get(f"{LABEL}settings", "{}"))
    return {
        **_seen(entry),
        "name": service_of(labels) or container,
        "type": labels.get(f"{LABEL}type", "unknown"),
        "managed": True,
        # As it was asked for: the engine tells an id once the tag has moved on.
        "image": settings.get("image", entry["Image"]),
        "config": {**settings, "networks": _networks(entry)},
    }


def _blank(**known: Any) -> dict[str, Any]:
    """A service of which nothing is there to be seen."""
    texts = dict.fromkeys(("container", "container_id", "image", "created_at", "type"), "")
    return {
        **texts,
        "status": "unknown",
        "health": "none",
        "managed": False,
        "external": False,
        "config": {},
        "addresses": {},
        **known,
    }


def _seen(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine's listing tells of any container."""
    health = _HEALTH.search(entry.get("Status") or "")
    return _blank(
        container=entry["Names"][0].lstrip("/"),
        status="running" if entry.get("State") in _RUNNING else "stopped",
        container_id=entry["Id"],
        image=entry["Image"],
        health=health.group(1) if health else "none",
        created_at=datetime.fromtimestamp(entry["Created"], timezone.utc).isoformat(),
        addresses={name: each["IPAddress"] for name, each in _attached(entry).items() if each.get("IPAddress")},
    )


def _attached(entry: Mapping[str, Any]) -> dict[str, Any]:
    return dict((entry.get("NetworkSettings") or {}).get("Networks") or {})


def _networks(entry: Mapping[str, Any]) -> list[str]:
    return sorted(_attached(entry))


def _external(listing: Sequence[Mapping[str, Any]], root_dir: str) -> list[dict[str, Any]]:
    """Services that somebody else runs, as the last run noted them."""
    by_name = {entry["Names"][0].lstrip("/"): entry for entry in listing}
    found = []
    for name, noted in externals(root_dir).items():
        container = noted.get("container", "")
        seen = _seen(by_name[container]) if container in by_name else _blank(container=container)
        status = "external" if container in by_name or noted.get("host") else "unknown"
        config = {key: value for key, value in noted.items() if key != "type"}
        told = {"name": name, "type": noted.get("type", "unknown"), "external": True, "config": config}
        found.append({**seen, **told, "status": status})
    return found


def _chosen(services: list[dict[str, Any]], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """The services of these names, types or containers; one that isn't known is listed as unknown."""
    if not wanted:
        return services
    return [*map(dict, chosen(services, wanted)), *(_blank(name=name) for name in unknown(services, wanted))]


def _totals(services: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    count = {status: sum(service["status"] == status for service in services) for status in ("running", "stopped")}
    external = sum(bool(service["external"]) for service in services)
    return {"total_services": len(services), **count, "external": external}


def _add(services: Sequence[dict[str, Any]], key: str, ask: Any) -> None:
    """Ask for each that has a container, side by side: the engine takes a second for one container's statistics."""
    there = [service for service in services if service["container_id"]]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        for service, value in zip(there, pool.map(ask, there)):
            service[key] = value


def _stats(engine: Engine, service: Mapping[str, Any]) -> dict[str, Any]:
    """Processor use in percent of one processor, memory in bytes."""
    if service["status"] != "running":
        return dict.fromkeys(_FIGURES, 0)
    raw = engine.ask("stats", service["container"], stream=False)
    used = raw["cpu_stats"]["cpu_usage"]["total_usage"] - raw["precpu_stats"]["cpu_usage"]["total_usage"]
    span = raw["cpu_stats"].get("system_cpu_usage", 0) - raw["precpu_stats"].get("system_cpu_usage", 0)
    processors = raw["cpu_stats"].get("online_cpus") or 1
    memory = raw.get("memory_stats") or {}
    # Pages of files are given back when they are wanted, so they don't count (as "docker stats" has it).
    cached = (memory.get("stats") or {}).get("inactive_file", 0)
    interfaces = (raw.get("networks") or {}).values()
    return {
        "cpu_percent": round(100.0 * processors * used / span, 2) if span > 0 else 0.0,
        "memory": memory.get("usage", 0) - cached,
        "memory_limit": memory.get("limit", 0),
        "network_received": sum(each["rx_bytes"] for each in interfaces),
        "network_sent": sum(each["tx_bytes"] for each in interfaces),
        "processes": (raw.get("pids_stats") or {}).get("current", 0),
    }


def _logs(engine: Engine, service: Mapping[str, Any], tail: int, since: int | None) -> dict[str, list[str]]:
    """The last lines, of the two streams apart."""
    streams = {}
    for stream in ("stdout", "stderr"):
        wanted = {"stdout": stream == "stdout", "stderr": stream == "stderr"}
        raw = engine.ask("logs", service["container"], tail=tail, since=since, **wanted)
        streams[stream] = raw.decode("utf-8", "replace").splitlines()
    return streams


_SPAN = re.compile(r"(\d+)([smhd])")


def _moment(since: str | None) -> int | None:
    """Seconds since the epoch, from a span like 15m or from an ISO 8601 moment."""
    if not since:
        return None
    span = _SPAN.fullmatch(since)
    if span:
        seconds = int(span[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[span[2]]
        return int(datetime.now(timezone.utc).timestamp()) - seconds
    try:
        moment = datetime.fromisoformat(since.replace("Z", "+00:00"))
    except ValueError:
        raise InvalidParameter(
            f"{since!r} is neither a span nor a moment", "since", "Write 15m or 2026-01-31T12:00:00Z."
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp())
