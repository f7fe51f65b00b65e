"""Reading what somebody else wrote for nginx."""

from __future__ import annotations

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.syntax import imbalance, server_names

FILE = """\
# server_name not.this.one;
upstream x { server 127.0.0.1:1; }
server {
    listen 8080;
    listen [::]:8081 ssl;
    server_name One.example.com "two.example.com"
        ~^www\\d+\\.example\\.com$;
    location / { return 200 "server_name quoted; }"; set $a ${b}c; }
}
server { server_name three.example.com; listen unix:/run/x.sock; }
server { listen 443 ssl; server_name four; }
server { server_name five; }
"""


def test_names_with_ports_and_lines() -> None:
    found = [(each.name, sorted(each.ports), each.line) for each in server_names(FILE)]
    assert found == [
        ("one.example.com", ["8080", "8081"], 6),
        ("two.example.com", ["8080", "8081"], 6),
        ("~^www\\d+\\.example\\.com$", ["8080", "8081"], 7),
        ("three.example.com", [], 10),
        ("four", ["443"], 11),
        ("five", ["80"], 12),
    ]
    assert server_names('server { server_name a; } "') == server_names("server { server_name a; }")


@pytest.mark.parametrize(
    "text", ["", "a b;", "a { b; }", 'a "}";', "a '{';", "# }\n", "a ${b};", "a b}c;", "if ($x ~ a{2}) { }", 'a "\\"";']
)
def test_what_stays_in_its_place(text: str) -> None:
    complaint = imbalance(text)
    # A brace that isn't a variable's ends a word in nginx too, so it has to be in quotes there.
    assert complaint == "" or "{2}" in text


@pytest.mark.parametrize("text", ["}", "a; } b {", "a", "a {", 'a "', "a '", "a; }", "a\0;", "a; # b\n}"])
def test_what_reaches_out(text: str) -> None:
    assert imbalance(text)
