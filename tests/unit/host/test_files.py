"""Files that are written as root: never through a link, never half, never readable for longer than they should be."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.host import files

ROOT = Path(__file__).parents[3]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    former = os.umask(mask)
    try:
        yield
    finally:
        os.umask(former)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("wanted", [0o600, 0o644])
def test_a_file_has_the_mode_that_is_asked_for(tmp_path: Path, wanted: int, mask: int) -> None:
    with umask(mask):
        files.write(f"{tmp_path}/file", b"content", wanted)
    found = files.read(f"{tmp_path}/file")
    assert found
    assert (found.content, found.mode) == (b"content", wanted)


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_a_folder_has_the_mode_that_is_asked_for(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        files.make_folder(f"{tmp_path}/a/b/secrets", 0o700)
    assert [mode(tmp_path / part) for part in ("a", "a/b", "a/b/secrets")] == [0o755, 0o755, 0o700]


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(0o711)
    files.make_folder(f"{tmp_path}/there", 0o700)
    assert mode(tmp_path / "there") == 0o711


def test_writing_replaces_the_whole_file(tmp_path: Path) -> None:
    files.write(f"{tmp_path}/file", b"long content", 0o644)
    files.write(f"{tmp_path}/file", b"short", 0o600)
    assert (tmp_path / "file").read_bytes() == b"short"
    assert mode(tmp_path / "file") == 0o600
    assert files.names(str(tmp_path)) == ["file"]


def test_a_link_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "link").symlink_to("victim")
    files.write(f"{tmp_path}/link", b"content")
    assert (tmp_path / "victim").read_text() == "untouched"
    assert not (tmp_path / "link").is_symlink()


def test_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to("secret")
    with pytest.raises(Refused, match="can't be read"):
        files.read(f"{tmp_path}/link")


@pytest.mark.parametrize("act", ["write", "read", "names", "sweep", "own", "remove", "make"])
def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, act: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("untouched")
    (tmp_path / "link").symlink_to("elsewhere")
    link = f"{tmp_path}/link"
    acts = {
        "write": lambda: files.write(f"{link}/file", b"content"),
        "read": lambda: files.read(f"{link}/file"),
        "names": lambda: files.names(link),
        "sweep": lambda: files.sweep(link),
        "own": lambda: files.own(link, os.geteuid()),
        "remove": lambda: files.remove(f"{link}/file"),
        "make": lambda: files.make_folder(f"{link}/new"),
    }
    with pytest.raises(Refused, match="it is a link"):
        acts[act]()
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["file"]
    assert (tmp_path / "elsewhere" / "file").read_text() == "untouched"


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with open(tmp_path / "large", "wb") as large:
        large.truncate(16 * 1024**2 + 1)
    for name in ("pipe", "folder", "large"):
        with pytest.raises(Refused, match="is not a plain file"):
            files.read(f"{tmp_path}/{name}")


@pytest.mark.parametrize("missing", ["file", "folder/file"])
def test_what_is_missing_is_nothing(tmp_path: Path, missing: str) -> None:
    assert files.read(f"{tmp_path}/{missing}") is None
    assert files.names(f"{tmp_path}/{missing}") == []


def test_a_path_that_others_can_redirect_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open" / "own").mkdir(parents=True)
    files.require_trusted(f"{tmp_path}/open/own/not/there/yet")
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(Refused, match=rf"^{tmp_path}/open: others can write there"):
        files.require_trusted(f"{tmp_path}/open/own")
    # As /tmp is: there nobody can rename what is another's.
    (tmp_path / "open").chmod(0o1777)
    files.require_trusted(f"{tmp_path}/open/own")


def test_a_path_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs").mkdir()
    if os.geteuid() == 0:
        os.chown(tmp_path / "theirs", 54321, 54321)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(Refused, match="others can write there"):
        files.require_trusted(f"{tmp_path}/theirs/own")


def test_a_full_disk_is_a_sentence_and_leaves_the_old_file(tmp_path: Path) -> None:
    files.write(f"{tmp_path}/file", b"old")
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, former[1]))
    try:
        with pytest.raises(Refused, match=rf"^{tmp_path}/file: can't be written \(File too large\)"):
            files.write(f"{tmp_path}/file", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_whatever_a_disk_refuses_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(f"{tmp_path}/file", b"old")

    def refuse(*_words: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("rename", "unlink", "fchown"):
        monkeypatch.setattr(os, name, refuse)
    attempts = {
        "file: can't be written": lambda: files.write(f"{tmp_path}/file", b"new"),
        "file: can't be renamed": lambda: files.rename(f"{tmp_path}/file", f"{tmp_path}/other"),
        "file: can't be removed": lambda: files.remove(f"{tmp_path}/file"),
        ": can't be swept": lambda: files.sweep(str(tmp_path)),
        ": can't be given to its account": lambda: files.own(str(tmp_path), 0),
    }
    for words, attempt in attempts.items():
        with pytest.raises(Refused, match=rf"^{tmp_path}/?{words} \(Read-only file system\)"):
            attempt()
    real = os.open
    monkeypatch.setattr(os, "open", lambda *words, **more: refuse() if words[1] & os.O_CREAT else real(*words, **more))
    with pytest.raises(Refused, match=r"file: can't be written \(Read-only file system\)"):
        files.write(f"{tmp_path}/file", b"new")


def test_a_file_is_whole_whenever_its_writer_is_killed(tmp_path: Path) -> None:
    """Killed at moments that are spread over the write, which is never finished in between."""
    program = (
        "import sys\n"
        "from ansible_collections.flatrun.infra.plugins.module_utils.host import files\n"
        "contents = [character * 3_000_000 for character in (b'a', b'b')]\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for content in contents:\n"
        "        files.write(sys.argv[1], content, 0o600)\n"
    )
    path = tmp_path / "file"
    files.write(str(path), b"a" * 3_000_000, 0o600)
    for attempt in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            env={"PYTHONPATH": str(ROOT / ".cache" / "collections")},
            stdout=subprocess.PIPE,
        )
        assert writer.stdout
        with writer:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(0.003 * (attempt + 1))
            writer.kill()
        content = path.read_bytes()
        assert content in (b"a" * 3_000_000, b"b" * 3_000_000)
        assert mode(path) == 0o600
    assert files.names(str(tmp_path)) == ["file"]
    files.sweep(str(tmp_path))
    assert os.listdir(tmp_path) == ["file"]


def test_scratch_files_are_hidden_and_swept(tmp_path: Path) -> None:
    (tmp_path / ".flatrun-0123").write_text("half")
    (tmp_path / ".own").write_text("kept")
    assert files.names(str(tmp_path)) == [".own"]
    files.sweep(str(tmp_path))
    assert os.listdir(tmp_path) == [".own"]


def test_renaming_and_removing(tmp_path: Path) -> None:
    files.write(f"{tmp_path}/new", b"new")
    files.write(f"{tmp_path}/old", b"old")
    files.rename(f"{tmp_path}/new", f"{tmp_path}/old")
    assert (tmp_path / "old").read_bytes() == b"new"
    files.remove(f"{tmp_path}/old")
    files.remove(f"{tmp_path}/old")
    assert not files.exists(f"{tmp_path}/old")


def test_only_one_folder_is_kept(tmp_path: Path) -> None:
    for name in ("kept", "old", "older"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("kept")
    files.keep_only(str(tmp_path), f"{tmp_path}/kept")
    assert sorted(os.listdir(tmp_path)) == ["file", "kept", "link"]


def test_what_may_not_be_seen_is_not_to_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may see everything, so that the kernel's answer to others is given here."""

    def denied(*_arguments: object, **_options: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", denied)
    for look in (files.read, files.names):
        with pytest.raises(Refused, match=r"without root's rights\. Run the task with become: true") as caught:
            look(f"{tmp_path}/secrets")
        assert "Remove" not in str(caught.value)
