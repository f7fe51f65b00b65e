"""Waiting for a service that ends again and again."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.service import observe, state
from ansible_collections.flatrun.infra.plugins.module_utils.service.observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Container, Found


def observer(monkeypatch: pytest.MonkeyPatch, *seen: Container) -> Observer:
    """One that sees these, one after the other, and asks none of them."""
    left = iter(seen)
    made = object.__new__(Observer)
    made.service, made.engine = SimpleNamespace(container="db"), SimpleNamespace(log=lambda _name: "the last lines")
    monkeypatch.setattr(Observer, "_container", lambda _self, _name: next(left))
    monkeypatch.setattr(Observer, "ask", lambda _self, found: found)
    monkeypatch.setattr(observe, "_PAUSE", 0)
    return made


def test_that_it_ran_out_of_memory_is_told_although_it_has_been_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Container("db", "restarting", "image", "id", restarts=1, out_of_memory=True)
    again = Container("db", "running", "image", "id", restarts=state.RESTARTS + 1)
    found = observer(monkeypatch, ended, again).settle(Found(), math.inf)
    assert found.container
    assert (found.container.status, found.container.out_of_memory, found.log) == ("running", True, "the last lines")


def test_who_never_did_is_not_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = observer(monkeypatch, Container("db", "exited", "image", "id")).settle(Found(), math.inf)
    assert found.container
    assert not found.container.out_of_memory
