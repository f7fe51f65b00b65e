"""What becomes of a candidate that can't be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.release import Releases


@pytest.mark.parametrize("content", [{"one.conf": "half a \ud800"}, {"no/folder.conf": ""}])
def test_nothing_is_left_of_it(content: dict[str, str], tmp_path: Path) -> None:
    releases = Releases(str(tmp_path / "releases"))
    release = releases.stage({"one.conf": "whole"})
    releases.switch(release)
    with pytest.raises(Refused, match="000002: can't be written"):
        releases.stage({"one.conf": "whole", **content})
    assert releases.names() == [release]
