# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a certificate and its key from the disk, with nothing but Python's own TLS."""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
from contextlib import suppress
from dataclasses import replace
from typing import Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.certificate import Certificate
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.pairs import CHAIN, KEY, Pair


def read_pair(fullchain: str, privkey: str) -> Certificate:
    for path in (fullchain, privkey):
        if not os.path.isfile(path):
            return Certificate(f"{path} does not exist", missing=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        pair = Pair(_text(fullchain), Secret(_text(privkey)), os.stat(privkey).st_uid)
        context.load_cert_chain(fullchain, privkey, password="")
    except ssl.SSLError as error:
        if "MISMATCH" in str(error):
            return Certificate(f"the key {privkey} is not that of {fullchain}")
        return Certificate(f"{fullchain} and {privkey} can't be read as PEM ({error.reason or error})")
    except OSError as error:
        return Certificate(f"{fullchain} can't be read ({error.strerror})")
    # Python has no other way to what is in a certificate without a connection; it has had this one since 2.6.
    told = ssl._ssl._test_decode_cert(fullchain)  # type: ignore[attr-defined]
    return Certificate(
        not_before=ssl.cert_time_to_seconds(told["notBefore"]),
        not_after=ssl.cert_time_to_seconds(told["notAfter"]),
        names=tuple(
            _name(kind, value) for kind, value in told.get("subjectAltName", ()) if kind in ("DNS", "IP Address")
        ),
        pair=pair,
    )


def read_inside(fullchain: str, privkey: str, read: Callable[[str], str]) -> Certificate:
    """The same for files that only a container has, which ``read`` reads."""
    given = {CHAIN: fullchain, KEY: privkey}
    with tempfile.TemporaryDirectory(prefix="flatrun-") as folder:
        for name, path in given.items():
            text = read(path)
            if not text:
                return Certificate(f"{path} does not exist in the container", missing=True)
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        found = read_pair(f"{folder}/{CHAIN}", f"{folder}/{KEY}")
        problem = found.problem
        for name, path in given.items():
            problem = problem.replace(f"{folder}/{name}", path)
    return replace(found, problem=problem)


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def _name(kind: str, value: str) -> str:
    if kind == "IP Address":
        with suppress(ValueError):
            return str(ipaddress.ip_address(value.strip()))
    return value
