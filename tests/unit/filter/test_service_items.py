"""From the configuration block to items of flatrun_infra, and to sentences where it can't be meant."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.flatrun.infra.plugins.filter.service_items import service_items

ROLES: dict[str, Any] = {
    kind: {"name": kind, "type": kind, "container": f"flatrun-{kind}", "image": f"{kind}:1", "networks": [network]}
    for kind, network in [
        ("nginx", "proxy"),
        ("certbot", "proxy"),
        ("mysql", "database"),
        ("mariadb", "database"),
        ("postgresql", "database"),
        ("redis", "database"),
    ]
}
BLOCK = """
infrastructure:
  default_proxy_network: proxy
  default_database_network: database
  database:
    enabled: true
    type: mysql                 # mysql | mariadb | postgresql
    container: flatrun-mysql
    root_user: root
    root_password: ${MYSQL_ROOT_PASSWORD}
  redis:
    enabled: true
    container: flatrun-redis
    port: 6379
"""
# As an existing program writes it: every key, most of them empty.
FOREIGN = """
deployments_path: /home/someone/deployments
auth: {enabled: true, jwt_secret: x}
nginx: {enabled: false, image: "nginx:alpine", container_name: nginx, config_path: "", reload_command: nginx -s reload,
        external: false, container_webroot_path: "", reject_unknown_domains: false}
certbot: {enabled: true, image: certbot/certbot, email: a@example.com, staging: true, certs_path: "", webroot_path: "",
          container_webroot_path: "", dns_provider: "", auto_renewal_enabled: null, renewal_threshold_days: 0,
          renewal_check_interval: 12h0m0s}
infrastructure:
  default_proxy_network: proxy
  default_database_network: database
  default_object_storage_network: ""
  database: {enabled: true, type: postgres, container: "", host: "", port: 0, root_user: "", root_password: ""}
  redis: {enabled: false, container: "", host: "", port: 6379, password: ""}
"""
SURFACE = ("infrastructure", "nginx", "certbot", "databases", "deployments")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_ROOT_PASSWORD", "a'b\"c${HOME}")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("UNSET", raising=False)


def read(text: str) -> dict[str, Any]:
    given = yaml.safe_load(text)
    return service_items({key: given[key] for key in SURFACE if key in given}, ROLES, "/srv/x", "404")


def items(text: str) -> dict[str, dict[str, Any]]:
    found = read(text)
    assert found["problem"] == ""
    return {item["name"]: item for item in found["services"]}


def database(**keys: Any) -> str:
    return yaml.safe_dump({"infrastructure": {"database": {"type": "mysql", **keys}}})


def test_the_block_as_it_is_pasted() -> None:
    found = items(BLOCK)
    assert list(found) == ["nginx", "database", "redis", "certbot"]
    assert found["database"]["secrets"] == {"root_password": "a'b\"c${HOME}"}
    assert found["database"]["container"] == "flatrun-mysql"
    assert found["redis"]["port"] == 6379
    assert "secrets" not in found["redis"]
    assert [network["name"] for network in read(BLOCK)["networks"]] == ["proxy", "database"]


def test_the_configuration_of_another_program() -> None:
    found = items(FOREIGN)
    assert list(found) == ["database", "certbot"]
    assert found["database"]["type"] == "postgresql"
    assert found["database"]["container"] == "flatrun-postgresql"
    assert found["certbot"]["image"] == "certbot/certbot"


def test_nothing_given_is_nginx_and_certbot() -> None:
    assert list(items("{infrastructure: null}")) == ["nginx", "certbot"]
    assert list(items("{infrastructure: {}, nginx: {enabled: 'no'}, certbot: {enabled: 'False'}}")) == []


def test_networks_have_the_names_that_the_block_gives_them() -> None:
    found = items("{infrastructure: {default_proxy_network: front, database: {type: mysql}}}")
    assert found["nginx"]["networks"] == found["certbot"]["networks"] == ["front"]
    assert found["database"]["networks"] == ["database"]


def test_networks_without_a_way_out() -> None:
    found = service_items({}, ROLES, internal=["proxy"])
    assert found["networks"] == [{"name": "proxy", "internal": True}]
    refused = service_items({}, ROLES, internal=["nowhere"])
    assert refused["problem"].startswith(
        "infrastructure_internal_networks: 'nowhere' is a network of none of the services"
    )


def test_several_servers_side_by_side() -> None:
    text = """
    databases:
      main: {type: postgres, root_user: app, port: "5433"}
      legacy: {type: mysql, container: old-mysql, adopt: "true", image: "mysql:8.4"}
      far: {type: mariadb, host: db.example.com}
      off: {type: mysql, enabled: false}
    """
    found = items(text)
    assert list(found) == ["nginx", "main", "legacy", "far", "certbot"]
    assert found["main"]["env"] == {"POSTGRES_USER": "app"}
    assert found["main"]["port"] == 5433
    assert found["legacy"] == {
        **ROLES["mysql"],
        "name": "legacy",
        "container": "old-mysql",
        "adopt": True,
        "image": "mysql:8.4",
    }
    assert found["far"] == {"name": "far", "type": "mariadb", "host": "db.example.com"}
    assert items(yaml.safe_dump({"infrastructure": yaml.safe_load(text)})) == found


@pytest.mark.parametrize(
    ("keys", "item"),
    [
        ({"host": "db.example.com"}, {"host": "db.example.com"}),
        ({"host": "db", "mode": "external"}, {"mode": "external", "host": "db"}),
        ({"container": "theirs", "mode": "external"}, {"mode": "external", "container": "theirs"}),
    ],
)
def test_external_servers(keys: dict[str, Any], item: dict[str, Any]) -> None:
    assert items(database(**keys))["database"] == {"name": "database", "type": "mysql", **item}


def test_an_nginx_that_somebody_else_runs() -> None:
    found = items(
        "nginx: {external: 'yes', container_name: web, config_path: /etc/nginx/x, reload_command: nginx -s reload}"
    )
    assert found["nginx"] == {"name": "nginx", "type": "nginx", "mode": "external", "container": "web"}


def test_apps_are_routed_by_an_nginx_that_somebody_else_runs() -> None:
    block = "{nginx: {external: true, container_name: web%s}, deployments: [{name: a, domains: a.b, upstream: 'a:1'}]}"
    assert read(block % "")["problem"].startswith("nginx.config_path: is needed for deployments with domains")
    found = read(block % ", config_path: /opt/sites/, reload_command: kill -HUP 1")
    assert (found["nginx"], found["route"]) == (
        "web",
        {"config_path": "/opt/sites", "reload_command": "kill -HUP 1"},
    )


def test_unknown_hosts_are_answered_where_the_block_says_so() -> None:
    assert items("nginx: {reject_unknown_domains: 'false'}")["nginx"]["config_files"] == {"default.conf": "404"}
    assert items("nginx: {reject_unknown_domains: true}")["nginx"]["config_files"] == {}
    assert items("nginx: {image: x}")["nginx"]["config_files"] == {}


def test_folders_of_the_block_are_mounted_where_ours_would_be() -> None:
    text = """
    nginx: {config_path: /etc/sites, container_webroot_path: /var/www/certbot}
    certbot: {certs_path: /etc/letsencrypt, webroot_path: /var/www/hook, container_webroot_path: /hook}
    """
    found = items(text)
    assert found["nginx"]["volumes"] == [
        "/etc/sites:/etc/nginx/conf.d:ro",
        "/var/www/hook:/var/www/acme:ro",
        "/var/www/hook:/var/www/certbot:ro",
    ]
    assert found["certbot"]["volumes"] == [
        "/etc/letsencrypt:/etc/letsencrypt:rw",
        "/var/www/hook:/var/www/acme:rw",
        "/var/www/hook:/hook:rw",
    ]
    assert items("nginx: {container_webroot_path: /w}")["nginx"]["volumes"] == ["/srv/x/acme:/w:ro"]


REFUSED = [
    (database(port=70000), "infrastructure.database.port: 70000 is not a port"),
    (database(port="x"), "infrastructure.database.port: 'x' is not a port"),
    (database(type="oracle"), "infrastructure.database.type: 'oracle' is not known"),
    (database(type=""), "infrastructure.database.type: is needed"),
    (database(host="h", container="c1"), "infrastructure.database.host: both host and container are given"),
    (database(host="h", container="c1", mode="external"), "infrastructure.database.host: both host and container"),
    (database(host="h", mode="managed"), "infrastructure.database.host: a managed service has no host"),
    (database(mode="external"), "infrastructure.database.mode: an external service needs a host or a container"),
    (database(mode="extern"), "infrastructure.database.mode: 'extern' is not known"),
    (database(host="h", image="i"), "infrastructure.database.image: means nothing for a service"),
    (database(host="h", adopt="yes"), "infrastructure.database.adopt: means nothing for a service"),
    (database(root_user="admin"), "infrastructure.database.root_user: the administrator of a managed mysql is root"),
    (database(enabled="maybe"), "infrastructure.database.enabled: 'maybe' is neither true nor false"),
    (database(container="a b"), "infrastructure.database.container: 'a b' is not a container's name"),
    (database(image="a b"), "infrastructure.database.image: 'a b' is not an image"),
    (database(ca_cert="etc/ca.pem"), "infrastructure.database.ca_cert: 'etc/ca.pem' is not an absolute path"),
    (
        "infrastructure: {database: [{root_password: canary}]}",
        "infrastructure.database: must be a mapping, and this is a list",
    ),
    (database(root_password=83), "infrastructure.database.root_password: a password must be a string"),
    (database(root_password=False), "infrastructure.database.root_password: a password must be a string"),
    (
        database(root_password="${UNSET}"),
        "infrastructure.database.root_password: the environment variable UNSET is not",
    ),
    (
        database(root_password="${EMPTY}"),
        "infrastructure.database.root_password: the environment variable EMPTY is empty",
    ),
    (database(root_password="${X:-y}"), "infrastructure.database.root_password: holds a ${ without a name"),
    (database(container="${UNSET}"), "infrastructure.database.container: the environment variable UNSET is not set"),
    (
        database(pasword="x"),
        "infrastructure.database.pasword: is not known. The keys of infrastructure.database are en",
    ),
    (
        "infrastructure: {databse: {}}",
        "infrastructure.databse: is not known. The keys of infrastructure are default_pr",
    ),
    ("infrastructure: {redis: {root_password: x}}", "infrastructure.redis.root_password: is not known"),
    ("infrastructure: {redis: [6379]}", "infrastructure.redis: must be a mapping"),
    ("infrastructure: {default_proxy_network: a b}", "infrastructure.default_proxy_network: 'a b' is not a network"),
    ("nginx: {container: x}", "nginx.container: is not known. The keys of nginx are enabled, image, container_name"),
    ("nginx: {container_name: a b}", "nginx.container_name: 'a b' is not a container's name"),
    ("nginx: {external: true}", "nginx.container_name: is needed"),
    ("certbot: {mail: x}", "certbot.mail: is not known"),
    ("certbot: {webroot_path: www}", "certbot.webroot_path: 'www' is not an absolute path"),
    ("certbot: {renewal_threshold_days: soon}", "certbot.renewal_threshold_days: 'soon' is not a number of days"),
    ("certbot: {renewal_check_interval: soon}", "certbot.renewal_check_interval: 'soon' is not a duration"),
    (
        "databases: {redis: {type: mysql}}\ninfrastructure: {redis: {port: 1}}",
        "infrastructure.redis: the name is that of",
    ),
    (
        "databases: {a: {type: mysql}, b: {type: mysql}}",
        "databases.b.container: flatrun-mysql is the container of databa",
    ),
    ("databases: [mysql]", "databases: must be a mapping"),
    ("deployments: [{nam: x}]", "deployments[0].nam: is not known"),
    ("infrastructure: {deployments: [{nam: x}]}", "deployments[0].nam: is not known"),
    # As the role hands over what its own variables say.
    ("{deployments: [], infrastructure: {deployments: [{nam: x}]}}", "deployments[0].nam: is not known"),
    ("deployments: false", "deployments: must be a list of apps"),
    ("{deployments: [{name: x}], infrastructure: {deployments: [{name: y}]}}", "deployments: are given beside"),
    ("nginx: false", "nginx: must be a mapping, and this is a boolean"),
    ("databases: false", "databases: must be a mapping of names to servers"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED, ids=[problem[:60] for _text, problem in REFUSED])
def test_what_cannot_be_meant_is_said_with_its_key(text: str, problem: str) -> None:
    found = read(text)
    assert found["problem"].startswith(problem)
    assert found["services"] == []
    assert "\n" not in found["problem"]


def test_what_is_disabled_needs_no_variable() -> None:
    assert list(items(database(enabled=False, root_password="${UNSET}"))) == ["nginx", "certbot"]


def test_a_dollar_brace_that_is_meant_as_it_is() -> None:
    assert items(database(root_password="a$${b}$c"))["database"]["secrets"] == {"root_password": "a${b}$c"}


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "{infrastructure: {default_object_storage_network: o}}",
            "infrastructure.default_object_storage_network is ign",
        ),
        ("{infrastructure: {powerdns: {enabled: true, api_port: 1}}}", "infrastructure.powerdns is ignored"),
        ("{nginx: {reload_command: kill -HUP 1}}", "nginx.reload_command is for an nginx with external: true"),
        ("{certbot: {email: a@example.com, staging: true}}", "certbot.email and certbot.staging have no effect yet"),
        (
            "{infrastructure: {redis: {host: r, ssl_mode: require}}}",
            "infrastructure.redis.ssl_mode has no effect: no app is",
        ),
    ],
)
def test_what_has_no_effect_is_said(text: str, warning: str, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda _self, text: warnings.append(text))
    assert read(text)["problem"] == ""
    assert [said[: len(warning)] for said in warnings] == [warning]
