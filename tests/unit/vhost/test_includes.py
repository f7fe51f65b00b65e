"""Somebody else's configuration, read up to one file, and written with another in its place."""

from __future__ import annotations

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.includes import Files, dumped, instead
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.place import entry, nameservers

ENTRY = "/etc/nginx/conf.d/zz-flatrun.conf"
NAMES = (ENTRY, "/etc/nginx/conf.d/a.conf", "/etc/nginx/conf.d/.hidden.conf", "/etc/nginx/conf.d/b.old")


def led(main: str, **others: str) -> str:
    known = {f"/etc/nginx/{name.replace('_', '.')}": text for name, text in others.items()}
    files = Files("/etc/nginx/", {"/etc/nginx/nginx.conf": main, **known}, NAMES)
    return instead(files, "/etc/nginx/nginx.conf", ENTRY, "OURS;\n")


@pytest.mark.parametrize(
    "pattern", ["/etc/nginx/conf.d/*.conf", "conf.d/*.conf", '"conf.d/*.conf"', "conf.d/[az]*.conf"]
)
def test_a_pattern_becomes_its_files_with_ours_in_its_place(pattern: str) -> None:
    assert led(f"http {{ include mime.types; include {pattern}; gzip on; }}") == (
        "http { include mime.types; include /etc/nginx/conf.d/a.conf;\nOURS;\n gzip on; }"
    )


def test_the_file_alone_and_through_others() -> None:
    assert led("include conf.d/zz-flatrun.conf;") == "OURS;\n"
    assert led("http { include sites.conf; }", sites_conf="# x;\ninclude conf.d/*;") == (
        "http { # x;\ninclude /etc/nginx/conf.d/a.conf;\ninclude /etc/nginx/conf.d/b.old;\nOURS;\n }"
    )
    assert led("include sites*;", sites_conf="include conf.d/zz-*;", sites_off="a;") == (
        "OURS;\ninclude /etc/nginx/sites.off;\n"
    )


@pytest.mark.parametrize(
    "main",
    [
        "# include conf.d/*.conf;",
        'return "include conf.d/*.conf;";',
        "include conf.d/*.old;",
        "include conf.d/.*;",
        "include /etc/nginx/*/*.conf;",
        "include conf.d/*.conf",
        "include other.conf;",
        "types { include conf; }",
        "include nginx.conf;",
    ],
)
def test_what_does_not_lead_there(main: str) -> None:
    assert led(main) == ""


def test_a_dump() -> None:
    said = "nginx: test is successful\n# configuration file /a/nginx.conf:\nx;\n# y\n# configuration file /b:\n\nz;"
    assert dumped(said) == {"/a/nginx.conf": "x;\n# y\n", "/b": "\nz;"}
    assert dumped("nginx: [emerg] no") == {}


def test_what_ours_includes_may_all_be_missing() -> None:
    """nginx takes a pattern that matches nothing, and no name of a file that isn't there."""
    patterns = [line.split()[1].rstrip(";") for line in entry("/f/current").splitlines()[1:]]
    assert all(set(pattern) & set("*[") for pattern in patterns)


def test_nameservers() -> None:
    assert nameservers(
        "# x\nsearch a\nnameserver 127.0.0.11\nnameserver fe80::1%eth0\nnameserver\noptions ndots:0"
    ) == (
        "127.0.0.11",
        "[fe80::1]",
    )
