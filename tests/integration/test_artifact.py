"""What Galaxy would distribute: built and installed without a network, and run from where it was installed.

With the oldest ansible-core that is supported beside the newest: what the collection needs of either is in it.
"""

from __future__ import annotations

import ast
import json
import os
import re
import secrets
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from ansible_collections.flatrun.infra.tests.integration.conftest import CACHE, ROOT, Host
from ansible_collections.flatrun.infra.tests.integration.faults.lab import others_long
from ansible_collections.flatrun.infra.tests.integration.faults.modules import WAIT
from ansible_collections.flatrun.infra.tests.integration.ports import free_ports
from packaging.requirements import Requirement

OLDEST = "2.16"
PASSWORD = 'it\'s "installed" \\ %41'


def commands(folder: Path) -> Path:
    """The commands of the Python environment that the tests run in."""
    return Path(sys.executable).parent if folder == Path() else folder / "bin"


def run(*words: str | Path, check: bool = True, **environment: str) -> str:
    done = subprocess.run(
        [*map(str, words)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=600,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0", **environment},
    )
    assert not check or done.returncode == 0, f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact")
    run(commands(Path()) / "ansible-galaxy", "collection", "build", ROOT, "--output-path", folder)
    (found,) = folder.glob("flatrun-infra-*.tar.gz")
    return found


@pytest.fixture(scope="module")
def oldest() -> Path:
    """An environment with the oldest ansible-core; kept, as it is dear to make."""
    folder = CACHE / f"ansible-core-{OLDEST}-python{sys.version_info[0]}.{sys.version_info[1]}"
    if not (folder / "made").exists():
        run(sys.executable, "-m", "venv", "--clear", folder)
        run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", f"ansible-core=={OLDEST}.*")
        (folder / "made").touch()
    return folder


@pytest.fixture
def installed(artifact: Path, tmp_path: Path) -> Path:
    """Where the artifact was installed by an ansible-galaxy that has no network; its dependencies are at hand."""
    offline = ["unshare", "--net", commands(Path()) / "ansible-galaxy", "collection", "install", artifact, "--offline"]
    there = tmp_path / "collections"
    # Where the checkout is in sight, it counts as installed already.
    run(*offline, "--collections-path", there, ANSIBLE_COLLECTIONS_PATH=str(there), ANSIBLE_HOME=str(tmp_path / "home"))
    return there


@pytest.fixture
def names() -> Iterator[dict[str, str]]:
    prefix = f"frt{secrets.token_hex(3)}"
    root = f"/var/tmp/flatrun-test-{prefix}"
    yield {"prefix": prefix, "root": root}
    Host("local", Path()).remove(prefix)
    run("rm", "-rf", root)


def test_it_holds_what_a_user_runs_and_nothing_else(artifact: Path) -> None:
    with tarfile.open(artifact) as bundle:
        files = bundle.getnames()
    tops = {name.split("/")[0] for name in files}
    assert {"plugins", "roles", "playbooks", "meta", "docs", "README.md", "LICENSE"} <= tops
    for stray in ("tests", ".ci", ".cache", ".venv", ".github", "Makefile", "pyproject.toml"):
        assert stray not in tops, f"{stray} is in the artifact"
    assert not [name for name in files if name.endswith((".pyc", ".swp")) or "__pycache__" in name]
    with tarfile.open(artifact) as bundle:
        manifest = bundle.extractfile("MANIFEST.json")
        assert manifest
        told = json.load(manifest)["collection_info"]
    assert (told["namespace"], told["name"], told["license"]) == ("flatrun", "infra", ["GPL-3.0-or-later"])
    assert set(told["dependencies"]) == {"community.docker"}


def third_parties() -> set[str]:
    """The distributions that the plugins import, apart from Ansible's own; drivers where they are wanted."""
    sources = [path.read_text() for path in (ROOT / "plugins").rglob("*.py")]
    lines = [node for source in sources for node in ast.walk(ast.parse(source))]
    names = set(re.findall(r'driver\("(\w+)"', "".join(sources)))
    names |= {alias.name for node in lines if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in lines if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    tops = {name.partition(".")[0] for name in names} - {"ansible", "ansible_collections"}
    known = metadata.packages_distributions()
    return {known[top][0] for top in tops - sys.stdlib_module_names if top in known}


def test_an_execution_environment_gets_what_modules_import(installed: Path) -> None:
    told = yaml.safe_load(run(commands(Path()) / "ansible-builder", "introspect", "--sanitize", installed))
    ours = [line.partition("#")[0].strip() for line in told["python"] if "from collection flatrun.infra" in line]
    wanted = {requirement.name: requirement for requirement in map(Requirement, ours)}
    assert third_parties() <= wanted.keys()
    # What the tests meet is what an environment may get.
    assert all(requirement.specifier.contains(metadata.version(name)) for name, requirement in wanted.items())
    assert [line for line in told["system"] if line.startswith("openssh-client")]


@pytest.mark.parametrize("core", others_long(["the newest", OLDEST], OLDEST))
def test_site_runs_from_where_it_was_installed(
    core: str,
    installed: Path,
    names: dict[str, str],
    images: dict[str, str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    folder = request.getfixturevalue("oldest") if core == OLDEST else Path()
    prefix = names["prefix"]
    http, https = free_ports(2)
    variables = {
        "infrastructure": {
            "default_proxy_network": f"{prefix}-proxy",
            "default_database_network": f"{prefix}-database",
            "redis": {"enabled": True, "container": f"{prefix}-redis", "password": "${REDIS_PASSWORD}"},
        },
        "nginx": {"container_name": f"{prefix}-nginx", "image": images["nginx"]},
        "certbot_container": f"{prefix}-certbot",
        "certbot_image": images["certbot"],
        "redis_image": images["redis"],
        "nginx_http_port": http,
        "nginx_https_port": https,
        "infrastructure_root_dir": names["root"],
        "infrastructure_wait_timeout": WAIT,
        "ansible_python_interpreter": sys.executable,
    }
    told = tmp_path / "variables.json"
    told.write_text(json.dumps(variables))
    command = [commands(folder) / "ansible-playbook", "flatrun.infra.site"]
    command += ["--inventory", "localhost,", "--connection", "local", "--extra-vars", f"@{told}"]
    # Nothing of the checkout is in sight, nor of what another test made of it.
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(installed), "ANSIBLE_HOME": str(tmp_path / "home")}

    # An older core takes a mapping that holds an undefined variable for one that isn't there.
    typo = json.dumps({"databases": {"main": {"type": "mysql", "root_password": "{{ vault_typo }}"}}})
    assert "'vault_typo' is undefined" in run(*command, "--extra-vars", typo, check=False, **environment)

    unset = run(*command, check=False, **environment)
    assert "REDIS_PASSWORD" in unset, unset
    assert "redis.password" in unset, unset
    assert not run("docker", "ps", "--all", "--quiet", "--filter", f"name=^{prefix}-")

    assert (f"core {OLDEST}." in run(commands(folder) / "ansible-playbook", "--version")) == (core == OLDEST)
    first = run(*command, **environment, REDIS_PASSWORD=PASSWORD)
    assert re.search(r"changed=1 .*failed=0", first), first
    assert PASSWORD not in first
    again = run(*command, **environment, REDIS_PASSWORD=PASSWORD)
    assert re.search(r"changed=0 .*failed=0", again), again
    entered = run(
        "docker", "exec", "--env", "REDISCLI_AUTH", f"{prefix}-redis", "redis-cli", "ping", REDISCLI_AUTH=PASSWORD
    )
    assert "PONG" in entered
