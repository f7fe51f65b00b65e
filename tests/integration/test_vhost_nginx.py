"""flatrun_vhost with each line of nginx: what goes over the wire, what is refused, what is never reported as done."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults import modules, trace
from ansible_collections.flatrun.infra.tests.integration.faults.lab import (
    EVERYTHING,
    Lab,
    docker,
    inspect,
    module_path,
    others_long,
    pause,
    until,
)
from ansible_collections.flatrun.infra.tests.integration.faults.modules import PYTHON, ROOT, Result
from ansible_collections.flatrun.infra.tests.integration.ports import free_port

LINES = {"1.30": "flatrun/nginx:local", "1.22": "flatrun/nginx:1.22-local"}
LINES.update({"1.26": "flatrun/nginx:1.26-local"} if EVERYTHING else {})
BACKEND = Path(__file__).parent / "targets" / "vhost" / "files" / "backend.py"


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def told(self) -> dict[str, Any]:
        """What a backend says it received."""
        return dict(json.loads(self.body))


class Site:
    """An nginx of one line with its published ports, and the module that is tried on it."""

    def __init__(self, lab: Lab, line: str) -> None:
        self.lab, self.line, self.image = lab, line, LINES[line]
        self.name = f"{lab.prefix}-nginx-{line.replace('.', '')}"
        self.port, self.tls_port = free_port(), free_port()

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.line.split("."))

    @property
    def folder(self) -> Path:
        return Path(self.lab.root, self.name)

    @property
    def item(self) -> dict[str, Any]:
        ports = [f"127.0.0.1:{self.port}:80", f"127.0.0.1:{self.tls_port}:443"]
        return self.lab.item("nginx", name=self.name, container=self.name, image=self.image, published_ports=ports)

    def begin(self) -> None:
        if not docker("image", "ls", "--quiet", self.image):
            play = [str(Path(sys.executable).with_name("ansible-playbook")), "flatrun.infra.images", "-i", "localhost,"]
            # The distribution's Python, which role images may install packages with.
            chosen = ["-c", "local", "-e", "ansible_python_interpreter=/usr/bin/python3"]
            chosen += ["-e", f"images_types=nginx:{self.line}"]
            collections = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections")}
            subprocess.run([*play, *chosen], check=True, capture_output=True, env={**os.environ, **collections})
        self.lab.run(self.item).good()

    def run(self, *vhosts: Mapping[str, Any], under: tuple[str, ...] = (), **options: Any) -> Result:
        given = {"container": self.name, "root_dir": self.lab.root, "vhosts": list(vhosts), **options}
        return modules.start("flatrun_vhost", given, self.lab.modules, under).finish()

    def settle(self, *vhosts: Mapping[str, Any], **options: Any) -> Result:
        first = self.run(*vhosts, **options).good()
        again = self.run(*vhosts, **options).good()
        assert not again.changed, again.actions
        assert first.said["live"]
        return first

    def ask(self, host: str, path: str = "/", method: str = "GET", body: str = "", **headers: str) -> Answer:
        """One request on a connection of its own; status 0 where nginx closes it without a word."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body or None, {"Host": host, **sent})
            found = connection.getresponse()
            return Answer(found.status, {k.lower(): v for k, v in found.getheaders()}, found.read().decode())
        except http.client.RemoteDisconnected:
            return Answer(0, {}, "")
        finally:
            connection.close()

    def until(self, host: str, status: int, word: str = "") -> Answer:
        found, end = Answer(-1, {}, ""), time.monotonic() + modules.WAIT
        while time.monotonic() < end:
            # While the container starts, the engine's own proxy resets what it can't hand on.
            with suppress(ConnectionError, TimeoutError):
                found = self.ask(host)
            if found.status == status and word in found.body:
                return found
            time.sleep(0.5)
        raise AssertionError(f"{host} never answers {status} {word}, but {found}")

    def current(self) -> str:
        return os.readlink(self.folder / "releases" / "current")

    def master(self) -> int:
        return int(inspect(self.name)["State"]["Pid"])


def backend(lab: Lab, name: str, says: str = "", network: str = "") -> str:
    """A container that answers with what it received, on port 8000."""
    full = f"{lab.prefix}-{name}"
    docker("rm", "--force", full, check=False)
    place = ("--network", network or lab.network("nginx"), "--volume", f"{BACKEND}:/backend.py:ro")
    docker(
        "run",
        "--detach",
        "--name",
        full,
        *place,
        "--entrypoint",
        "python3",
        lab.images["certbot"],
        "/backend.py",
        says or name,
        "8000",
    )
    return full


def listens(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), 5):
        return True
    return False


def certificate(lab: Lab, name: str, *names: str, days: int = 60) -> Path:
    folder = Path(lab.root, "certificates", name)
    folder.mkdir(parents=True, exist_ok=True)
    asked = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    written = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    covered = "subjectAltName=" + ",".join(f"DNS:{each}" for each in names)
    subject = ["-subj", f"/CN={name}", "-addext", covered, "-days", str(days)]
    subprocess.run(["openssl", *asked, *written, *subject], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def lab(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(images, module_path(tmp_path_factory.mktemp("modules")))
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module", params=LINES)
def site(request: pytest.FixtureRequest, lab: Lab) -> Site:
    made = Site(lab, request.param)
    made.begin()
    return made


@pytest.fixture(scope="module")
def newest(lab: Lab) -> Site:
    made = Site(lab, "1.30")
    made.name += "-faults"
    made.begin()
    return made


def test_an_upstream_may_be_missing_appear_move_and_go(site: Site) -> None:
    lab = site.lab
    app = f"{lab.prefix}-app{site.line.replace('.', '')}"
    vhost = {"name": "blog.example.com", "upstream": f"http://{app}:8000"}
    site.settle(vhost)
    assert site.ask("blog.example.com").status == 502
    assert site.ask("unknown.example.com").status == 0
    docker("restart", site.name)
    site.until("blog.example.com", 502)
    backend(lab, app.removeprefix(f"{lab.prefix}-"), "first")
    told = site.until("blog.example.com", 200, "first").told
    assert told["headers"]["host"] == "blog.example.com"
    assert told["headers"]["x-real-ip"] == told["headers"]["x-forwarded-for"]
    assert site.ask("blog.example.com", "/a%20b%2Fc?d=e").told["path"] == "/a%20b%2Fc?d=e"
    assert site.ask("blog.example.com", "/", "POST", "some words").told["body"] == "some words"
    api = {"path": "/api/", "strip_prefix": True}
    site.settle({**vhost, "locations": [api]})
    assert site.until("blog.example.com", 200).told["path"] == "/"
    assert site.ask("blog.example.com", "/api/a%2Fb?c=%20").told["path"] == "/a%2Fb?c=%20"
    assert site.ask("blog.example.com", "/x/../api/").status == 400
    # Another takes its address meanwhile, so that it comes back with another one.
    docker("rm", "--force", app)
    backend(lab, "squatter", "squatter")
    backend(lab, app.removeprefix(f"{lab.prefix}-"), "moved")
    site.until("blog.example.com", 200, "moved")
    docker("rm", "--force", app, f"{lab.prefix}-squatter")
    site.until("blog.example.com", 502)


@pytest.mark.parametrize("site", others_long(LINES, "1.30"), indirect=True)
def test_a_pool_spreads_by_weight_leaves_out_who_fails_and_takes_it_back(site: Site) -> None:
    lab = site.lab
    one, two = backend(lab, "one"), backend(lab, "two")
    addresses = [next(iter(inspect(name)["NetworkSettings"]["Networks"].values()))["IPAddress"] for name in (one, two)]
    # Who doesn't listen yet would be left out for a while, and the other one be given more than its weight.
    until(lambda: all(listens(address, 8000) for address in addresses))
    servers = [{"address": f"{address}:8000", "fail_timeout": "3s"} for address in addresses]
    servers[0]["weight"] = 3
    vhost = {"name": "pool.example.com", "upstream": {"servers": servers}}
    site.settle(vhost)
    site.until("pool.example.com", 200, "one")
    answers = [site.ask("pool.example.com").told["backend"] for _request in range(40)]
    assert answers.count("one") == 30
    pause(one)
    docker("kill", two)
    docker("unpause", one)
    assert {site.ask("pool.example.com").told["backend"] for _request in range(8)} == {"one"}
    docker("start", two)
    site.until("pool.example.com", 200, "two")
    names = {"name": "names.example.com", "upstream": {"servers": [f"{one}:8000", f"{two}:8000"]}}
    if site.version < (1, 27):
        site.run(names).refused("vhosts[0].upstream", "a pool of names needs nginx 1.27.3")
    else:
        site.settle(names)
        site.until("names.example.com", 200, "two")
    docker("rm", "--force", one, two)


def test_tls_redirects_passwords_and_pages(site: Site) -> None:
    certificate(site.lab, "shop", "shop.example.com")
    vhost = {
        "name": "shop.example.com",
        "upstream": "192.0.2.1:1",
        "tls": {"certificate": "shop", "redirect_code": 308, "hsts": {"include_subdomains": True}},
        "error_pages": {"503": "<h1>closed</h1>"},
        "locations": [
            {"path": "/in/", "root": {"path": "/usr/share/nginx/html"}, "strip_prefix": True},
            {"path": "/spa/", "root": {"path": "/usr/share/nginx/html", "fallback": "/index.html"}},
            {
                "path": "/cut/",
                "root": {"path": "/usr/share/nginx/html", "fallback": "/index.html"},
                "strip_prefix": True,
            },
            {"path": "/old/", "redirect": {"to": "https://new.example.com/", "code": 302}},
        ],
        "basic_auth": {"users": [{"name": "anna", "password": 'geh"eim $x'}]},
    }
    site.settle(vhost)
    found = site.ask("shop.example.com", "/x?y")
    assert (found.status, found.headers["location"]) == (308, "https://shop.example.com/x?y")
    assert site.ask("shop.example.com", "/.well-known/acme-challenge/none").status == 404
    word = base64.b64encode(b'anna:geh"eim $x').decode()
    status, headers = secure(site, "shop.example.com", "/in/", Authorization=f"Basic {word}")
    assert status == 200
    assert headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    for path in ("/spa/any/route", "/cut/any"):
        assert secure(site, "shop.example.com", path, Authorization=f"Basic {word}")[0] == 200, path
        assert secure(site, "shop.example.com", path)[0] == 401, path
    assert secure(site, "shop.example.com", "/in/")[0] == 401
    assert secure(site, "shop.example.com", "/old/a?b")[1]["location"] == "https://new.example.com/old/a?b"
    kept = next((site.folder / "releases" / "current" / "auth").iterdir())
    assert (kept.stat().st_mode & 0o777, kept.stat().st_uid) == (0o600, 101)
    kept.chmod(0o644)
    assert site.settle(vhost).actions[0]["reason"] == "others may read it"
    kept = next((site.folder / "releases" / "current" / "auth").iterdir())
    assert (kept.stat().st_mode & 0o777, kept.stat().st_uid) == (0o600, 101)
    # As it is restored by who knows no owners.
    os.chown(kept, 0, 0)
    assert site.settle(vhost).actions[0]["reason"] == "nginx may not read it"
    kept = next((site.folder / "releases" / "current" / "auth").iterdir())
    assert (kept.stat().st_mode & 0o777, kept.stat().st_uid) == (0o600, 101)
    assert secure(site, "shop.example.com", "/in/", Authorization=f"Basic {word}")[0] == 200
    with pytest.raises(ssl.SSLError):
        secure(site, "unknown.example.com", "/")
    site.run({**vhost, "maintenance": True, "tls": None}).good()
    assert site.ask("shop.example.com", "/any").body == "<h1>closed</h1>"


def secure(site: Site, host: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", site.tls_port), 60) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        wrapped.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        found = http.client.HTTPResponse(wrapped)
        found.begin()
        return found.status, {name.lower(): value for name, value in found.getheaders()}


def served_certificate(site: Site, host: str) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", site.tls_port), 15) as plain,
        context.wrap_socket(plain, server_hostname=host) as line,
    ):
        return ssl.DER_cert_to_PEM_cert(line.getpeercert(True) or b"")


def test_certificates_are_looked_at_before(newest: Site) -> None:
    tls = {"name": "c.example.com", "upstream": "192.0.2.1:1", "tls": {"certificate": "c"}}
    newest.run(tls).refused("vhosts[0].tls.certificate", "does not exist")
    folder = certificate(newest.lab, "c", "other.example.com")
    newest.run(tls).refused("it is not for c.example.com")
    certificate(newest.lab, "c", "c.example.com")
    key = certificate(newest.lab, "d", "c.example.com") / "privkey.pem"
    (folder / "privkey.pem").write_bytes(key.read_bytes())
    newest.run(tls).refused("is not that of")
    (folder / "fullchain.pem").write_text("no certificate")
    newest.run(tls).refused("can't be read as PEM")
    certificate(newest.lab, "c", "*.example.com")
    newest.settle(tls)
    newest.settle({"name": "c.example.com", "state": "absent"})


def test_the_37th_of_50_is_bad(newest: Site) -> None:
    vhosts: list[dict[str, Any]] = [
        {"name": f"v{number}.example.com", "upstream": f"192.0.2.1:{8000 + number}"} for number in range(50)
    ]
    # nginx sees this only at the end, and names no file.
    vhosts[36]["request_headers"] = {"X-Bad": "$no_such_variable"}
    before = newest.current()
    newest.run(*vhosts).refused("vhosts[36] (v36.example.com)", "no_such_variable")
    assert newest.current() == before
    held = newest.run(*vhosts, on_invalid="quarantine").refused("held back 1", "vhosts[36] (v36.example.com)")
    assert held.changed
    assert len(list((newest.folder / "releases" / "current" / "vhosts").glob("v*.conf"))) == 49
    # And this is in the file that all of them share.
    pool = {"servers": ["192.0.2.1:1", "192.0.2.1:2"], "method": "hash", "hash_key": "$nope"}
    shared = [{**vhosts[35], "body_size": "1m"}, {"name": "v36.example.com", "upstream": pool}]
    newest.run(*shared).refused("vhosts[1] (v36.example.com)", "nope")
    newest.run(*shared, on_invalid="quarantine").refused("held back 1", "vhosts[1] (v36.example.com)")
    newest.run(*vhosts, on_invalid="quarantine").refused("vhosts[36] (v36.example.com)")
    served = newest.current()
    again = newest.run(*vhosts, on_invalid="quarantine").refused("vhosts[36] (v36.example.com)")
    assert not again.changed
    assert newest.current() == served
    newest.settle(exclusive=True)


def test_passwords_and_pages_change_also_beside_one_that_is_held_back(newest: Site) -> None:
    certificate(newest.lab, "bad", "bad.example.com")

    def good(password: str) -> dict[str, Any]:
        auth = {"users": [{"name": "anna", "password": password}]}
        site = {"path": "/usr/share/nginx/html"}
        return {"name": "good.example.com", "root": site, "basic_auth": auth, "error_pages": {"401": password[::-1]}}

    def asked(password: str) -> Answer:
        word = base64.b64encode(f"anna:{password}".encode()).decode()
        return newest.ask("good.example.com", Authorization=f"Basic {word}")

    bad = {"name": "bad.example.com", "upstream": "192.0.2.1:1", "tls": {"certificate": "bad"}}
    bad["request_headers"] = {"X-Bad": "$no_such_variable"}
    newest.settle(good("former"))
    held = newest.run(good("present"), bad, on_invalid="quarantine").refused("held back 1", "vhosts[1] (bad.")
    assert held.changed
    assert (asked("present").status, asked("former").status, asked("former").body) == (200, 401, "tneserp")
    again = newest.run(good("present"), bad, on_invalid="quarantine").refused("held back 1", "vhosts[1] (bad.")
    assert not again.changed
    newest.settle(good("present"), exclusive=True)


def test_names_and_files_of_the_users_own_are_left_alone(newest: Site) -> None:
    own = newest.folder / "config" / "mine.conf"
    own.write_text("server {\n    listen 80;\n    server_name mine.example.com;\n    return 200 mine;\n}\n")
    newest.settle({"name": "a.example.com", "upstream": "192.0.2.1:1"})
    assert newest.ask("mine.example.com").body == "mine"
    newest.run({"name": "x", "domains": ["mine.example.com"], "upstream": "192.0.2.1:1"}).refused(
        "vhosts[0].server_names[0]", "conf.d/mine.conf:3"
    )
    own.write_text("server { listen 80; }")
    newest.settle({"name": "a.example.com", "upstream": "192.0.2.1:2"})
    own.write_text("server { broken; }")
    newest.run({"name": "a.example.com", "upstream": "192.0.2.1:3"}).refused("broken", "conf.d/mine.conf")
    own.unlink()
    newest.settle(exclusive=True)


def test_a_name_that_an_included_file_has_holds_back_its_vhost_alone(newest: Site) -> None:
    """Nobody but nginx reads what a user's own file includes; it only warns, and names no file."""
    more, own = newest.folder / "config" / "more", newest.folder / "config" / "mine.conf"
    more.mkdir()
    (more / "taken").write_text("server { listen 80; listen [::]:80; server_name taken.example.com; return 204; }")
    own.write_text("include /etc/nginx/conf.d/more/*;")
    named = ("a.example.com", "taken.example.com", "z.example.com")
    vhosts = [{"name": name, "redirect": {"to": f"https://to.{name}"}} for name in named]
    vhosts[1]["server_names"] = [".taken.example.com"]
    try:
        held = newest.run(*vhosts, exclusive=True, on_invalid="quarantine")
        held.refused("held back 1", "vhosts[1] (taken.example.com)", "is a name of another server too")
        assert [newest.ask(name).status for name in named] == [301, 204, 301]
        # Where it has its name already, others are none the worse for it.
        own.rename(more / "aside")
        newest.settle(*vhosts)
        (more / "aside").rename(own)
        newest.settle({**vhosts[0], "body_size": "1m"})
        newest.run({**vhosts[1], "body_size": "1m"}).refused("vhosts[0] (taken.example.com)", "is a name of another")
    finally:
        own.unlink()
        (more / "taken").unlink()
        more.rmdir()
    newest.settle(*vhosts, exclusive=True)
    assert [newest.ask(name).status for name in ("taken.example.com", "www.taken.example.com")] == [301, 301]


def test_the_way_back(newest: Site) -> None:
    newest.settle({"name": "back.example.com", "redirect": {"to": "https://one.example.com"}})
    newest.settle({"name": "back.example.com", "redirect": {"to": "https://two.example.com"}})
    assert newest.run(state="rolled_back").good().changed
    assert newest.ask("back.example.com").headers["location"] == "https://one.example.com/"
    assert newest.run(state="rolled_back").good().said["live"]
    assert newest.ask("back.example.com").headers["location"] == "https://two.example.com/"
    kept = [path for path in (newest.folder / "releases").iterdir() if path.name.isdigit()]
    assert len(kept) == 5


def test_a_reload_that_does_nothing_is_no_success(newest: Site) -> None:
    former = {"name": "r.example.com", "redirect": {"to": "https://one.example.com"}}
    newest.settle(former, exclusive=True)
    before = newest.current()
    changed = {**former, "redirect": {"to": "https://two.example.com"}}
    # A port that something else has: nginx takes the configuration, and keeps the one it had.
    taken = newest.folder / "config" / "taken.conf"
    listener = "import socket, time; s = socket.create_server(('', 8999)); print('up', flush=True); time.sleep(600)"
    held = subprocess.Popen(
        ["nsenter", "--target", str(newest.master()), "--net", PYTHON, "-c", listener],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert held.stdout
        assert held.stdout.readline() == "up\n"
        taken.write_text("server { listen 8999; }")
        newest.run(changed).refused("after its reload", "bind() to 0.0.0.0:8999 failed")
        assert newest.current() == before
        assert newest.until("r.example.com", 301).headers["location"] == "https://one.example.com/"
    finally:
        held.kill()
        held.communicate()
        taken.unlink(missing_ok=True)
    newest.settle(changed)


def test_a_master_that_is_stopped_is_no_success(newest: Site) -> None:
    former = {"name": "s.example.com", "redirect": {"to": "https://one.example.com"}}
    newest.settle(former)
    before = newest.current()
    master = newest.master()
    os.kill(master, signal.SIGSTOP)
    try:
        newest.run({**former, "redirect": {"to": "https://two.example.com"}}).refused("after its reload")
    finally:
        os.kill(master, signal.SIGCONT)
    assert newest.current() == before
    assert newest.until("s.example.com", 301).headers["location"] == "https://one.example.com/"
    newest.settle({**former, "redirect": {"to": "https://two.example.com"}})


def test_killed_at_each_file_operation_something_whole_is_served(newest: Site, tmp_path: Path) -> None:
    """Every altering call of a change is an end once: nginx is then restarted by hand, and the next run converges."""

    def wish(target: str) -> list[dict[str, Any]]:
        return [
            {"name": f"k{number}.example.com", "redirect": {"to": f"https://{target}.example.com"}} for number in (1, 2)
        ]

    newest.settle(*wish("one"), exclusive=True)
    log = tmp_path / "trace"
    newest.run(*wish("two"), under=tuple(trace.recording(log))).good()
    newest.run(*wish("one")).good()
    points = trace.steps(log, newest.lab.root)
    assert len(points) > 20
    wanted = os.environ.get("FLATRUN_TEST_CRASHES", "")
    chosen = points if wanted == "all" else points[:: max(1, len(points) // int(wanted or 6))]
    for step in chosen:
        newest.run(*wish("two"), under=tuple(trace.killing(step)))
        docker("restart", "--time", "1", newest.name)
        found = {newest.until(f"k{number}.example.com", 301).headers["location"] for number in (1, 2)}
        assert found in ({"https://one.example.com/"}, {"https://two.example.com/"}), step
        newest.settle(*wish("two"))
        newest.settle(*wish("one"))
        releases = newest.folder / "releases"
        assert not [path for path in releases.iterdir() if path.name.startswith(".current")], step
