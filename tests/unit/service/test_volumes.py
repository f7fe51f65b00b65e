"""Where a mount has its content on the host, and which volumes are nothing to keep data in."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.service import volumes
from ansible_collections.flatrun.infra.plugins.module_utils.service.observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.service.plan import plan
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import parse
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Container, World
from ansible_collections.flatrun.infra.tests.unit.service.cases import asked

BOUND = {"type": "none", "o": "bind", "device": "/disk"}
FOLDER = "/engine/volumes/vol/_data"


def engine(driver: str = "local", options: dict[str, str] | None = None) -> Any:
    volume = {"Driver": driver, "Options": options, "Mountpoint": FOLDER}
    found = {"inspect_volume": volume, "inspect_image": None, "inspect_container": None}
    return SimpleNamespace(find=lambda method, _name: found[method])


@pytest.mark.parametrize(
    ("mount", "held", "folder"),
    [
        ("/disk:rw", engine(), "/disk"),
        ("vol:rw", engine(), FOLDER),
        ("vol:rw", engine(options={"size": "10G"}), FOLDER),
        ("vol:rw", engine(options={"type": "", "device": ""}), FOLDER),
        ("vol:rw", SimpleNamespace(find=lambda _method, _name: None), "/nonexistent/vol"),
    ],
)
def test_what_can_always_be_seen(mount: str, held: Any, folder: str) -> None:
    assert volumes.origin(held, mount, "/data") == (folder, None)


@pytest.mark.parametrize(
    ("held", "instead"),
    [
        (engine(options=BOUND), "/disk:/data."),
        (engine(options={"type": "nfs", "o": "addr=192.0.2.1", "device": ":/export"}), "/folder:/data."),
        (engine(options={"type": "tmpfs", "device": "tmpfs"}), "/folder:/data."),
        (engine(driver="other"), "/folder:/data."),
    ],
)
def test_what_the_engine_mounts_while_it_is_used(held: Any, instead: str) -> None:
    _folder, unfit = volumes.origin(held, "vol:rw", "/data")
    assert unfit
    assert unfit.sentence().startswith("volumes: the volume vol is mounted by the engine only while")
    assert unfit.sentence().endswith(instead)


@pytest.mark.parametrize("status", ["", "exited", "running"])
def test_data_that_is_out_of_sight_is_never_called_gone(status: str) -> None:
    """Nor begun anew."""
    spec = parse(asked({"type": "redis", "container": "db", "volumes": ["vol:/data"]}))
    found = Observer(spec, spec.services[0], engine(options=BOUND)).look([])
    container = Container("db", status, "redis:8", "id", settings={"port": 6379}, root_dir=spec.root_dir)
    found = replace(found, container=container) if status else found
    with pytest.raises(FlatrunError, match=r"^services\[0\]\.volumes: the volume vol is mounted by the engine only"):
        plan(spec, World(frozenset({"net"}), {"db": found, "redis": found}))
