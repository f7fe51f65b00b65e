"""What somebody else's server has for data is what its successor has, or it isn't taken over."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service import catalog, guards, settings
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.service.redis_files import redis_files
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import parse
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Container, Data, Found
from ansible_collections.flatrun.infra.tests.unit.service.cases import asked

REDIS = catalog.CATALOG["redis"].command

MYSQL, REDIS, POSTGRESQL = "/var/lib/mysql", "/data", "/var/lib/postgresql/data"


def take_over(
    item: dict[str, Any], mounts: dict[str, str], told: dict[str, str], empty: bool = False, pgdata: str = ""
) -> None:
    service = parse(asked({**item, "adopt": True})).services[0]
    assert service.type
    container = Container("shop", "running", "image", "sha256:1", mounts=mounts, pgdata=pgdata)
    found = Found(container=container, login="wanted", told=told, data=Data("/somewhere", there=True, empty=empty))
    wanted = settings.mounts(service, service.type, Layout("/srv/flatrun", "shop"), mounts)
    guards.adoption(service, found, container, wanted)


@pytest.mark.parametrize(("given", "is_kept"), [({}, False), ({"PGDATA": "/pg/18"}, True)])
def test_a_postgresql_is_taken_over_with_its_own_data(given: dict[str, str], is_kept: bool) -> None:
    with nullcontext() if is_kept else pytest.raises(Refused, match=r"^env\.PGDATA: .* has its data in /pg/18"):
        take_over({"type": "postgresql", "env": given}, {"/pg": "own:rw"}, {"dir": "/pg/18"}, pgdata="/pg/18")


@pytest.mark.parametrize(
    ("item", "mounts", "told"),
    [
        ({"type": "mysql"}, {MYSQL: "own:rw"}, {"dir": "/var/lib/mysql/"}),
        ({"type": "mysql"}, {MYSQL: "own:rw"}, {}),
        ({"type": "mariadb", "volumes": ["own:/var/lib/mysql"]}, {"/srv/db": "own:rw"}, {"dir": "/srv/db"}),
        ({"type": "redis", "volumes": ["/srv/own/sub:/data"]}, {"/own": "/srv/own:rw"}, {"dir": "/own/sub"}),
        ({"type": "redis"}, {REDIS: "own:rw"}, {"dir": "/data", "appendfilename": "appendonly.aof", "dbfilename": "x"}),
        ({"type": "certbot"}, {"/etc/letsencrypt": "own:rw"}, {}),
    ],
)
def test_data_that_goes_along(item: dict[str, Any], mounts: dict[str, str], told: dict[str, str]) -> None:
    take_over(item, mounts, told)


@pytest.mark.parametrize(
    ("item", "mounts", "told", "words"),
    [
        ({"type": "redis"}, {REDIS: "own:rw"}, {"dir": "/tmp"}, "in /tmp, outside of every mount"),
        ({"type": "redis"}, {REDIS: "own:rw"}, {"dir": "/"}, "in /, outside of every mount"),
        ({"type": "mysql"}, {}, {"dir": "/var/lib/mysql/"}, "in /var/lib/mysql, outside of every mount"),
        ({"type": "mysql"}, {}, {}, "no data in /var/lib/mysql"),
        ({"type": "certbot"}, {}, {}, "no data in /etc/letsencrypt"),
        ({"type": "mysql"}, {"/srv/db": "own:rw"}, {"dir": "/srv/db/"}, r"Give volumes: \['own:/var/lib/mysql:rw'\]"),
        ({"type": "mysql"}, {"/srv": "own:rw"}, {"dir": "/srv/db/"}, r"\(own/db\).*mounted at /var/lib/mysql"),
        ({"type": "mysql", "volumes": ["new:/var/lib/mysql"]}, {MYSQL: "own:rw"}, {}, r"\(own\).*\(new\)"),
        ({"type": "postgresql"}, {"/pg": "own:rw"}, {"dir": "/pg/18"}, "Give PGDATA: /pg/18"),
        (
            {"type": "redis"},
            {REDIS: "own:rw"},
            {"dir": "/data", "appendfilename": "own.aof"},
            "Give appendfilename own.aof in config_files",
        ),
    ],
)
def test_data_that_would_be_left_behind(
    item: dict[str, Any], mounts: dict[str, str], told: dict[str, str], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        take_over(item, mounts, told)


def test_an_empty_place_is_no_data() -> None:
    """Unless it is said to be the place: a Redis may have all it holds in memory."""
    with pytest.raises(Refused, match="no data in /data"):
        take_over({"type": "redis"}, {REDIS: "own:rw"}, {}, empty=True)
    take_over({"type": "redis"}, {REDIS: "own:rw"}, {"dir": "/data"}, empty=True)


@pytest.mark.parametrize(
    ("item", "names"),
    [
        ({}, {"appendfilename": "appendonly.aof", "appenddirname": "appendonlydir"}),
        ({"config_files": {"x.conf": "appendonly no\n#dbfilename x\n"}}, {"dbfilename": "dump.rdb"}),
        ({"config_files": {"x.conf": "AppendOnly no\n", "y.conf": 'dbfilename  "my.rdb"\n'}}, {"dbfilename": "my.rdb"}),
        (
            {"command": [*catalog.CATALOG["redis"].command, "--appendonly", "no", "--dbfilename", "r"]},
            {"dbfilename": "r"},
        ),
        ({"config_files": {"x.txt": "appendonly no\n"}}, {"appendfilename": "appendonly.aof"}),
    ],
)
def test_the_files_in_which_a_redis_looks(item: dict[str, Any], names: dict[str, str]) -> None:
    service = parse(asked({"type": "redis", **item})).services[0]
    assert service.type
    assert names.items() <= redis_files(service, service.type).items()
