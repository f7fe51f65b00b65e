"""Containers in the hands of a run: what is ours is removed or brought back, and nobody else's is ever touched."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service import containers
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import LABEL

ROOT = "/srv/flatrun"
OURS = {f"{LABEL}container": "svc", f"{LABEL}root_dir": ROOT}


class Engine:
    """Names to containers, each an id and its labels."""

    def __init__(self, **names: tuple[str, dict[str, str]]) -> None:
        self.names = {name.replace("_", "."): found for name, found in names.items()}
        self.started: list[str] = []

    def find(self, method: str, name: str, **options: Any) -> Any:
        if method == "inspect_container":
            found = self.names.get(name)
            return {"Id": found[0], "Config": {"Labels": found[1]}} if found else None
        assert method == "remove_container"
        self.names = {each: found for each, found in self.names.items() if name not in (each, found[0])}
        return None

    def ask(self, method: str, name: str, *words: str) -> None:
        if method == "start":
            self.started.append(self.names[name][0])
        else:
            assert (method, words[0] in self.names) == ("rename", False)
            self.names[words[0]] = self.names.pop(name)

    @property
    def ids(self) -> dict[str, str]:
        return {name: found[0] for name, found in self.names.items()}


@pytest.mark.parametrize(
    ("labels", "is_removed"),
    [
        (OURS, True),
        ({}, False),
        ({**OURS, f"{LABEL}root_dir": "/srv/elsewhere"}, False),
        ({**OURS, f"{LABEL}container": "other"}, False),
    ],
)
def test_only_ours_is_discarded(labels: dict[str, str], is_removed: bool) -> None:
    engine: Any = Engine(svc=("1", labels))
    containers.discard(engine, "svc", ROOT, volumes=True)
    assert engine.ids == ({} if is_removed else {"svc": "1"})


def test_the_former_takes_the_place_of_its_successor() -> None:
    engine: Any = Engine(svc=("2", OURS), svc_former=("1", OURS))
    containers.bring_back(engine, "svc", ROOT, running=True)
    assert (engine.ids, engine.started) == ({"svc": "1"}, ["1"])


def test_somebody_elses_in_its_place_is_left_alone() -> None:
    engine: Any = Engine(svc=("3", {}), svc_former=("1", OURS))
    with pytest.raises(Refused, match=r"kept as svc\.former"):
        containers.bring_back(engine, "svc", ROOT, running=True)
    assert engine.ids == {"svc": "3", "svc.former": "1"}
