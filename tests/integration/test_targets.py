"""Runs tests/integration/targets/<name> through ansible-playbook on each host, as CONTRIBUTING.md describes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COLLECTIONS = HERE.parents[1] / ".cache" / "collections"
# The last lines are where a play says what failed.
SHOWN = 120


def aliases(target: Path) -> set[str]:
    path = target / "aliases"
    return set(path.read_text().split()) if path.exists() else set()


def cases(chosen: list[str]) -> list[tuple[str, str]]:
    """Each target with the hosts it runs on: a destructive one needs an engine that is the tests' own."""
    targets = sorted(path.parents[1] for path in HERE.glob("targets/*/tasks/main.yml"))
    return [
        (host, target.name)
        for host in chosen
        for target in targets
        if "disabled" not in aliases(target) and not (host == "local" and "destructive" in aliases(target))
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = cases(metafunc.config.getoption("hosts").split())
    # A host's targets stay together on one worker, one after the other; the hosts are side by side.
    marked = [
        pytest.param(host, target, id=f"{host}-{target}", marks=pytest.mark.xdist_group(host)) for host, target in found
    ]
    metafunc.parametrize(("host", "target"), marked, indirect=["host"], scope="session")


def test_target(stage, target: str, tmp_path: Path) -> None:
    variables = tmp_path / "variables.json"
    variables.write_text(json.dumps(stage.variables() | {"test_target": target}))
    playbook = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        str(HERE / "target.yml"),
        f"--inventory={stage.host.inventory}",
        f"--extra-vars=@{variables}",
    ]
    environment = os.environ | {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_ROLES_PATH": str(HERE / "targets"),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_PIPELINING": "true",
        # A warning of the collection's own is a defect like any other.
        "ANSIBLE_DEPRECATION_WARNINGS": "true",
    }
    done = subprocess.run(
        playbook, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=1200
    )
    if done.returncode:
        shown = (done.stdout + done.stderr).splitlines()[-SHOWN:]
        pytest.fail("\n".join(shown), pytrace=False)
