"""Roles as documents: what argument_specs.yml promises is what defaults/main.yml has, under the role's own names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).parents[3] / "roles").iterdir() if path.is_dir())


@pytest.fixture(params=ROLES, ids=lambda path: path.name)
def role(request: pytest.FixtureRequest) -> Path:
    return request.param


def load(role: Path, part: str) -> Any:
    return yaml.safe_load((role / part).read_text())


def test_argument_specs_are_the_defaults(role: Path) -> None:
    defaults = load(role, "defaults/main.yml")
    for entry_point, spec in load(role, "meta/argument_specs.yml")["argument_specs"].items():
        told = {name: option.get("default") for name, option in spec["options"].items()}
        assert told == defaults, f"{role.name}, {entry_point}"


def test_variables_have_the_roles_name_in_front(role: Path) -> None:
    names = [*load(role, "defaults/main.yml")]
    if (role / "vars" / "main.yml").exists():
        names += load(role, "vars/main.yml")
    assert [name for name in names if not name.startswith(f"{role.name}_")] == []


def test_every_default_is_explained(role: Path) -> None:
    before, unexplained = "", []
    for line in (role / "defaults" / "main.yml").read_text().splitlines():
        first = line.split(":")[0]
        if first.startswith(f"{role.name}_") and not before.startswith(("#", f"{role.name}_")):
            unexplained.append(first)
        before = line
    assert unexplained == []


SERVICES = ("nginx", "mysql", "mariadb", "postgresql", "redis", "certbot")


@pytest.mark.parametrize("name", ["infrastructure", "deployment", *SERVICES])
def test_readme(name: str) -> None:
    assert f"flatrun.infra.{name}" in (ROLES[0].parent / name / "README.md").read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_role_runs_one_module_once(name: str) -> None:
    role = ROLES[0].parent / name
    tasks = load(role, "tasks/main.yml")
    assert [set(task) for task in tasks] == [{"name", "flatrun.infra.flatrun_infra"}]
    assert load(role, "tasks/item.yml") == []
    assert load(role, "vars/main.yml")[f"{name}_service"]["type"] == name
    assert load(role, "defaults/main.yml").keys() >= {f"{name}_{part}" for part in ("image", "container", "networks")}
