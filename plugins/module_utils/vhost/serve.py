# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a release the one that nginx serves: tested before, switched at once, proven after, or taken back."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from typing import Callable, Protocol

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import Engine, NotRunning
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import processes
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.domains import spelled_out
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.own import Own
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.release import Releases
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import SHARED

# How long a reload may take, and what each vhost adds to it.
_PATIENCE = 30.0
_PATIENCE_EACH = 0.01
# And one by which a former release is taken back: nginx tries for 2.5 s to have a port that it can't have.
_PATIENCE_BACK = 10.0
_PAUSE = 0.05
# A busy log is long, so it isn't read at each look.
_LOG_PAUSE = 1.0
_PLACE = re.compile(r"/\d{6,}/vhosts/([^:/]+)\.conf:\d+")
_OWN_WORDS = "nginx: "
# The socket of a family that the kernel doesn't have; all that is served here is served over IPv6 too.
_NO_FAMILY = " failed (97: "
_NO_IPV6 = "as the kernel has no IPv6: start the host without ipv6.disable=1 (the sysctl disable_ipv6=1 does no harm)"
_CONFLICT = re.compile(r'conflicting server name "([^"]+)"')


class Rejected(Refused):
    """nginx does not take a configuration; ``vhost`` is whose file it names, empty for what vhosts have in common."""

    @property
    def vhost(self) -> str:
        found = _PLACE.search(self.what)
        return found[1] if found and f"{found[1]}.conf" != SHARED else ""


class Manner(Protocol):
    """What differs between an nginx of ours and one that somebody else runs."""

    def trial(self, release: str) -> AbstractContextManager[list[str]]: ...

    def tell(self, master: int) -> None: ...

    def served(self) -> str: ...


class Nginx:
    """One nginx in a container, and its releases. ``keep`` is how many of them stay for a way back.

    ``apart`` runs a command where nginx does not run: without it, in a container like the one that is there.
    """

    def __init__(
        self,
        engine: Engine,
        container: str,
        releases: Releases,
        keep: int = 5,
        manner: Manner | None = None,
        apart: Callable[[list[str]], tuple[int, str]] | None = None,
    ) -> None:
        self.engine, self.container, self.releases, self.keep = engine, container, releases, keep
        self.manner, self.apart = manner or Own(engine, container), apart or self._run_apart

    def serve(self, release: str, running: bool, names: Collection[str] = ()) -> None:
        """Switch to a staged release; where nginx runs, it is tested first, and what is served is what counts.

        A warning that one of ``names`` is another server's too is an error: nginx would never ask one of them.
        """
        former = self.releases.current()
        self.try_out(release, running, names)
        self.releases.switch(release)
        if running:
            try:
                self.reload(release)
            except NotRunning:
                # It ended meanwhile, and reads the new one when it starts.
                pass
            except FlatrunError:
                self._take_back(former)
                self.releases.discard(release)
                raise
        self.releases.prune(self.keep)

    def try_out(self, release: str, running: bool, names: Collection[str] = ()) -> None:
        """Test a staged release, which is gone if nginx does not take it."""
        try:
            self.require(release, running, names)
        except FlatrunError:
            self.releases.discard(release)
            raise

    def require(self, release: str, running: bool, names: Collection[str] = ()) -> None:
        """Raises Rejected for a release that nginx does not take."""
        words = self.complaint(release, running, names)
        if words:
            raise Rejected(f"nginx does not take the configuration: {words}", f"container {self.container}")

    def _take_back(self, former: str) -> None:
        """Until it is over, so that what nginx still says of the other release is never taken for a later one's."""
        workers = self._workers()
        if former:
            self.releases.switch(former)
        else:
            self.releases.leave()
        try:
            self.manner.tell(self._master())
        except NotRunning:
            return
        until = time.monotonic() + _PATIENCE_BACK
        while not self._is_through(former, workers) and time.monotonic() < until:
            time.sleep(_PAUSE)

    def again(self, release: str) -> None:
        """Serve what is on disk already, and isn't served."""
        self.require(release, True)
        self.releases.enter()
        self.reload(release)

    def reload(self, release: str) -> None:
        """Have nginx serve the current release; a reload that returned 0 may have changed nothing, so it is proven.

        The proof is that it answers with the release, and that none of the workers there were before listens any more:
        for a moment after a reload both generations take connections.
        """
        begun, workers = time.time(), self._workers()
        self.manner.tell(self._master())
        now = time.monotonic()
        until, read_log_at = now + _PATIENCE + _PATIENCE_EACH * self.releases.size(release), now + _LOG_PAUSE
        complaint = ""
        while True:
            if self._is_through(release, workers):
                return
            if time.monotonic() >= read_log_at:
                complaint, read_log_at = self._complaint(begun), time.monotonic() + _LOG_PAUSE
            if complaint or time.monotonic() >= until:
                served = self.manner.served()
                raise Refused(
                    f"nginx serves {f'release {served}' if served else 'nothing'} after its reload: "
                    f"{complaint or 'it does not say why'}",
                    f"container {self.container}",
                    "The former release serves on.",
                )
            time.sleep(_PAUSE)

    def _is_through(self, release: str, former: frozenset[int]) -> bool:
        return self.manner.served() == release and not (former and former & self._workers())

    def _workers(self) -> frozenset[int]:
        master = self._master()
        return processes.listening(master) if master else frozenset()

    def _master(self) -> int:
        raw = self.engine.find("inspect_container", self.container) or {"State": {}}
        return processes.master(raw["State"].get("Pid") or 0)

    def complaint(self, release: str, running: bool, names: Collection[str] = ()) -> str:
        """Why nginx would not take a staged release; empty if it would."""
        with self.manner.trial(release) as command:
            code, said = self._run(command) if running else self.apart(command)
        if code:
            return _emergency(said)
        told = _CONFLICT.findall(said)
        own = set(spelled_out(names)) if told else set()
        conflicts = [name for name in told if own & set(spelled_out([name]))]
        return f"{conflicts[0]} is a name of another server too, in conf.d or in what it includes" if conflicts else ""

    def _run(self, command: list[str]) -> tuple[int, str]:
        """A command of nginx in the container, or beside it while that is between two attempts of a crash loop.

        Where the container ends under way, the engine has its own words for it, or none. nginx' begin with its name.
        """
        with suppress(NotRunning):
            code, said = self.engine.run(self.container, command)
            if not code or _OWN_WORDS in said:
                return code, said
        return self._run_apart(command)

    def _run_apart(self, command: list[str]) -> tuple[int, str]:
        """A command in a container like this one, which doesn't run; without a network, since none is needed."""
        raw = self.engine.find("inspect_container", self.container)
        if raw is None:
            return 0, ""
        host = raw["HostConfig"]
        options = self.engine.api.create_host_config(
            binds=host.get("Binds"), cap_drop=host.get("CapDrop"), cap_add=host.get("CapAdd"), network_mode="none"
        )
        return self.engine.run_apart(raw["Image"], command, host_config=options)

    def _complaint(self, begun: float) -> str:
        """What the master wrote since then, when it did not take a configuration."""
        # The engine is asked by whole seconds, and a reload that failed may have been in the same one.
        more = {"since": int(begun), "timestamps": True, "stdout": False, "stderr": True}
        raw = self.engine.find("logs", self.container, **more) or b""
        lines = [line.partition(" ") for line in raw.decode("utf-8", "replace").splitlines() if "[emerg]" in line]
        words = (said for stamp, _space, said in lines if _moment(stamp) >= begun)
        return next((each.split("[emerg]", 1)[1].strip() for each in words), "")


def _moment(stamp: str) -> float:
    """The engine's RFC 3339 time, with nanoseconds, as seconds since the epoch."""
    whole, fraction, zone = stamp[:19], stamp[19:29], stamp[29:].replace("Z", "+0000")
    return datetime.strptime(whole + zone, "%Y-%m-%dT%H:%M:%S%z").timestamp() + float(fraction)


def _emergency(said: str) -> str:
    """The line that says why, without the time and the process it begins with."""
    lines = [line for line in said.splitlines() if "[emerg]" in line] or said.splitlines()
    words = re.sub(r"^.*\[emerg\] (\d+#\d+: )?", "", lines[0]) if lines else "it does not say why"
    return f"{words}, {_NO_IPV6}" if _NO_FAMILY in words else words
