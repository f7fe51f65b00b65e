"""Names of vhosts: what is taken, and as what."""

from __future__ import annotations

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.domains import server_name

TAKEN = {
    "blog.example.com": "blog.example.com",
    "Blog.EXAMPLE.com.": "blog.example.com",
    "*.example.com": "*.example.com",
    ".example.com": ".example.com",
    "www.example.*": "www.example.*",
    "localhost": "localhost",
    "my_app.internal": "my_app.internal",
    "bücher.example": "xn--bcher-kva.example",
    "bu\u0308cher.example": "xn--bcher-kva.example",
    "BÜCHER.example": "xn--bcher-kva.example",
    "straße.de": "xn--strae-oqa.de",
    "例え.jp": "xn--r8jz45g.jp",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "192.0.2.1": "192.0.2.1",
    "2001:DB8::1": "[2001:db8::1]",
    "[2001:db8::1]": "[2001:db8::1]",
    f"{'a' * 63}.example": f"{'a' * 63}.example",
    ".".join(["a" * 61] * 4) + ".abcde": ".".join(["a" * 61] * 4) + ".abcde",
}
REFUSED = [
    *("", " ", "_", "$host", "a;b", "a}b", "a{b", "a\nb", "a b", "a\tb", "a\0b", "~^www", "a'b", 'a"b', "a\\b"),
    *("a..b", "-a.example", "a-.example", "*", "*.*", "a.*.b", "a*.example", ".", "..", "../a", "/etc", "*.example.*"),
    *("1.2.3", "256.1.1.1", "1.2.3.4.5", "[::1", "a.example\u202e", "a\u200d.example", "☃.example", "a.\u3000example"),
    *(f"{'a' * 64}.example", ".".join(["a" * 61] * 4) + ".abcdef", "a.example..", "fe80::1%eth0", "[fe80::1%;]", 5),
    *(None, True),
]


@pytest.mark.parametrize("given", TAKEN)
def test_taken(given: str) -> None:
    assert server_name(given, "x") == TAKEN[given]


@pytest.mark.parametrize("given", REFUSED)
def test_refused(given: object) -> None:
    with pytest.raises(InvalidParameter, match=r"^server_names\[3\]: "):
        server_name(given, "server_names[3]")
