"""No request is lost over reloads: under wrk, under h2load, and under a client that never retries.

FLATRUN_TEST_RELOADS says how many reloads there are (12 by default; 200 take several minutes), and FLATRUN_TEST_NGINX
of which line nginx is: an older one loses some, and how many is recorded.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.shared import LIVES_ON
from ansible_collections.flatrun.infra.tests.integration.faults.lab import Lab, docker, module_path
from ansible_collections.flatrun.infra.tests.integration.test_vhost_nginx import Site, certificate

RELOADS = int(os.environ.get("FLATRUN_TEST_RELOADS", "12"))
LINE = os.environ.get("FLATRUN_TEST_NGINX", "1.30")
PAUSE = 0.5
HOST = "load.example.com"


@pytest.fixture(scope="module")
def site(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An nginx before another one that answers with a small file."""
    lab = Lab(images, module_path(tmp_path_factory.mktemp("modules")))
    try:
        lab.open()
        behind, front = Site(lab, "1.30"), Site(lab, LINE)
        behind.name += "-behind"
        behind.begin()
        front.begin()
        behind.settle({"name": HOST, "root": {"path": "/usr/share/nginx/html"}, "access_log": "off"})
        certificate(lab, HOST, HOST)
        tls = {"certificate": HOST, "redirect": False}
        front.settle({"name": HOST, "upstream": f"{behind.name}:80", "tls": tls, "access_log": "off"})
        front.until(HOST, 200)
        yield front
    finally:
        lab.close()


def reload_under(site: Site, work: list[threading.Thread]) -> None:
    for thread in work:
        thread.start()
    for _reload in range(RELOADS):
        time.sleep(PAUSE)
        docker("kill", "--signal", "HUP", site.name)
    for thread in work:
        thread.join()


def duration() -> float:
    return (RELOADS + 1) * (PAUSE + 0.2)


class Strict(threading.Thread):
    """One connection after the other, each used as long as the server lets it be; a request is sent once."""

    def __init__(self, port: int, method: str) -> None:
        super().__init__()
        self.port, self.method, self.sent, self.lost = port, method, 0, 0
        body = "some=words" if method == "POST" else ""
        lines = [f"{method} / HTTP/1.1", f"Host: {HOST}", f"Content-Length: {len(body)}", "", body]
        self.request = "\r\n".join(lines).encode()

    def run(self) -> None:
        until = time.monotonic() + duration()
        while time.monotonic() < until:
            with socket.create_connection(("127.0.0.1", self.port), 60) as connection:
                while time.monotonic() < until and self.ask(connection):
                    pass

    def ask(self, connection: socket.socket) -> bool:
        """Whether the connection may be used again."""
        self.sent += 1
        try:
            connection.sendall(self.request)
            found = b""
            while not self.is_whole(found):
                more = connection.recv(65536)
                if not more:
                    self.lost += 1
                    return False
                found += more
        except OSError:
            self.lost += 1
            return False
        # 405 is what a static file answers a POST with: the request arrived.
        self.lost += found[9:12] not in (b"200", b"405")
        return b"connection: close" not in found.lower()

    @staticmethod
    def is_whole(found: bytes) -> bool:
        head, gap, body = found.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        return bool(gap and length and len(body) >= int(length[1]))


def wrk(port: int) -> tuple[int, int]:
    """Requests, and those that failed."""
    # On a busy machine an answer takes longer than the two seconds that wrk gives it by itself.
    command = ["wrk", "-t1", "-c16", f"-d{int(duration())}s", "--timeout", "60s", "-H", f"Host: {HOST}"]
    command.append(f"http://127.0.0.1:{port}/")
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    total = re.search(r"(\d+) requests in", said)
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    others = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    assert total, said
    failed = sum(map(int, errors.groups())) if errors else 0
    return int(total[1]), failed + (int(others[1]) if others else 0)


def h2load(port: int) -> tuple[int, int]:
    """The same of h2load. Over HTTP/1.1: over HTTP/2 it stops for good where a server says that it goes."""
    command = ["h2load", "--h1", "-t1", "-c8", f"-D{int(duration())}", f"--connect-to=127.0.0.1:{port}"]
    said = subprocess.run([*command, f"https://{HOST}:{port}/"], check=True, capture_output=True, text=True).stdout
    told = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", said)
    assert told, said
    done, succeeded, *lost = map(int, told.groups())
    return done, max(done - succeeded, *lost)


def measure(site: Site) -> dict[str, tuple[int, int]]:
    strict = [Strict(site.port, method) for method in ("GET", "POST") for _client in range(2)]
    found: dict[str, tuple[int, int]] = {}
    load = [
        threading.Thread(target=lambda: found.update(wrk=wrk(site.port))),
        threading.Thread(target=lambda: found.update(h2load=h2load(site.tls_port))),
    ]
    reload_under(site, [*load, *strict])
    found["strict"] = sum(each.sent for each in strict), sum(each.lost for each in strict)
    return found


def test_no_request_is_lost_and_without_the_directive_some_are(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    kept = measure(site)
    if site.version < LIVES_ON:
        record_property(f"nginx {LINE}", kept)
        assert 0 < sum(lost for _sent, lost in kept.values()) < sum(sent for sent, _lost in kept.values())
        return
    record_property("with keepalive_min_timeout", kept)
    assert not any(lost for _sent, lost in kept.values()), kept
    assert min(sent for sent, _lost in kept.values()) > 100
    shared = site.folder / "releases" / "current" / "vhosts" / "_shared.conf"
    text = shared.read_text()
    # Another file with the same name: an earlier release may have this very one.
    Path(f"{shared}.new").write_text(text.replace("keepalive_min_timeout", "#keepalive_min_timeout"))
    os.rename(f"{shared}.new", shared)
    lost = measure(site)
    record_property("without it", lost)
    assert sum(failed for _sent, failed in lost.values()) > 0
    site.settle()
    assert "\nkeepalive_min_timeout" in shared.resolve().parent.parent.joinpath("vhosts/_shared.conf").read_text()
