"""What a role's variables become: lists that came as texts from surveys and ``-e``, booleans in a server's words."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).parents[3] / "roles"
SERVICES = ("nginx", "mysql", "mariadb", "postgresql", "redis", "certbot")


def value(role: str, wanted: str, **given: Any) -> Any:
    """A template in the sight of all variables of a role."""
    loader, variables = DataLoader(), {}
    for part in ("defaults", "vars"):
        variables.update(loader.load_from_file(str(ROLES / role / part / "main.yml"), trusted_as_template=True))
    return Templar(loader, variables={**variables, **given}).template(trust_as_template(wanted))


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("several", ["front, web", ["front", "web"]])
def test_lists_of_a_service(name: str, several: Any) -> None:
    given = {f"{name}_networks": several, f"{name}_volumes": "/a:/b,/c:/d:ro"}
    assert value(name, f"{{{{ {name}_service.networks }}}}", **given) == ["front", "web"]
    assert value(name, f"{{{{ {name}_service.volumes }}}}", **given) == ["/a:/b", "/c:/d:ro"]
    assert value(name, f"{{{{ {name}_service.volumes }}}}") == []


def test_published_ports() -> None:
    wanted = "{{ nginx_service.published_ports }}"
    assert value("nginx", wanted, nginx_published_ports="8080:80,8443:443") == ["8080:80", "8443:443"]
    assert value("nginx", wanted, nginx_published_ports=[]) == []
    assert value("nginx", wanted, nginx_http_port="81")[0] == "*:81:80"


def test_booleans_are_in_the_servers_words() -> None:
    redis = value("redis", "{{ redis_config_file }}", redis_settings={"activedefrag": True, "appendonly": False})
    assert "\nactivedefrag yes\n" in redis
    assert "\nappendonly no\n" in redis
    nginx = value("nginx", "{{ nginx_http_file }}", nginx_settings={"absolute_redirect": False, "gzip_vary": True})
    assert "\nabsolute_redirect off;\n" in nginx
    assert "\ngzip_vary on;\n" in nginx


DEBIAN = "host family=debian\nhost system=debian\nhost version=12\nhost engine=absent\nhost library_redis=found\n"


@pytest.mark.parametrize("libraries", ["docker, redis", ["docker", "redis"]])
@pytest.mark.parametrize("packages", ["docker-ce,docker-ce-cli", ["docker-ce", "docker-ce-cli"]])
def test_lists_of_a_host(libraries: Any, packages: Any) -> None:
    given = {"host_libraries": libraries, "host_engine_packages": packages, "host_look": {"stdout": DEBIAN}}
    wanted = value("host", "{{ host_wants_packages }}", **given)
    assert wanted == ["docker-ce", "docker-ce-cli", "python3-docker"]


def look(folder: Path, **environment: str) -> list[str]:
    """What role host sees, where ``folder`` is the current one."""
    template = (ROLES / "host" / "templates" / "look.sh.j2").read_text()
    script = value("host", template, host_libraries=["a_folder", "json"], host_python="python3")
    done = subprocess.run(["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_folder_is_no_library(tmp_path: Path) -> None:
    """Where the look is run: someone's home, or beside a playbook."""
    (tmp_path / "a_folder").mkdir()
    for said in ({}, {"PYTHONSAFEPATH": "1"}):
        seen = look(tmp_path, PATH=os.environ["PATH"], **said)
        assert "host library_a_folder=missing" in seen
        assert "host library_json=found" in seen


def test_a_daemon_without_its_client_is_no_engine(tmp_path: Path) -> None:
    """Debian 13 has them in two packages."""
    for tool in ("sh", "id", "timeout", "python3"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    (tmp_path / "dockerd").symlink_to("/bin/true")
    assert "host engine=absent" in look(tmp_path, PATH=str(tmp_path))


def test_the_demo_knows_what_it_may_have_pulled() -> None:
    """What ``demo_down`` removes, if it wasn't there before."""
    loader, variables = DataLoader(), {}
    for path in (ROLES.parent / "playbooks" / "vars" / "demo.yml", ROLES / "images" / "vars" / "main.yml"):
        variables.update(loader.load_from_file(str(path), trusted_as_template=True))
    things = Templar(loader, variables=variables).template(trust_as_template("{{ demo_things }}"))
    images = [thing.removeprefix("image ") for thing in things if thing.startswith("image ")]
    assert {"flatrun/mysql:local", "mysql:9.7", "certbot/certbot:latest", "flatrun/wordpress:local"} <= set(images)
