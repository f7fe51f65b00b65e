"""A second opinion: what community.mysql and community.postgresql make is right for us, and what we make for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, ONE_OF_EACH, Server

pytestmark = GROUP
HERE = Path(__file__).parent
PASSWORD = "p4ss'w\"o\\rd $x"
DATABASES = {"mysql": ("c_theirs", "c_other", "cours", "cother"), "postgresql": ("c_theirs", "c_ours")}
USERS = {"mysql": ("c_them", "c_us"), "postgresql": ("c_them", "c_us", "c_team", "c_crew")}


@pytest.fixture
def cleared(server: Server) -> Iterator[None]:
    yield
    family = "postgresql" if server.is_postgresql else "mysql"
    databases = [{"name": name, "state": "absent", "force": True} for name in DATABASES[family]]
    server.run({"databases": databases, "users": [{"name": name, "state": "absent"} for name in USERS[family]]})


@pytest.mark.usefixtures("cleared")
@pytest.mark.parametrize("host", ["local"], indirect=True)
@pytest.mark.parametrize("server", ONE_OF_EACH, indirect=True)
def test_neither_changes_what_the_other_made(host: Any, play: Callable[..., Any], server: Server) -> None:
    user, password = server.administrator
    play(
        host,
        str(HERE / "community" / f"{'postgresql' if server.is_postgresql else 'mysql'}.yml"),
        engine=server.engine,
        password=PASSWORD,
        reached=server.reached,
        login={
            "login_host": server.endpoint.host,
            "login_port": server.endpoint.port,
            "login_user": user,
            "login_password": password,
        },
    )
