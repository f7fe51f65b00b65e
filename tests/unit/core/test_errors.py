"""An error is a sentence: where, what, and what to do."""

from __future__ import annotations

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, InvalidParameter, Refused


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FlatrunError("it broke"), "it broke"),
        (FlatrunError("it broke", "port"), "port: it broke"),
        (FlatrunError("it broke", "port", "Mend it."), "port: it broke. Mend it."),
        (FlatrunError("it broke.", "port", "Mend it."), "port: it broke. Mend it."),
        (FlatrunError("it\nbroke\t here ", "port", "Mend\nit."), "port: it broke here. Mend it."),
    ],
)
def test_sentences(error: FlatrunError, sentence: str) -> None:
    assert error.sentence() == str(error) == sentence


@pytest.mark.parametrize(
    ("where", "parent", "seen"),
    [
        ("port", "services[2]", "services[2].port"),
        ("[0]", "services", "services[0]"),
        ("", "services[2]", "services[2]"),
        ("secrets.password", "services[2]", "services[2].secrets.password"),
    ],
)
def test_under(where: str, parent: str, seen: str) -> None:
    error = InvalidParameter("is wrong", where, "Right it.").under(parent)
    assert isinstance(error, InvalidParameter)
    assert (error.where, error.what, error.do) == (seen, "is wrong", "Right it.")


def test_under_twice() -> None:
    assert str(Refused("no", "host").under("users[1]").under("task")) == "task.users[1].host: no"
