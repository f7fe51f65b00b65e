"""The examples that each module documents, run as they stand there, with the names, folders and images of a default."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.plugin_docs import read_docstring
from ansible_collections.flatrun.infra.tests.integration.conftest import HERE, ROOT
from ansible_collections.flatrun.infra.tests.integration.faults.modules import WAIT

MODULES = sorted((ROOT / "plugins" / "modules").glob("flatrun_*.py"))
BEFORE = yaml.safe_load((HERE / "examples.yml").read_text())
# By these tags images are taken where none is named.
OFFICIAL = {"nginx": "nginx:1.30", "mysql": "mysql:9.7", "postgresql": "postgres:17", "redis": "redis:8"}
PASSWORDS = ("mysql_root", "blog", "blog_new", "shop", "reports", "provisioner", "admin")
MADE = ("flatrun-nginx", "flatrun-mysql", "flatrun-redis", "flatrun-postgresql", "my-wordpress", "their-nginx")
# What Ansible adds to any result.
ANSIBLES = frozenset({"changed", "failed", "diff", "warnings", "deprecations", "invocation"})

pytestmark = [
    pytest.mark.xdist_group("ssh"),
    pytest.mark.long,
    pytest.mark.parametrize("host", ["ssh"], indirect=True, scope="session"),
]

Task = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """One task of a module's documentation, the variable that has its result, and what is documented of results."""

    module: str
    task: Task
    result: str
    returned: Task

    @property
    def changes(self) -> bool:
        """Whether it changes something: none asks for what one before it has done."""
        options = self.task[f"flatrun.infra.{self.module}"] or {}
        reads = options.get("read_only", self.module == "flatrun_db_query")
        return not self.module.endswith("_info") and not reads

    @property
    def again(self) -> str:
        """The variable that has the result of the same in check mode, empty where it is to do the same again."""
        request = self.module == "flatrun_db_query" or "restarted" in str(self.task)
        return f"{self.result}_again" if self.changes and not request else ""

    def tasks(self) -> Iterator[Task]:
        yield {**self.task, "register": self.result}
        if self.again:
            yield {**self.task, "register": self.again, "check_mode": True}

    def judge(self, results: dict[str, Any]) -> None:
        found, name = results[self.result], self.task["name"]
        assert found["changed"] == self.changes, name
        assert not (self.again and results[self.again]["changed"]), f"{name}, again: {results[self.again]}"
        assert not [*undocumented(found, self.returned, ANSIBLES)], name
        promised = {key for key, told in self.returned.items() if told["returned"] == "success"}
        assert not promised - found.keys(), name


def undocumented(found: Task, returned: Task, known: frozenset[str] = frozenset()) -> Iterator[str]:
    """What a result has, at any depth, that its documentation doesn't name."""
    yield from found.keys() - returned.keys() - known
    for name in found.keys() & returned.keys():
        values = found[name] if isinstance(found[name], list) else [found[name]]
        for value in values:
            if isinstance(value, dict) and "contains" in returned[name]:
                yield from (f"{name}.{key}" for key in undocumented(value, returned[name]["contains"]))


def plan() -> Iterator[Task | Example]:
    """All that is run, in its order."""
    for module, before in BEFORE.items():
        yield from before
        docs = read_docstring(str(ROOT / "plugins" / "modules" / f"{module}.py"))
        for number, task in enumerate(yaml.safe_load(docs["plainexamples"])):
            result = task.get("register", f"{module}_{number}")
            is_ours = f"flatrun.infra.{module}" in task
            yield Example(module, task, result, docs["returndocs"]) if is_ours else task


@pytest.fixture
def defaults(stage) -> Iterator[None]:
    """The images that a host has from a registry, and afterwards nothing of what examples make."""
    host = stage.host
    for service, tag in OFFICIAL.items():
        host.run("docker", "tag", stage.images[service], tag)
    yield
    for name in MADE:
        host.run("docker", "rm", "--force", "--volumes", name, check=False)
    host.run("docker", "network", "rm", "proxy", "database", check=False)
    host.run("docker", "rmi", *OFFICIAL.values(), check=False)
    host.run("rm", "-rf", "/srv/flatrun", "/srv/flatrun.stamp", "/opt/their-nginx")
    host.run("sed", "-i", "/ db[.]example[.]com$/d", "/etc/hosts")


@pytest.mark.usefixtures("defaults")
def test_they_do_what_they_say(stage, play, tmp_path: Path) -> None:
    assert sorted(BEFORE) == [path.stem for path in MODULES]
    steps = [*plan()]
    shown = [step for step in steps if isinstance(step, Example)]
    tasks = [task for step in steps for task in (step.tasks() if isinstance(step, Example) else [step])]
    names = [name for example in shown for name in (example.result, example.again) if name]
    written = tmp_path / "results.json"
    returned = {"content": f"{{{{ dict({names} | zip([{', '.join(names)}])) | to_json }}}}", "dest": str(written)}
    tasks.append({"ansible.builtin.copy": returned, "delegate_to": "localhost", "become": False})
    patient = {"flatrun.infra.flatrun_infra": {"wait_timeout": WAIT}}
    whole = {"hosts": "all", "gather_facts": False, "module_defaults": patient, "tasks": tasks}
    book = tmp_path / "examples.yml"
    book.write_text(yaml.safe_dump([whole], sort_keys=False))
    passwords = {f"{name}_password": f'{name}\'s "own" \\ %41' for name in PASSWORDS}
    play(stage.host, str(book), **stage.variables(), **passwords)
    results = json.loads(written.read_text())
    for example in shown:
        example.judge(results)
