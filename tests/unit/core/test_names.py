"""Names and small values: what is taken, what it becomes, and that each refusal names the parameter."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from hypothesis import given
from hypothesis import strategies as st

WHERE = "services[3].thing"


@pytest.mark.parametrize("value", ["a", "a b", "ä", "日本", "{{ x }}", "'; DROP TABLE x; --", "a" * 10_000])
def test_text(value: str) -> None:
    assert names.text(value, WHERE) == value


@pytest.mark.parametrize(
    "value", ["", None, 0, 83, True, 1.5, [], {}, b"a", "a\nb", "a\tb", "a\0b", "\x7f", "a\r", "\udc80"]
)
def test_no_text(value: Any) -> None:
    with pytest.raises(InvalidParameter, match=r"^services\[3\]\.thing: "):
        names.text(value, WHERE)


@pytest.mark.parametrize("value", [True, "true", "Yes", " on ", "1", 1])
def test_flags(value: Any) -> None:
    assert names.flag(value, WHERE) is True


@pytest.mark.parametrize("value", ["", "maybe", None, 2, [True], {}])
def test_no_flags(value: Any) -> None:
    assert [names.flag(word, WHERE) for word in (False, "False", "no", "off", 0)] == [False] * 5
    with pytest.raises(InvalidParameter, match=r"^services\[3\]\.thing: .* is neither true nor false"):
        names.flag(value, WHERE)


@pytest.mark.parametrize("value", ["ab", "A1", "flatrun-mysql", "a.b_c-d", "1a", "a" * 63])
@pytest.mark.parametrize("kind", [names.container_name, names.network_name])
def test_container_and_network_names(kind: Any, value: str) -> None:
    assert kind(value, WHERE) == value


@pytest.mark.parametrize(
    "value", ["a", "", "-ab", ".ab", "_ab", "a/b", "a b", "a:b", "ä-b", "a" * 64, "ab\n", "a;b", "../b", 12, None]
)
@pytest.mark.parametrize("kind", [names.container_name, names.network_name])
def test_no_container_or_network_names(kind: Any, value: Any) -> None:
    with pytest.raises(InvalidParameter, match=r"^services\[3\]\.thing: "):
        kind(value, WHERE)


@pytest.mark.parametrize("value", ["a", "my.cnf", "00-x_y.conf", "_a", "a" * 100])
def test_file_names(value: str) -> None:
    assert names.file_name(value, WHERE) == value


@pytest.mark.parametrize(
    "value", ["", ".", "..", ".hidden", "../a", "a/b", "/etc/passwd", "a\\b", "a*", "a b", "a\nb", "ä", "a" * 101, 1]
)
def test_no_file_names(value: Any) -> None:
    with pytest.raises(InvalidParameter, match=r"^services\[3\]\.thing: "):
        names.file_name(value, WHERE)


@pytest.mark.parametrize(("value", "port"), [(1, 1), (80, 80), ("80", 80), ("65535", 65535), (65535, 65535)])
def test_ports(value: Any, port: int) -> None:
    assert names.port(value, WHERE) == port


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        65536,
        70000,
        "70000",
        "0",
        "-1",
        "abc",
        "",
        None,
        True,
        80.0,
        "80.0",
        "8_0",
        "+80",
        " 80",
        "٨٠",
        "0x50",
        [],
    ],
)
def test_no_ports(value: Any) -> None:
    with pytest.raises(InvalidParameter, match=r"^services\[3\]\.thing: .* is not a port"):
        names.port(value, WHERE)


@given(st.integers())
def test_every_number_is_a_port_or_refused(number: int) -> None:
    try:
        assert names.port(number, WHERE) == number == names.port(str(number), WHERE)
    except InvalidParameter:
        assert not 1 <= number <= 65535


@pytest.mark.parametrize(
    ("value", "size"),
    [
        *((0, 0), (1024, 1024), ("0", 0), ("512", 512), ("1b", 1), ("1k", 1024), ("512m", 512 * 1024**2)),
        *(("512M", 512 * 1024**2), ("2g", 2 * 1024**3), ("1.5g", 3 * 1024**3 // 2), ("1t", 1024**4)),
        *(("512mb", 512 * 1024**2), ("512MiB", 512 * 1024**2), ("512 m", 512 * 1024**2), (" 1k ", 1024)),
    ],
)
def test_sizes(value: Any, size: int) -> None:
    assert names.size(value, WHERE) == size


@pytest.mark.parametrize(
    "value", ["", "m", "-1", "-1m", "1x", "1e3", "abc", "1 2", True, None, [], "1,5g", "1kk", "nan"]
)
def test_no_sizes(value: Any) -> None:
    with pytest.raises(InvalidParameter, match=r"^services\[3\]\.thing: .* is not a size"):
        names.size(value, WHERE)


@pytest.mark.parametrize(
    ("value", "path"), [("/", "/"), ("/srv", "/srv"), ("/srv/", "/srv"), ("//srv//x", "/srv/x"), ("/a..b", "/a..b")]
)
def test_absolute_paths(value: str, path: str) -> None:
    assert names.absolute_path(value, WHERE) == path


@pytest.mark.parametrize("value", ["", "srv", "./srv", "/srv/..", "/../etc", "/a/../b", "~", "/a\nb", None, 1])
def test_no_absolute_paths(value: Any) -> None:
    with pytest.raises(InvalidParameter, match=r"^services\[3\]\.thing: "):
        names.absolute_path(value, WHERE)


def test_distinct() -> None:
    names.distinct(["a", "b"], WHERE, "the name")
    with pytest.raises(InvalidParameter, match=r"^services\[3\]\.thing: the name 'b' is listed twice"):
        names.distinct(["a", "b", "b"], WHERE, "the name")


@given(st.text(max_size=80))
def test_a_name_that_is_taken_is_harmless(value: str) -> None:
    """Whatever passes can't leave its folder, hide there, or end a line of a file it is put into."""
    for kind in (names.file_name, names.container_name):
        try:
            taken = kind(value, WHERE)
        except InvalidParameter:
            continue
        assert taken == value
        assert taken.isascii()
        assert taken[0] not in ".-"
        assert not set(taken) & set("/\\ \n\0'\"$`;*?")
