"""Hashes as crypt(3) makes them, and password files that stay as they are while they fit."""

from __future__ import annotations

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.access import BasicAuth, User
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.htpasswd import PasswordFile, resolve
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.passwords import hash_password, is_hash, matches

# Made by glibc's crypt(3).
KNOWN = {
    (
        "Hello world!",
        "saltstring",
    ): "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ("ü" * 40, "abc"): "jORUlUKlvt52uJiSe352/w2G1iz8TocnvYnY3f12rXpPgrrGfc4VM2N/DXGnYWGZHRhhAbwSEK0FSMNKdtxcR0",
    (
        "x" * 200,
        "0123456789abcdef",
    ): "Rru0YcJdWAfylTzYkMBaHfdgEjT2jeUewuTfATTJEn/Inu1Ma3JNgneCwDVl2NaWmkgDKZzdSV8VisQ10exaF.",
}


@pytest.mark.parametrize(("password", "salt"), KNOWN)
def test_as_crypt_has_it(password: str, salt: str) -> None:
    hashed = hash_password(Secret(password), salt)
    assert hashed == f"$6${salt}${KNOWN[password, salt]}"
    assert is_hash(hashed)
    assert matches(Secret(password), hashed)
    assert not matches(Secret(password + "x"), hashed)


def test_other_rounds_are_verified() -> None:
    hashed = "$6$rounds=1400$anotherlongsalts$"
    hashed += "gcqWy8YP4ck.Vdlo7M1LGDHs2rcLB5yO7t.qtjugLkoxi0ZJFQeEbBVv/meM7XB3ZjNW0qN7aJ6Otq.PcqSRe/"
    assert matches(Secret("a very much longer text to encrypt."), hashed)


def test_what_is_no_hash() -> None:
    for text in ("plain", "{SHA}x", "$apr1$a$b", "$6$salt$short", "$2y$05$short", "", "$6$a:b$" + "x" * 86):
        assert not is_hash(text)
        assert not matches(Secret("x"), text)


def test_a_password_that_fits_keeps_its_hash() -> None:
    auth = BasicAuth((User("anna", Secret("one")), User("bert", hashed="$2y$kept")))
    first = resolve(auth, "")
    assert isinstance(first, PasswordFile)
    text = first.text(lambda: "salt")
    assert resolve(auth, text) == text
    changed = BasicAuth((User("anna", Secret("one")), User("bert", Secret("two"))))
    second = resolve(changed, text)
    assert isinstance(second, PasswordFile)
    assert second.users[0][1] == text.splitlines()[0].partition(":")[2]
    assert "one" not in repr(first)
    assert resolve(BasicAuth((User("bert", hashed="$2y$kept"),)), text) == "bert:$2y$kept\n"
