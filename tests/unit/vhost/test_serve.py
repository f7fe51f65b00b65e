"""An nginx that ends while it is looked at: between two attempts of a crash loop the engine runs no command in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import docker.errors
import pytest
import requests
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import Engine, NotRunning
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.release import Releases
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.serve import Nginx


class Api:
    """Refuses every command with a status."""

    def __init__(self, status: int) -> None:
        self.response = requests.Response()
        self.response.status_code = status

    def exec_create(self, *_arguments: Any, **_options: Any) -> NoReturn:
        words = "Container 0123 is restarting, wait until the container is running"
        raise docker.errors.APIError("", self.response, words)

    def inspect_container(self, _name: str) -> None:
        return None


def engine(status: int) -> Engine:
    made = Engine.__new__(Engine)
    made.where, made.api = "here", Api(status)
    return made


class Manner:
    def __init__(self, reached: Engine) -> None:
        self.engine = reached

    @contextmanager
    def trial(self, release: str) -> Iterator[list[str]]:
        yield ["nginx", "-t", "-c", release]

    def tell(self, _master: int) -> None:
        self.engine.run("c", ["nginx", "-s", "reload"])

    def served(self) -> str:
        return ""


def test_it_is_no_running_one() -> None:
    with pytest.raises(NotRunning, match=r"^container c: it does not run, or ends again and again$"):
        engine(409).run("c", ["true"])
    with pytest.raises(Refused, match="is restarting"):
        engine(500).run("c", ["true"])


def test_a_kernel_without_ipv6_is_named(tmp_path: Path) -> None:
    """By itself nginx only says that it can't have a socket."""
    said = "2026/01/01 12:00:00 [emerg] 6#6: socket() [::]:80 failed (97: Address family not supported by protocol)"
    reached = engine(409)
    nginx = Nginx(reached, "c", Releases(str(tmp_path)), manner=Manner(reached), apart=lambda _command: (1, said))
    words = nginx.complaint("000001", running=False)
    assert words.startswith("socket() [::]:80 failed (97: ")
    assert "ipv6.disable=1" in words


def test_its_new_release_is_there_for_when_it_starts(tmp_path: Path) -> None:
    reached = engine(409)
    nginx = Nginx(reached, "c", Releases(str(tmp_path / "releases")), manner=Manner(reached))
    release = nginx.releases.stage({"one.conf": ""})
    nginx.serve(release, running=True)
    assert nginx.releases.current() == release
