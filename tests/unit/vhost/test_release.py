"""What becomes of a candidate that can't be written, and of what a run leaves that is killed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.vhost import copies
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.release import Releases


@pytest.mark.parametrize("content", [{"one.conf": "half a \ud800"}, {"no/folder.conf": ""}])
def test_nothing_is_left_of_it(content: dict[str, str], tmp_path: Path) -> None:
    releases = Releases(str(tmp_path / "releases"))
    release = releases.stage({"one.conf": "whole"})
    releases.switch(release)
    with pytest.raises(Refused, match="000002: can't be written"):
        releases.stage({"one.conf": "whole", **content})
    assert releases.names() == [release]


class Killed(BaseException):
    """The run ended here."""


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    """With one that is served."""
    made = Releases(str(tmp_path / "releases"))
    made.switch(made.stage({"vhosts/a.conf": "one"}))
    return made


def serve(releases: Releases, text: str, keep: int = 5) -> str:
    release = releases.stage({"vhosts/a.conf": text})
    releases.switch(release)
    releases.prune(keep)
    return release


def test_a_candidate_of_a_killed_run_is_gone_with_the_next_one(releases: Releases) -> None:
    assert releases.stage({"vhosts/a.conf": "never served"}) == "000002"
    # And nginx may have been told of it, so its number is not another's.
    assert serve(releases, "two") == "000003"
    assert releases.names() == ["000001", "000003"]
    assert releases.before("000003") == ["000001"]


def test_a_candidate_without_vhosts_stops_no_later_run(releases: Releases) -> None:
    """It may have become an earlier one already."""
    path = Path(releases.path)
    (path / "certificates" / "unused").mkdir(parents=True)
    (path / "000001").rename(path / "000003")
    (path / "000002").mkdir()
    releases.switch("000003")
    serve(releases, "two")
    assert releases.names() == ["000003", "000004"]
    assert not copies.present(releases.path)


def test_a_candidate_that_is_half_written_is_no_way_back(releases: Releases) -> None:
    vhosts = Path(releases.path, "000002", "vhosts")
    vhosts.mkdir(parents=True)
    (vhosts / "a.conf").write_text("half of it")
    Path(releases.path, "000003").mkdir()
    assert releases.before("000003") == ["000001"]


def test_one_that_is_half_removed_is_no_way_back(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_arguments: object, **_options: object) -> NoReturn:
        raise Killed

    serve(releases, "two")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(Killed):
            serve(releases, "three", keep=2)
    assert releases.names() == ["000001", "000002", "000003"]
    assert releases.before("000003") == ["000002"]
    serve(releases, "four")
    assert releases.names() == ["000002", "000003", "000004"]


def test_the_one_that_a_killed_run_switched_to_stays(releases: Releases) -> None:
    releases.switch(releases.stage({"vhosts/a.conf": "two"}))
    assert serve(releases, "three") == "000003"
    assert releases.before("000003") == ["000002", "000001"]


def test_without_a_current_one_only_what_never_was_one_is_removed(releases: Releases, tmp_path: Path) -> None:
    Path(releases.path, "current").unlink()
    releases.stage({})
    assert releases.names() == ["000001", "000002"]
    first = Releases(str(tmp_path / "first"))
    first.stage({})
    assert (first.stage({}), first.names()) == ("000002", ["000002"])


def test_passwords_that_nginx_may_not_read_are_told(releases: Releases) -> None:
    release = releases.stage({"auth/a": "anna:x"})
    assert not releases.withheld(release, os.geteuid())
    assert not releases.withheld(release, -1)
    assert releases.withheld(release, os.geteuid() + 1) == {"auth/a"}
    Path(releases.path, release, "auth", "a").chmod(0o000)
    assert releases.withheld(release, os.geteuid()) == {"auth/a"}
    assert not releases.withheld("", os.geteuid())
