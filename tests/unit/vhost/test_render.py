"""What nginx gets of a vhost, to the byte where it matters."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.render import render, summary_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import parse
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tree import block, line, quote, text
from ansible_collections.flatrun.infra.tests.unit.vhost.world import params

NEW, OLD = (1, 30, 0), (1, 26, 3)


def rendered(vhost: dict[str, Any], version: tuple[int, ...] = NEW) -> str:
    return render(parse(params([vhost])).vhosts[0], version).text


def refusal(*vhosts: dict[str, Any]) -> str:
    with pytest.raises(FlatrunError) as caught:
        parse(params(list(vhosts)))
    return str(caught.value)


def test_the_plainest() -> None:
    content = rendered({"name": "blog.example.com", "upstream": "http://my-wordpress:80"})
    for expected in (
        "listen 80;",
        "listen [::]:80;",
        "server_name blog.example.com;",
        "proxy_set_header Host $host;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header Upgrade $flatrun_upgrade;",
        "proxy_set_header Connection $flatrun_connection;",
        "location ^~ /.well-known/acme-challenge/ {",
    ):
        assert expected in content
    summary = summary_of(content)
    assert [len(name) for name in summary.pop("needs")] == [20]
    assert summary == {
        "name": "blog.example.com",
        "server_names": ["blog.example.com"],
        "upstreams": ["my-wordpress:80"],
    }


def test_a_stripped_prefix_in_both_forms() -> None:
    vhost = {"name": "a", "upstream": "x", "locations": [{"path": "/v1.0/", "strip_prefix": True, "upstream": "y:1"}]}
    for content in (rendered(vhost), rendered(vhost, OLD)):
        # The escape of the dot is itself escaped, as nginx takes one away.
        assert 'if ($request_uri !~ "^/v1\\\\.0(?<flatrun_rest>/.*)$)" {' in content
    assert "$flatrun_rest;" in rendered(vhost).partition("proxy_pass http://flatrun_")[2]
    assert "set $flatrun_upstream y:1;" in rendered(vhost, OLD)
    assert "proxy_pass http://$flatrun_upstream$flatrun_rest;" in rendered(vhost, OLD)


def test_a_stripped_prefix_is_compared_as_clients_send_it() -> None:
    vhost = {"name": "a", "upstream": "x", "locations": [{"path": "/ü/", "strip_prefix": True, "upstream": "y:1"}]}
    assert "($request_uri !~ ^/%C3%BC(?<flatrun_rest>/.*)$)" in rendered(vhost)
    vhost["locations"] = [{"path": "/a b#%/", "strip_prefix": True}]
    assert "/a%20b%23%25(?<flatrun_rest>/.*)$" in rendered(vhost)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        *(("/my%20files/", "/my files/"), ("/gro%C3%9Fe/", "/große/"), ("/%61%2fb", "/a/b"), ("/100%25/", "/100%/")),
        *(("/admin//", "/admin/"), ("//", "/"), ("/a/../b/", "/b/"), ("/./a", "/a"), ("/a/%2e%2e/", "/")),
        *(("/a?x", "/a"), ("/a/?", "/a/"), ("/a%23b", "/a#b"), ("/a//?b=%20", "/a/")),
    ],
)
def test_a_path_that_no_request_has_is_refused(given: str, meant: str) -> None:
    """With it, whoever may not enter what is meant by it would do so."""
    for match in ("prefix", "exact"):
        vhost = {"name": "a", "upstream": "x", "locations": [{"path": given, "match": match, "deny": ["192.0.2.1"]}]}
        said = refusal(vhost)
        assert said.startswith(f"vhosts[0].locations[0].path: no request has {given!r}")
        assert said.endswith(f"Write {meant!r}.")
        vhost["locations"] = [{"path": meant, "match": match}]
        assert meant in rendered(vhost)


def test_what_a_path_can_hold_and_what_can_not_be_written() -> None:
    for path in ("/.", "/..", "/a/.git", "/...", "/100%/", "/a%2/", "/a b", "/a#b", "/~a", "/a+b:c@d"):
        assert path in rendered({"name": "a", "upstream": "x", "locations": [{"path": path}]})
    for path in ("/a%3Fb", "/a%3Bb/", "/%FF", "/%0a", "/%2520"):
        said = refusal({"name": "a", "upstream": "x", "locations": [{"path": path}]})
        assert said.endswith("Give a path that it begins with.")
    for path in ("/a/.", "/a/.."):
        exact = {"path": path, "match": "exact"}
        assert "no request has" in refusal({"name": "a", "upstream": "x", "locations": [exact]})


def test_what_would_have_no_effect_is_refused() -> None:
    moved = {"path": "/a/", "strip_prefix": True, "redirect": {"to": "https://b.example.com"}}
    found = refusal({"name": "a", "upstream": "x", "locations": [moved]})
    assert found.startswith("vhosts[0].locations[0].strip_prefix: has no effect on a redirect")
    whole = {"name": "a", "redirect": moved["redirect"], "locations": [{"path": "/a/", "strip_prefix": True}]}
    assert "strip_prefix: has no effect" in refusal(whole)
    told = {"name": "a", "upstream": "x", "real_ip_header": "CF-Connecting-IP"}
    assert refusal(told).startswith("vhosts[0].real_ip_header: has no effect")
    rendered({**told, "real_ip_header": "x-forwarded-for"})
    round_and_round = {"path": "/my files/", "redirect": {"to": "/my%20files/", "keep_path": False}}
    assert "leads to itself" in refusal({"name": "a", "upstream": "x", "locations": [round_and_round]})


def test_a_location_has_the_headers_of_its_vhost_and_its_own() -> None:
    content = rendered(
        {
            "name": "a",
            "upstream": "x",
            "websocket": False,
            "request_headers": {"X-One": "1", "host": "fixed.example", "X-Forwarded-For": ""},
            "response_headers": {"X-Frame-Options": "DENY"},
            "locations": [{"path": "/b", "match": "exact", "request_headers": {"X-Two": "a b"}}],
        }
    )
    _head, _site, location = content.partition("location = /b {")[0], *content.split("location = /b {")
    assert 'proxy_set_header X-Two "a b";' in location
    assert "proxy_set_header X-One 1;" in location
    assert "proxy_set_header host fixed.example;" in location
    assert 'proxy_set_header X-Forwarded-For "";' in location
    assert 'proxy_set_header Upgrade "";' in location
    assert "add_header" not in location
    assert "\n    add_header X-Frame-Options DENY always;" in content


def test_refusals_name_the_option() -> None:
    assert refusal({"name": "../a", "upstream": "x"}).startswith("vhosts[0].name: ")
    assert refusal({"name": "_shared", "upstream": "x"}).startswith("vhosts[0].name: ")
    assert refusal({"name": "a"}).startswith("vhosts[0].upstream: ")
    assert refusal({"name": "a", "upstream": "x"}, {"name": "a", "state": "absent"}).startswith("vhosts: ")
    both = refusal({"name": "a", "upstream": "x"}, {"name": "b", "domains": ["A"], "upstream": "x"})
    assert both == "vhosts[1]: a is a name of vhosts[0] (a) and of vhosts[1] (b). Keep it in one of them."
    for path in ("api", "/a;", "/a{", "/$a", '/"', "/\\", "", "/a\u00a0b"):
        found = refusal({"name": "a", "upstream": "x", "locations": [{"path": path}]})
        assert found.startswith("vhosts[0].locations[0].path: ")
    assert "strip_prefix" in refusal(
        {"name": "a", "upstream": "x", "locations": [{"path": "/a", "strip_prefix": True}]}
    )
    for key, value in (("body_size", "1x"), ("timeouts", {"read": "soon"}), ("request_headers", {"a b": "x"})):
        assert refusal({"name": "a", "upstream": "x", key: value}).startswith(f"vhosts[0].{key}")
    for key in ("allow", "deny", "trusted_proxies"):
        found = refusal({"name": "a", "upstream": "x", key: ["192.0.2.1", "fe80::1%eth0"]})
        assert found.startswith(f"vhosts[0].{key}[1]: 'fe80::1%eth0' is neither an address nor a network")
    for key, given in (("response_headers", {"X": "\ud800"}), ("error_pages", {"502": "\ud800"}), ("raw", "a \udc80;")):
        assert "half a character" in refusal({"name": "a", "upstream": "x", key: given})
    proxied = {"name": "a", "upstream": "x", "trusted_proxies": ["192.0.2.1"], "real_ip_header": "proxy_protocol"}
    assert refusal(proxied).startswith("vhosts[0].real_ip_header: has no effect")
    assert "real_ip_header proxy_protocol;" in rendered({**proxied, "proxy_protocol": True})
    static = {"path": "/srv", "fallback": "/a?b"}
    assert refusal({"name": "a", "root": static}).startswith("vhosts[0].root.fallback: holds '?'")
    auth = {"realm": "off", "users": [{"name": "anna", "password": "x"}]}
    assert refusal({"name": "a", "upstream": "x", "basic_auth": auth}).startswith("vhosts[0].basic_auth.realm: off")
    assert "vhosts[0].request_headers.X" in refusal({"name": "a", "upstream": "x", "request_headers": {"X": 5}})
    assert "vhosts[0].request_headers.X" in refusal({"name": "a", "upstream": "x", "request_headers": {"X": "a\nb"}})


@pytest.mark.parametrize(
    ("to", "returned"),
    [
        ("https://bücher.example", "https://xn--bcher-kva.example$request_uri"),
        ("http://Shop.example:8443/", "http://shop.example:8443$request_uri"),
        ("https://[2001:DB8::1]:444/a/", "https://[2001:db8::1]:444/a$request_uri"),
        ("https://a.example?x=1", ""),
        ("/a#b", ""),
        ("https://*.example", ""),
        ("https://.example", ""),
        ("https://a b.example", ""),
        ("https://a.example:x", ""),
        ("https://a.example:65536", ""),
        ("https://", ""),
        ("?x=1", ""),
        ("ftp://a.example", ""),
    ],
)
def test_where_redirects_lead(to: str, returned: str) -> None:
    vhost = {"name": "a", "redirect": {"to": to}}
    if returned:
        assert f"return 301 {returned};" in rendered(vhost)
    else:
        assert refusal(vhost).startswith("vhosts[0].redirect.to: ")
    query = {"name": "a", "redirect": {"to": "https://a.example?x=1", "keep_path": False}}
    assert "return 301 https://a.example?x=1;" in rendered(query)


ELSEWHERE = {"path": "/new/", "upstream": "x"}


@pytest.mark.parametrize(
    ("redirect", "more", "where"),
    [
        ({"to": "/"}, {}, "redirect.to"),
        ({"to": "/new/"}, {}, "redirect.to"),
        ({"to": "/new/?x=1", "keep_path": False}, {}, "redirect.to"),
        ({"to": "/new/"}, {"locations": [{"path": "/other/", "upstream": "x"}]}, "redirect.to"),
        ({"to": "/new/"}, {"locations": [ELSEWHERE]}, ""),
        ({"to": "/new/?x=1", "keep_path": False}, {"locations": [ELSEWHERE]}, ""),
        ({"to": "/new/"}, {"locations": [{"path": "/", "redirect": {"to": "/b"}}]}, "locations[0].redirect.to"),
        ({"to": "/b"}, {"locations": [{"path": "/", "upstream": "x"}, {"path": "/a", "websocket": True}]}, ""),
        ({"to": "https://a.example"}, {}, ""),
        ({"to": "//a.example"}, {}, ""),
        (None, {"upstream": "x", "locations": [{"path": "/a", "redirect": {"to": "/"}}]}, "locations[0].redirect.to"),
        (None, {"upstream": "x", "locations": [{"path": "/a", "redirect": {"to": "/b"}}]}, ""),
        (None, {"locations": [{"path": "/", "redirect": {"to": "/b"}}]}, "locations[0].redirect.to"),
        (None, {"locations": [{"path": "/", "redirect": {"to": "/new"}}, ELSEWHERE]}, ""),
        (None, {"upstream": "x", "locations": [{"path": "/", "match": "exact", "redirect": {"to": "/b"}}]}, ""),
    ],
)
def test_a_redirect_has_an_end(redirect: dict[str, Any] | None, more: dict[str, Any], where: str) -> None:
    vhost = {"name": "a", "redirect": redirect, **more}
    if where:
        assert refusal(vhost).startswith(f"vhosts[0].{where}: ")
        assert "leads to itself" in refusal(vhost)
    else:
        assert "return 301" in rendered(vhost)


def test_quoting() -> None:
    assert quote("$host:80/~^a") == "$host:80/~^a"
    assert [quote(word) for word in ("", "a b", 'a"b', "a\\b", "a;b", "{", "#")] == [
        '""',
        '"a b"',
        '"a\\"b"',
        '"a\\\\b"',
        '"a;b"',
        '"{"',
        '"#"',
    ]
    assert text([line("", "a"), line("a b;")]) == '"" a;\n"a b;";\n'
    assert text([block("a", "b", inner=[line("c")])]) == "a b {\n    c;\n}\n"
