"""What is refused of a task before anything is looked at, and how a server is to be reached."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import DB, INFO, QUERY
from ansible_collections.flatrun.infra.plugins.module_utils.database.query import parse as parse_query
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import parse
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_connection import connection
from ansible_collections.flatrun.infra.tests.unit.database.world import params as filled

ENGINE = {"client_cert": "/docker.pem", "client_key": "/docker.key"}
CLIENT = {"client_cert": "/client.pem", "client_key": "/client.key"}
OTHER = {f"docker_{name}": path for name, path in ENGINE.items()}


def given(arguments: Any, **params: Any) -> dict[str, Any]:
    defaults = {name: deepcopy(option.get("default")) for name, option in arguments.options.items()}
    return {**defaults, "container": "db", **params}


@pytest.mark.parametrize("arguments", [DB, INFO, QUERY], ids=["db", "info", "query"])
def test_each_certificate_goes_where_it_is_meant(arguments: Any) -> None:
    found = connection(given(arguments, **CLIENT, **OTHER, tls=True, ssl_mode="require"))
    assert (found.tls.certificate, found.tls.key) == ("/client.pem", "/client.key")
    assert {name: found.docker[name] for name in ENGINE} == ENGINE


def test_no_certificate_of_the_server_goes_to_the_engine() -> None:
    found = connection(given(DB, **CLIENT))
    assert (found.docker["client_cert"], found.docker["client_key"]) == (None, None)


def test_a_query_and_the_engine_have_a_time_each() -> None:
    found = parse_query(given(QUERY, query="SELECT 1", timeout=5, docker_timeout=7))
    assert (found.timeout, found.connection.docker["timeout"]) == (5, 7)
    assert connection(given(DB, timeout=9)).docker["timeout"] == 9


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"container": None}, "container: it isn't said which server"),
        ({**CLIENT, "tls": True}, "docker_client_cert: is needed"),
        ({**CLIENT, "validate_certs": True}, "docker_client_cert: is needed"),
        ({**CLIENT, "ssl_mode": "disable"}, "client_cert: is presented over TLS alone"),
        ({"ca_cert": "/ca.pem"}, "ca_cert: nothing is verified with ssl_mode prefer"),
        ({"ca_cert": "/ca.pem", "ssl_mode": "require"}, "ca_cert: nothing is verified with ssl_mode require"),
        ({"ssl_mode": "verify-full"}, "ca_cert: nothing can be verified"),
        ({"connect_timeout": 0}, "connect_timeout: must be from 1 to"),
        ({"connect_timeout": 10**12}, "connect_timeout: must be from 1 to"),
        ({"login_user": "a\0"}, "login_user: holds NUL"),
        ({"login_user": "\udc80"}, "login_user: holds NUL or half a character"),
        ({"login_db": "a\0"}, "login_db: holds NUL"),
        ({"container": None, "login_host": "a..b"}, "login_host: 'a..b' is not a host's name"),
        ({"container": None, "login_host": "a" * 64}, "login_host: 'aaaa"),
        ({"container": None, "login_host": "\ud800"}, "login_host: holds half a character"),
        ({"container": None, "login_unix_socket": "/\ud800"}, "login_unix_socket: holds half a character"),
    ],
)
def test_a_connection_that_makes_no_sense_is_refused(params: dict[str, Any], says: str) -> None:
    with pytest.raises(FlatrunError) as refusal:
        connection(given(DB, **params))
    assert refusal.value.sentence().startswith(says)


@pytest.mark.parametrize("host", ["db", "db.", "127.0.0.1", "::1", "fe80::1%eth0", "b\u00fccher.example", "a" * 63])
def test_hosts_are_taken_as_they_are(host: str) -> None:
    assert connection(given(DB, container=None, login_host=host)).host == host


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"timeout": 10**10}, "timeout: must be from 1 to 2147483 seconds"),
        ({"timeout": 0}, "timeout: must be from 1"),
        ({"database": "a\0"}, "database: holds NUL"),
        ({"database": "\ud800"}, "database: holds NUL or half a character"),
        ({"query": "SELECT 1\0"}, "query: holds NUL"),
        ({"query": ["SELECT 1", "\ud800"]}, "query[1]: holds half a character"),
        ({"positional_args": ["\ud800"]}, "positional_args[0]: holds half"),
        ({"named_args": {"a": ["\ud800"]}}, "named_args.a[0]: holds half"),
    ],
)
def test_a_query_that_no_server_can_read_is_refused(params: dict[str, Any], says: str) -> None:
    with pytest.raises(FlatrunError) as refusal:
        parse_query(given(QUERY, **{"query": "SELECT 1", **params}))
    assert refusal.value.sentence().startswith(says)


@pytest.mark.parametrize("params", [{"users": [{"name": "ann", "password": ""}]}, {"login_password": ""}])
def test_nobody_is_promised_a_password(params: dict[str, Any]) -> None:
    with pytest.raises(FlatrunError) as refusal:
        parse(filled(**params))
    assert refusal.value.sentence().endswith("password: an empty password is none. Give one.")


@pytest.mark.parametrize("kind", ["password", "password_hash"])
def test_the_password_of_a_user_that_goes_is_not_asked_about(kind: str) -> None:
    user = {"name": "ann", "host": "%", "update_password": "always", kind: "something"}
    kept, gone = (parse(given(DB, users=[{**user, "state": state}])).users[0] for state in ("present", "absent"))
    assert bool(kept.password or kept.hash)
    assert (gone.password, gone.hash) == (None, None)


@pytest.mark.parametrize("time", ["2030-02-28", "2028-02-29 12:00", "9999-12-31T24:00:00.5+05:30", "infinity"])
def test_times_are_taken_as_they_are_written(time: str) -> None:
    user = {"name": "ann", "host": "%", "state": "present", "update_password": "always"}
    assert parse(given(DB, users=[{**user, "limits": {"valid_until": time}}])).users[0].limits == {"valid_until": time}


NO_DAYS = ["2030-02-30", "2030-02-29 12:00", "2030-13-01", "2030-00-10", "0000-01-01", "now", 2030]


@pytest.mark.parametrize("time", NO_DAYS)
def test_a_day_that_there_is_not_is_no_time(time: Any) -> None:
    user = {"name": "ann", "host": "%", "state": "present", "update_password": "always"}
    with pytest.raises(FlatrunError) as refusal:
        parse(given(DB, users=[{**user, "limits": {"valid_until": time}}]))
    assert refusal.value.sentence().startswith(f"users[0].limits.valid_until: {time!r} is not a time")
