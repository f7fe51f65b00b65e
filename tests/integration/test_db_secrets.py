"""No server writes a password anywhere, with all its logs on: neither a user's nor its administrator's."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, Server, run

pytestmark = GROUP
# What is around the letters is quoted by each writer in its own way, and the letters by none.
FIRST, SECOND, THIRD, WRONG = "ErsterVogel", "ZweiterVogel", "DritterVogel", "FalscherVogel"
SEEN = "GesehenerVogel"
AROUND = "{}'\"\\ %_x"
PLUGINS = {
    "mysql": ("caching_sha2_password",),
    "mariadb": ("mysql_native_password", "ed25519"),
    "postgresql": ("scram-sha-256", "md5"),
}
# Whatever PostgreSQL can be told to write about what it does.
TALKATIVE = {
    "log_min_messages": "debug2",
    "log_error_verbosity": "verbose",
    "log_min_error_statement": "debug5",
    "log_disconnections": "on",
    "log_duration": "on",
    "debug_print_parse": "on",
}
AT_ONCE = 2**24


def traces(word: str) -> list[bytes]:
    """The word as it is, in hex, in two bytes a letter, and in base64 wherever it begins there."""
    raw = word.encode()
    # The first and the last letters depend on what is beside.
    coded = [base64.b64encode(b"\0" * before + raw)[4:-4] for before in range(3)]
    return [raw, raw.hex().encode(), raw.hex().upper().encode(), word.encode("utf-16-le"), *coded]


def shown(server: Server, since: float, words: list[str]) -> dict[str, set[str]]:
    """Which of the words are in what the server has written since then: its output, and every file of its own."""
    pattern = re.compile(b"|".join(re.escape(trace) for word in words for trace in traces(word)))
    names = {trace: word for word in words for trace in traces(word)}
    found: dict[str, set[str]] = {}
    for place, piece in written(server, since):
        for match in pattern.finditer(piece):
            found.setdefault(names[match[0]], set()).add(place)
    return found


def written(server: Server, since: float) -> Iterator[tuple[str, bytes]]:
    yield "its output", server.output().encode()
    for folder, _folders, names in os.walk(server.data):
        for path in (Path(folder, name) for name in names):
            # A server removes files of its own meanwhile.
            with suppress(FileNotFoundError):
                if path.is_file() and path.stat().st_mtime >= since:
                    yield from ((str(path), piece) for piece in pieces(path))


def pieces(path: Path) -> Iterator[bytes]:
    """Those of a large file overlap, so that nothing is cut in two."""
    before = b""
    with path.open("rb") as file:
        while piece := file.read(AT_ONCE):
            yield before + piece
            before = piece[-100:]


def users(server: Server, word: str, **more: Any) -> list[dict[str, Any]]:
    return [
        {"name": f"shy_{number}", "password": AROUND.format(word), "plugin": plugin, **more}
        for number, plugin in enumerate(PLUGINS[server.engine])
    ]


def test_a_password_is_written_nowhere(server: Server) -> None:
    since = time.time() - 1
    gone = {"users": [{**each, "state": "absent"} for each in users(server, FIRST)]}
    retained = {"retain_password": True} if server.engine == "mysql" else {}
    with server.logging(TALKATIVE):
        server.say(f"SELECT '{SEEN}'")
        server.settle({"users": users(server, FIRST)})
        server.settle({"users": users(server, SECOND, **retained)})
        server.settle({"users": users(server, SECOND)})
        with pytest.raises(FlatrunError):
            server.run({"users": users(server, THIRD, limits={"valid_until": "never"})})
        for word, taken in ((SECOND, True), (WRONG, None)):
            assert server.may_enter("shy_0", AROUND.format(word)) is taken
        as_user = {**server.reached, "login_user": "shy_0", "login_password": AROUND.format(WRONG)}
        with pytest.raises(FlatrunError):
            run(as_user, {"users": users(server, THIRD)})
        server.settle(gone)
        if not server.is_postgresql:
            server.say("FLUSH LOGS")
    words = [FIRST, SECOND, THIRD, WRONG, server.administrator[1], SEEN]
    found = shown(server, since, words)
    # That is how the logs are known to be on, and to be looked into.
    assert found.pop(SEEN)
    assert not found, found
