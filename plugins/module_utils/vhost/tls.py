# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS of a vhost: its certificate, its policy, and what is said to clients about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CERTIFICATES
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tree import Directive, line
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.upstream import dotted
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.values import Version, whole

MODERN, INTERMEDIATE = "modern", "intermediate"
# Beside the releases: a candidate is tested before it is the current one, and its certificates have to be there then.
PLACEHOLDER = "placeholder.pem"
_REDIRECTS = (301, 302, 303, 307, 308)
# From here on "http2 on" is a directive, and not a word of "listen".
HTTP2_DIRECTIVE: Version = (1, 25, 1)
_HTTP3: Version = (1, 25, 0)
# From here on images come with an OpenSSL that passes over a group it doesn't know, if it is marked with "?".
_HYBRID: Version = (1, 29, 0)
# Before, the versions of the port's default server are those of all.
_OWN_PROTOCOLS: Version = (1, 30, 0)
_GROUPS = "X25519:prime256v1:secp384r1"
# https://wiki.mozilla.org/Security/Server_Side_TLS; without the suites that would need parameters for DHE.
_CIPHERS = ":".join(
    f"ECDHE-{signature}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for signature in ("ECDSA", "RSA")
)


@dataclass(frozen=True)
class Hsts:
    max_age: int = 63072000
    include_subdomains: bool = False
    preload: bool = False

    @property
    def header(self) -> str:
        words = (("includeSubDomains", self.include_subdomains), ("preload", self.preload))
        return "; ".join([f"max-age={self.max_age}", *(word for word, is_set in words if is_set)])


@dataclass(frozen=True)
class Tls:
    """``certificate`` and ``key`` are paths in nginx' container; ``name`` is empty for a pair of files.

    ``copy`` is the folder with the copy that nginx reads instead, empty until there is one.
    """

    certificate: str
    key: str
    name: str = ""
    redirect: bool = True
    redirect_code: int = 301
    hsts: Hsts | None = None
    policy: str = INTERMEDIATE
    http2: bool = True
    http3: bool = False
    placeholder: bool = False
    copy: str = ""

    @property
    def source(self) -> dict[str, str]:
        """What was asked for."""
        return {"fullchain": self.certificate, "privkey": self.key}

    @property
    def files(self) -> dict[str, str]:
        """What nginx reads."""
        return {part: f"{self.copy}/{part}.pem" for part in self.source} if self.copy else self.source

    def until_it_is_there(self, path: str) -> Tls:
        """With the placeholder at ``path``: a browser that was told to insist on TLS would let nobody pass it."""
        return replace(self, certificate=path, key=path, name="", redirect=False, hsts=None)


def parse_tls(entry: Mapping[str, Any] | None) -> Tls | None:
    if not entry:
        return None
    name, certificate, key = _certificate(entry.get("certificate"))
    code = whole(entry["redirect_code"], "tls.redirect_code", 300, 399)
    if code not in _REDIRECTS:
        raise InvalidParameter(
            f"{code} is no redirect", "tls.redirect_code", f"Take one of: {', '.join(map(str, _REDIRECTS))}."
        )
    return Tls(
        certificate,
        key,
        name,
        entry["redirect"],
        code,
        _hsts(entry.get("hsts")),
        entry["policy"],
        entry["http2"],
        entry["http3"],
        entry["placeholder"],
    )


def _certificate(value: Any) -> tuple[str, str, str]:
    where = "tls.certificate"
    if isinstance(value, Mapping) and set(value) == {"fullchain", "privkey"}:
        pair = [names.absolute_path(value[part], f"{where}.{part}") for part in ("fullchain", "privkey")]
        if any("$" in path for path in pair):
            raise InvalidParameter("holds '$', which nginx would read as a variable", where)
        return "", pair[0], pair[1]
    if isinstance(value, Mapping) or value in (None, ""):
        raise InvalidParameter(
            "must be a name, or a mapping of fullchain and privkey", where, "Write it like blog.example.com."
        )
    name = names.file_name(value, where)
    return name, f"{CERTIFICATES}/{name}/fullchain.pem", f"{CERTIFICATES}/{name}/privkey.pem"


def _hsts(entry: Mapping[str, Any] | None) -> Hsts | None:
    if not entry:
        return None
    age = whole(entry["max_age"], "tls.hsts.max_age", 0, 10**10)
    return Hsts(age, entry["include_subdomains"], entry["preload"])


def require_new_enough(tls: Tls, version: Version, where: str) -> None:
    """Refuse what this nginx would pass over in silence, or not know."""
    needs = (
        ("http3", tls.http3, _HTTP3),
        ("policy", tls.policy == MODERN, _OWN_PROTOCOLS),
        # Before, a word of any server's "listen" holds for all of the port.
        ("http2", not tls.http2, HTTP2_DIRECTIVE),
    )
    for option, is_asked, needed in needs:
        if is_asked and version < needed:
            raise Refused(
                f"needs nginx {dotted(needed)}, and this is {dotted(version)}",
                f"{where}.tls.{option}",
                "Leave it out, or take a newer image.",
            )


def listeners(tls: Tls, version: Version) -> Iterator[Directive]:
    old = ("http2",) if version < HTTP2_DIRECTIVE else ()
    for address in ("443", "[::]:443"):
        yield line("listen", address, "ssl", *old)
    if tls.http3:
        for address in ("443", "[::]:443"):
            yield line("listen", address, "quic")
    if version >= HTTP2_DIRECTIVE:
        yield line("http2", "on" if tls.http2 else "off")


def common(version: Version) -> Iterator[Directive]:
    """What is the same for all servers: the groups are chosen before nginx knows which server is asked for."""
    yield line("ssl_ciphers", _CIPHERS)
    yield line("ssl_ecdh_curve", f"?X25519MLKEM768:{_GROUPS}" if version >= _HYBRID else _GROUPS)


def settings(tls: Tls) -> Iterator[Directive]:
    yield line("ssl_certificate", tls.files["fullchain"])
    yield line("ssl_certificate_key", tls.files["privkey"])
    yield line("ssl_protocols", *(("TLSv1.3",) if tls.policy == MODERN else ("TLSv1.2", "TLSv1.3")))
    yield line("ssl_prefer_server_ciphers", "off")
    yield line("ssl_session_cache", "shared:flatrun_tls:10m")
    yield line("ssl_session_timeout", "1d")
    yield line("ssl_session_tickets", "off")


def headers(tls: Tls) -> list[tuple[str, str]]:
    said = [("Strict-Transport-Security", tls.hsts.header)] if tls.hsts else []
    return said + ([("Alt-Svc", 'h3=":443"; ma=86400')] if tls.http3 else [])
