# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at one nginx: its container, the release it is served from, and what is around them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CERTIFICATES
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL, Engine, NotRunning
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import copies, syntax
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.certificate import Certificate
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.external import External
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.own import Own
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.pair import read_inside, read_pair
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.release import AUTH, OF_VHOSTS, Releases
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import Guest
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import FOLDER, Files, Foreign, State
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.summary import with_certificates_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tls import PLACEHOLDER
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version, version_of

Pairs = Mapping[str, str]


class Observer:
    """Looks at one nginx, one that somebody else runs where ``guest`` is given. The clock and the version are asked
    once."""

    def __init__(self, engine: Engine, container: str, root_dir: str, guest: Guest | None = None) -> None:
        self.engine, self.container, self.root, self.guest = engine, container, root_dir, guest
        self.now = time.time()
        self.version: Version = ()
        self.nginx: Own | External = Own(engine, container)

    @property
    def layout(self) -> Layout:
        return Layout(self.root, self.container)

    @property
    def releases(self) -> Releases:
        return self.nginx.releases if isinstance(self.nginx, External) else Releases(self.layout.releases)

    @property
    def locked(self) -> str:
        """What one run at a time works on; flatrun_infra makes releases of what is ours too."""
        return self.guest.config_path if self.guest else self.root

    def look(self, pairs: Pairs, former: bool = False) -> State:
        """``pairs`` are the certificates to read, each chain with its key; ``former`` an earlier release too."""
        raw = self.engine.find("inspect_container", self.container)
        if raw is None:
            return State(now=self.now)
        status = raw["State"]["Status"]
        if self.guest:
            if status != "running":
                return State(now=self.now, found=status)
            try:
                self.nginx = External(self.engine, raw, self.guest, self.root)
            except NotRunning:
                return State(now=self.now, found="restarting")
        else:
            self.root = self._root_of(raw)
        release = self.releases.current()
        found = self._files(release)
        place = self.nginx.place
        account = self.nginx.account() if any(path.startswith(AUTH) for path in found.extras) else -1
        return State(
            status=status,
            version=self._version(raw, status),
            release=release,
            served=self.nginx.served(raw) if status == "running" else "",
            files=found,
            foreign=tuple(self._foreign(release)),
            certificates={chain: self._certificate(raw, chain, key) for chain, key in pairs.items()},
            now=self.now,
            former=self._former(release, found) if former else None,
            place=place,
            signed=files.exists(f"{self.releases.path}/{PLACEHOLDER}"),
            copies=copies.present(self.releases.path),
            exposed=self.releases.exposed(release),
            withheld=self.releases.withheld(release, account),
        )

    def _root_of(self, raw: Mapping[str, Any]) -> str:
        """The container says where its releases lie; the option is for one that isn't there yet."""
        labels = raw["Config"].get("Labels") or {}
        if labels.get(f"{LABEL}type") != "nginx":
            raise Refused(
                f"{self.container} is not an nginx that flatrun_infra made",
                "container",
                "Name the one that is, or take this one over with flatrun_infra and adopt: true.",
            )
        return str(labels.get(f"{LABEL}root_dir") or self.root)

    def _version(self, raw: Mapping[str, Any], status: str) -> Version:
        """What the image says of itself, or else the server; of somebody else's the server alone."""
        if isinstance(self.nginx, External):
            self.version = self.version or version_of(self.nginx.version)
            return self.version
        variables = dict(entry.split("=", 1) for entry in raw["Config"].get("Env") or () if "=" in entry)
        self.version = self.version or version_of(variables.get("NGINX_VERSION", ""))
        if not self.version and status == "running":
            with suppress(NotRunning):
                self.version = version_of(self.engine.run(self.container, ["nginx", "-v"])[1].rpartition("/")[2])
        return self.version

    def _files(self, release: str) -> Files:
        if not release:
            return Files()
        found = self.releases.read(release, [folder.rstrip("/") for folder in OF_VHOSTS])
        texts = {name[len(FOLDER) :]: text for name, text in found.items() if name.startswith(FOLDER)}
        return Files(texts, {name: text for name, text in found.items() if not name.startswith(FOLDER)})

    def _former(self, release: str, present: Files) -> Files | None:
        for name in self.releases.before(release):
            found = self._files(name)
            texts = with_certificates_of(present.texts, found.texts)
            if (texts, found.extras) != (present.texts, present.extras):
                return Files(texts, found.extras)
        return None

    def _foreign(self, release: str) -> Iterator[Foreign]:
        """The names in files of the user's own."""
        if isinstance(self.nginx, External):
            yield from self.nginx.foreign()
            return
        for name in files.names(self.layout.config):
            if name.endswith(".conf"):
                found = files.read(f"{self.layout.config}/{name}")
                text = found.content.decode("utf-8", "surrogateescape") if found else ""
                yield from (_foreign(each, f"conf.d/{name}") for each in syntax.server_names(text))
        for name, text in self.releases.read(release, ("http",)).items() if release else ():
            yield from (_foreign(each, f"config_files {name.partition('/')[2]}") for each in syntax.server_names(text))

    def _certificate(self, raw: Mapping[str, Any], chain: str, key: str) -> Certificate:
        """By name it is found without the container; a pair of files may lie in a mount, or in the container alone."""
        mounts = {mount["Destination"]: mount.get("Source", "") for mount in raw.get("Mounts") or ()}
        outside = [_outside({**mounts, CERTIFICATES: f"{self.root}/certificates"}, path) for path in (chain, key)]
        if all(outside):
            return read_pair(*outside)
        return read_inside(chain, key, lambda path: self.engine.read(self.container, path))


def _foreign(named: syntax.Named, file: str) -> Foreign:
    return Foreign(named.name, named.ports, f"{file}:{named.line}")


def _outside(mounts: Mapping[str, str], path: str) -> str:
    """A path in the container, as the host has it; empty where it doesn't."""
    under = [target for target in mounts if path.startswith(target.rstrip("/") + "/")]
    if not under:
        return ""
    target = max(under, key=len)
    return mounts[target] + path[len(target.rstrip("/")) :]
