# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which locales a PostgreSQL server has, and the encoding of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Database
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_dialect import locale
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import Task

# As they were when the server was made. ucs_basic is C for one encoding, which C itself doesn't mind.
_LISTED = """
SELECT collcollate, pg_encoding_to_char(collencoding) FROM pg_collation
WHERE collprovider = 'c' AND collname <> 'ucs_basic'
"""


def locales(session: Session, task: Task, databases: Mapping[str, Database]) -> dict[str, str]:
    """Those of the databases to come that there are; the encoding is empty where any fits, or nobody knows."""
    new = [each for each in task.databases if each.name not in databases and (each.encoding or each.collation)]
    if not new:
        return {}
    templates = {databases[name].collation for name in _templates(task) if name in databases}
    listed = {locale(name): encoding for name, encoding in session.rows(_LISTED)}
    asked = {each.collation for each in new if each.collation} | templates
    return {name: listed.get(locale(name), "") for name in asked if locale(name) in listed or _is_there(session, name)}


def _templates(task: Task) -> Iterable[str]:
    return {"template0"} | {each.template for each in task.databases if each.template}


def _is_there(session: Session, name: str) -> bool:
    """What came to the host later isn't listed; the server looks for it when a setting is to have it."""
    try:
        session.rows("SELECT set_config('lc_monetary', %s, true)", (name,))
    except Refused:
        return False
    return True
