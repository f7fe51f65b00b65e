# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a service lies on the host: its record, its configuration and its data, beside its secrets."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.service import catalog, formats
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.service.secret_files import SecretFiles
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Data
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.release import OF_VHOSTS, Releases


class Home(SecretFiles):
    """The folders of one container."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.releases = Releases(layout.releases)

    def record(self) -> dict[str, Any]:
        """What has to be remembered beside the container: a first start under way, and mounts that were adopted."""
        found = files.read(self.layout.record)
        return dict(json.loads(found.content)) if found else {}

    def remember(self, **facts: Any) -> None:
        files.sweep(self.layout.home)
        record = {key: value for key, value in {**self.record(), **facts}.items() if value}
        files.write(self.layout.record, json.dumps(record, sort_keys=True).encode(), 0o600)

    def forget(self, fact: str) -> None:
        if fact in self.record():
            self.remember(**{fact: None})

    def config(self, folder: str) -> tuple[dict[str, str], int]:
        """The texts of a configuration folder, and when the youngest was written (ns since the epoch)."""
        texts, youngest = {}, 0
        for name in files.names(folder):
            found = files.read(f"{folder}/{name}")
            if found:
                texts[name] = found.content.decode("utf-8", "surrogateescape")
                youngest = max(youngest, found.modified)
        return texts, youngest

    def write_config(self, folder: str, texts: Mapping[str, str]) -> None:
        files.make_folder(folder)
        files.sweep(folder)
        present, _youngest = self.config(folder)
        for name in files.names(folder):
            if name not in texts:
                files.remove(f"{folder}/{name}")
        for name, text in texts.items():
            if present.get(name) != text:
                files.write(f"{folder}/{name}", text.encode("utf-8", "surrogateescape"))

    def expect(self, successor: str) -> None:
        """Note what the container that is about to be set aside has read, and what its successor will, if another."""
        if successor:
            self.remember(releases=[self.releases.current(), successor])
        else:
            self.forget("releases")

    def set_aside(self) -> str:
        """What the former container has read, where the release of its successor is the current one."""
        former, successor = self.record().get("releases") or ("", "")
        found = successor == self.releases.current() and former in self.releases.names()
        return former if found else ""

    def switch(self, release: str) -> None:
        """Have whoever starts next read this release."""
        try:
            self.releases.switch(release)
        except OSError as error:
            where = f"{self.layout.releases}/{release}"
            raise Refused(f"can't be switched to ({error.strerror})", where, "Make room or repair the disk.") from None

    def take_back(self) -> None:
        """Have the former container find what it has read."""
        former = self.set_aside()
        if former:
            self.switch(former)
            self.releases.prune()

    def released(self, release: str = "") -> dict[str, str]:
        """What a release, the current one by default, holds besides the vhosts, named as in ``config_files``."""
        current = release or self.releases.current()
        found = self.releases.read(current) if current else {}
        return {name.replace("http/", "", 1): text for name, text in found.items() if not name.startswith(OF_VHOSTS)}

    def stage(self, texts: Mapping[str, str]) -> str:
        """A candidate with these files and the vhosts of the current release."""
        current = self.releases.current()
        found = self.releases.read(current) if current else {}
        vhosts = {name: text for name, text in found.items() if name.startswith(OF_VHOSTS)}
        own = {name if name in catalog.CATALOG["nginx"].files else f"http/{name}": text for name, text in texts.items()}
        return self.releases.stage({**own, **vhosts})

    def data(self, origin: str, inside: str = "") -> Data:
        """The data in a mount's folder on the host, or ``inside`` of that.

        A link is not followed, so what it leads to is never taken for data.
        """
        folder = f"{origin}/{inside}" if inside else origin
        held = formats.visible(files.names(folder)) if _is_folder(folder) else []
        engine, series = formats.detect(folder, held) if held else ("", "")
        return Data(origin, _is_folder(origin), not held, engine, series)

    def put_aside(self, origin: str) -> str:
        """Move data out of the way without losing any; returns its new place."""
        number = 1
        while files.exists(f"{origin}.incomplete-{number}"):
            number += 1
        files.rename(origin, f"{origin}.incomplete-{number}")
        return f"{origin}.incomplete-{number}"


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
