# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine, through the Docker SDK: one place where its errors become sentences."""

from __future__ import annotations

import io
import os
import posixpath
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import (
    FlatrunError,
    InvalidParameter,
    Refused,
    Unreachable,
)

try:
    import docker
    import docker.errors
    import requests.exceptions
except ImportError as error:
    docker, _missing = None, str(error)
else:
    _missing = ""

# Labels by which a container is known to be ours, and what it was made from.
LABEL = "flatrun.infra."
# As many as Linux follows.
_LINKS = 40


# What the engine answers where a container isn't in the state that a request takes.
_CONFLICT = 409


class NotRunning(Unreachable):
    """A container that runs no command: it ended, or is between two attempts of a crash loop."""


class Engine:
    """A connection; ``where`` is the address as the user gave it, named in every error."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        if docker is None:
            raise FlatrunError(
                f"the Docker SDK for Python is missing for {sys.executable} ({_missing})",
                do="Install python3-docker there, as role flatrun.infra.host does.",
            )
        if params["timeout"] < 1:
            raise InvalidParameter("must be at least 1 second", "timeout")
        self.where: str = params["docker_host"]
        # Of the machine, the first in bytes; known once the engine was asked about itself.
        self.memory = self.cpus = 0
        with self._asking("it does not answer"):
            self.api = docker.APIClient(
                base_url=self.where,
                version=params["api_version"] or "auto",
                timeout=params["timeout"],
                tls=_tls(params),
            )
        # The SDK lets a pull wait for ever. Under one that is under way, the engine tells of it all the time.
        self.api._set_request_timeout = self._impatient

    def _impatient(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**options, "timeout": options.get("timeout") or self.api.timeout}

    def close(self) -> None:
        self.api.close()

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Turn what the SDK raises into one sentence that names the engine."""
        try:
            yield
        except docker.errors.APIError as error:
            raise Refused(f"the engine at {self.where} says: {error.explanation or error}", what) from None
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError, ValueError) as error:
            causes = list(_causes(error))
            if any(isinstance(cause, (requests.exceptions.Timeout, TimeoutError)) for cause in causes):
                raise Unreachable(
                    f"the engine at {self.where} did not answer in time", do="See whether it hangs."
                ) from None
            # What the SDK wraps three times is said by the first cause that is no slip of its own.
            first = next((cause for cause in reversed(causes) if isinstance(cause, (OSError, ValueError))), error)
            raise Unreachable(
                f"the engine at {self.where} can't be reached ({str(first).strip()})",
                do="Start it, or set docker_host.",
            ) from None

    def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call the SDK's low-level client; raises Refused with the engine's words, or Unreachable."""
        with self._asking(f"{method.replace('_', ' ')} {arguments[0] if arguments else ''}".strip()):
            return getattr(self.api, method)(*arguments, **options)

    def find(self, method: str, *arguments: Any, **options: Any) -> Any:
        """The same, and None for what does not exist."""
        with self._asking(method.replace("_", " ")):
            try:
                return getattr(self.api, method)(*arguments, **options)
            except docker.errors.NotFound:
                return None

    def require_local(self) -> None:
        """Refuse an engine whose folders and addresses aren't those of the host this runs on."""
        info = self.ask("info")
        self.memory, self.cpus = int(info.get("MemTotal") or 0), int(info.get("NCPU") or 0)
        if any("rootless" in option for option in info.get("SecurityOptions") or ()):
            raise Refused(
                "the engine is rootless, so neither its containers' addresses nor the owners of their files are those "
                "of the host",
                f"docker_host {self.where}",
                "Use the host's own engine.",
            )
        if not self.where.startswith("unix://") and info.get("Name") != os.uname().nodename:
            raise Refused(
                f"the engine is that of the host {info.get('Name')}, and folders are made on {os.uname().nodename}",
                f"docker_host {self.where}",
                f"Run the task on {info.get('Name')} itself.",
            )

    def address(self, container: str) -> str:
        """An address of the container that the host can reach; empty while it has none."""
        return address(self.find("inspect_container", container) or {})

    def read(self, container: str, path: str) -> str:
        """A file of a container, which need not run; empty where it has none. Links are followed as it has them."""
        for _link in range(_LINKS):
            archive = self.find("get_archive", container, path)
            if not archive:
                return ""
            with tarfile.open(fileobj=io.BytesIO(b"".join(archive[0]))) as bundle:
                member = bundle.next()
                if member is None or not member.issym():
                    file = bundle.extractfile(member) if member else None
                    return file.read().decode("utf-8", "replace") if file else ""
                path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
        return ""

    def account(self, container: str, name: str) -> int:
        """The numeric id of an account of the container's image, 0 where it has none; the container need not run."""
        lines = self.read(container, "/etc/passwd").splitlines() if name else []
        return next((int(line.split(":")[2]) for line in lines if line.split(":")[0] == name), 0)

    def log(self, container: str, lines: int = 20) -> str:
        """The last lines of what it wrote, on one line of ours."""
        raw = self.find("logs", container, tail=lines, stdout=True, stderr=True) or b""
        return " | ".join(line.strip() for line in raw.decode("utf-8", "replace").splitlines() if line.strip())

    def run(self, container: str, command: list[str], errors: bool = True) -> tuple[int, str]:
        """A command inside the container: its code and what it wrote, without what went to standard error if asked.

        The engine mixes both as they come, in the middle of a line too: what is to be parsed is asked for alone.
        """
        with self._asking(f"exec {container}"):
            try:
                made = self.api.exec_create(container, command, stderr=errors)
                output = self.api.exec_start(made["Id"])
            except docker.errors.APIError as error:
                if error.status_code != _CONFLICT:
                    raise
                raise NotRunning("it does not run, or ends again and again", f"container {container}") from None
        return self.ask("exec_inspect", made["Id"])["ExitCode"], output.decode("utf-8", "replace").strip()

    def run_apart(
        self, image: str, command: list[str], networks: Sequence[str] = (), **options: Any
    ) -> tuple[int, str]:
        """A command in a container that is made for it and gone then: its code and what it wrote."""
        made = self.ask("create_container", image, entrypoint=command[:1], command=command[1:], **options)
        try:
            for network in networks:
                self.ask("connect_container_to_network", made["Id"], network)
            self.ask("start", made["Id"])
            code = self.ask("wait", made["Id"])["StatusCode"]
            return code, self.ask("logs", made["Id"]).decode("utf-8", "replace").strip()
        finally:
            self.find("remove_container", made["Id"], force=True, v=True)

    def pull(self, image: str) -> None:
        """Fetch an image; raises with the registry's own words."""
        with self._asking(f"pull {image}"):
            for line in self.api.pull(image, stream=True, decode=True):
                if "error" in line:
                    raise Refused(f"the registry says: {line['error']}", f"image {image}")

    def digest(self, reference: str) -> str:
        """The digest that the registry has for a reference now."""
        return str(self.ask("inspect_distribution", reference)["Descriptor"]["digest"])


def address(found: Mapping[str, Any]) -> str:
    """The same of one that was looked at."""
    networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
    return next((each["IPAddress"] for _name, each in sorted(networks.items()) if each.get("IPAddress")), "")


def _tls(params: Mapping[str, Any]) -> Any:
    if not (params["tls"] or params["validate_certs"] or params["client_cert"]):
        return False
    pair = (params["client_cert"], params["client_key"]) if params["client_cert"] else None
    return docker.tls.TLSConfig(client_cert=pair, ca_cert=params["ca_path"], verify=bool(params["validate_certs"]))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, the first cause last."""
    cause: BaseException | None = error
    while cause:
        yield cause
        cause = cause.__cause__ or cause.__context__
