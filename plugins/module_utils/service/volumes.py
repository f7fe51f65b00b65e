# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a mount has its content on the host, and whether it is always to be seen there."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import Engine

# With one of these the engine mounts something else at the volume's folder, while a container uses it.
_MOUNTING = ("type", "device")


def origin(engine: Engine, mount: str, target: str) -> tuple[str, Refused | None]:
    """The folder behind a mount: a path, or where the engine keeps the volume. And why no data can be kept there."""
    source = mount.rsplit(":", 1)[0]
    if source.startswith("/"):
        return source, None
    volume = engine.find("inspect_volume", source)
    if not volume:
        return f"/nonexistent/{source}", None
    options = volume.get("Options") or {}
    if volume["Driver"] == "local" and not any(options.get(name) for name in _MOUNTING):
        return str(volume["Mountpoint"]), None
    device = str(options.get("device") or "")
    return str(volume["Mountpoint"]), Refused(
        f"the volume {source} is mounted by the engine only while a container uses it, so data in it can't be watched",
        "volumes",
        f"Give the folder of the host in its place, as {device if device.startswith('/') else '/folder'}:{target}.",
    )
