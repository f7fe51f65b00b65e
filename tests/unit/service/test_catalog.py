"""The catalog's facts, and the settings that are made of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service import guards, settings
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import (
    CATALOG,
    DATABASES,
    SECRETS,
    image_series,
    series_of,
)
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import parse
from ansible_collections.flatrun.infra.tests.unit.service.cases import asked

ROOT = Path(__file__).parents[3]
LAYOUT = Layout("/srv/flatrun", "shop")
# What official images are given by others, and what no service here needs.
NEVER_NEEDED = {
    "SYS_ADMIN",
    "NET_ADMIN",
    "SYS_PTRACE",
    "NET_RAW",
    "MKNOD",
    "SYS_CHROOT",
    "AUDIT_WRITE",
    "SETFCAP",
    "ALL",
}


def made(**item: Any) -> dict[str, Any]:
    service = parse(asked({"name": "shop", "container": "shop", **item})).services[0]
    assert service.type
    return settings.settings(service, service.type, LAYOUT, {})


def test_all_types_are_there() -> None:
    assert set(CATALOG) == {"nginx", "mysql", "mariadb", "postgresql", "redis", "certbot"}
    assert {kind.name: kind.image for kind in CATALOG.values()} == {
        "nginx": "nginx:1.30",
        "mysql": "mysql:9.7",
        "mariadb": "mariadb:11.8",
        "postgresql": "postgres:17",
        "redis": "redis:8",
        "certbot": "certbot/certbot:latest",
    }


@pytest.mark.parametrize("name", CATALOG)
def test_facts_fit_together(name: str) -> None:
    kind = CATALOG[name]
    assert kind.name == name
    assert kind.healthcheck, "its health is not known"
    assert not set(kind.capabilities) & NEVER_NEEDED
    assert bool(kind.secret) == (name in DATABASES or name == "redis")
    assert not kind.secret or (kind.data and kind.account), "a password is kept with data, by an account"
    assert bool(kind.bootstrap) == (name in DATABASES)
    assert bool(kind.series) == (name in DATABASES), "an engine of the same type may write another format"
    assert not kind.published or name == "nginx"
    assert not any("password" in word.lower() and "no_password" not in word for word in kind.healthcheck)


@pytest.mark.parametrize(
    ("name", "version", "series"),
    [
        ("mysql", "9.7.1-1.el9", "9.7"),
        ("mysql", "8.4.6", "8.4"),
        ("mariadb", "1:11.8.3+maria~ubu2404", "11.8"),
        ("mariadb", "1:10.11.14-0+deb12u2", "10.11"),
        ("postgresql", "17.6-1.pgdg13+1", "17"),
        ("postgresql", "18", "18"),
        ("redis", "8.2.1", ""),
    ],
)
def test_series(name: str, version: str, series: str) -> None:
    assert series_of(CATALOG[name], version) == series


@pytest.mark.parametrize(
    ("name", "env", "series"),
    [
        ("mysql", {"MYSQL_VERSION": "9.7.1-1.el9", "MYSQL_MAJOR": "innovation"}, "9.7"),
        ("mysql", {"MYSQL_MAJOR": "8.4"}, "8.4"),
        ("mysql", {"OTHER": "1"}, None),
        ("postgresql", {"PG_MAJOR": "17", "PG_VERSION": "17.6-1"}, "17"),
        ("redis", {"REDIS_VERSION": "8.2.1"}, None),
    ],
)
def test_the_series_of_an_image(name: str, env: dict[str, str], series: str | None) -> None:
    assert image_series(CATALOG[name], env) == series


@pytest.mark.parametrize("name", CATALOG)
def test_a_port_is_put_wherever_it_is_needed(name: str) -> None:
    if name in ("nginx", "certbot"):
        return
    service = parse(asked({"name": "shop", "container": "shop", "type": name, "port": 12345})).services[0]
    kind = CATALOG[name]
    texts = json.dumps([made(type=name, port=12345), settings.config_files(service, kind)])
    assert "{port}" not in texts
    assert "12345" in texts, "the server is not told its port"


@pytest.mark.parametrize("name", CATALOG)
def test_no_secret_is_in_the_settings(name: str) -> None:
    secret = CATALOG[name].secret
    if secret:
        settled = made(type=name, secrets={secret: "can'ary"})
        assert "ary" not in json.dumps(settled).replace("library", "")
        assert settled == made(type=name, secrets={secret: "another"}) == made(type=name)
        assert settled["mounts"][SECRETS] == "/srv/flatrun/shop/secrets:ro"


@pytest.mark.parametrize("name", CATALOG)
def test_only_folders_of_its_own_are_mounted(name: str) -> None:
    for target, mount in made(type=name)["mounts"].items():
        source, mode = mount.rsplit(":", 1)
        assert target.startswith("/")
        assert source.startswith(("/srv/flatrun/shop/", "/srv/flatrun/certificates", "/srv/flatrun/acme"))
        assert mode in ("ro", "rw")
        assert "docker.sock" not in mount


@pytest.mark.parametrize(
    ("item", "key"),
    [
        ({"image": "mysql:8.4"}, "image"),
        ({"env": {"A": "b"}}, "env"),
        ({"memory": "1g"}, "memory"),
        ({"cpus": 2}, "cpus"),
        ({"volumes": ["/x:/y"]}, "mounts"),
        ({"command": ["mysqld"]}, "command"),
        ({"published_ports": ["3306"]}, "published_ports"),
        ({"healthcheck": {"retries": 9}}, "healthcheck"),
        ({"config_files": {"x.cnf": ""}}, settings.CONFIGURATION),
    ],
)
def test_whatever_is_asked_is_in_the_settings(item: dict[str, Any], key: str) -> None:
    usual, other = made(type="mysql"), made(type="mysql", **item)
    assert [name for name in usual if usual[name] != other[name]] == [key]


@pytest.mark.parametrize("name", CATALOG)
def test_settings_are_the_same_bytes_in_every_process(name: str) -> None:
    """They are compared with a label that another process wrote, whose hashes had another seed."""
    files = {"b": "", "a": ""} if CATALOG[name].config else {}
    program = (
        "import json\n"
        "from ansible_collections.flatrun.infra.tests.unit.service.test_catalog import made\n"
        f"print(json.dumps(made(type={name!r}, env={{'B': '1', 'A': '2'}}, config_files={files})))\n"
    )
    path = os.pathsep.join([str(ROOT / ".cache" / "collections"), *sys.path])
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": path, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_the_order_of_what_has_none_does_not_matter() -> None:
    one = made(type="mysql", env={"A": "1", "B": "2"}, config_files={"a": "x", "b": "y"}, published_ports=["1", "2"])
    other = made(type="mysql", env={"B": "2", "A": "1"}, config_files={"b": "y", "a": "x"}, published_ports=["2", "1"])
    assert one == other


@pytest.mark.parametrize(
    ("item", "place"),
    [
        ({"type": "mysql"}, ("/var/lib/mysql", "")),
        ({"type": "mysql", "env": {"PGDATA": "/elsewhere"}}, ("/var/lib/mysql", "")),
        ({"type": "postgresql"}, ("/var/lib/postgresql/data", "")),
        (
            {"type": "postgresql", "env": {"PGDATA": "/var/lib/postgresql/data/a/b/"}},
            ("/var/lib/postgresql/data", "a/b"),
        ),
        ({"type": "postgresql", "env": {"PGDATA": "/var/lib/postgresql/database"}}, ("", "")),
        ({"type": "postgresql", "env": {"PGDATA": "/pg/18"}, "volumes": ["pg:/pg"]}, ("/pg", "18")),
    ],
)
def test_where_a_server_has_its_data(item: dict[str, Any], place: tuple[str, str]) -> None:
    """Beside every mount it would be gone with its container, so that is refused."""
    service = parse(asked(item)).services[0]
    assert service.type
    mounts = settings.mounts(service, service.type, Layout("/srv/flatrun", "shop"), {})
    assert settings.data_place(service, service.type, mounts) == place
    with nullcontext() if place[0] else pytest.raises(Refused, match=r"^env\.PGDATA: .* is outside of every mount"):
        guards.data_is_mounted(service, service.type, mounts)
