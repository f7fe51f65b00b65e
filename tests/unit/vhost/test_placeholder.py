"""The self-signed certificate by which HTTPS is answered until a vhost's own is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.certificate import Certificate
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.placeholder import make
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import State
from ansible_collections.flatrun.infra.tests.unit.vhost.cases import run
from ansible_collections.flatrun.infra.tests.unit.vhost.world import Server, params
from cryptography import x509

CHAIN = "/etc/flatrun/certificates/a/fullchain.pem"
B: dict[str, Any] = {"name": "b.example", "upstream": "one:80"}


def wish(**tls: Any) -> dict[str, Any]:
    return {"name": "a.example", "upstream": "one:80", "tls": {"certificate": "a", "hsts": {}, **tls}}


def server(found: Certificate) -> Server:
    return Server(State("running", (1, 30, 0), release="000001", served="000001", certificates={CHAIN: found}))


def test_it_stands_in_until_the_certificate_is_there() -> None:
    made = server(Certificate("it does not exist", missing=True))
    asked = params([wish(placeholder=True), B])
    run(made, asked)
    text = made.state.files.vhosts["a.example"]
    assert "ssl_certificate /etc/nginx/placeholder.pem;" in text
    assert "Strict-Transport-Security" not in text
    assert made.state.signed
    assert not run(made, asked)[0].plan
    # It is made again if it is gone, also for a vhost that isn't listed.
    made.state = replace(made.state, signed=False)
    course, _result = run(made, params([B]))
    assert [action.verb for action in course.plan.actions] == ["sign", "release"]
    made.state = replace(made.state, certificates={CHAIN: Certificate(not_after=1.0, names=("a.example",))})
    run(made, asked)
    assert "placeholder" not in made.state.files.vhosts["a.example"]
    assert "Strict-Transport-Security" in made.state.files.vhosts["a.example"]


def test_it_stands_in_for_nothing_else() -> None:
    for placeholder, found in ((False, Certificate("none", missing=True)), (True, Certificate("is no PEM"))):
        made = server(found)
        _course, result = run(made, params([wish(placeholder=placeholder)]))
        assert isinstance(result, FlatrunError)
        assert "the certificate a won't do" in str(result)
        assert not made.switches


def test_nobody_takes_it_for_a_certificate_of_a_name() -> None:
    found = x509.load_pem_x509_certificate(make().encode())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["placeholder.invalid"]
    assert make() != make()
