"""The bare names that the playbook site takes, and the role's own variables: what counts where both say something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible_collections.flatrun.infra.plugins.module_utils.service.block_values import merged

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", autouse=True)
def _lookups() -> None:
    if not AnsibleCollectionConfig.collection_finder:
        init_plugin_loader()


def said(**given: Any) -> Any:
    """What the role reads, for these variables of a play; ${NAME} and all else is read later."""
    loader, files = DataLoader(), ("roles/infrastructure/defaults", "roles/infrastructure/vars", "playbooks/vars")
    variables: dict[str, Any] = {}
    for file in files:
        path = ROOT / file / ("block.yml" if file == "playbooks/vars" else "main.yml")
        variables.update(loader.load_from_file(str(path), trusted_as_template=True))
    found = Templar(loader, variables={**variables, **given}).template(
        trust_as_template("{{ [infrastructure_said, infrastructure_block] }}")
    )
    return merged(*found)


def test_nothing_given() -> None:
    found = said()
    assert found["deployments"] == []
    assert found["databases"] == found["nginx"] == found["infrastructure"]["database"] == {}


@pytest.mark.parametrize("empty", [{}, {"deployments": None, "nginx": ""}])
def test_the_roles_own_variables_count_with_site_too(empty: dict[str, Any]) -> None:
    apps = [{"name": "x"}]
    found = said(infrastructure_deployments=apps, infrastructure_nginx={"enabled": False}, **empty)
    assert found["deployments"] == apps
    assert found["nginx"] == {"enabled": False}


def test_the_block_counts_where_both_say_something() -> None:
    found = said(
        infrastructure_deployments=[{"name": "x"}],
        deployments=[],
        infrastructure_redis={"port": 1, "password": "x"},
        infrastructure={"redis": {"port": 2}},
    )
    assert found["deployments"] == []
    assert found["infrastructure"]["redis"] == {"port": 2, "password": "x"}


def test_what_is_empty_in_the_block_says_nothing_at_any_depth() -> None:
    """As another program writes its configuration: every key, many of them empty."""
    found = said(
        infrastructure_database={"type": "mysql", "root_password": "kept"},
        infrastructure_redis={"port": 1},
        infrastructure={"database": {"type": "mysql", "container": "", "root_password": ""}, "redis": None},
    )
    assert found["infrastructure"]["database"] == {"type": "mysql", "root_password": "kept"}
    assert found["infrastructure"]["redis"] == {"port": 1}


def test_what_is_no_block_is_left_to_be_refused() -> None:
    assert said(nginx=False)["nginx"] is False
