"""Addresses and pools: what is taken, what is refused, and how each nginx gets it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.upstream import parse_upstream, render_upstream

NEW, OLD = (1, 30, 0), (1, 26, 3)


def lines(given: Any, version: tuple[int, ...] = NEW) -> list[str]:
    _name, text = render_upstream(parse_upstream(given, "upstream"), version, "vhosts[0].upstream")
    return [line.strip(" ;") for line in text.splitlines()[1:-1]]


@pytest.mark.parametrize(
    ("given", "server"),
    [
        ("my-app", "server my-app:80 resolve"),
        ("my-app:8080", "server my-app:8080 resolve"),
        ("http://my-app:8080/", "server my-app:8080 resolve"),
        ("https://my_app", "server my_app:443 resolve"),
        ("192.0.2.1:81", "server 192.0.2.1:81"),
        ("[2001:db8::1]:81", "server [2001:db8::1]:81"),
        ("unix:/run/app.sock", "server unix:/run/app.sock"),
    ],
)
def test_an_address(given: str, server: str) -> None:
    assert lines(given) == ["zone flatrun_upstreams", server, "keepalive 32"]


def test_a_pool() -> None:
    servers = [
        {"address": "a:1", "weight": 3, "max_fails": 2, "fail_timeout": 10},
        {"address": "b:1", "backup": True},
        {"address": "c:1", "down": True},
        "unix:/d",
    ]
    assert lines({"servers": servers, "method": "least_conn", "keepalive": 0}) == [
        "zone flatrun_upstreams",
        "least_conn",
        "server a:1 weight=3 max_fails=2 fail_timeout=10s resolve",
        "server b:1 resolve backup",
        "server c:1 resolve down",
        "server unix:/d",
        "keepalive 0",
    ]


def test_what_is_null_is_not_said_and_flags_may_be_texts() -> None:
    """As AWX hands them over."""
    given = {"servers": ["a:1", {"address": "b:1", "backup": "true", "down": "no", "weight": None}]}
    nothing = dict.fromkeys(("method", "scheme", "hash_key", "cookie", "keepalive"))
    assert lines({**given, **nothing})[2:3] == ["server b:1 resolve backup"]
    assert parse_upstream({**given, **nothing}, "upstream") == parse_upstream(given, "upstream")


def test_none_are_kept_in_each_version() -> None:
    """nginx takes a zero from the version on in which it keeps connections by itself."""
    unkept = {"servers": ["192.0.2.1"], "keepalive": 0}
    assert [lines(unkept, version)[2:] for version in ((1, 29, 6), (1, 29, 7))] == [[], ["keepalive 0"]]


@pytest.mark.parametrize("more", [{"keepalive": 8}, {"servers": [{"address": "a", "max_fails": 2}]}])
def test_what_an_old_nginx_cant_do_for_a_single_name_is_refused(more: dict[str, Any]) -> None:
    lines({"servers": ["a"], **more})
    with pytest.raises(FlatrunError, match=r"of a single name needs nginx 1\.27\.3"):
        lines({"servers": ["a"], **more}, OLD)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"method": "ip_hash"}, "ip_hash"),
        ({"method": "random"}, "random"),
        ({"method": "hash"}, "hash $request_uri consistent"),
        ({"method": "hash", "hash_key": "$cookie_user x"}, 'hash "$cookie_user x" consistent'),
        ({"method": "sticky"}, "sticky cookie flatrun_route path=/ httponly"),
    ],
)
def test_methods(more: dict[str, Any], line: str) -> None:
    assert lines({"servers": ["a:1", "b:1"], **more})[1] == line


def test_equal_pools_are_one_and_others_are_not() -> None:
    def name(given: Any) -> str:
        return render_upstream(parse_upstream(given, "upstream"), NEW, "")[0]

    assert name("my-app") == name("http://my-app:80") == name({"servers": ["my-app:80"]})
    assert len({name("a:1"), name("a:2"), name({"servers": ["a:1"], "keepalive": 1})}) == 3


def test_before_1_27_3_a_single_name_needs_a_variable_and_a_pool_of_names_is_refused() -> None:
    assert lines("my-app", OLD) == []
    assert lines("192.0.2.1", OLD) == ["zone flatrun_upstreams", "server 192.0.2.1:80", "keepalive 32"]
    with pytest.raises(FlatrunError, match=r"^vhosts\[0\]\.upstream: a pool of names needs nginx 1\.27\.3.*1\.26\.3"):
        lines({"servers": ["a:1", "b:1"]}, OLD)
    assert "server 192.0.2.2:80" in lines({"servers": ["192.0.2.1", "192.0.2.2"]}, OLD)
    with pytest.raises(FlatrunError, match=r"sticky sessions needs nginx 1\.29\.6"):
        lines({"servers": ["a:1"], "method": "sticky"}, (1, 28, 0))


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (5, "upstream"),
        ("", "upstream"),
        ("a b", "upstream"),
        ("a;b", "upstream"),
        ("a}b", "upstream"),
        ("a:0", "upstream"),
        ("a:65536", "upstream"),
        ("ftp://a", "upstream"),
        ("http://a/path", "upstream"),
        ("$host", "upstream"),
        ("unix:run/app.sock", "upstream"),
        ("unix:/run/../app.sock", "upstream"),
        ("unix:/run/a;b", "upstream"),
        ("[::1", "upstream"),
        ("[zz]:80", "upstream"),
        ("999.1.1.1", "upstream"),
        ({}, "upstream.servers"),
        ({"servers": []}, "upstream.servers"),
        ({"servers": "a:1"}, "upstream.servers"),
        ({"servers": ["a:1", "a:1"]}, "upstream.servers"),
        ({"servers": [{"address": "a:1", "backup": True}]}, "upstream.servers"),
        ({"servers": [{"addres": "a:1"}]}, r"upstream.servers\[0\].addres"),
        ({"servers": [{"address": "a:1", "weight": 0}]}, r"upstream.servers\[0\].weight"),
        ({"servers": [{"address": "a:1", "weight": True}]}, r"upstream.servers\[0\].weight"),
        ({"servers": [{"address": "a:1", "down": "x"}]}, r"upstream.servers\[0\].down"),
        ({"servers": [{"address": "a:1", "fail_timeout": "1;"}]}, r"upstream.servers\[0\].fail_timeout"),
        ({"servers": ["a:1"], "method": "fair"}, "upstream.method"),
        ({"servers": ["a:1"], "hash_key": "$uri"}, "upstream.hash_key"),
        ({"servers": ["a:1"], "cookie": "a"}, "upstream.cookie"),
        ({"servers": ["a:1"], "method": "sticky", "cookie": "a b"}, "upstream.cookie"),
        ({"servers": ["a:1"], "scheme": "ftp"}, "upstream.scheme"),
        ({"servers": ["a:1"], "scheme": ["http"]}, "upstream.scheme"),
        ({"servers": ["a:1"], "method": ["hash"]}, "upstream.method"),
        ({"servers": ["a:1"], "method": "hash", "hash_key": "\ud800"}, "upstream.hash_key"),
        ({"servers": ["a:1"], "keepalive": -1}, "upstream.keepalive"),
        *(
            ({"servers": ["a:1", {"address": "b:1", "backup": True}], "method": method}, "upstream.method")
            for method in ("hash", "ip_hash", "random")
        ),
    ],
)
def test_refused(given: Any, where: str) -> None:
    with pytest.raises(FlatrunError, match=f"^{where}: "):
        parse_upstream(given, "upstream")


def test_a_pool_is_asked_as_its_addresses_say() -> None:
    found = parse_upstream({"servers": ["https://a", {"address": "https://b:8443"}, "c"]}, "upstream")
    assert (found.scheme, found.addresses) == ("https", ("a:443", "b:8443", "c:443"))
    assert parse_upstream({"servers": ["a", "b"]}, "upstream").scheme == "http"
    for servers, more in ((["https://a", "http://b"], {}), (["https://a"], {"scheme": "http"})):
        with pytest.raises(FlatrunError, match=r"^upstream\.servers: are asked by http or by https"):
            parse_upstream({"servers": servers, **more}, "upstream")


def test_what_nginx_or_the_kernel_would_not_take() -> None:
    with pytest.raises(
        FlatrunError, match=r"^upstream\.servers\[0\]\.fail_timeout: is taken by nginx in whole seconds"
    ):
        parse_upstream({"servers": [{"address": "a", "fail_timeout": "500ms"}]}, "upstream")
    assert parse_upstream("unix:/" + "s" * 106, "upstream").addresses
    with pytest.raises(FlatrunError, match=r"^upstream: is a socket's path of more than 107 bytes"):
        parse_upstream("unix:/" + "s" * 107, "upstream")
