"""What the scripts of the set-up have in common."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

LIB = Path(__file__).parents[1] / "setup" / "lib.sh"


def bash(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f". {LIB}\n{script}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_nothing_goes_on_where_a_step_has_failed(tmp_path: Path) -> None:
    """Steps run beside each other are scripts with steps of their own."""
    figure = f"61.{secrets.randbelow(10**9):09d}"
    script = tmp_path / "script"
    script.write_text(f". {LIB}\ncd /\nwork() {{ sleep {figure}; true; }}\nshow inner 'a step' work\n")
    name = f"test-{tmp_path.name}"
    done = bash(
        f"trap end_besides EXIT\nlogs={tmp_path}\nscripts() {{ bash {script}; true; }}\n"
        f"beside {name} 'a script' scripts\n"
        f"until pgrep -f 'sleep {figure}' >/dev/null; do sleep 0.1; done\nfalse"
    )
    assert done.returncode == 1
    assert subprocess.run(["pgrep", "-f", f"sleep {figure}"], check=False, capture_output=True).returncode == 1


def test_ansible_starts_under_any_locale() -> None:
    for said in ({"LC_ALL": "C"}, {"LANG": "en_US.UTF-8", "LC_ALL": ""}):
        done = bash("ansible --version", **said)
        assert done.returncode == 0, done.stderr
