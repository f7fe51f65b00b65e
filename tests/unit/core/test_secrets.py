"""A secret is seen nowhere but where it is asked for by name."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import string
import traceback
from typing import Any, Callable

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import (
    SECRET,
    Secret,
    disguises,
    generate,
    parse_secret,
)
from hypothesis import given
from hypothesis import strategies as st

TEXT = "can'ary\\ \"€ %41 pass"
CANARY = Secret(TEXT)


def _logged(secret: Secret) -> str:
    return logging.LogRecord("x", logging.INFO, "", 0, "with %s and %r", (secret, secret), None).getMessage()


def _raised(secret: Secret) -> str:
    try:
        raise ValueError(secret)
    except ValueError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(shown.format())


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        lambda secret: f"{secret!r:>40} {secret:^60} {secret!s}",
        lambda secret: f"{secret}{[secret]}{({'a': secret},)}",
        lambda secret: json.dumps({"a": secret}, default=str),
        lambda secret: json.dumps({"a": secret}, default=vars) if hasattr(secret, "__dict__") else SECRET,
        _logged,
        _raised,
    ],
)
def test_it_is_shown_redacted(show: Callable[[Secret], str]) -> None:
    shown = show(CANARY)
    assert SECRET in shown
    assert not [spelling for spelling in disguises(TEXT) if spelling in shown]


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_it_does_not_leave_the_process_unseen(leave: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError) as caught:
        leave(CANARY)
    assert TEXT not in str(caught.value)


def test_it_is_revealed_on_request_and_compared_by_its_text() -> None:
    assert CANARY.reveal() == TEXT
    assert Secret(TEXT) == CANARY
    assert hash(Secret(TEXT)) == hash(CANARY)
    assert Secret("other") != CANARY
    assert CANARY != TEXT
    assert len({CANARY, Secret(TEXT), Secret("other")}) == 2


@pytest.mark.parametrize(
    "value", ["0123", "yes", "null", "{{ x }}", " ", "\t", "a" * 1000, "$6$salt$hash", string.printable[:95]]
)
def test_passwords(value: str) -> None:
    parsed = parse_secret(value, "secrets.password")
    assert parsed.reveal() == value
    assert parse_secret(parsed, "secrets.password") is parsed


@pytest.mark.parametrize(
    ("value", "what"),
    [
        # YAML turns 0123 into 83, and yes into a boolean.
        (83, "a number"),
        (0.5, "a number"),
        (True, "a boolean"),
        (None, "nothing"),
        ([], "a list"),
        ({}, "a mapping"),
        (b"x", "of type bytes"),
        ("", "an empty password is none"),
        ("a\nb", "line break"),
        ("a\rb", "line break"),
        ("a\0b", "NUL"),
    ],
)
def test_no_passwords(value: Any, what: str) -> None:
    with pytest.raises(InvalidParameter, match=rf"^users\[17\]\.password: .*{what}"):
        parse_secret(value, "users[17].password")


def test_a_refused_password_is_not_quoted() -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_secret("canary\nline", "password")
    assert "canary" not in str(caught.value)


def test_generated_ones_are_strong_and_need_no_quotes() -> None:
    many = {generate().reveal() for _each in range(50)}
    assert len(many) == 50
    assert all(len(each) == 32 and each.isalnum() and each.isascii() for each in many)


@pytest.mark.parametrize(
    "spelling",
    [
        "it's",  # plain
        "it''s",  # SQL
        "it\\'s",  # SQL of MySQL
        "it'\"'\"'s",  # a shell's
        "it%27s",  # a URL
        "aXQncw==",  # base64
        "aXQncw",
    ],
)
def test_disguises(spelling: str) -> None:
    assert spelling in disguises("it's")


@given(st.text(min_size=1))
def test_every_text_has_its_disguises(text: str) -> None:
    spellings = disguises(text)
    assert text in spellings
    assert json.dumps(text)[1:-1] in spellings
    assert "" not in spellings
