# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The room of flatrun_vhost: its world is one nginx and the releases it is served from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Plan, item_report
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Journal, Room
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import generate
from ansible_collections.flatrun.infra.plugins.module_utils.host.lock import locked
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import Engine
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import copies
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import plan as planning
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.blame import culprit, mentioned, without
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.guards import quarantined
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.pairs import CHAIN, COPIES
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.placeholder import make
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.plan import Content, Order
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.release import AUTH, OF_VHOSTS
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.serve import Nginx, Rejected
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import FAIL, ROLLED_BACK, Vhosts, parse
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import FOLDER, State, owner_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.summary import summary_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tls import PLACEHOLDER

_SALT = 16


class Site:
    """One nginx: its container, and its releases on this host."""

    def __init__(self, spec: Vhosts, engine: Engine) -> None:
        self.spec, self.engine = spec, engine
        self.observer = Observer(engine, spec.container, spec.root_dir, spec.guest)
        self.seen = State()

    def observe(self) -> State:
        pairs = {vhost.tls.certificate: vhost.tls.key for vhost in self.spec.vhosts if vhost.tls}
        self.seen = self.observer.look(pairs, self.spec.state == ROLLED_BACK)
        return self.seen

    def hold(self) -> AbstractContextManager[None]:
        """The lock of flatrun_infra: both make releases of one nginx."""
        return locked(self.observer.locked, self.spec.engine["timeout"])

    def apply(self, plan: Plan, done: Journal) -> None:
        if plan.unreached:
            missing = plan.unreached[0]
            remedy = "Start it." if self.spec.guest else "Make it with flatrun_infra."
            raise Unreachable(missing.reason, missing.target, remedy)
        here = self.observer
        nginx = Nginx(self.engine, self.spec.container, here.releases, self.spec.keep_releases, here.nginx)
        last = plan.actions[-1]
        order: Order = last.detail
        if last.verb == "reload":
            nginx.again(self.seen.release)
        else:
            with ExitStack() as beside:
                if any(action.verb == "sign" for action in plan.actions):
                    beside.enter_context(here.releases.beside(PLACEHOLDER, make(), here.nginx.account()))
                beside.enter_context(copies.kept(here.releases.path, order.pairs))
                order = self._release(nginx, order)
        for action in plan.actions:
            if action.item not in order.rejected:
                done(action)
        if order.rejected:
            raise quarantined(order.rejected)

    def _release(self, nginx: Nginx, order: Order) -> Order:
        """Serve the set; with ``on_invalid: quarantine`` without those that nginx does not take."""
        while True:
            try:
                nginx.serve(self._staged(nginx, order), self.seen.running, self._new_names(order.texts))
                return order
            except Rejected as error:
                vhost = error.vhost or mentioned(order.texts, error.what) or self._culprit(nginx, order)
                where = f"{order.places[vhost]} ({vhost})" if vhost in order.places else _where(vhost, error)
                named = Refused(error.what, where, "Correct it; nothing was changed.")
                if self.spec.on_invalid == FAIL or vhost not in order.places or vhost in order.rejected:
                    raise named from None
                order = self._without(order, vhost, Refused(error.what, where))
                is_loaded = self.seen.live or not self.seen.running
                if is_loaded and not planning.why_released(self.spec, self.seen, order):
                    raise quarantined(order.rejected) from None

    def _without(self, order: Order, vhost: str, error: Refused) -> Order:
        """The order with one vhost as it was."""
        texts = without(self.seen.files.texts, order.texts, vhost, order.version, order.place)
        others = {path: content for path, content in order.extras.items() if owner_of(path) != vhost}
        extras = {**others, **self.seen.files.extras_of(vhost)}
        read = {str((summary_of(text).get("certificate") or {}).get("fullchain")) for text in texts.values()}
        copied = f"{order.place.folder}/{COPIES}"
        pairs = {name: pair for name, pair in order.pairs.items() if f"{copied}/{name}/{CHAIN}" in read}
        return replace(order, texts=texts, extras=extras, pairs=pairs, rejected={**order.rejected, vhost: error})

    def _culprit(self, nginx: Nginx, order: Order) -> str:
        """The vhost whose change nginx does not take, where its words name none."""

        def is_bad(texts: Mapping[str, str]) -> bool:
            release = self._staged(nginx, replace(order, texts=texts))
            try:
                return bool(nginx.complaint(release, self.seen.running, self._new_names(texts)))
            finally:
                nginx.releases.discard(release)

        return culprit(self.seen.files.texts, order.texts, order.version, is_bad, order.place)

    def _new_names(self, texts: Mapping[str, str]) -> set[str]:
        """Those of vhosts that are new or change. What was taken from others meanwhile is no fault of these."""
        present = self.seen.files.texts
        changed = (text for name, text in texts.items() if present.get(name) != text)
        return {name for text in changed for name in summary_of(text).get("server_names", ())}

    def _staged(self, nginx: Nginx, order: Order) -> str:
        """A candidate with these vhosts and the rest of the current release, byte for byte."""
        releases = nginx.releases
        current = releases.current()
        found = releases.read(current) if current else {}
        rest = {name: text for name, text in found.items() if not name.startswith(OF_VHOSTS)}
        extras = {path: _made(content) for path, content in order.extras.items()}
        secret = any(path.startswith(AUTH) for path in extras)
        account = self.observer.nginx.account() if secret else -1
        return releases.stage(
            {**rest, **extras, **{FOLDER + name: text for name, text in order.texts.items()}}, account
        )


def _made(content: Content) -> str:
    """What could not be known beforehand."""
    return content if isinstance(content, str) else content.text(lambda: generate(_SALT).reveal())


def _where(vhost: str, error: Rejected) -> str:
    return f"vhost {vhost}" if vhost else error.where


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
    listed = [vhost.name for vhost in spec.vhosts]
    others = sorted({action.item for action in plan.actions if action.item} - set(listed))
    told: list[dict[str, Any]] = [
        {"name": vhost.name, "state": vhost.state, "server_names": list(vhost.server_names)} for vhost in spec.vhosts
    ]
    for name in others:
        summary = summary_of(state.files.vhosts.get(name, ""))
        present = "present" if name in state.files.vhosts else "absent"
        told.append({"name": name, "state": present, "server_names": summary.get("server_names", [])})
    return {
        "vhosts": [{**each, **item_report(plan, each["name"])} for each in told],
        "release": state.release,
        "reloaded": state.running and any(action.verb in ("release", "reload") for action in plan.actions),
        "live": state.live,
    }


ROOM = Room(parse=parse, world=_world, plan=planning.plan, report=report, anchor=planning.anchor)
