# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The room of flatrun_vhost: its world is one nginx and the releases it is served from."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import REACH, Plan, item_report
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal, Room
from ansible_collections.flatrun.infra.plugins.module_utils.host.lock import locked
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL, Engine
from ansible_collections.flatrun.infra.plugins.module_utils.service.readiness import served_release
from ansible_collections.flatrun.infra.plugins.module_utils.service.settings import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import plan as planning
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.blame import culprit
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.release import Releases
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.render import summary_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.serve import Nginx, Rejected
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import Vhosts, parse
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import FOLDER, State
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version, version_of


class Site:
    """One nginx: its container, and its releases on this host."""

    def __init__(self, spec: Vhosts, engine: Engine) -> None:
        self.spec, self.engine = spec, engine
        self.root = spec.root_dir
        self.seen = State()
        self.version: Version = ()

    def observe(self) -> State:
        raw = self.engine.find("inspect_container", self.spec.container)
        if raw is None:
            self.seen = State()
            return self.seen
        self.root = self._root_of(raw)
        releases = self._releases
        release = releases.current()
        found = releases.read(release, ("vhosts",)) if release else {}
        status = raw["State"]["Status"]
        self.seen = State(
            status=status,
            version=self._version(raw, status),
            release=release,
            served=self._served(raw) if status == "running" else "",
            files={name[len(FOLDER) :]: text for name, text in found.items()},
        )
        return self.seen

    @property
    def _releases(self) -> Releases:
        return Releases(Layout(self.root, self.spec.container).releases)

    def _root_of(self, raw: Mapping[str, Any]) -> str:
        """The container says where its releases lie; the option is for those that aren't there yet."""
        labels = raw["Config"].get("Labels") or {}
        if labels.get(f"{LABEL}type") != "nginx":
            raise Refused(
                f"{self.spec.container} is not an nginx that flatrun_infra made",
                "container",
                "Name the one that is, or take this one over with flatrun_infra and adopt: true.",
            )
        return str(labels.get(f"{LABEL}root_dir") or self.spec.root_dir)

    def _version(self, raw: Mapping[str, Any], status: str) -> Version:
        """What the image says of itself, or the server; asked once."""
        variables = dict(entry.split("=", 1) for entry in raw["Config"].get("Env") or () if "=" in entry)
        self.version = self.version or version_of(variables.get("NGINX_VERSION", ""))
        if not self.version and status == "running":
            said = self.engine.run(self.spec.container, ["nginx", "-v"])[1]
            self.version = version_of(said.rpartition("/")[2])
        return self.version

    def _served(self, raw: Mapping[str, Any]) -> str:
        networks = (raw.get("NetworkSettings") or {}).get("Networks") or {}
        address = next((each["IPAddress"] for _name, each in sorted(networks.items()) if each.get("IPAddress")), "")
        try:
            return served_release(address) if address else ""
        except (OSError, http.client.HTTPException):
            return ""

    def hold(self) -> AbstractContextManager[None]:
        """The lock of flatrun_infra: both make releases of one nginx."""
        return locked(self.root, self.spec.engine["timeout"])

    def apply(self, plan: Plan, done: Journal) -> None:
        if plan.unreached:
            missing = plan.unreached[0]
            raise Unreachable(missing.reason, missing.target, "Make it with flatrun_infra.")
        nginx = Nginx(self.engine, self.spec.container, self._releases, self.spec.keep_releases)
        last = plan.actions[-1]
        if last.verb == "reload":
            nginx.reload(self.seen.release)
        else:
            self._release(nginx, last.detail)
        for action in plan.actions:
            if action.verb != REACH:
                done(action)

    def _release(self, nginx: Nginx, order: planning.Order) -> None:
        release = _staged(nginx, order.files)
        names = {name for text in order.files.values() for name in summary_of(text).get("server_names", ())}
        try:
            nginx.serve(release, self.seen.running, names)
        except Rejected as error:
            file = error.file or self._culprit(nginx, order)
            where = f"{order.places[file]} ({file})" if file in order.places else error.where
            raise Refused(error.what, where, "Correct it; nothing was changed.") from None

    def _culprit(self, nginx: Nginx, order: planning.Order) -> str:
        """The vhost whose change nginx does not take, where its words name none."""

        def is_bad(files: Mapping[str, str]) -> bool:
            release = _staged(nginx, files)
            try:
                return bool(nginx.complaint(release, self.seen.running))
            finally:
                nginx.releases.discard(release)

        return culprit(self.seen.files, order.files, self.seen.version, is_bad)


def _staged(nginx: Nginx, files: Mapping[str, str]) -> str:
    """A candidate with these vhosts and the rest of the current release, byte for byte."""
    releases = nginx.releases
    rest = {name: text for name, text in releases.read(releases.current()).items() if not name.startswith(FOLDER)}
    return releases.stage({**rest, **{FOLDER + name: text for name, text in files.items()}})


@contextmanager
def _world(spec: Vhosts) -> Iterator[Site]:
    engine = Engine(spec.engine)
    try:
        engine.require_local()
        yield Site(spec, engine)
    finally:
        engine.close()


def report(spec: Vhosts, state: State, plan: Plan) -> dict[str, Any]:
    """The result: each vhost with what was done to it, and what is served."""
    gone = [action.item for action in plan.actions if action.verb == "remove"]
    listed = [vhost.name for vhost in spec.vhosts]
    told: list[dict[str, Any]] = [
        {"name": vhost.name, "state": vhost.state, "server_names": list(vhost.server_names)} for vhost in spec.vhosts
    ]
    told += [{"name": name, "state": "absent", "server_names": []} for name in gone if name not in listed]
    return {
        "vhosts": [{**each, **item_report(plan, each["name"])} for each in told],
        "release": state.release,
        "reloaded": state.running and any(action.verb in ("release", "reload") for action in plan.actions),
        "live": state.live,
    }


ROOM = Room(parse=parse, world=_world, plan=planning.plan, report=report)
