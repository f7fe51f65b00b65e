"""From a list of apps to what flatrun_db and flatrun_vhost are called with."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.flatrun.infra.plugins.filter.deployment_items import deployment_items
from ansible_collections.flatrun.infra.plugins.filter.service_items import service_items
from ansible_collections.flatrun.infra.tests.unit.filter.test_service_items import ROLES

MAIN = {"engine": "mysql", "container": "flatrun-mysql"}
FAR = {"engine": "postgresql", "login_host": "db.example.com", "login_port": 5433, "login_user": "admin"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "p@ss/w:rd")
    monkeypatch.setenv("HOST", "blog.example.com")
    monkeypatch.delenv("UNSET", raising=False)


def read(text: str, **servers: Any) -> dict[str, Any]:
    return deployment_items(yaml.safe_load(text), servers)


def test_an_app_with_all_of_it() -> None:
    text = """
    - name: blog
      domains: ["${HOST}", www.blog.example.com]
      upstream: my-wordpress:80
      vhost: {body_size: 1g, basic_auth: {users: [{name: a, password: "${PASSWORD}"}]}}
      database: {password: "${PASSWORD}"}
    """
    found = read(text, main=MAIN)
    assert found["problem"] == ""
    assert found["servers"] == {
        "main": {
            **MAIN,
            "databases": [{"name": "blog", "owner": "blog"}],
            "users": [{"name": "blog", "password": "p@ss/w:rd"}],
        }
    }
    assert found["vhosts"] == [
        {
            "name": "blog",
            "server_names": ["blog.example.com", "www.blog.example.com"],
            "upstream": "my-wordpress:80",
            "body_size": "1g",
            "basic_auth": {"users": [{"name": "a", "password": "p@ss/w:rd"}]},
        }
    ]
    assert found["connections"]["blog"] == {
        "engine": "mysql",
        "host": "flatrun-mysql",
        "port": 3306,
        "database": "blog",
        "user": "blog",
        "password": "p@ss/w:rd",
        "url": "mysql://blog:p%40ss%2Fw%3Ard@flatrun-mysql:3306/blog",
    }


def test_many_apps_are_one_call_a_server() -> None:
    text = """
    - {name: a, database: {server: main, password: x}}
    - {name: b, database: {server: far, name: b-db, user: shared, password: x, extensions: [citext], encoding: UTF8}}
    - {name: c, database: {server: far, user: shared, password: x}}
    - {name: d, domains: "d.example.com, e.example.com", upstream: {servers: ["d:80"]}}
    - {name: gone, state: absent, database: {password: x}}
    """
    found = read(text, main=MAIN, far=FAR)
    assert found["problem"] == ""
    assert [database["name"] for database in found["servers"]["main"]["databases"]] == ["a"]
    assert found["servers"]["far"] == {
        **FAR,
        "databases": [
            {"name": "b-db", "owner": "shared", "encoding": "UTF8", "extensions": ["citext"]},
            {"name": "c", "owner": "shared"},
        ],
        "users": [{"name": "shared", "password": "x"}],
    }
    assert [vhost["name"] for vhost in found["vhosts"]] == ["d", "gone"]
    assert found["vhosts"][0]["server_names"] == ["d.example.com", "e.example.com"]
    assert found["vhosts"][1] == {"name": "gone", "state": "absent"}
    assert found["connections"]["c"]["url"] == "postgresql://shared:x@db.example.com:5433/c"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{name: a}", "deployments: must be a list of apps"),
        ("[{domains: [x]}]", "deployments[0].name: must be a string"),
        ("[{name: a}, {name: a}]", "deployments: the app 'a' is listed twice"),
        (
            "[{name: a, certificate: true}]",
            "deployments[0].certificate: is not known. The keys of deployments[0] are name",
        ),
        ("[{name: a, state: gone}]", "deployments[0].state: 'gone' is not known"),
        ("[{name: a, upstream: 'x:1'}]", "deployments[0].domains: is needed for an app that is to be reached"),
        ("[{name: a, domains: [x], vhost: [y]}]", "deployments[0].vhost: must be a mapping"),
        (
            "[{name: a, domains: ['${UNSET}'], upstream: x}]",
            "deployments[0].domains: the environment variable UNSET is",
        ),
        ("[{name: a, database: {server: main}}]", "deployments[0].database.password: is needed"),
        (
            "[{name: a, database: {server: main, password: 12}}]",
            "deployments[0].database.password: a password must be a",
        ),
        (
            "[{name: a, database: {server: x, password: y}}]",
            "deployments[0].database.server: there is no x. Known are ma",
        ),
        ("[{name: a, database: {password: y}}]", "deployments[0].database.server: is needed. Known are main, far."),
        ("[{name: a, database: {pass: y}}]", "deployments[0].database.pass: is not known"),
        (
            "[{name: a}, {name: b, database: {server: main, password: '${UNSET}'}}]",
            "deployments[1].database.password: the",
        ),
    ],
)
def test_what_cannot_be_meant(text: str, problem: str) -> None:
    found = read(text, main=MAIN, far=FAR)
    assert found["problem"].startswith(problem)
    assert (found["servers"], found["vhosts"], found["connections"]) == ({}, [], {})


def test_the_servers_of_a_block() -> None:
    text = """
    infrastructure: {database: {type: mysql, root_password: x, ssl_mode: verify-ca, ca_cert: /ours}}
    databases:
      far: {type: postgresql, host: db.example.com, root_user: app, root_password: y, ca_cert: /ca}
      theirs: {type: mariadb, mode: external, container: their-db, root_password: z}
      off: {type: mysql, enabled: false}
    deployments: [{name: a, database: {password: x}}]
    """
    found = service_items(yaml.safe_load(text), ROLES)
    assert found["problem"] == ""
    assert found["servers"] == {
        # Its administrator and password are known on the host.
        "database": {
            "engine": "mysql",
            "container": "flatrun-mysql",
            "login_port": 3306,
            "ssl_mode": "verify-ca",
            "ca_cert": "/ours",
        },
        "far": {
            "engine": "postgresql",
            "login_host": "db.example.com",
            "login_port": 5432,
            "login_user": "app",
            "login_password": "y",
            "ca_cert": "/ca",
        },
        "theirs": {
            "engine": "mariadb",
            "container": "their-db",
            "login_port": 3306,
            "login_user": "root",
            "login_password": "z",
        },
    }
    # The one that is called database is meant where an app names none.
    assert list(deployment_items(found["apps"], found["servers"])["servers"]) == ["database"]


def test_a_route_goes_with_the_last_domain() -> None:
    found = read("[{name: a, domains: [], upstream: 'x:1'}, {name: b}]")
    assert (found["problem"], found["vhosts"]) == ("", [{"name": "a", "state": "absent"}])


def test_domains_need_an_nginx() -> None:
    text = "{nginx: {enabled: false}, deployments: [{name: a, domains: [x.example.com], upstream: 'x:1'}]}"
    assert service_items(yaml.safe_load(text), ROLES)["problem"] == (
        "deployments: have domains, and nginx is not enabled. Enable it."
    )


@pytest.mark.parametrize("nginx", ["{enabled: false}", "{external: true, container_name: web}"])
def test_who_has_no_domains_needs_none(nginx: str) -> None:
    gone, kept = "{name: a, domains: x.example.com, state: absent}", "{name: b, domains: [], database: {password: x}}"
    database = "infrastructure: {database: {type: mysql}}"
    found = service_items(yaml.safe_load(f"{{nginx: {nginx}, {database}, deployments: [{gone}, {kept}]}}"), ROLES)
    assert found["problem"] == ""
    assert found["apps"] == [{"name": "b", "database": {"password": "x"}}]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({**MAIN, "login_unix_socket": "/run/x.sock"}, "servers.main.login_unix_socket: is not known"),
        ({"engine": "mysql"}, "servers.main.login_host: is needed"),
        ({"container": "x"}, "servers.main.engine: is needed"),
        ({"engine": "redis", "container": "x"}, "servers.main.engine: is needed"),
        ("flatrun-mysql", "servers.main: must be a mapping"),
    ],
)
def test_a_server_that_apps_can_not_be_told_of(options: Any, says: str) -> None:
    assert read("[{name: blog}]", main=options)["problem"].startswith(says)
