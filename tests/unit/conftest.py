"""Unit tests and laws: no engine, no network; hypothesis may take its time, and always tries the same."""

from __future__ import annotations

import importlib
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

# The checkout under its installed name, as `make venv` has it: a fresh clone can be tested at once.
_ROOT = Path(__file__).parents[2]
_INSTALLED = _ROOT / ".cache" / "collections" / "ansible_collections" / "flatrun" / "infra"
if not _INSTALLED.exists():
    _INSTALLED.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        _INSTALLED.symlink_to(_ROOT)
    # pytest had the folder on its path before there was one.
    importlib.invalidate_caches()
