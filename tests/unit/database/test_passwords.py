"""What servers keep of passwords, against published values; and the processes that compute it."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database import ed25519, mysql_native, passwords
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import Credential, Statement
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import Grantee
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_world import PostgreSQLWorld
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import parse
from ansible_collections.flatrun.infra.tests.unit.database.world import params

SCRAM_SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")


def test_published_values() -> None:
    # https://www.akkadia.org/drepper/SHA-crypt.txt
    assert passwords._sha256_crypt(b"Hello world!", b"saltstring", 5000) == (
        b"5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
    )
    assert mysql_native.digest(b"password") == b"*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"
    # https://mariadb.com/kb/en/authentication-plugin-ed25519/
    assert ed25519.public_key(b"secret") == b"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"
    # The example of RFC 7677.
    assert passwords.scram("pencil", SCRAM_SALT) == (
        b"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        b"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


@pytest.mark.parametrize("password", ["p", "a'b\"c\\d%", "pässwörd", "x" * 200, " "])
def test_what_is_made_matches(password: str) -> None:
    for plugin in ("mysql_native_password", "caching_sha2_password", "ed25519"):
        (kept,) = passwords.make_mysql([(plugin, password.encode(), 5)])
        work = [(plugin, password.encode(), kept), (plugin, password.encode() + b"x", kept)]
        assert passwords.matches_mysql(work) == [True, False]
    (kept,) = passwords.make_postgresql([password])
    assert passwords.matches_postgresql([(password, "u", kept.decode()), (password + "x", "u", kept.decode())]) == [
        True,
        False,
    ]
    digest = passwords.md5(password.encode(), b"u").decode()
    assert passwords.matches_postgresql([(password, "u", digest), (password, "v", digest)]) == [True, False]


def test_scram_takes_no_md5(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host under FIPS has none."""

    def forbidden(*_data: bytes) -> None:
        raise ValueError("disabled for FIPS")

    monkeypatch.setattr("hashlib.md5", forbidden)
    world = PostgreSQLWorld(SimpleNamespace(endpoint=None), parse(params()))
    given = Credential(Grantee("ann"), "scram-sha-256", Secret("of ann"))
    kept = world._digests([Statement(("ALTER ROLE ann PASSWORD ", given))])[given]
    assert passwords.matches_postgresql([("of ann", "ann", kept)]) == [True]
    assert world.observer.compared == {("ann", kept, Secret("of ann")): True}


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100])
def test_side_by_side_is_one_after_the_other(count: int) -> None:
    work = list(range(count))
    assert passwords.side_by_side(lambda number: number * number, work) == [number * number for number in work]


def test_a_process_that_is_killed_is_replaced() -> None:
    own = os.getpid()

    def compute(number: int) -> int:
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)
        return -number

    assert passwords.side_by_side(compute, list(range(40))) == [-number for number in range(40)]


def test_none_is_left_when_this_one_is_killed() -> None:
    """Else each run that is killed would leave processes behind, with all passwords in them."""
    script = (
        "import os, time\n"
        "from ansible_collections.flatrun.infra.plugins.module_utils.database import passwords\n"
        "os.sched_getaffinity = lambda _pid: {0, 1, 2}\n"
        "def compute(number):\n"
        "    os.write(1, b'%d\\n' % os.getpid())\n"
        "    time.sleep(0.1)\n"
        "    return number\n"
        "passwords.side_by_side(compute, range(60))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout
        seen: set[int] = set()
        while len(seen) < 3:
            seen.add(int(process.stdout.readline()))
        process.kill()
        process.wait()
        until = time.monotonic() + 60
        while left := [pid for pid in seen if is_running(pid)]:
            assert time.monotonic() < until, f"{left} still run"
            time.sleep(0.1)


def is_running(pid: int) -> bool:
    """Whether it is there, and not only waits for its parent to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
