"""The same for a whole block: its servers, its apps' databases, and the passwords of their pages."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.canaries import (
    FIRST,
    SECOND,
    ansible,
    require_clean,
    require_kept,
    watched_processes,
)
from ansible_collections.flatrun.infra.tests.integration.faults.lab import Lab, docker
from ansible_collections.flatrun.infra.tests.integration.faults.modules import WAIT
from ansible_collections.flatrun.infra.tests.integration.ports import free_port

NAMES = ("first", "other passwords foretold", "other passwords", "a refused login", "a refused vhost")
SITE = "flatrun.infra.site"


def block(lab: Lab, canary: str) -> dict[str, Any]:
    """Each secret that a block knows."""
    page = {"basic_auth": {"realm": "closed", "users": [{"name": "guest", "password": canary}]}}
    return {
        "infrastructure": {
            "default_proxy_network": f"{lab.prefix}-proxy",
            "default_database_network": f"{lab.prefix}-database",
            "database": {"type": "postgres", "container": lab.name("postgresql"), "root_password": canary},
            "redis": {"enabled": True, "container": lab.name("redis"), "password": canary},
        },
        "nginx": {"container_name": lab.name("nginx")},
        "certbot": {"enabled": False},
        "deployments": [
            {
                "name": "shop",
                "domains": ["shop.example.com"],
                "upstream": f"{lab.name('redis')}:80",
                "vhost": page,
                "database": {"password": canary},
            },
            {"name": "blog", "database": {"user": "writer", "password": canary}},
        ],
        "infrastructure_root_dir": lab.root,
        "infrastructure_wait_timeout": WAIT,
        "nginx_http_port": lab.ports.setdefault("nginx", free_port()),
        "nginx_https_port": lab.ports.setdefault("nginx by TLS", free_port()),
        "postgresql_shared_buffers": "32MB",
        **{f"{kind}_image": lab.images[kind] for kind in ("nginx", "postgresql", "redis")},
    }


def wrong(lab: Lab, login: str) -> dict[str, Any]:
    """The same server as one that somebody else runs, with a password that is not its own."""
    told = block(lab, SECOND)
    told["infrastructure"]["database"].update(mode="external", root_password=login)
    return told


def misrouted(lab: Lab) -> dict[str, Any]:
    told = block(lab, SECOND)
    told["deployments"][0]["vhost"]["body_size"] = "as it comes"
    return told


@pytest.fixture(scope="module")
def runs(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("site")
    one, other = block(lab, FIRST), block(lab, SECOND)
    courses: dict[str, tuple[dict[str, Any], list[str]]] = {
        "first": (one, []),
        "other passwords foretold": (other, ["--check"]),
        "other passwords": (other, []),
        "a refused login": (wrong(lab, FIRST), []),
        "a refused vhost": (misrouted(lab), []),
    }
    said = {"begun": str(time.time())}
    with watched_processes():
        for name, (variables, more) in courses.items():
            said[name] = ansible(folder, SITE, variables, more)
    return said


def test_the_runs_went_as_meant(runs: Mapping[str, str]) -> None:
    for name in ("first", "other passwords"):
        assert "failed=0" in runs[name], runs[name][-3000:]
        assert "changed=0" not in runs[name], runs[name][-3000:]
    for name in ("a refused login", "a refused vhost"):
        assert "failed=1" in runs[name], runs[name][-3000:]
    assert "password authentication failed" in runs["a refused login"]
    assert "body_size" in runs["a refused vhost"]


@pytest.mark.parametrize("name", NAMES)
def test_output(runs: Mapping[str, str], name: str) -> None:
    require_clean(f"the output of {name}", runs[name])


def test_the_engine_shows_none(lab: Lab, runs: Mapping[str, str]) -> None:
    for kind in ("nginx", "postgresql", "redis"):
        require_clean("docker inspect", docker("inspect", lab.name(kind)))
        require_clean("docker logs", docker("logs", lab.name(kind)))


def test_no_other_file_holds_one(lab: Lab, runs: Mapping[str, str], tmp_path: Path) -> None:
    """The administrators' are kept; an app's is the app's to keep, and of a page's there is only the hash."""
    kept = {
        lab.folder(kind) / "secrets" / secret
        for kind, secret in (("postgresql", "postgres_password"), ("redis", "password"))
    }
    require_kept(lab.root, kept, float(runs["begun"]), tmp_path)
