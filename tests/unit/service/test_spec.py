"""What may be asked of flatrun_infra, what it becomes, and every refusal with its parameter named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import SECRET, Secret
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CATALOG, with_port
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import (
    FOREIGN,
    HOST,
    MANAGED,
    Service,
    located,
    parse,
)
from ansible_collections.flatrun.infra.plugins.module_utils.service.values import Port
from ansible_collections.flatrun.infra.tests.unit.service.cases import asked
from hypothesis import given
from hypothesis import strategies as st


def one(**item: Any) -> Service:
    return parse(asked(item)).services[0]


def refusal(*items: dict[str, Any], **more: Any) -> str:
    with pytest.raises(InvalidParameter) as caught:
        parse(asked(*items, **more))
    return str(caught.value)


def test_a_type_alone_is_a_whole_service() -> None:
    for name, kind in CATALOG.items():
        service = one(type=name)
        assert (service.name, service.container) == (name, f"flatrun-{name}")
        assert (service.type, service.mode, service.state, service.whole) == (kind, MANAGED, "started", True)
        assert (service.image, service.port) == (kind.image, kind.port)


@pytest.mark.parametrize(
    ("item", "container"),
    [
        ({"name": "shop", "type": "mysql"}, "flatrun-mysql"),
        ({"name": "mysql"}, "flatrun-mysql"),
        ({"name": "shop"}, "shop"),
        ({"name": "shop", "container": "shop-db"}, "shop-db"),
        ({"container": "shop-db"}, "shop-db"),
    ],
)
def test_the_container_of_a_service(item: dict[str, Any], container: str) -> None:
    assert one(**item).container == container


@pytest.mark.parametrize("state", ["started", "present", "stopped", "restarted", "absent"])
def test_name_and_state_alone_keep_all_else(state: str) -> None:
    service = one(name="shop", state=state)
    assert (service.whole, service.state, service.type) == (False, state, None)


def test_a_container_is_sought_by_the_name_of_its_service() -> None:
    bearers = {"shop": ("shop-db",), "mail": ("one", "two")}
    spec = parse(asked({"name": "shop"}, {"name": "mysql"}, {"name": "mail", "container": "two"}))
    assert [each.container for each in located(spec, bearers).services] == ["shop-db", "flatrun-mysql", "two"]
    assert located(located(spec, bearers), {}) == located(spec, bearers)
    assert located(parse(asked({"name": "shop", "type": "mysql"})), bearers).services[0].container == "flatrun-mysql"
    with pytest.raises(InvalidParameter, match=r"services\[0\]\.container: several are .* mail: one, two"):
        located(parse(asked({"name": "mail"})), bearers)
    with pytest.raises(InvalidParameter, match="the container 'shop-db' is listed twice"):
        located(parse(asked({"name": "shop"}, {"container": "shop-db"})), bearers)


@pytest.mark.parametrize(
    ("item", "mode"),
    [
        ({"type": "mysql"}, MANAGED),
        ({"type": "mysql", "mode": "managed"}, MANAGED),
        ({"type": "mysql", "container": "db"}, MANAGED),
        ({"type": "mysql", "host": "db.example.com"}, HOST),
        ({"type": "mysql", "host": "db.example.com", "mode": "external"}, HOST),
        ({"type": "mysql", "container": "db", "mode": "external"}, FOREIGN),
    ],
)
def test_managed_and_external(item: dict[str, Any], mode: str) -> None:
    assert one(**item).mode == mode


@pytest.mark.parametrize(
    "unset", [{"host": ""}, {"image": ""}, {"memory": ""}, {"env": {}}, {"mode": "auto"}, {"port": None}]
)
def test_empty_means_unset(unset: dict[str, Any]) -> None:
    assert one(type="mysql", **unset) == one(type="mysql")


@pytest.mark.parametrize(
    ("value", "port"),
    [
        ("80", Port("127.0.0.1", 80, 80)),
        (80, Port("127.0.0.1", 80, 80)),
        ("8080:80", Port("127.0.0.1", 8080, 80)),
        ("127.0.0.1:80:80", Port("127.0.0.1", 80, 80)),
        ("0.0.0.0:80:80", Port("0.0.0.0", 80, 80)),
        ("*:80:80", Port("", 80, 80)),
        ("[::1]:80:80", Port("::1", 80, 80)),
        ("[0:0::1]:80:80", Port("::1", 80, 80)),
        ("[::]:8080:80", Port("::", 8080, 80)),
        ("53/udp", Port("127.0.0.1", 53, 53, "udp")),
        ("*:5353:53/udp", Port("", 5353, 53, "udp")),
        ("65535", Port("127.0.0.1", 65535, 65535)),
    ],
)
def test_published_ports(value: Any, port: Port) -> None:
    assert one(type="nginx", published_ports=[value]).ports == (port,)


@pytest.mark.parametrize(
    "value",
    [
        *("70000", "0", "-1", "abc", "", "80:", ":80", "80:0", "70000:80", "80:80:80:80", "80/sctp", "80-90", "80 "),
        *(
            "999.1.1.1:80:80",
            "127.0.0.01:80:80",
            "[:::]:80:80",
            "[1]:80:80",
            "example.com:80:80",
            "::1:80:80",
            "[::1]:80:80/icmp",
            "127.0.0.1::80",
            "80\n",
        ),
    ],
)
def test_no_published_ports(value: str) -> None:
    assert refusal({"type": "nginx", "published_ports": ["443", value]}).startswith("services[0].published_ports[1]: ")


@pytest.mark.parametrize(
    ("one", "two", "clash"),
    [
        ("*:90:80", "127.0.0.1:90:80", True),
        ("0.0.0.0:90:80", "90", True),
        ("[::]:90:80", "[::1]:90:80", True),
        ("[::]:90:80", "*:90:80", True),
        ("[::]:90:80", "0.0.0.0:90:80", False),
        ("127.0.0.1:90:80", "127.0.0.2:90:80", False),
        ("90", "90/udp", False),
        ("90", "91:90", False),
    ],
)
def test_a_port_is_published_once(one: str, two: str, clash: bool) -> None:
    first, second = ({"type": kind, "published_ports": [port]} for kind, port in (("nginx", one), ("redis", two)))
    if clash:
        assert "are the same port" in refusal({"type": "nginx", "published_ports": [one, two]})
        assert refusal(first, second).startswith("services[1].published_ports: ")
        assert "is published by nginx too" in refusal(first, second)
    else:
        parse(asked(first, second))
    # One may take over from another that is stopped.
    parse(asked({**first, "state": "stopped"}, second))


def test_only_nginx_publishes_ports_of_itself() -> None:
    assert [str(port) for port in one(type="nginx").ports] == ["*:80:80/tcp", "*:443:443/tcp"]
    assert one(type="nginx", published_ports=[]).ports == ()
    assert not [name for name in CATALOG if name != "nginx" and one(type=name).ports]


def test_a_whole_specification() -> None:
    service = one(
        name="shop",
        type="mysql",
        image="registry.example.com:5000/mysql@sha256:" + "0" * 64,
        networks=["database", "shop"],
        env={"TZ": "UTC", "EMPTY": ""},
        secrets={"root_password": "0123"},
        config_files={"my.cnf": "[mysqld]\n"},
        volumes=["/srv/x:/x", "named:/y:ro"],
        command=["mysqld", "--verbose"],
        memory="512m",
        cpus=1.5,
        healthcheck={
            "test": ["CMD", "true"],
            "interval": "10s",
            "timeout": "500ms",
            "retries": 3,
            "start_period": "2m",
        },
        port=3307,
    )
    assert service.env == (("EMPTY", ""), ("TZ", "UTC"))
    assert service.secret("root_password") == Secret("0123")
    assert service.volumes == ("/srv/x:/x:rw", "named:/y:ro")
    assert (service.memory, service.cpus, service.port) == (512 * 1024**2, 1.5, 3307)
    assert dict(service.healthcheck) == {
        "Test": ["CMD", "true"],
        "Interval": 10 * 10**9,
        "Timeout": 5 * 10**8,
        "Retries": 3,
        "StartPeriod": 120 * 10**9,
    }
    assert SECRET in repr(service)
    assert "0123" not in repr(service)


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("redis-cli ping", ["CMD-SHELL", "redis-cli ping"]),
        (["CMD-SHELL", "redis-cli ping"], ["CMD-SHELL", "redis-cli ping"]),
        (["CMD", "redis-cli", "ping"], ["CMD", "redis-cli", "ping"]),
        (["NONE"], ["NONE"]),
    ],
)
def test_health_checks_that_the_engine_knows(test: Any, words: list[str]) -> None:
    assert dict(one(type="redis", healthcheck={"test": test}).healthcheck) == {"Test": words}


@given(
    st.floats(min_value=0.01, max_value=4096) | st.integers(10, 4_096_000).map(lambda thousandths: thousandths / 1000)
)
def test_processors_are_what_the_engine_counts(cpus: float) -> None:
    wanted = one(type="mysql", cpus=cpus).cpus
    assert round(wanted * 10**9) / 10**9 == wanted


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("mysql", "mysql:latest"),
        ("mysql:9.7", "mysql:9.7"),
        ("flatrun/mysql:local", "flatrun/mysql:local"),
        ("localhost:5000/mysql", "localhost:5000/mysql:latest"),
        ("mysql@sha256:abc", "mysql@sha256:abc"),
    ],
)
def test_images(image: str, reference: str) -> None:
    assert one(type="mysql", image=image).image == reference


@pytest.mark.parametrize(
    ("item", "where"),
    [
        ({}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"type": "oracle"}, "type"),
        ({"type": "Mysql"}, "type"),
        ({"name": "shop", "image": "mysql"}, "type"),
        ({"type": "mysql", "host": "db", "container": "db"}, "host"),
        ({"type": "mysql", "host": "db", "container": "db", "mode": "external"}, "host"),
        ({"type": "mysql", "host": "db", "mode": "managed"}, "host"),
        ({"type": "mysql", "mode": "external"}, "mode"),
        ({"type": "mysql", "host": "db", "state": "stopped"}, "state"),
        ({"type": "mysql", "host": "db", "state": "restarted"}, "state"),
        ({"type": "mysql", "host": "db", "state": "absent"}, "state"),
        ({"type": "mysql", "container": "db", "mode": "external", "state": "absent"}, "state"),
        ({"type": "mysql", "container": "a"}, "container"),
        ({"type": "mysql", "container": "../x"}, "container"),
        ({"type": "mysql", "container": "shop.former"}, "container"),
        ({"type": "mysql", "image": "my sql"}, "image"),
        ({"type": "mysql", "image": "../mysql"}, "image"),
        ({"type": "mysql", "image": "-v"}, "image"),
        ({"type": "mysql", "networks": ["a b"]}, "networks[0]"),
        ({"type": "mysql", "networks": ["db", "host"]}, "networks[1]"),
        ({"type": "mysql", "networks": ["none"]}, "networks[0]"),
        ({"type": "mysql", "networks": ["db", "db"]}, "networks"),
        ({"type": "mysql", "published_ports": ["80", "80"]}, "published_ports"),
        ({"type": "mysql", "secrets": {"root_password": 83}}, "secrets.root_password"),
        ({"type": "mysql", "secrets": {"root_password": True}}, "secrets.root_password"),
        ({"type": "mysql", "secrets": {"root_password": None}}, "secrets.root_password"),
        ({"type": "mysql", "secrets": {"root_password": ""}}, "secrets.root_password"),
        ({"type": "mysql", "secrets": {"password": "x"}}, "secrets.password"),
        ({"type": "redis", "secrets": {"root_password": "x"}}, "secrets.root_password"),
        ({"type": "nginx", "secrets": {"password": "x"}}, "secrets.password"),
        ({"type": "mysql", "secrets": {"../x": "x"}}, "secrets"),
        ({"type": "mysql", "secrets": {"root_password": "x" * 214}}, "secrets.root_password"),
        ({"type": "mysql", "secrets": {"root_password": "ä" * 107}}, "secrets.root_password"),
        ({"type": "mysql", "env": {"A": 1}}, "env.A"),
        ({"type": "mysql", "env": {"A": True}}, "env.A"),
        ({"type": "mysql", "env": {"A": None}}, "env.A"),
        ({"type": "mysql", "env": {"A B": "x"}}, "env.A B"),
        ({"type": "mysql", "env": {"A=B": "x"}}, "env.A=B"),
        ({"type": "mysql", "env": {"A": "x\0y"}}, "env.A"),
        ({"type": "mysql", "config_files": {"../x.cnf": ""}}, "config_files.../x.cnf"),
        ({"type": "mysql", "config_files": {"a/b.cnf": ""}}, "config_files.a/b.cnf"),
        ({"type": "mysql", "config_files": {"/etc/x": ""}}, "config_files./etc/x"),
        ({"type": "mysql", "config_files": {".hidden": ""}}, "config_files..hidden"),
        ({"type": "mysql", "config_files": {"x.cnf": 1}}, "config_files.x.cnf"),
        ({"type": "mysql", "config_files": {"x.cnf": {"a": 1}}}, "config_files.x.cnf"),
        ({"type": "mysql", "volumes": ["/a"]}, "volumes[0]"),
        ({"type": "mysql", "volumes": ["/a:/b", "/a:/b:rx"]}, "volumes[1]"),
        ({"type": "mysql", "volumes": ["/a:b"]}, "volumes[0]"),
        ({"type": "mysql", "volumes": ["/a:/b", "/a:/etc/mysql/conf.d"]}, "volumes[1]"),
        ({"type": "redis", "container": "other", "volumes": ["/a:/usr/local/etc/redis/:ro"]}, "volumes[0]"),
        ({"type": "redis", "container": "other", "volumes": ["/a:/run/secrets"]}, "volumes[0]"),
        ({"type": "nginx", "container": "other", "volumes": ["/a:/etc/nginx"]}, "volumes[0]"),
        ({"type": "mysql", "volumes": ["a/b:/c"]}, "volumes[0]"),
        ({"type": "mysql", "volumes": ["/a/../b:/c"]}, "volumes[0]"),
        ({"type": "mysql", "volumes": ["/a:/b:ro:z"]}, "volumes[0]"),
        ({"type": "mysql", "command": ["a", ""]}, "command[1]"),
        ({"type": "mysql", "command": ["a", 1]}, "command[1]"),
        ({"type": "redis", "command": ["redis-server", "--protected-mode", "no"]}, "command"),
        ({"type": "redis", "command": ["sh", "-c", "exec redis-server /usr/local/etc/redis/main"]}, "command"),
        ({"type": "postgresql", "command": ["postgres", "-c", "max_connections=50"]}, "command"),
        ({"type": "mysql", "memory": "lots"}, "memory"),
        ({"type": "mysql", "memory": "-1m"}, "memory"),
        ({"type": "mysql", "memory": "5m"}, "memory"),
        ({"type": "mysql", "cpus": 0.001}, "cpus"),
        ({"type": "mysql", "cpus": "many"}, "cpus"),
        ({"type": "mysql", "cpus": -1}, "cpus"),
        ({"type": "mysql", "cpus": float("nan")}, "cpus"),
        ({"type": "mysql", "healthcheck": {"command": "x"}}, "healthcheck.command"),
        ({"type": "mysql", "healthcheck": {"interval": "soon"}}, "healthcheck.interval"),
        ({"type": "mysql", "healthcheck": {"retries": 0}}, "healthcheck.retries"),
        ({"type": "mysql", "healthcheck": {"retries": True}}, "healthcheck.retries"),
        ({"type": "mysql", "healthcheck": {"test": 5}}, "healthcheck.test"),
        ({"type": "mysql", "healthcheck": {"test": ["CMD", 5]}}, "healthcheck.test"),
        ({"type": "redis", "healthcheck": {"test": ["redis-cli", "ping"]}}, "healthcheck.test"),
        ({"type": "redis", "healthcheck": {"test": ["cmd", "redis-cli", "ping"]}}, "healthcheck.test"),
        ({"type": "redis", "healthcheck": {"test": ["CMD"]}}, "healthcheck.test"),
        ({"type": "redis", "healthcheck": {"test": ["CMD-SHELL", "redis-cli", "ping"]}}, "healthcheck.test"),
        ({"type": "redis", "healthcheck": {"test": ["NONE", "ping"]}}, "healthcheck.test"),
        ({"type": "redis", "healthcheck": {"test": []}}, "healthcheck.test"),
        ({"type": "mysql", "port": 0}, "port"),
        ({"type": "mysql", "port": 70000}, "port"),
        ({"type": "mysql", "port": "abc"}, "port"),
        ({"type": "nginx", "container": "other", "port": 8080}, "port"),
        ({"type": "certbot", "port": 80}, "port"),
        ({"type": "certbot", "command": ["renew"]}, "command"),
        ({"type": "certbot", "config_files": {"cli.ini": ""}}, "config_files"),
        ({"type": "mysql", "volumes": ["/a:/b", "/c:/b/"]}, "volumes"),
        ({"type": "mysql", "container": "acme"}, "container"),
        ({"type": "mysql", "container": "certificates"}, "container"),
        ({"type": "mysql", "container": "external.json"}, "container"),
        ({"type": "mysql", "host": "db", "image": "x"}, "image"),
        ({"type": "mysql", "host": "db", "published_ports": []}, "published_ports"),
        ({"type": "mysql", "host": "db", "secrets": {"root_password": "x"}}, "secrets"),
        ({"type": "mysql", "container": "theirs", "mode": "external", "adopt": True}, "adopt"),
        ({"type": "mysql", "container": "theirs", "state": "absent", "adopt": True}, "adopt"),
        ({"type": "mysql", "container": "theirs", "mode": "external", "networks": ["x"]}, "networks"),
    ],
)
def test_refusals(item: dict[str, Any], where: str) -> None:
    said = refusal({"type": "nginx"}, item)
    assert said.startswith(f"services[1].{where}: "), said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"networks": [{"name": "a/b"}]}, "networks[0].name"),
        ({"networks": [{"name": "net"}, {"name": "net"}]}, "networks"),
        ({"wait_timeout": 0}, "wait_timeout"),
        ({"root_dir": "srv"}, "root_dir"),
        ({"root_dir": "/srv/../etc"}, "root_dir"),
        ({"root_dir": "/"}, "root_dir"),
    ],
)
def test_refusals_of_the_whole(more: dict[str, Any], where: str) -> None:
    assert refusal(**more).startswith(f"{where}: ")


@pytest.mark.parametrize(
    ("kind", "more"), [("redis", {}), ("postgresql", {}), ("postgresql", {"port": 5433}), ("mysql", {}), ("nginx", {})]
)
def test_a_command_goes_on_where_its_configuration_is_read(kind: str, more: dict[str, Any]) -> None:
    needed = [with_port(word, one(type=kind, **more).port) for word in CATALOG[kind].command]
    assert one(type=kind, command=[*needed, "--more"], **more).command == (*needed, "--more")
    if needed:
        assert f"or begin with {json.dumps(needed)}." in refusal({"type": kind, "command": ["sh"], **more})


@pytest.mark.parametrize(
    ("items", "what"),
    [
        (({"name": "a", "type": "mysql"}, {"name": "a", "type": "redis"}), "the service 'a' is listed twice"),
        (
            ({"name": "a", "type": "mysql"}, {"name": "b", "type": "mysql"}),
            "the container 'flatrun-mysql' is listed twice",
        ),
        (({"name": "a", "container": "xy"}, {"name": "b", "container": "xy"}), "the container 'xy' is listed twice"),
    ],
)
def test_nothing_is_listed_twice(items: tuple[dict[str, Any], ...], what: str) -> None:
    assert what in refusal(*items)


def test_several_external_hosts_have_no_container_in_common() -> None:
    spec = parse(asked({"name": "a", "type": "mysql", "host": "x"}, {"name": "b", "type": "mysql", "host": "y"}))
    assert [service.container for service in spec.services] == ["", ""]


def test_the_longest_passwords() -> None:
    for kind, secret, length in (("mysql", "root_password", 213), ("mariadb", "root_password", 5000)):
        assert one(type=kind, secrets={secret: "x" * length}).secret(secret) == Secret("x" * length)


def test_a_refused_password_is_not_quoted() -> None:
    assert "canary" not in refusal({"type": "mysql", "secrets": {"root_password": "canary\ncanary"}})


def test_a_password_that_is_left_out_is_generated() -> None:
    says = refusal({"type": "mysql", "secrets": {"root_password": ""}})
    assert says.endswith("an empty password is none. Leave it out to have one generated.")


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(["volumes", "command", "networks", "published_ports"]).flatmap(
        lambda key: st.tuples(st.just(key), st.lists(_values, max_size=3))
    )
    | st.sampled_from(["env", "config_files", "secrets", "healthcheck"]).flatmap(
        lambda key: st.tuples(st.just(key), st.dictionaries(st.text(max_size=5), _values, max_size=3))
    )
    | st.tuples(st.sampled_from(["image", "memory", "cpus", "port", "container"]), st.text(max_size=12))
)
def test_whatever_is_asked_is_parsed_or_refused_in_a_sentence(option: tuple[str, Any]) -> None:
    key, value = option
    try:
        one(name="shop", type="mysql", **{key: value})
    except InvalidParameter as error:
        assert error.where.startswith(f"services[0].{key}")  # noqa: PT017 - parsed or refused, both are right
