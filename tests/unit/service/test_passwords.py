"""The administrator's password in the hands of its keeper: set, proven, and only then kept."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import administrator
from ansible_collections.flatrun.infra.plugins.module_utils.database.administrator import Account, Denied
from ansible_collections.flatrun.infra.plugins.module_utils.service import spec
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CATALOG
from ansible_collections.flatrun.infra.plugins.module_utils.service.observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.service.passwords import Keeper
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Container, Found
from ansible_collections.flatrun.infra.plugins.module_utils.service.steps_password import password
from ansible_collections.flatrun.infra.tests.unit.service.cases import asked

OLD, NEW = Secret("old"), Secret("new")


@pytest.fixture
def keeper(tmp_path: Path) -> Callable[..., Keeper]:
    """The keeper of a MySQL whose task gives the new password; ``files`` are those of an earlier run."""

    def make(**files: str) -> Keeper:
        engine: Any = SimpleNamespace(account=lambda *_words: os.geteuid(), address=lambda _name: "192.0.2.1")
        item = {"type": "mysql", "secrets": {"root_password": NEW.reveal()}}
        infra = spec.parse(asked(item, root_dir=str(tmp_path)))
        made = Keeper(Observer(infra, infra.services[0], engine), CATALOG["mysql"])
        secrets = Path(made.home.layout.secrets)
        secrets.mkdir(parents=True)
        for name, text in files.items():
            (secrets / name.replace("_next", ".next")).write_text(text)
        return made

    return make


def held(keeper: Keeper) -> dict[str, str]:
    return {path.name: path.read_text() for path in Path(keeper.home.layout.secrets).iterdir()}


@pytest.mark.parametrize(
    ("found", "is_set"),
    [
        (Found(login="kept", next=False), True),
        # A run was cut short: nobody knows how far it had come.
        (Found(login="wanted", next=True), True),
        (Found(login="wanted", initialising=True), True),
        (Found(login="wanted"), False),
    ],
)
def test_it_is_set_again_where_a_run_was_cut_short(
    keeper: Callable[..., Keeper], monkeypatch: pytest.MonkeyPatch, found: Found, is_set: bool
) -> None:
    calls: list[Secret] = []
    monkeypatch.setattr(administrator, "set_password", lambda _kind, _account, new: calls.append(new))
    ours = keeper(root_password="old", **({"root_password_next": "new"} if found.next else {}))
    ours.set(replace(found, words=""))
    assert calls == ([NEW] if is_set else [])
    assert held(ours) == {"root_password": "new"}


def test_the_file_of_the_one_that_works_is_kept_where_another_is_not_taken(
    keeper: Callable[..., Keeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: Any) -> None:
        raise FlatrunError("the new password is not taken")

    monkeypatch.setattr(administrator, "set_password", refuse)
    ours = keeper(root_password="old")
    with pytest.raises(FlatrunError, match="is not taken"):
        ours.set(Found(login="kept"))
    assert held(ours) == {"root_password": "old", "root_password.next": "new"}


@pytest.mark.parametrize(
    ("taken", "login", "verbs"),
    [
        ({"", "new", "old"}, "open", ["rotate"]),
        ({"new"}, "wanted", []),
        ({"old"}, "kept", ["rotate"]),
    ],
)
def test_a_redis_that_lets_everybody_in_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: set[str], login: str, verbs: list[str]
) -> None:
    """It takes any password as well, so the wanted one proves nothing alone."""

    def attempt(_kind: str, account: Account) -> None:
        if account.password.reveal() not in taken:
            raise Denied("WRONGPASS")

    monkeypatch.setattr(administrator, "attempt", attempt)
    infra = spec.parse(asked({"type": "redis", "secrets": {"password": "new"}}, root_dir=str(tmp_path)))
    service, engine = infra.services[0], SimpleNamespace(address=lambda _name: "192.0.2.1")
    observer = Observer(infra, service, engine)  # type: ignore[arg-type]
    Path(observer.layout.secrets).mkdir(parents=True)
    (Path(observer.layout.secrets) / "password").write_text("old" if login == "kept" else "new")
    container = Container("flatrun-redis", "running", "redis:8", "id", settings={"port": 6379})
    found = observer.ask(Found(container=container, kept=True, kept_is_wanted=login != "kept"))
    assert (found.login, found.answers) == (login, True)
    assert [action.verb for action in password(service, CATALOG["redis"], found)] == verbs


class Server:
    """Sets what it is told, and lets in by a password as long as it isn't one of those it chokes on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *choking: Secret) -> None:
        self.password, self.choking, self.open = OLD, choking, 0
        monkeypatch.setitem(administrator._LOGIN, "redis", self.login)  # type: ignore[arg-type]
        monkeypatch.setitem(administrator._SET, "redis", self.set)  # type: ignore[arg-type]

    def login(self, account: Account) -> Server:
        if account.password != self.password or account.password in self.choking:
            raise Denied("access denied")
        self.open += 1
        return self

    def set(self, connection: Server, _user: str, new: Secret) -> None:
        assert connection.open
        self.password = new

    def close(self) -> None:
        self.open -= 1


def test_a_password_is_proven_before_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch)
    administrator.set_password("redis", Account("192.0.2.1", 1, "", OLD), NEW)
    assert (server.password, server.open) == (NEW, 0)


def test_one_that_lets_nobody_in_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, NEW)
    with pytest.raises(FlatrunError, match=r"not taken at a login \(access denied\), so the former one is kept"):
        administrator.set_password("redis", Account("192.0.2.1", 1, "", OLD), NEW)
    assert (server.password, server.open) == (OLD, 0)
