"""Extensions of PostgreSQL, and the databases that they come with."""

from __future__ import annotations

from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import POSTGRESQL
from ansible_collections.flatrun.infra.tests.unit.database.world import Server, params, room


def statements(**database: Any) -> list[str]:
    """What is foreseen for a database to come."""
    here = room(Server(POSTGRESQL))
    spec = here.parse(params(databases=[{"name": "shop", **database}]))
    return list(walk(here, spec, True, Walk())["statements"])


def added(**database: Any) -> list[str]:
    return [each for each in statements(**database) if "EXTENSION" in each]


def test_an_extension_may_be_named_twice_and_before_what_it_brings_along() -> None:
    extensions = ["earthdistance", "cube", "earthdistance"]
    assert added(extensions=extensions) == [
        'CREATE EXTENSION IF NOT EXISTS "earthdistance" CASCADE',
        'CREATE EXTENSION IF NOT EXISTS "cube" CASCADE',
    ]
