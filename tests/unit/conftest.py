"""Unit tests and laws: no engine, no network; hypothesis may take its time, and always tries the same."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.load_profile("house")
