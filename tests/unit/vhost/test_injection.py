"""Whatever a string option holds, it is refused, or nginx gets exactly the directives it would get of a plain one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import crossplane
import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.render import render
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.shared import render_shared
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import parse
from ansible_collections.flatrun.infra.tests.unit.vhost.world import params
from hypothesis import example, given, settings
from hypothesis import strategies as st

Change = Callable[[dict[str, Any], str], None]
VERSIONS = [(1, 22, 1), (1, 30, 0)]
SIGNS = st.text(alphabet="{};\"'\\$#\n\r\t \0ax/.*~^%=:|&<>()[]é\u202e", max_size=12)
HOSTILE = [
    *("x; } server { listen 1; } #", '"; return 200; "', "a\\", 'a\\" b', "$host", "${x", "{", "}", ";", "#", "a\nb"),
    *(
        "x} server {",
        "a b",
        "'",
        "../x",
        "*.a;b",
        "~^a$",
        "\\",
        '\\"',
        "/ { return 200; } location /",
        "%0a",
        "a\u2028b",
    ),
]


def _set(*path: str | int) -> Change:
    def change(vhost: dict[str, Any], text: str) -> None:
        place: Any = vhost
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = text

    return change


def _key(option: str) -> Change:
    def change(vhost: dict[str, Any], text: str) -> None:
        vhost[option] = {text: "plain"}

    return change


OPTIONS: dict[str, Change] = {
    "name": _set("name"),
    "server_names": _set("server_names", 0),
    "upstream": _set("upstream"),
    "address": _set("locations", 0, "upstream", "servers", 0, "address"),
    "fail_timeout": _set("locations", 0, "upstream", "servers", 0, "fail_timeout"),
    "hash_key": _set("locations", 0, "upstream", "hash_key"),
    "path": _set("locations", 0, "path"),
    "redirect": _set("locations", 1, "redirect", "to"),
    "root": _set("locations", 2, "root", "path"),
    "index": _set("locations", 2, "root", "index"),
    "fallback": _set("locations", 2, "root", "fallback"),
    "body_size": _set("body_size"),
    "timeout": _set("timeouts", "read"),
    "request header": _set("request_headers", "X-Plain"),
    "request header's name": _key("request_headers"),
    "response header": _set("response_headers", "X-Plain"),
    "response header's name": _key("response_headers"),
    "realm": _set("basic_auth", "realm"),
    "user": _set("basic_auth", "users", 0, "name"),
    "password": _set("basic_auth", "users", 0, "password"),
    "allow": _set("allow", 0),
    "deny": _set("deny", 0),
    "rate": _set("rate_limit", "rate"),
    "certificate": _set("tls", "certificate"),
    "trusted_proxies": _set("trusted_proxies", 0),
    "real_ip_header": _set("real_ip_header"),
    "error page": _set("error_pages", "502"),
}


def full() -> dict[str, Any]:
    """Every option in its plainest form."""
    pool = {"servers": [{"address": "192.0.2.1:80", "fail_timeout": "5s"}], "method": "hash", "hash_key": "$uri"}
    return {
        "name": "plain",
        "server_names": ["plain.example.com"],
        "upstream": "plain:80",
        "body_size": "1m",
        "timeouts": {"read": "5s"},
        "request_headers": {"X-Plain": "plain"},
        "response_headers": {"X-Plain": "plain"},
        "basic_auth": {"realm": "plain", "users": [{"name": "plain", "password": "plain"}]},
        "allow": ["192.0.2.0/24"],
        "deny": ["192.0.2.1"],
        "rate_limit": {"rate": "10r/s"},
        "tls": {"certificate": "plain", "hsts": {}},
        "trusted_proxies": ["192.0.2.0/24"],
        "real_ip_header": "X-Plain",
        "error_pages": {"502": "plain"},
        "locations": [
            {"path": "/plain/", "upstream": pool, "strip_prefix": True},
            {"path": "/moved/", "redirect": {"to": "https://plain.example.com"}},
            {"path": "/files/", "root": {"path": "/plain", "index": "plain.html", "fallback": "/plain.html"}},
        ],
    }


def shape(content: str, folder: Path) -> list[Any]:
    """What crossplane reads: the directives' names with how many arguments they have, and what is in them."""
    path = folder / "read.conf"
    path.write_text(content)
    found = crossplane.parse(str(path), single=True, check_ctx=False, check_args=False, strict=False)
    assert found["status"] == "ok", found["errors"]

    def shapes(parsed: list[dict[str, Any]]) -> Iterator[Any]:
        for each in parsed:
            if each["directive"] != "#":
                yield each["directive"], len(each["args"]), list(shapes(each.get("block", [])))

    # Parts in common stand in the order of names that are made from their content.
    return sorted(shapes(found["config"][0]["parsed"]), key=str)


def written(vhost: dict[str, Any], version: tuple[int, ...]) -> str:
    rendered = render(parse(params([vhost])).vhosts[0], version)
    return render_shared(rendered.parts, version) + rendered.text


# What may be left empty, and then has no line.
EMPTY = ("realm", "body_size", "fallback", "timeout", "index")


def taken(vhost: dict[str, Any], version: tuple[int, ...]) -> str | None:
    try:
        return written(vhost, version)
    except FlatrunError:
        return None


def attempt(option: str, version: tuple[int, ...], folder: Path) -> Callable[[], None]:
    plain = shape(written(full(), version), folder)

    @settings(max_examples=60)
    @given(st.one_of(SIGNS, st.sampled_from(HOSTILE), st.text(max_size=8)))
    @example("plain")
    def try_it(text: str) -> None:
        vhost = full()
        OPTIONS[option](vhost, text)
        content = taken(vhost, version)
        if content is None:
            return
        found = shape(content, folder)
        if option in ("upstream", "address", *EMPTY) or "header" in option:
            # A name, or what is left out, has lines of its own; none of them is one that nothing plain has.
            assert names(found) <= names(plain), content
            assert [each[0] for each in found if each[0] != "upstream"] == [
                each[0] for each in plain if each[0] != "upstream"
            ]
        else:
            assert found == plain, content

    return try_it


def names(found: list[Any]) -> set[str]:
    return {each[0] for each in found}.union(*(names(each[2]) for each in found))


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("option", OPTIONS)
def test_no_option_reaches_out_of_its_place(option: str, version: tuple[int, ...], tmp_path: Path) -> None:
    attempt(option, version, tmp_path)()


def test_what_is_taken_literally_arrives_so(tmp_path: Path) -> None:
    for value in ('a "b" c', "back\\slash", "semi;colon", "{brace}", "#hash", "it's", "$remote_addr x", "ü"):
        vhost = {**full(), "request_headers": {"X-Plain": value}}
        path = tmp_path / "one.conf"
        path.write_text(written(vhost, (1, 30, 0)))
        tokens = [token for token, _line, _quoted in crossplane.lex(str(path))]
        place = next(at for at, pair in enumerate(zip(tokens, tokens[1:])) if pair == ("proxy_set_header", "X-Plain"))
        # crossplane leaves the escape of the backslash where nginx takes it away.
        assert tokens[place + 2].replace("\\\\", "\\") == value
