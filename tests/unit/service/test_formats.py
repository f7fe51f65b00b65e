"""Which server wrote a data folder, told from the files that the real ones leave there."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service.formats import detect, visible
from ansible_collections.flatrun.infra.plugins.module_utils.service.home import Home
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import Data

_UPGRADES = (
    '{"file_format":"1","upgrade_history":[{"date":"2024","version":"8.4.0"},{"date":"2026","version":"9.7.4-2"}]}'
)


@pytest.mark.parametrize(
    ("files", "format_"),
    [
        ({}, ("", "")),
        ({"PG_VERSION": "17\n"}, ("postgresql", "17")),
        ({"PG_VERSION": "9.6\n"}, ("postgresql", "9.6")),
        ({"mysql.ibd": "", "ibdata1": "", "mysql_upgrade_history": _UPGRADES}, ("mysql", "9.7")),
        ({"mysql.ibd": "", "mysql_upgrade_history": '{"upgrade_history":['}, ("mysql", "")),
        ({"mysql.ibd": "", "mysql_upgrade_history": '{"upgrade_history":[]}'}, ("mysql", "")),
        ({"mysql.ibd": ""}, ("mysql", "")),
        ({"aria_log_control": "", "ibdata1": "", "mariadb_upgrade_info": "11.8.3-MariaDB"}, ("mariadb", "11.8")),
        ({"aria_log_control": "", "mysql_upgrade_info": "10.6.22-MariaDB"}, ("mariadb", "10.6")),
        ({"aria_log_control": ""}, ("mariadb", "")),
        ({"dump.rdb": "REDIS0012", "users.acl": ""}, ("", "")),
        ({"mysql.ibd": "", "mysql_upgrade_history": "\udcff\udcfe"}, ("mysql", "")),
    ],
)
def test_detect(tmp_path: Path, files: dict[str, str], format_: tuple[str, str]) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    assert detect(str(tmp_path), sorted(files)) == format_


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("17")
    (tmp_path / "PG_VERSION").symlink_to("elsewhere")
    with pytest.raises(Refused):
        detect(str(tmp_path), ["PG_VERSION"])


def test_data_lies_in_the_mount_or_in_a_folder_of_it(tmp_path: Path) -> None:
    home, top = Home(Layout(str(tmp_path), "svc")), str(tmp_path / "data")
    assert home.data(top, "pg/data") == Data(top)
    (tmp_path / "data" / "pg" / "data").mkdir(parents=True)
    assert home.data(top, "pg/data") == Data(top, there=True)
    (tmp_path / "data" / "pg" / "data" / "PG_VERSION").write_text("15\n")
    assert home.data(top, "pg/data") == Data(top, True, False, "postgresql", "15")
    assert home.data(top) == Data(top, True, False)


@pytest.mark.parametrize(
    ("names", "left"),
    [([], []), (["lost+found"], []), ([".gitkeep", "lost+found"], []), (["ibdata1", ".x"], ["ibdata1", ".x"])],
)
def test_what_counts_as_data(names: list[str], left: list[str]) -> None:
    assert visible(names) == left
