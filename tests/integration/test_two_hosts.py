"""Two hosts in one play, with other versions of Python and its libraries: each is served, and neither by the other."""

from __future__ import annotations

import re
import secrets
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
def prefix(host: Any, here: Any) -> Iterator[str]:
    made = f"frt{secrets.token_hex(3)}"
    yield made
    for each in (host, here):
        each.remove(made)
        each.run("rm", "-rf", f"/var/tmp/flatrun-test-{made}")


def inventory(folder: Path, name: str, **variables: str) -> str:
    """The option that tells one host more."""
    made = folder / f"{name}-too.yml"
    made.write_text(yaml.safe_dump({"all": {"hosts": {name: variables}}}))
    return f"--inventory={made}"


def told(output: str) -> dict[str, tuple[bool, bool]]:
    """Of each host, whether something was changed there, and whether something failed."""
    return {name: (changed != "0", failed != "0") for name, changed, failed in RECAP.findall(output)}


def test_each_has_its_own(
    host: Any, here: Any, play: Callable[..., Any], prefix: str, images: dict[str, str], tmp_path: Path
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
    both = [f"--inventory={here.inventory}", inventory(tmp_path, "local", redis_memory="200m")]
    assert told(play(host, SITE, *both, **variables).output) == dict.fromkeys(("local", other), (True, False))
    assert told(play(host, SITE, *both, **variables).output) == dict.fromkeys(("local", other), (False, False))
    look = ["docker", "inspect", "--format", "{{.HostConfig.Memory}}", f"{prefix}-redis"]
    assert int(here.run(*look)) == 200 * 1024**2 != int(host.run(*look))

    # What fails on one is the other's no business.
    for each in (here, host):
        each.run("docker", "network", "disconnect", "--force", f"{prefix}-database", f"{prefix}-redis")
    broken = inventory(tmp_path, other, infrastructure_docker_host="unix:///nowhere")
    failed = play(host, SITE, *both, broken, fails=True, **variables)
    assert told(failed.output) == {"local": (True, False), other: (False, True)}
    assert told(play(host, SITE, *both, **variables).output) == {"local": (False, False), other: (True, False)}
