"""What goes live beside a vhost that nginx does not take, seen with an nginx in memory."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.certificate import Certificate
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.pairs import Pair
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.plan import Order, plan
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.room import Site
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.serve import Rejected
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import parse
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import State
from ansible_collections.flatrun.infra.tests.unit.vhost.world import Server, params

AUTH = {"users": [{"name": "anna", "password": "a long password"}]}
GOOD: dict[str, Any] = {"name": "good", "upstream": "app:80", "basic_auth": AUTH, "tls": {"certificate": "c"}}
BAD: dict[str, Any] = {"name": "bad", "upstream": "app:80", "tls": {"certificate": "d"}}


class Nginx:
    """Takes no release that has the vhost ``bad``."""

    def __init__(self) -> None:
        self.served: list[Order] = []

    def serve(self, release: Order, _running: bool, _names: object) -> None:
        if "bad.conf" in release.texts:
            raise Rejected("no, in /etc/nginx/000002/vhosts/bad.conf:1")
        self.served.append(release)


def released(state: State, *vhosts: dict[str, Any]) -> list[Order]:
    """What is served of an order that has a bad one beside these."""
    spec = parse(params([*vhosts, BAD], on_invalid="quarantine"))
    site, nginx = Site(spec, None), Nginx()  # type: ignore[arg-type]
    site.seen = state
    site._staged = lambda _nginx, order: order  # type: ignore[assignment,method-assign,return-value]
    order: Order = plan(spec, state).actions[-1].detail
    with suppress(Refused):
        site._release(nginx, order)  # type: ignore[arg-type]
    return nginx.served


@pytest.fixture
def settled() -> State:
    tls = [vhost.tls for vhost in parse(params([GOOD, BAD])).vhosts if vhost.tls]
    names = ("good", "bad")
    certificates = {
        each.certificate: Certificate(not_after=9e9, names=names, pair=Pair(each.name, Secret(each.name)))
        for each in tls
    }
    made = Server(State("running", (1, 30, 0), "000000", "000000", certificates=certificates, now=1e9))
    spec = parse(params([GOOD]))
    made.apply(plan(spec, made.state), lambda _action: None)
    assert not plan(spec, made.state)
    return made.state


def test_where_nothing_else_changes_nothing_is_released(settled: State) -> None:
    assert not released(settled, GOOD)


def test_a_password_alone_is_a_change(settled: State) -> None:
    other = {"users": [{"name": "anna", "password": "another password"}]}
    (order,) = released(settled, {**GOOD, "basic_auth": other})
    assert order.extras != settled.files.extras
    assert set(order.rejected) == {"bad"}


def test_what_has_to_be_put_right_is_a_change(settled: State) -> None:
    assert released(replace(settled, copies=frozenset()), GOOD)
    assert released(replace(settled, exposed=frozenset({"auth/good"})), GOOD)
    assert released(replace(settled, withheld=frozenset({"auth/good"})), GOOD)
    assert released(replace(settled, served="000000"), GOOD)
