"""Sizes follow the machine, and stay the same when the kernel counts a little less of it."""

from __future__ import annotations

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.service.sizes import fit
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import Infra, parse

MIB = 1024**2


def spec(text: str, memory: str = "") -> Infra:
    item = {"type": "mysql", "memory": memory, "config_files": {"size.cnf": text}}
    return parse(
        {
            "networks": [],
            "services": [item],
            "root_dir": "/srv/flatrun",
            "pull": "missing",
            "wait": True,
            "wait_timeout": 120,
        }
    )


def sized(text: str, machine: int, memory: str = "") -> str:
    return dict(fit(spec(text, memory), machine * MIB).services[0].config_files)["size.cnf"]


@pytest.mark.parametrize(
    ("machine", "size"),
    [(1, "1"), (64, "16"), (512, "128"), (999, "240"), (3916, "960"), (24105, "5632"), (1024 * 1024, "262144")],
)
def test_a_quarter_of_the_machine_rounded_down(machine: int, size: str) -> None:
    assert sized("innodb_buffer_pool_size = %{memory:25%}M", machine) == f"innodb_buffer_pool_size = {size}M"


def test_rounding_takes_an_eighth_at_most() -> None:
    for machine in range(100, 5000, 7):
        assert machine * 7 / 8 - 1 <= int(sized("%{memory:100%}", machine)) <= machine


def test_a_container_with_a_limit_counts_from_that() -> None:
    assert sized("%{memory:50%}", 8192, memory="1g") == "512"
    assert sized("%{memory:50%}", 512, memory="1g") == "256"


def test_what_is_no_share_stays_as_it_is() -> None:
    text = "log_format x '%{host}i {port} %memory ${a}';"
    assert sized(text, 1000) == text


@pytest.mark.parametrize("text", ["%{memory:0%}", "%{memory:101%}", "%{memory:25}", "%{memory:2.5%}", "%{memory:x%}"])
def test_a_share_that_nobody_could_work_out_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"services\[0\]\.config_files\.size\.cnf"):
        spec(text)
