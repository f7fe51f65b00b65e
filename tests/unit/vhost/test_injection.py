"""Whatever a string option holds, it is refused, or nginx gets exactly the directives it would get of a plain one.

FLATRUN_TEST_EXAMPLES says how many texts hypothesis thinks of for each place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import crossplane
import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.access import BasicAuth
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.htpasswd import PasswordFile
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.render import Rendered, render
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.shared import render_shared
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import parse
from ansible_collections.flatrun.infra.tests.unit.vhost import full as vhosts
from ansible_collections.flatrun.infra.tests.unit.vhost.world import params
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FLATRUN_TEST_EXAMPLES", "25"))
OLD, NEW = (1, 22, 1), (1, 30, 0)
SIGNS = st.text(alphabet="{};\"'\\$#\n\r\t \0ax/.*~^%=:|&<>()[]é\u202e", max_size=12)
# Where Python reads an address, and what may stand behind it.
BEGINNINGS = st.sampled_from(["fe80::1%", "[fe80::1%", "192.0.2.1/", "https://a.example/", "unix:/a", "a:80"])
TEXTS = st.one_of(SIGNS, st.text(max_size=8), st.tuples(BEGINNINGS, SIGNS).map("".join))
HOSTILE = [
    *("x; } server { listen 1; } #", '"; return 200; "', "a\\", 'a\\" b', "$host", "${x", "{", "}", ";", "#", "a\nb"),
    *("x} server {", "a b", "'", "../x", "*.a;b", "~^a$", "\\", '\\"', "/ { return 200; } location /", "%0a"),
    *("a\u2028b", "", " ", "a:b", "/a/../../b", "unix:/a;b", "plain", "x\n}", "a\0b", "${", "1m;", "5s; x", "10r/s;"),
    *("fe80::1%a", "fe80::1%x 1; default 1; #", "fe80::1%;} server { listen 1; } #", "[fe80::1%a;b]", "fe80::%x/64"),
]
# Of an address, lines of its own may follow: those of a name, of TLS, and its block. None of the others may differ.
ADDRESSES = {"upstream", "upstream.servers", "upstream.servers.address", "upstream.scheme"}
OF_ADDRESSES = {"set", "proxy_ssl_server_name", "proxy_ssl_name"}
IN_UPSTREAMS = {"zone", "server", "keepalive", "hash", "least_conn", "sticky"}
# What has a meaning of its own: another line takes its place, or none.
MEANINGS = {
    "path": {"/"},
    "upstream.keepalive": {"0"},
    "request_headers.(name)": {"host", "x-real-ip", "upgrade", "connection"},
}
EXTRA = re.compile(r"(auth|pages)/[A-Za-z0-9_][A-Za-z0-9_.:-]*")

PLACES = {
    f"{vhosts.option(path)} at {'.'.join('(name)' if key is vhosts.KEY else str(key) for key in (index, *path))}": (
        index,
        *path,
    )
    for index, vhost in enumerate(vhosts.full(NEW))
    for path in vhosts.places(vhost, vhosts.OPTIONS)
}


def test_no_option_is_forgotten() -> None:
    """One that is new has to be in full.py, or nobody tries to break out of it."""
    tried = {vhosts.option(path[1:]) for path in PLACES.values()}
    tried |= {re.sub(r"^(\w+)\.[^.(]+$", r"\1.(value)", each) for each in tried}
    assert not set(vhosts.open_options(vhosts.OPTIONS)) - tried


def shape(content: str, folder: Path) -> list[Any]:
    """What crossplane reads: the directives' names with how many arguments they have, and what is in them."""
    path = folder / "read.conf"
    path.write_text(content, encoding="utf-8", errors="surrogatepass")
    found = crossplane.parse(str(path), single=True, check_ctx=False, check_args=False, strict=False)
    assert found["status"] == "ok", found["errors"]

    def shapes(parsed: list[dict[str, Any]]) -> Iterator[Any]:
        for each in parsed:
            if each["directive"] != "#":
                yield each["directive"], len(each["args"]), list(shapes(each.get("block", [])))

    # Parts in common stand in the order of names that are made from their content.
    return sorted(shapes(found["config"][0]["parsed"]), key=str)


def without(found: list[Any], names: set[str]) -> list[Any]:
    return sorted(((name, count, without(inner, names)) for name, count, inner in found if name not in names), key=str)


def written(given: list[dict[str, Any]], version: tuple[int, ...]) -> tuple[str, list[Rendered]]:
    rendered = [render(vhost, version) for vhost in parse(params(given)).vhosts]
    parts = {name: text for each in rendered for name, text in each.parts.items()}
    return render_shared(parts, version) + "".join(each.text for each in rendered), rendered


class Judge:
    """Knows what nginx gets of the plain vhosts, and compares with it what it gets of others."""

    def __init__(self, version: tuple[int, ...], folder: Path) -> None:
        self.version, self.folder, self.plain = version, folder, vhosts.full(version)
        self.shape = shape(written(self.plain, version)[0], folder)

    def look(self, path: vhosts.Path, text: str) -> None:
        try:
            content, rendered = written(vhosts.changed(self.plain, path, text), self.version)
        except FlatrunError:
            return
        self.judge(shape(content, self.folder), vhosts.option(path[1:]), text)
        for each in rendered:
            self.judge_files(each)

    def judge(self, found: list[Any], option: str, text: str) -> None:
        if (not text and option not in ADDRESSES) or text.lower() in MEANINGS.get(option, ()):
            # What is left empty has no lines.
            assert names(found) <= names(self.shape), text
        elif option in ADDRESSES:
            inner = [names(each[2]) for each in found if each[0] == "upstream"]
            assert all(each <= IN_UPSTREAMS for each in inner), text
            left_out = {"upstream", *OF_ADDRESSES}
            assert without(found, left_out) == without(self.shape, left_out), text
        else:
            assert found == self.shape, text

    @staticmethod
    def judge_files(rendered: Rendered) -> None:
        """Other files are in their folders; a line of a password file is one user."""
        for path, content in rendered.extras.items():
            assert EXTRA.fullmatch(path), path
            if isinstance(content, BasicAuth):
                # Any hash will do, and a real one takes long.
                lines = PasswordFile(tuple((user.name, "hash") for user in content.users)).text(str)
                listed = [line.split(":", 1)[0] for line in lines.split("\n")[:-1]]
                assert listed == [user.name for user in content.users]


def names(found: list[Any]) -> set[str]:
    return {each[0] for each in found}.union(*(names(each[2]) for each in found))


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, ...], Judge]:
    return {version: Judge(version, tmp_path_factory.mktemp("read")) for version in (OLD, NEW)}


def search(judge: Judge, path: vhosts.Path) -> Callable[[], None]:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(TEXTS)
    def try_it(text: str) -> None:
        judge.look(path, text)

    return try_it


@pytest.mark.parametrize("place", PLACES)
def test_no_option_reaches_out_of_its_place(place: str, judges: dict[tuple[int, ...], Judge]) -> None:
    path = PLACES[place]
    for judge in judges.values():
        for text in HOSTILE:
            judge.look(path, text)
    search(judges[NEW], path)()


def test_what_reaches_out_is_seen(judges: dict[tuple[int, ...], Judge]) -> None:
    judge = judges[NEW]
    plain = written(judge.plain, NEW)[0]
    for more in ("server { listen 1; }", "return 200;"):
        found = shape(plain.replace("    listen 80;", f"    listen 80;\n{more}", 1), judge.folder)
        for option in ("upstream", "body_size"):
            with pytest.raises(AssertionError):
                judge.judge(found, option, "plain")


def test_what_is_taken_literally_arrives_so(tmp_path: Path) -> None:
    for value in ('a "b" c', "back\\slash", "semi;colon", "{brace}", "#hash", "it's", "$remote_addr x", "ü"):
        given = vhosts.changed(vhosts.full(NEW), (0, "request_headers", "X-Plain"), value)
        path = tmp_path / "one.conf"
        path.write_text(written(given, NEW)[0])
        tokens = [token for token, _line, _quoted in crossplane.lex(str(path))]
        place = next(at for at, pair in enumerate(zip(tokens, tokens[1:])) if pair == ("proxy_set_header", "X-Plain"))
        # crossplane leaves the escape of the backslash where nginx takes it away.
        assert tokens[place + 2].replace("\\\\", "\\") == value
