"""The bare names that the playbook site takes, and the role's own variables: what counts where both say something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[3]


def said(**given: Any) -> Any:
    """What the role reads, for these variables of a play; ${NAME} and all else is read later."""
    loader, files = DataLoader(), ("roles/infrastructure/defaults", "roles/infrastructure/vars", "playbooks/vars")
    variables: dict[str, Any] = {}
    for file in files:
        path = ROOT / file / ("block.yml" if file == "playbooks/vars" else "main.yml")
        variables.update(loader.load_from_file(str(path), trusted_as_template=True))
    asked = trust_as_template("{{ infrastructure_said | combine(infrastructure_block, recursive=true) }}")
    return Templar(loader, variables={**variables, **given}).template(asked)


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


def test_what_is_no_block_is_left_to_be_refused() -> None:
    assert said(nginx=False)["nginx"] is False
