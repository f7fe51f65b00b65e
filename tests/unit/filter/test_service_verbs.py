"""Which services of a host ``service=`` means."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.filter.service_verbs import service_verbs


def seen(name: str, kind: str, container: str, external: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "container": container, "external": external}


HOST = [
    seen("certbot", "certbot", "flatrun-certbot"),
    seen("database", "mysql", "flatrun-mysql"),
    seen("legacy", "mysql", "old-mysql"),
    seen("redis", "postgresql", "odd"),
    seen("cache", "redis", "flatrun-redis"),
    seen("far", "mariadb", "", external=True),
]


@pytest.mark.parametrize(
    ("service", "names"),
    [
        ("database", ["database"]),
        ("mysql", ["database", "legacy"]),
        ("old-mysql", ["legacy"]),
        # A name before a type.
        ("redis", ["redis"]),
        ("postgres", ["redis"]),
        ("cache, database", ["database", "cache"]),
        (["legacy", "mysql"], ["database", "legacy"]),
        ("all", ["certbot", "database", "legacy", "redis", "cache"]),
    ],
)
def test_meant(service: Any, names: list[str]) -> None:
    told = service_verbs(HOST, service, "stopped")
    assert told["problem"] == ""
    containers = {each["name"]: each["container"] for each in HOST}
    assert told["services"] == [{"name": name, "container": containers[name], "state": "stopped"} for name in names]


@pytest.mark.parametrize(
    ("service", "problem"),
    [
        ("", "service: is not given"),
        ([], "service: is not given"),
        (None, "service: is not given"),
        (
            "databse",
            "service: there is no databse on this host. Known are certbot (flatrun-certbot), database (mysql, f",
        ),
        ("database,nope", "service: there is no nope on this host"),
        ("far", "service: far is external: it is connected to and never started, stopped or removed"),
        ("database,mariadb", "service: far is external"),
    ],
)
def test_refused(service: Any, problem: str) -> None:
    told = service_verbs(HOST, service, "stopped")
    assert told["problem"].startswith(problem)
    assert told["services"] == []


def test_all_of_nothing_is_nothing() -> None:
    assert service_verbs([], "all", "stopped") == {"problem": "", "services": []}


def test_a_key_called_postgres_is_no_other_word_for_the_type() -> None:
    host = [seen("postgres", "postgresql", "one"), seen("other", "postgresql", "two")]
    assert [each["container"] for each in service_verbs(host, "postgres", "stopped")["services"]] == ["one"]
    assert [each["container"] for each in service_verbs(host, "postgresql", "stopped")["services"]] == ["one", "two"]


def test_what_a_server_was_before_it_moved_to_a_host_has_its_container_for_a_name() -> None:
    host = [seen("database", "mysql", "flatrun-mysql"), seen("database", "mysql", "", external=True)]
    told = service_verbs(host, "flatrun-mysql", "stopped")
    assert told["services"] == [{"name": "database", "container": "flatrun-mysql", "state": "stopped"}]
    assert service_verbs(host, "database", "stopped")["problem"].startswith("service: database is external")


def test_two_of_one_name_are_told_apart() -> None:
    host = [seen("redis", "redis", "one"), seen("redis", "redis", "two")]
    assert [each["name"] for each in service_verbs(host, "redis", "stopped")["services"]] == ["one", "two"]
