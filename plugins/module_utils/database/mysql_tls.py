# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS on the way to MySQL and MariaDB, the same with each version of PyMySQL."""

from __future__ import annotations

import ssl
from typing import Any

_NO_TLS = "SSL is required but the server doesn't support it"


def context() -> ssl.SSLContext:
    """One that takes whoever answers.

    Not the default context, which newer versions of PyMySQL make by themselves for each connection: it reads all the
    system's authorities, for 50 ms of a processor and for nothing.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def connect(pymysql: Any, tls: ssl.SSLContext | None, insists: bool = False, **options: Any) -> Any:
    """A connection with TLS where the server offers it, or without if ``tls`` is None; raises as the driver does.

    Older versions do so by themselves, newer ones refuse a server without TLS: no password was sent by then.
    Either may come back without TLS, so whoever insists on it has to look, too.
    """
    if tls:
        try:
            return pymysql.connect(ssl=tls, **options)
        except pymysql.err.MySQLError as error:
            if insists or _NO_TLS not in str(error):
                raise
    return pymysql.connect(ssl_disabled=True, **options)
