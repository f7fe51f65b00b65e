"""Two hosts in one play, with other versions of Python and its libraries: each is served, and neither by the other."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [
    pytest.mark.xdist_group("ssh"),
    pytest.mark.parametrize("host", ["ssh"], indirect=True, scope="session"),
]
SITE = "flatrun.infra.site"
RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=(\d+)", re.MULTILINE)


@pytest.fixture
def prefix(host: Any) -> Iterator[str]:
    made = f"frt{secrets.token_hex(3)}"
    removing = (
        f"docker rm --force --volumes {made}-redis {made}-pg; docker network rm {made}-proxy {made}-database;"
        f" rm -rf /var/tmp/flatrun-test-{made}"
    )
    yield made
    for run in (host.run, local):
        run("sh", "-c", removing, check=False)


def local(*command: str, check: bool = True) -> str:
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """This machine; what it is told of its own differs from what the other host is told."""
    python = Path(os.environ.get("FLATRUN_TEST_PYTHON", "/usr/bin/python3")).absolute()
    told = {"ansible_connection": "local", "ansible_python_interpreter": str(python), "redis_memory": "200m"}
    made = tmp_path / "this.yml"
    made.write_text(yaml.safe_dump({"all": {"hosts": {"local": told}}}))
    return made


def told(output: str) -> dict[str, tuple[bool, bool]]:
    """Of each host, whether something was changed there, and whether something failed."""
    return {name: (changed != "0", failed != "0") for name, changed, failed in RECAP.findall(output)}


def test_each_has_its_own(
    host: Any, play: Callable[..., Any], prefix: str, inventory: Path, images: dict[str, str]
) -> None:
    (other,) = yaml.safe_load(host.inventory.read_text())["all"]["hosts"]
    variables = {
        "infrastructure": {
            "default_proxy_network": f"{prefix}-proxy",
            "default_database_network": f"{prefix}-database",
            "database": {"type": "postgres", "container": f"{prefix}-pg"},
            "redis": {"enabled": True, "container": f"{prefix}-redis"},
        },
        "nginx": {"enabled": False},
        "certbot": {"enabled": False},
        "deployments": [{"name": "app", "database": {"password": "of {{ inventory_hostname }}"}}],
        "infrastructure_root_dir": f"/var/tmp/flatrun-test-{prefix}",
        "postgresql_shared_buffers": "32MB",
        **{f"{kind}_image": images[kind] for kind in ("postgresql", "redis")},
    }
    both = f"--inventory={inventory}"
    assert told(play(host, SITE, both, **variables).output) == dict.fromkeys(("local", other), (True, False))
    assert told(play(host, SITE, both, **variables).output) == dict.fromkeys(("local", other), (False, False))
    look = ["docker", "inspect", "--format", "{{.HostConfig.Memory}}", f"{prefix}-redis"]
    assert int(local(*look)) == 200 * 1024**2 != int(host.run(*look))

    # What fails on one is the other's no business.
    local("docker", "network", "disconnect", "--force", f"{prefix}-database", f"{prefix}-redis")
    host.run("docker", "network", "disconnect", "--force", f"{prefix}-database", f"{prefix}-redis")
    broken = inventory.with_name("broken.yml")
    broken.write_text(yaml.safe_dump({"all": {"hosts": {other: {"infrastructure_docker_host": "unix:///nowhere"}}}}))
    failed = play(host, SITE, both, f"--inventory={broken}", fails=True, **variables)
    assert told(failed.output) == {"local": (True, False), other: (False, True)}
    assert told(play(host, SITE, both, **variables).output) == {"local": (False, False), other: (True, False)}
