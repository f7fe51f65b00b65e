"""The one bad change among many is found by halving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.blame import culprit, mentioned
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.shared import render_shared
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import SHARED

VERSION = (1, 30, 0)


def noting(asked: list[Mapping[str, str]]) -> Callable[[Mapping[str, str]], bool]:
    def is_bad(files: Mapping[str, str]) -> bool:
        asked.append(files)
        return "bad" in files.values()

    return is_bad


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_each_place(count: int) -> None:
    good = {f"{number:02}.conf": "former" for number in range(0, count, 2)}
    for bad in range(count):
        wanted = {f"{number:02}.conf": "bad" if number == bad else "good" for number in range(count)}
        asked: list[Mapping[str, str]] = []

        assert culprit(good, wanted, VERSION, noting(asked)) == f"{bad:02}"
        assert len(asked) <= 7


def test_what_was_bad_before_is_nobodys() -> None:
    assert culprit({"a.conf": "bad"}, {"a.conf": "bad", "b.conf": "good"}, VERSION, lambda _files: True) == ""
    assert culprit({"a.conf": "bad"}, {}, VERSION, lambda _files: True) == ""


def test_what_is_bad_in_the_file_in_common_is_the_one_vhosts_that_needs_it() -> None:
    parts = {"one": "upstream one {}\n", "two": "hash $nope;\n"}
    needs = {"a": "one", "b": "two", "c": "one"}
    wanted = {f"{name}.conf": f'# flatrun.infra {{"needs": ["{part}"]}}\n' for name, part in needs.items()}
    wanted[SHARED] = render_shared(parts, VERSION)

    def is_bad(files: Mapping[str, str]) -> bool:
        return "$nope" in files.get(SHARED, "")

    assert culprit({}, wanted, VERSION, is_bad) == "b"
    assert culprit({"a.conf": wanted["a.conf"], SHARED: wanted[SHARED]}, wanted, VERSION, is_bad) == "b"


def test_whose_certificate_it_is() -> None:
    files = {
        "a.conf": '# flatrun.infra {"certificate": {"fullchain": "/c/a.pem", "privkey": "/c/a.key"}}\n',
        "b.conf": '# flatrun.infra {"certificate": {"fullchain": "/c/b.pem", "privkey": "/c/b.key"}}\n',
        "c.conf": "# flatrun.infra {}\n",
    }
    assert mentioned(files, 'cannot load certificate key "/c/b.key": no such file') == "b"
    assert mentioned(files, 'cannot load certificate "/c/b.pem.old"') == ""
