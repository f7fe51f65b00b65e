# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The libraries that speak to servers, and what they raise, turned into sentences."""

from __future__ import annotations

import os
import sys
from typing import Any, Callable

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import (
    FlatrunError,
    InvalidParameter,
    Refused,
    Unreachable,
)
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint
from ansible_collections.flatrun.infra.plugins.module_utils.database.handshake import other_engine


class Denied(FlatrunError):
    """The server answered, and does not take the password."""


class Forbidden(Refused):
    """The server answered that the administrator lacks a right."""


def driver(module: str, package: str) -> Any:
    """The library, or the sentence that says how to get it."""
    try:
        return __import__(module)
    except ImportError as error:
        raise FlatrunError(
            f"the library {module} is missing for {sys.executable} ({error})",
            do=f"Install {package} there, as role flatrun.infra.host does.",
        ) from None


def _require_files(endpoint: Endpoint) -> None:
    """Refuse a file that can't be read: libpq would do without a client's certificate, and not say so."""
    if endpoint.socket and not os.path.exists(endpoint.socket):
        raise Unreachable(f"{endpoint.socket} is not there", "login_unix_socket", "See whether the server runs.")
    tls = endpoint.tls
    for parameter, path in (("ca_cert", tls.ca), ("client_cert", tls.certificate), ("client_key", tls.key)):
        try:
            if path:
                open(path, "rb").close()
        except OSError as error:
            raise InvalidParameter(
                f"{path} can't be read ({error.strerror})", parameter, "Name a file of the host that the task runs on."
            ) from None


def log_in(endpoint: Endpoint, attempt: Callable[[Secret | None], Any]) -> Any:
    """The connection that one of the passwords opens; one attempt with each, so that no account gets locked."""
    where = endpoint.where
    _require_files(endpoint)
    denied = Denied("no password is known for it", where, "Give login_password.")
    for password in endpoint.passwords or (None,):
        try:
            return attempt(password)
        except Denied as error:
            denied = Denied(error.what, where, "Correct login_user or login_password.")
        except Unreachable as error:
            other = other_engine(endpoint)
            if other:
                raise Refused(
                    f"{where} is {other}, and engine says {endpoint.engine}", "engine", "Correct it."
                ) from None
            raise Unreachable(error.what, where, "See whether it runs and who may connect.") from None
    raise denied
