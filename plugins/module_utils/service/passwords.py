# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's password of one service: kept, handed over, set and rotated; no run is ever locked out."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret, generate
from ansible_collections.flatrun.infra.plugins.module_utils.database import administrator
from ansible_collections.flatrun.infra.plugins.module_utils.host import files
from ansible_collections.flatrun.infra.plugins.module_utils.service import catalog, guards, state
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import ServiceType
from ansible_collections.flatrun.infra.plugins.module_utils.service.observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.service.secret_files import NEXT
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Found

# Whether a server lets somebody in is asked again and again; a password is set once, and the disk may be busy.
_WRITES_WITHIN = 60


class Keeper:
    """Knows the passwords of one service, and nothing of its container's life."""

    def __init__(self, observer: Observer, kind: ServiceType) -> None:
        self.observer, self.kind = observer, kind
        self.home, self.engine = observer.home, observer.engine
        self.container = observer.service.container

    def generate(self, owner: int) -> None:
        self.home.keep(self.kind.secret + NEXT, generate(), owner)

    def keep(self) -> None:
        """The wanted password in its file, which is the account's alone."""
        self.home.keep(self.kind.secret, self.wanted(), self.engine.account(self.container, self.kind.account))

    def hand_over(self, found: Found, owner: int) -> None:
        """Give the container's own account what it reads at its start."""
        if not self.kind.secret:
            return
        files.own(self.home.layout.secrets, owner)
        for name in (self.kind.secret, self.kind.secret + NEXT, catalog.BOOTSTRAP):
            known = self.home.secret(name)
            if known:
                self.home.keep(name, known, owner)
        if self.kind.bootstrap and not self.home.secret(catalog.BOOTSTRAP):
            # Images export what they read here and put it into SQL as it is: so letters and digits, and not for long.
            self.home.keep(catalog.BOOTSTRAP, generate(), owner)
        if self.kind.bootstrap and (not found.data or found.data.empty):
            # Whoever starts it may not be told of it.
            self._keep_next(owner)
            self.home.remember(initialising=True)
        if self.kind.name == "redis" and found.data:
            self._write_users(self.observer.data_folder(found), owner)

    def _write_users(self, folder: str, owner: int) -> None:
        """Redis does not start without its file of users, and keeps it itself from then on."""
        users = f"{folder}/users.acl"
        if files.exists(users):
            return
        self._keep_next(owner)
        line = f"user default on #{administrator.redis_hash(self.wanted())} ~* &* +@all\n"
        files.sweep(folder)
        files.write(users, line.encode(), 0o600, owner)

    def _keep_next(self, owner: int) -> None:
        wanted = self.wanted()
        if wanted != self.home.secret(self.kind.secret):
            self.home.keep(self.kind.secret + NEXT, wanted, owner)

    def take_over(self, found: Found) -> None:
        """Keep what works in a container of somebody else's; one that lets everybody in gets a password."""
        now = self.observer.ask(found)
        known = dict(self.observer.candidates(now))
        if now.login not in known:
            where = f"secrets.{self.kind.secret}"
            raise Refused(f"{self.container} can't be entered ({now.words})", where, "Give the password it has now.")
        given = self.observer.service.secret(self.kind.secret)
        password = known[now.login] if known[now.login].reveal() else given or generate()
        self.home.keep(self.kind.secret, password, 0)

    def set(self, found: Found) -> None:
        """New file beside the old, ALTER, rename: whoever dies in between, the next run knows both."""
        wanted, known = self.wanted(), dict(self.observer.candidates(found))
        if found.login not in known:
            guards.entrance(self.observer.service, self.kind, found)
            raise Unreachable(found.words, f"container {self.container}", "See its log.")
        owner = self.engine.account(self.container, self.kind.account)
        if found.login == state.NEXT:
            # A run was cut short after it had set this one: it is the way in, so it is kept until another is.
            self.home.promote(self.kind.secret)
        self.home.keep(self.kind.secret + NEXT, wanted, owner)
        # One that is the way in may be set for one of two accounts only, or not be saved, where a run was cut short.
        if found.next or found.initialising or known[found.login] != wanted:
            administrator.set_password(self.kind.name, self._account(found, known[found.login]), wanted)
        self.home.promote(self.kind.secret)
        self.home.forget("initialising")

    def write_out(self, found: Found, patience: float) -> None:
        """What Redis holds in memory and its successor might look for in another form, if it can be entered."""
        known = dict(self.observer.candidates(found))
        running = found.container is not None and found.container.running
        if self.kind.name == "redis" and running and found.login in known:
            administrator.write_out(self._account(found, known[found.login]), patience)

    def wanted(self) -> Secret:
        name = self.kind.secret
        found = self.observer.service.secret(name) or self.home.secret(name) or self.home.secret(name + NEXT)
        if found is None:
            raise Refused("no password is known", f"secrets.{name}")
        return found

    def _account(self, found: Found, password: Secret) -> administrator.Account:
        address, port = self.engine.address(self.container), self.observer.port(found.container)
        account = self.observer.administrator(found.container)
        return administrator.Account(address, port, account, password, _WRITES_WITHIN)
