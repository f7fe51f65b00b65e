# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to Redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database.administrator import one_try
from ansible_collections.flatrun.infra.plugins.module_utils.database.drivers import Denied, driver, log_in
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint

Words = Sequence[str]


class Session:
    """Commands and their answers, as the server gives them: bytes, numbers and lists."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.redis = driver("redis", "python3-redis")
        self.client = log_in(endpoint, self._open)

    def _open(self, password: Secret | None) -> Any:
        at: dict[str, Any] = {"host": self.endpoint.host, "port": self.endpoint.port, **self._tls()}
        if self.endpoint.socket:
            at = {"unix_socket_path": self.endpoint.socket}
        client = self.redis.Redis(
            **at,
            username=self.endpoint.user,
            password=password.reveal() if password else None,
            socket_timeout=self.endpoint.timeout,
            socket_connect_timeout=self.endpoint.timeout,
            retry=one_try(self.redis),
        )
        # The library makes something else of each answer in each of its versions.
        client.response_callbacks.clear()
        try:
            client.execute_command("ACL", "WHOAMI")
        except self.redis.exceptions.AuthenticationError as error:
            raise Denied(str(error)) from None
        except self.redis.exceptions.ResponseError as error:
            kind = Denied if any(word in str(error) for word in ("WRONGPASS", "NOAUTH")) else Unreachable
            raise kind(str(error)) from None
        except (self.redis.exceptions.RedisError, OSError) as error:
            raise Unreachable(str(error)) from None
        return client

    def _tls(self) -> dict[str, Any]:
        """Redis speaks TLS at a port of its own, so it is taken only where it is asked for."""
        tls = self.endpoint.tls
        if tls.mode in ("disable", "prefer"):
            return {}
        return {
            "ssl": True,
            "ssl_cert_reqs": "required" if tls.mode.startswith("verify") else "none",
            "ssl_check_hostname": tls.mode == "verify-full" and tls.check_hostname,
            "ssl_ca_certs": tls.ca or None,
            "ssl_certfile": tls.certificate or None,
            "ssl_keyfile": tls.key or None,
        }

    def close(self) -> None:
        self.client.close()

    def ask(self, *words: str) -> Any:
        with self.speaking():
            return self.client.execute_command(*words)

    def ask_all(self, commands: Sequence[Words], whole: bool = False) -> list[Any]:
        """All in one go, as one transaction where they are to be done whole; an answer may be an error."""
        with self.speaking(), self.client.pipeline(transaction=whole) as pipeline:
            for words in commands:
                pipeline.execute_command(*words)
            return list(pipeline.execute(raise_on_error=False))

    def refused(self, answer: Any) -> str:
        """The server's words, if an answer is an error."""
        return str(answer) if isinstance(answer, self.redis.exceptions.ResponseError) else ""

    @contextmanager
    def speaking(self) -> Iterator[None]:
        try:
            yield
        except self.redis.exceptions.ResponseError as error:
            do = f"Give {self.endpoint.user} the right, or log in as another one." if _may_not(error) else ""
            raise Refused(f"the server says: {error}", self.endpoint.where, do) from None
        except (self.redis.exceptions.RedisError, OSError) as error:
            raise Unreachable(f"the connection broke ({error})", self.endpoint.where, "Run again.") from None


def _may_not(error: Exception) -> bool:
    return type(error).__name__ == "NoPermissionError" or str(error).startswith("NOPERM")
