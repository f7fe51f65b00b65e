# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What schemas can't be, told before anything is done."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter, Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database import check_names
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import State
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_places import inside_of
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import ABSENT, PRESENT, Task, WantedSchema

_LONGEST_NAME = 63


def refuse(task: Task) -> None:
    """Where a database is its own only schema."""
    for database in task.databases:
        if database.schemas:
            raise InvalidParameter("is for PostgreSQL alone", f"{database.item}.schemas", "Leave it out.")


def check(task: Task, state: State) -> None:
    roles = check_names.roles(task, state)
    for database in task.databases:
        names.distinct((schema.name for schema in database.schemas), f"{database.item}.schemas", "the schema")
        contents = inside_of(database.name, task, state).contents if database.schemas else {}
        for index, schema in enumerate(database.schemas):
            where = f"{database.item}.schemas[{index}]"
            _check(schema, where)
            if schema.owner and database.state == PRESENT:
                do = "Put it into users, or name another."
                check_names.require(schema.owner, roles, state, "role", f"{where}.owner", do)
            held = contents.get(schema.name)
            if schema.state == ABSENT and held and database.state == PRESENT and not database.force:
                raise Refused(
                    f"{schema.name} is not empty: there is {held[0]}",
                    where,
                    "Remove what is in it, or say force: true of the database.",
                )

    _check_grants(task)


def _check_grants(task: Task) -> None:
    going = {
        (database.name, schema.name)
        for database in task.databases
        for schema in database.schemas
        if schema.state == ABSENT
    }
    for grant in task.grants:
        kind = grant.object_type
        usual = "" if kind in ("database", "role") or kind.startswith("default_") else "public"
        if not task.takes(grant) and (grant.database, grant.schema or usual) in going:
            raise Refused(f"{grant.schema or usual} is to go", f"{grant.item}.schema", "Keep one of the two.")


def _check(schema: WantedSchema, where: str) -> None:
    size = len(schema.name.encode())
    if size > _LONGEST_NAME:
        # The server would cut it off and take what is left.
        words = f"has {size} bytes, and PostgreSQL takes {_LONGEST_NAME}"
        raise InvalidParameter(words, f"{where}.name", "Shorten it.")
    if schema.name.startswith("pg_") or schema.name == "information_schema":
        raise Refused(f"{schema.name} belongs to the server itself", f"{where}.name", "Choose another one.")
    if schema.state == ABSENT and schema.owner:
        raise InvalidParameter("what is to go has no owner", f"{where}.owner", "Leave it out.")
