# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An nginx that somebody else runs: what it has around our vhosts, how it is tested with others, told and asked.

A folder of the host that it has mounted and includes gets one file of ours, which leads to the current release in a
hidden folder beside it. All other files are somebody else's: they are read, and never written.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL, Engine
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import processes, syntax
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.includes import Files, dumped, instead
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.own import Command, Raw, asked, tell_by
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.place import (
    ENTRY,
    FOLDER,
    MARKER,
    Place,
    entry,
    marker,
    nameservers,
)
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.release import CURRENT, Entry, Releases
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import Guest
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import Foreign

_TRIAL = ".trial"
_CONF_PATH = re.compile(r"--conf-path=(\S+)")
_PLAIN = re.compile(r"/[^\s*?\[\]{};\"'\\$]*")


class External:
    """One such container, as it was found when it ran; what is in it is asked once."""

    def __init__(self, engine: Engine, raw: Raw, guest: Guest, root_dir: str) -> None:
        self.engine, self.raw, self.guest = engine, raw, guest
        self.container: str = raw["Name"].lstrip("/")
        self.inside = self._inside(guest.config_path)
        self.first = int(raw["State"].get("Pid") or 0)
        self.started = processes.command(processes.master(self.first)) or ["nginx"]
        self.place = Place(
            f"{self.inside}/{FOLDER}/{CURRENT}",
            self._mounted(f"{root_dir}/acme") or Place.acme,
            nameservers(engine.read(self.container, "/etc/resolv.conf")),
            False,
        )
        folder = f"{self.inside}/{FOLDER}"
        found = Entry(
            f"{guest.config_path}/{ENTRY}",
            entry(f"{folder}/{CURRENT}"),
            lambda release: marker(release, self.place),
        )
        self.releases = Releases(f"{guest.config_path}/{FOLDER}", found)
        self.main = self._main()

    def _inside(self, path: str) -> str:
        """A folder of the host, as the container has it."""
        labels = self.raw["Config"].get("Labels") or {}
        if labels.get(f"{LABEL}type") == "nginx":
            raise Refused(
                f"is for an nginx that somebody else runs, and {self.container} was made by flatrun_infra",
                "config_path",
                "Leave it out.",
            )
        found = self._mounted(path)
        if not found:
            raise Refused(
                f"{path} is no folder of the host that {self.container} has mounted",
                "config_path",
                "Name the one that its nginx includes files of, as the host has it.",
            )
        if not _PLAIN.fullmatch(found):
            raise Refused(f"{found} holds signs that nginx reads as a pattern", "config_path", "Mount it elsewhere.")
        files.require_trusted(path)
        return found

    def _mounted(self, path: str) -> str:
        """Where the container has a folder of the host; empty where it hasn't."""
        mounts = {mount.get("Source", ""): mount["Destination"] for mount in self.raw.get("Mounts") or ()}
        over = [source for source in mounts if source and f"{path}/".startswith(source.rstrip("/") + "/")]
        source = max(over, key=len, default="")
        return (mounts[source].rstrip("/") + path[len(source.rstrip("/")) :]) if source else ""

    def _run(self, *arguments: str, errors: bool = True) -> str:
        return self.engine.run(self.container, [self.started[0], *arguments], errors)[1]

    def _option(self, name: str) -> str:
        """What the server was started with."""
        pairs = zip(self.started, self.started[1:])
        return next((value for word, value in pairs if word == name), "")

    def _main(self) -> str:
        found = self._option("-c") or next(iter(_CONF_PATH.findall(self._run("-V"))), "/etc/nginx/nginx.conf")
        return found if found.startswith("/") else f"{self._option('-p').rstrip('/')}/{found}"

    @property
    def version(self) -> str:
        return self._run("-v").rpartition("/")[2]

    def tree(self) -> Files:
        """Its files: those that nginx itself lists if it takes them, else those that are asked for."""
        known = dumped(self._run("-T", "-c", self.main, errors=False))
        names = {f"{self.inside}/{name}" for name in (*files.names(self.guest.config_path), ENTRY)}
        prefix = self.main.rpartition("/")[0] + "/"
        return Files(prefix, known, names, lambda path: self.engine.read(self.container, path))

    def foreign(self) -> Iterator[Foreign]:
        """The names in files that aren't ours."""
        ours = (f"{self.inside}/{FOLDER}/", f"{self.inside}/{ENTRY}")
        for path, text in self.tree().known.items():
            if not path.startswith(ours):
                yield from (Foreign(each.name, each.ports, f"{path}:{each.line}") for each in syntax.server_names(text))

    @contextmanager
    def trial(self, release: str) -> Iterator[Command]:
        """The command that tests what is there with a release in the place of the one that is served.

        It reads a copy of the main file, in a folder of links to all that the other's has: relative names stay right.
        """
        tree = self.tree()
        text = instead(tree, self.main, f"{self.inside}/{ENTRY}", entry(f"{self.inside}/{FOLDER}/{release}"))
        if not text:
            raise Refused(
                f"{self.main} of {self.container} includes no file {self.inside}/{ENTRY}",
                "config_path",
                f"Name the folder whose files it includes, or have it include {self.inside}/*.conf.",
            )
        folder, name = f"{self.releases.path}/{_TRIAL}", self.main.rpartition("/")[2]
        shutil.rmtree(folder, ignore_errors=True)
        files.make_folder(folder)
        try:
            for each in processes.names(self.first, tree.prefix):
                if each != name:
                    os.symlink(tree.prefix + each, f"{folder}/{each}")
            files.write(f"{folder}/{name}", text.encode("utf-8", "surrogateescape"))
            prefix = ["-p", self._option("-p")] if self._option("-p") else []
            yield [self.started[0], "-t", "-c", f"{self.inside}/{FOLDER}/{_TRIAL}/{name}", *prefix]
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def tell(self, _master: int) -> None:
        tell_by(self.engine, self.container, list(self.guest.reload_command))

    def served(self, raw: Raw | None = None) -> str:
        """The release that nginx answers with; empty where it doesn't."""
        found = raw or self.engine.find("inspect_container", self.container) or {}
        return asked(found, 80, MARKER, "/release")

    def account(self) -> int:
        """Who the workers run as."""
        workers = processes.listening(processes.master(self.first))
        return max((processes.account(pid) for pid in workers), default=-1)
