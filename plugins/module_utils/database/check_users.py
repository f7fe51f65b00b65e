# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users of one engine have and those of another can't."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import WantedUser


def refuse_rules(wanted: WantedUser) -> None:
    for part in wanted.acl:
        raise InvalidParameter("is for Redis alone", f"{wanted.item}.{part}", "Leave it out; see grants.")


def refuse_former_password(wanted: WantedUser) -> None:
    if wanted.retain:
        raise InvalidParameter("is for MySQL and Redis alone", f"{wanted.item}.retain_password", "Leave it out.")
