"""Faults are tried on this machine alone: what they break must be at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.lab import Lab, module_path

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where this machine isn't among the hosts, there is nothing to try."""
    if "local" in config.getoption("hosts").split():
        return
    own = [item for item in items if HERE in item.path.parents]
    config.hook.pytest_deselected(items=own)
    items[:] = [item for item in items if item not in own]


@pytest.fixture(scope="module")
def lab(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One corner for the tests of a file, which stay together on one worker."""
    made = Lab(images, module_path(tmp_path_factory.mktemp("modules")))
    try:
        made.open()
        yield made
    finally:
        made.close()
