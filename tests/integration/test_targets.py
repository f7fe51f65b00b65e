"""Runs tests/integration/targets/<name> through ansible-playbook on each host, as CONTRIBUTING.md describes."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def aliases(target: Path) -> set[str]:
    path = target / "aliases"
    return set(path.read_text().split()) if path.exists() else set()


def cases(chosen: list[str]) -> list[tuple[str, str]]:
    """Each target with the hosts it runs on: a destructive one needs an engine that is the tests' own.

    What one shows ``once`` is the same over SSH, where others go the same ways: this machine is enough for it.
    """
    elsewhere = {"local": "destructive", "ssh": "once"}
    targets = sorted(path.parents[1] for path in HERE.glob("targets/*/tasks/main.yml"))
    return [
        (host, target.name)
        for host in chosen
        for target in targets
        if not {"disabled", elsewhere[host]} & (aliases(target) if len(chosen) > 1 else aliases(target) - {"once"})
    ]


def marks(host: str, target: str) -> list[pytest.MarkDecorator]:
    """The second host's engine is one target's at a time; on this machine a prefix keeps them apart."""
    group = pytest.mark.xdist_group(host if host == "ssh" else target)
    return [group, pytest.mark.long] if f"long-{host}" in aliases(HERE / "targets" / target) else [group]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = cases(metafunc.config.getoption("hosts").split())
    marked = [pytest.param(host, target, id=f"{host}-{target}", marks=marks(host, target)) for host, target in found]
    metafunc.parametrize(("host", "target"), marked, indirect=["host"], scope="session")


def test_target(stage, play, target: str) -> None:
    play(stage.host, str(HERE / "target.yml"), test_target=target, **stage.variables())
