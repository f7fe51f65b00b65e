"""The house rules of docs/architecture.md, read from the source: imports, sizes, and what stands where."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
UTILS = PLUGINS / "module_utils"
OURS = "ansible_collections.flatrun.infra.plugins.module_utils."

# Files that only compute. What they import of the collection has to be pure as well, so a part that is split off
# needs no entry here.
PURE = (
    "core/errors.py",
    "core/secrets.py",
    "core/names.py",
    "core/plan.py",
    "core/runner.py",
    "service/state.py",
    "service/settings.py",
    "service/layout.py",
    "service/guards.py",
    "service/catalog.py",
    "service/nginx.py",
    "vhost/pairs.py",
    "vhost/summary.py",
    "*/spec*.py",
    "*/plan*.py",
    "*/render*.py",
)
# The standard library's parts that neither look at the outside nor change it. "secrets" draws random numbers; it is
# for core/secrets.py alone.
COMPUTING = {
    *("__future__", "base64", "collections", "contextlib", "copy", "dataclasses", "datetime", "enum", "fnmatch"),
    *("functools", "hashlib", "hmac", "ipaddress", "itertools", "json", "math", "operator", "re", "shlex", "string"),
    *("textwrap", "types", "typing", "unicodedata", "urllib.parse"),
}
OUTSIDE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
CLOCKS = {"now", "utcnow", "today"}

# Who may know Ansible: the door, and the argument specifications that are handed to it.
KNOWS_ANSIBLE = {"core/module.py", "core/arguments.py"}
READS_CHECK_MODE = {"core/module.py", "core/runner.py"}

# What a room shows to the others; all else is its inside.
SHOWN = {
    "core": {"*"},
    "host": {"*"},
    "service": {"arguments", "catalog", "engine", "layout", "nginx", "secret_files", "served"},
    "database": {"administrator", "connections"},
    "vhost": {"release", "serve"},
    "cert": set(),
}
# The corridor stands on nothing, the furniture on the corridor.
BELOW = {"core": set(), "host": {"core"}}

FILE_LINES, FUNCTION_LINES, MODULE_LINES, CORRIDOR_LINES, ROOT_ENTRIES = 300, 40, 50, 600, 20
DOCUMENTATION = ("DOCUMENTATION", "EXAMPLES", "RETURN")


def sources(*patterns: str) -> list[Path]:
    return sorted({path for pattern in patterns for path in PLUGINS.glob(pattern) if path.name != "__init__.py"})


def short(path: Path) -> str:
    return str(path.relative_to(UTILS if UTILS in path.parents else ROOT))


def require_none(offences: Iterable[str]) -> None:
    found = list(offences)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that is imported, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{'.' * node.level}{node.module or ''}.{alias.name}") for alias in node.names)


def inside(name: str) -> str:
    """The file of module_utils that an import comes from, such as ``service/spec.py``; empty for what isn't ours."""
    if not name.startswith(OURS):
        return ""
    room, _dot, rest = name[len(OURS) :].partition(".")
    return f"{room}/{rest.split('.')[0]}.py"


def impurities(source: str, own: str) -> Iterator[str]:
    """What a file does that is no computing, apart from what it imports of the collection."""
    tree = ast.parse(source)
    for line, name in imports(tree):
        known = any(name == part or name.startswith(f"{part}.") for part in COMPUTING)
        if not (known or inside(name) or (name == "secrets" and own == "core/secrets.py")):
            yield f"{own}:{line}: imports {name}, which isn't pure"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in OUTSIDE_CALLS:
            yield f"{own}:{node.lineno}: calls {node.func.id}()"
        if isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            yield f"{own}:{node.lineno}: reads the clock by {node.func.attr}()"


def pure_files() -> dict[str, str]:
    """Each file that has to be pure, and why."""
    why = {
        short(path): "it is one of the pure files"
        for path in sources("module_utils/*/*.py")
        if any(fnmatch.fnmatch(short(path), pattern) for pattern in PURE)
    }
    todo = list(why)
    while todo:
        name = todo.pop()
        for _line, imported in imports(ast.parse((UTILS / name).read_text())):
            file = inside(imported)
            if file and file not in why and (UTILS / file).is_file():
                why[file] = f"{name} imports it"
                todo.append(file)
    return why


@pytest.mark.parametrize(("name", "why"), pure_files().items())
def test_pure_files_only_compute(name: str, why: str) -> None:
    require_none(f"{offence} ({why})" for offence in impurities((UTILS / name).read_text(), name))


def test_the_named_pure_files_exist() -> None:
    require_none(
        f"module_utils/{name} is gone: name its successor in PURE"
        for name in PURE
        if "*" not in name and not (UTILS / name).is_file()
    )


@pytest.mark.parametrize(
    ("source", "offence"),
    [
        ("import os", "imports os"),
        ("import urllib.request", "imports urllib.request"),
        ("def f():\n    from time import monotonic", "imports time.monotonic"),
        ("import docker", "imports docker"),
        ("from ansible.module_utils.basic import AnsibleModule", "imports ansible.module_utils.basic.AnsibleModule"),
        ("import secrets", "imports secrets"),
        ("from . import names", "imports ..names"),
        ("open('/etc/passwd')", "calls open()"),
        ("datetime.now()", "reads the clock"),
    ],
)
def test_impurities_are_seen(source: str, offence: str) -> None:
    assert offence in "".join(impurities(source, "room/spec.py"))


def cross_imports(source: str, own: str) -> Iterator[str]:
    room = own.split("/")[0]
    for line, name in imports(ast.parse(source)):
        file = inside(name)
        other, part = file.split("/", maxsplit=1)[0], Path(file).stem
        if not file or other == room:
            continue
        if room in BELOW and other not in BELOW[room]:
            yield f"{own}:{line}: {room} stands below the rooms, and imports {file}"
        elif not {"*", part} & SHOWN.get(other, set()):
            yield f"{own}:{line}: imports {file}, which is the inside of another room"


def test_rooms_keep_to_themselves() -> None:
    require_none(
        offence for path in sources("module_utils/*/*.py") for offence in cross_imports(path.read_text(), short(path))
    )


@pytest.mark.parametrize(
    ("own", "imported", "allowed"),
    [
        ("vhost/plan.py", "core.plan", True),
        ("vhost/serve.py", "service.engine", True),
        ("vhost/serve.py", "service.plan", False),
        ("core/runner.py", "host.files", False),
        ("host/ports.py", "service.state", False),
        ("host/files.py", "core.errors", True),
    ],
)
def test_imports_across_are_seen(own: str, imported: str, allowed: bool) -> None:
    offences = list(cross_imports(f"from {OURS}{imported} import X", own))
    assert bool(offences) is not allowed


def test_only_the_door_knows_ansible() -> None:
    require_none(
        f"{short(path)}:{line}: imports {name}"
        for path in sources("module_utils/*/*.py")
        if short(path) not in KNOWS_ANSIBLE
        for line, name in imports(ast.parse(path.read_text()))
        if name.split(".")[0] == "ansible"
    )


def test_python_of_the_oldest_target() -> None:
    """Managed hosts may have Python 3.9."""
    for path in sources("**/*.py"):
        ast.parse(path.read_text(), str(path), feature_version=(3, 9))


def test_files_are_small() -> None:
    lengths = {short(path): len(path.read_text().splitlines()) for path in sources("module_utils/**/*.py")}
    require_none(
        f"{name} has {lines} lines, and {FILE_LINES} are the most: split it"
        for name, lines in lengths.items()
        if lines > FILE_LINES
    )


def test_the_corridor_is_small() -> None:
    lengths = {short(path): len(path.read_text().splitlines()) for path in sources("module_utils/core/*.py")}
    total = sum(lengths.values())
    assert total < CORRIDOR_LINES, f"the corridor has {total} lines of {CORRIDOR_LINES}: {lengths}"


def test_functions_are_small() -> None:
    require_none(
        f"{short(path)}:{node.lineno}: {node.name} has {node.end_lineno - node.lineno + 1} lines of {FUNCTION_LINES}"
        for path in sources("**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES
    )


def documentation_lines(source: str) -> set[int]:
    return {
        line
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in DOCUMENTATION
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }


def code(source: str) -> dict[int, str]:
    """The lines of a file by their number, less its documentation blocks and what is empty."""
    documented = documentation_lines(source)
    return {
        number: line for number, line in enumerate(source.splitlines(), 1) if number not in documented and line.strip()
    }


def test_modules_only_declare_and_hand_over() -> None:
    lengths = {path.name: len(code(path.read_text())) for path in sources("modules/*.py")}
    require_none(
        f"{name} has {lines} lines of code, and {MODULE_LINES} are the most: move them to its room"
        for name, lines in lengths.items()
        if lines > MODULE_LINES
    )


def catch_alls(source: str) -> list[int]:
    """Lines that catch whatever comes."""
    wide = {"Exception", "BaseException"}
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or wide & {part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)})
    ]


def test_one_place_catches_everything() -> None:
    found = [f"{short(path)}:{line}" for path in sources("**/*.py") for line in catch_alls(path.read_text())]
    assert [place.split(":")[0] for place in found] == ["core/module.py"], found


@pytest.mark.parametrize("caught", ["", " Exception", " BaseException as error", " (OSError, Exception)"])
def test_catch_alls_are_seen(caught: str) -> None:
    assert catch_alls(f"try:\n    pass\nexcept{caught}:\n    pass\n") == [3]


def test_one_place_reads_check_mode() -> None:
    require_none(
        f"{short(path)}:{number}: {line.strip()}"
        for path in sources("module_utils/**/*.py", "modules/*.py")
        if short(path) not in READS_CHECK_MODE
        for number, line in code(path.read_text()).items()
        if "check_mode" in line
    )


def test_the_root_is_a_table_of_contents() -> None:
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line[:1] not in ("", "#")}
    entries = [
        path.name
        for path in ROOT.iterdir()
        if path.name != ".git" and not any(fnmatch.fnmatch(path.name, pattern) for pattern in ignored)
    ]
    assert len(entries) <= ROOT_ENTRIES, f"{len(entries)} entries: {sorted(entries)}"


MODULES = sources("modules/*.py")


def documentation(path: Path) -> dict[str, object]:
    return {
        node.targets[0].id: yaml.safe_load(ast.literal_eval(node.value))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if node.targets[0].id in DOCUMENTATION
    }


def undocumented(options: dict, where: str) -> Iterator[str]:
    for name, option in options.items():
        yield from (
            f"{where}.{name} has no {key}" for key in ("description", "type", "version_added") if key not in option
        )
        yield from undocumented(option.get("suboptions", {}), f"{where}.{name}")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_are_documented(path: Path) -> None:
    found = documentation(path)
    assert sorted(found) == sorted(DOCUMENTATION), f"{path.name} has only {sorted(found)}"
    described = found["DOCUMENTATION"]
    assert described["module"] == path.stem
    assert {"check_mode", "diff_mode"} <= set(described["attributes"])
    require_none(undocumented(described.get("options", {}), path.stem))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_return_values_have_samples(path: Path) -> None:
    described = documentation(path)["RETURN"]
    assert described, "nothing is returned?"
    require_none(
        f"{path.stem} returns {name} without {key}"
        for name, value in described.items()
        for key in ("description", "type", "returned", "sample")
        if key not in value and not (key == "sample" and "contains" in value)
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_examples_use_full_names(path: Path) -> None:
    tasks = documentation(path)["EXAMPLES"]
    named = [key for task in tasks for key in task if "." in key]
    assert f"flatrun.infra.{path.stem}" in named, "no example of the module itself"
    keywords = {"name", "register", "when", "vars", "loop", "delegate_to", "no_log", "check_mode", "diff", "become"}
    require_none(
        f"{path.stem}: the example {task.get('name')!r} has {key!r}, which is no full name"
        for task in tasks
        for key in task
        if "." not in key and key not in keywords
    )


def test_every_module_is_in_the_action_group() -> None:
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["flatrun"]
    missing = {path.stem for path in MODULES} - set(group)
    assert not missing, f"module_defaults don't reach {sorted(missing)}: add them to meta/runtime.yml"


@pytest.mark.parametrize(
    ("room", "named"),
    [("core", r"`core/([a-z_]+\.py)`"), ("service", r"`([a-z_]+\.py)`"), ("host", r"`([a-z_]+\.py)`")],
)
def test_the_page_on_architecture_names_what_is_there(room: str, named: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page if room == "core" else page[page.index(f"| `{room}/` |") :].split("\n\n")[0]
    there = {path.name for path in sources(f"module_utils/{room}/*.py")}
    differ = sorted(set(re.findall(named, table)) ^ there)
    assert not differ, f"docs/architecture.md and module_utils/{room} differ in {differ}"
