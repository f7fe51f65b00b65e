"""What MariaDB tells of a role, which tells of the roles it is a member of too."""

from __future__ import annotations

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import PUBLIC, Grantee
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_server_rights import read

KNOWN = frozenset({"SELECT", "CREATE USER", "GRANT OPTION"})
ODD = "a` WITH GRANT OPTION"


@pytest.mark.parametrize(
    ("role", "lines", "held"),
    [
        ("r", ["GRANT `q` TO `r`", "GRANT CREATE USER, SELECT ON *.* TO `r`"], ["CREATE USER", "SELECT"]),
        ("r", ["GRANT SELECT ON *.* TO r WITH GRANT OPTION"], ["GRANT OPTION", "SELECT"]),
        ("r", ["GRANT ALL PRIVILEGES ON *.* TO `r` WITH GRANT OPTION"], ["CREATE USER", "GRANT OPTION", "SELECT"]),
        ("r", ["GRANT USAGE ON *.* TO `r` WITH GRANT OPTION"], ["GRANT OPTION"]),
        ("r", ["GRANT USAGE ON *.* TO `r`", "GRANT SELECT ON `d`.* TO `r`"], []),
        ("r", ["GRANT SELECT ON *.* TO `q`", "GRANT SELECT ON *.* TO `not r`"], []),
        ("r", ["GRANT `SELECT ON *.* TO ``r``` TO `r`"], []),
        (ODD, ["GRANT SELECT ON *.* TO `a`` WITH GRANT OPTION`"], ["SELECT"]),
        ("PUBLIC", ["GRANT SELECT ON *.* TO PUBLIC"], ["SELECT"]),
    ],
)
def test_what_is_the_roles_own(role: str, lines: list[str], held: list[str]) -> None:
    who = PUBLIC if role == "PUBLIC" else Grantee(role)
    assert read(lines, who, KNOWN) == dict.fromkeys(held, False)
