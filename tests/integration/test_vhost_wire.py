"""What goes over the wire for each option of flatrun_vhost, on the newest nginx: one release that has them all."""

from __future__ import annotations

import asyncio
import base64
import gzip
import http.client
import ipaddress
import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent
from ansible_collections.flatrun.infra.tests.integration.faults.lab import (
    Lab,
    docker,
    inspect,
    module_path,
    until,
)
from ansible_collections.flatrun.infra.tests.integration.test_vhost_nginx import (
    Answer,
    Site,
    backend,
    certificate,
    served_certificate,
)

PASSWORD = 'it\'s a "secret"'
# The same, by crypt(3).
BCRYPT = "$2y$05$abcdefghijklmnopqrstuu2jWbThD28XTtzxPujmb75Gg.FCdBroC"
HOST = "wire.example.com"
LONG = f"X-{'a' * 98}"
CHALLENGES = "/.well-known/acme-challenge/"


class Handler(BaseHTTPRequestHandler):
    """Tells what it received and on which of its connections; speaks slowly where it is asked to, and WebSocket."""

    protocol_version = "HTTP/1.1"
    server: App

    def setup(self) -> None:
        super().setup()
        self.number = next(self.server.numbers)
        self.server.lines.append(self.connection)

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("upgrade") == "websocket":
            self.echo()
        elif self.path.startswith("/slow"):
            self.trickle()
        else:
            length = int(headers.get("content-length", 0))
            told = {"app": self.server.name, "connection": self.number, "path": self.path, "headers": headers}
            self.answer(json.dumps({**told, "length": len(self.rfile.read(length)), "padding": "x" * 2000}).encode())

    def do_POST(self) -> None:
        self.do_GET()

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def trickle(self) -> None:
        """The first half at once, the second when the test says so."""
        self.send_response(200)
        self.send_header("Content-Length", str(2 * len(HALF)))
        self.end_headers()
        self.wfile.write(HALF)
        self.wfile.flush()
        self.server.go.wait(60)
        self.wfile.write(HALF)

    def echo(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        while word := self.connection.recv(100):
            self.connection.sendall(word)
        self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        pass


HALF = b"0123456789" * 20000
BEGINNING = 50000


class App(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path, name: str) -> None:
        self.path, self.name, self.go, self.numbers = folder / name, name, threading.Event(), count(1)
        self.lines: list[socket.socket] = []
        super().__init__(str(self.path), Handler)
        self.path.chmod(0o666)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def end(self) -> None:
        self.go.set()
        self.shutdown()
        self.server_close()
        for line in self.lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        self.path.unlink(missing_ok=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """nginx may hang up on whom it has waited for too long."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Wire(Site):
    """An nginx with the sockets of apps mounted."""

    apps: dict[str, App]

    def begin(self) -> None:
        self.sockets = Path(self.lab.root, "sockets")
        self.sockets.mkdir()
        self.static = Path(self.lab.root, "static")
        (self.static / "sub").mkdir(parents=True)
        (self.static / "index.html").write_text("home")
        (self.static / "sub" / "app.js").write_text("script " * 300)
        Path(self.lab.root, "outside.txt").write_text("outside")
        self.apps = {name: App(self.sockets, name) for name in ("one", "two", "three")}
        item = self.lab.item(
            "nginx",
            name=self.name,
            container=self.name,
            image=self.image,
            published_ports=[f"127.0.0.1:{self.port}:80", f"127.0.0.1:{self.tls_port}:443"],
            volumes=[f"{self.sockets}:/run/apps", f"{self.static}:/srv/static:ro"],
        )
        self.lab.run(item).good()
        found = inspect(self.name)["NetworkSettings"]["Networks"][self.lab.network("nginx")]
        self.address, self.gateway = found["IPAddress"], found["Gateway"]

    def told(self, host: str, path: str = "/", **headers: str) -> dict[str, Any]:
        found = self.ask(host, path, **headers)
        assert found.status == 200, found
        return found.told

    def spread(self, host: str, times: int, path: Callable[[int], str] = lambda _time: "/") -> Counter[str]:
        return Counter(self.told(host, path(time_))["app"] for time_ in range(times))

    def log(self) -> list[dict[str, Any]]:
        lines = docker("logs", self.name).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


def pool(*servers: Any, **more: Any) -> dict[str, Any]:
    return {"servers": [each if isinstance(each, dict) else f"unix:/run/apps/{each}" for each in servers], **more}


def server(name: str, **more: Any) -> dict[str, Any]:
    return {"address": f"unix:/run/apps/{name}", **more}


def vhosts(gateway: str) -> list[dict[str, Any]]:
    """All of them; each is asked by one of the tests below."""
    one = "unix:/run/apps/one"
    tls = {"certificate": "wire", "redirect": False}
    users = [
        {"name": "bert", "password_hash": BCRYPT},
        {"name": "anna", "password": PASSWORD},
    ]
    return [
        {"name": HOST, "upstream": one, "tls": {**tls, "http3": True, "hsts": {"max_age": 5}}},
        {"name": "one1.example.com", "upstream": one, "tls": {**tls, "http2": False}},
        {"name": "redirect.example.com", "upstream": one, "tls": {**tls, "redirect": True, "redirect_code": 307}},
        {"name": "new.example.com", "upstream": one, "tls": {"certificate": "new", "placeholder": True, "hsts": {}}},
        {"name": "w", "domains": ["*.w.example.com", "www.w.*", ".dot.example.com"], "upstream": one},
        {"name": "exact", "domains": ["exact.w.example.com", "bücher.example"], "upstream": "unix:/run/apps/two"},
        {"name": "weight.test", "upstream": pool(server("one", weight=3), "two")},
        {"name": "hash.test", "upstream": pool("one", "two", "three", method="hash")},
        {"name": "header.test", "upstream": pool("one", "two", "three", method="hash", hash_key="$http_x_key")},
        {"name": "iphash.test", "upstream": pool("one", "two", "three", method="ip_hash")},
        {"name": "random.test", "upstream": pool("one", "two", method="random")},
        {"name": "least.test", "upstream": pool("one", "two", method="least_conn")},
        {"name": "sticky.test", "upstream": pool("one", "two", "three", method="sticky", cookie="route")},
        {"name": "down.test", "upstream": pool("one", server("two", down=True))},
        {"name": "backup.test", "upstream": pool(server("away", fail_timeout="1s"), server("two", backup=True))},
        {"name": "kept.test", "upstream": pool("three", keepalive=8)},
        {"name": "unkept.test", "upstream": pool("three", keepalive=0)},
        {"name": "trusts.test", "upstream": one, "trusted_proxies": [gateway], "access_log": "json"},
        {"name": "distrusts.test", "upstream": one, "trusted_proxies": ["192.0.2.1"]},
        {"name": "cf.test", "upstream": one, "trusted_proxies": [gateway], "real_ip_header": "CF-Connecting-IP"},
        {"name": "proxied.test", "upstream": one, "trusted_proxies": [gateway], "proxy_protocol": True, "tls": tls},
        {"name": "auth.test", "upstream": one, "basic_auth": {"realm": "Mine & yours", "users": users}},
        {"name": "deny.test", "upstream": one, "deny": [gateway]},
        {
            "name": "allow.test",
            "upstream": one,
            "allow": ["192.0.2.0/24"],
            "locations": [{"path": "/all/", "allow": ["0.0.0.0/0", "::/0"]}],
        },
        {
            "name": "paths.test",
            "upstream": one,
            "locations": [
                {"path": "/c #%/", "strip_prefix": True},
                *({"path": path, "deny": [gateway]} for path in ("/my files/", "/große/", "/.", "/100%/")),
            ],
        },
        {"name": "rate.test", "upstream": one, "rate_limit": {"rate": "1r/m", "burst": 2}},
        {"name": "many.test", "upstream": one, "connection_limit": 1},
        {
            "name": "pages.test",
            "upstream": "unix:/run/apps/nobody",
            "error_pages": {"502": "<p>back soon</p>", "404": "<p>none</p>"},
            "locations": [{"path": "/files/", "root": {"path": "/srv/static"}}],
        },
        {"name": "off.test", "upstream": one, "maintenance": True, "error_pages": {503: "<p>closed</p>"}},
        {"name": "json.test", "upstream": one, "access_log": "json"},
        {"name": "quiet.test", "upstream": one, "access_log": "off"},
        {"name": "gzip.test", "upstream": one, "compression": True},
        {
            "name": "static.test",
            "root": {"path": "/srv/static"},
            "locations": [
                {"path": "/spa/", "root": {"path": "/srv/static", "fallback": "/index.html"}},
                {"path": "/cut/", "strip_prefix": True, "root": {"path": "/srv/static/sub"}},
                {"path": "/to/", "redirect": {"to": "https://new.example.com/there", "keep_path": False, "code": 302}},
                {"path": "/here/", "redirect": {"to": "/sub/", "keep_path": False}},
                {"path": "/moved", "match": "exact", "redirect": {"to": "https://new.example.com", "code": 308}},
            ],
        },
        {
            "name": "spa.test",
            "upstream": one,
            "error_pages": {"404": "<p>none</p>"},
            "response_headers": {"X-All": "1"},
            "locations": [
                {"path": "/app/", "root": {"path": "/srv/static", "fallback": "/index.html"}},
                {
                    "path": "/cut/",
                    "strip_prefix": True,
                    "root": {"path": "/srv/static/sub", "fallback": "/app.js"},
                    "response_headers": {"X-Cut": "1"},
                },
                {"path": "/gone/", "root": {"path": "/srv/static", "fallback": "/none.html"}},
                {"path": "/index.html", "match": "exact", "redirect": {"to": "https://new.example.com"}},
            ],
        },
        {
            "name": "slow.test",
            "upstream": one,
            "buffering": False,
            "body_size": 0,
            "locations": [{"path": "/slow/short", "timeouts": {"read": "3s"}}, {"path": "/small", "body_size": "1k"}],
        },
        {
            "name": "headers.test",
            "upstream": one,
            "request_headers": {"X-Fixed": "a;b{c}", "X-Who": "$remote_addr", "Accept-Encoding": "", LONG: "1"},
            "response_headers": {"X-Frame-Options": "DENY", "X-Given": 'say "hi"; {x}'},
            "locations": [
                {"path": "/more", "response_headers": {"X-More": "1"}, "request_headers": {"X-Fixed": "other"}},
                {"path": "/plain", "websocket": False},
            ],
        },
    ]


@pytest.fixture(scope="module")
def site(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    lab = Lab(images, module_path(tmp_path_factory.mktemp("modules")))
    with ExitStack() as ends:
        ends.callback(lab.close)
        lab.open()
        made = Wire(lab, "1.30")
        made.begin()
        for app in made.apps.values():
            ends.callback(app.end)
        certificate(lab, "wire", HOST, "*.example.com", "proxied.test")
        Path(lab.root, "acme" + CHALLENGES).mkdir(parents=True)
        Path(lab.root, "acme" + CHALLENGES + "token").write_text("proof")
        made.settle(*vhosts(made.gateway))
        made.until("weight.test", 200)
        yield made


# Who answers


def test_names(site: Wire) -> None:
    for host, app in {
        "a.w.example.com": "one",
        "exact.w.example.com": "two",
        "EXACT.W.example.com:8080": "two",
        "www.w.anything": "one",
        "dot.example.com": "one",
        "a.b.dot.example.com": "one",
        "xn--bcher-kva.example": "two",
    }.items():
        told = site.told(host)
        assert (told["app"], told["headers"]["host"]) == (app, host.lower().split(":", maxsplit=1)[0])
    assert [site.ask(host).status for host in ("w.example.com", "unknown.test", "127.0.0.1")] == [0, 0, 0]


def test_pools(site: Wire) -> None:
    # Each worker counts for itself where it has no zone; in one they count together.
    assert site.spread("weight.test", 40) == {"one": 30, "two": 10}
    by_path = [site.spread("hash.test", 3, lambda _time, path=path: f"/{path}") for path in range(12)]
    assert all(len(each) == 1 for each in by_path)
    assert len(set().union(*by_path)) > 1
    assert len({site.told("header.test", f"/{time_}", X_Key="same")["app"] for time_ in range(6)}) == 1
    assert len({site.told("header.test", "/", X_Key=f"key{time_}")["app"] for time_ in range(12)}) > 1
    assert len(site.spread("iphash.test", 6)) == 1
    assert len(site.spread("random.test", 30)) == 2
    assert len(site.spread("least.test", 10)) == 2
    assert site.spread("down.test", 6) == {"one": 6}


def test_sticky_sessions(site: Wire) -> None:
    found = [site.ask("sticky.test") for _time in range(9)]
    cookies = {each.told["app"]: each.headers["set-cookie"] for each in found}
    assert len(cookies) == 3
    for app, cookie in cookies.items():
        word, *attributes = (part.strip().lower() for part in cookie.split(";"))
        assert word.startswith("route=")
        assert {"path=/", "httponly"} <= set(attributes)
        assert {site.told("sticky.test", Cookie=cookie.split(";")[0])["app"] for _time in range(4)} == {app}


def test_a_spare_answers_while_the_others_cant(site: Wire) -> None:
    assert site.spread("backup.test", 4) == {"two": 4}
    back = App(site.sockets, "away")
    try:
        # Without a zone each worker finds out for itself, when its own fail_timeout has passed.
        until(lambda: site.spread("backup.test", 4) == {"away": 4})
    finally:
        back.end()
    assert site.spread("backup.test", 4) == {"two": 4}


def test_connections_to_an_app_are_kept(site: Wire) -> None:
    kept = {site.told("kept.test")["connection"] for _time in range(20)}
    # Each worker keeps its own.
    assert len(kept) <= (os.cpu_count() or 1)
    assert len({site.told("unkept.test")["connection"] for _time in range(6)}) == 6
    assert "connection" not in site.told("kept.test")["headers"]


# What it is told


def test_an_app_is_told_what_nginx_knows(site: Wire) -> None:
    claims = {"X_Real_IP": "1.1.1.1", "X_Forwarded_For": "1.1.1.1", "X_Forwarded_Proto": "https"}
    headers = site.told(HOST, **claims, X_Forwarded_Host="evil")["headers"]
    assert headers["x-real-ip"] == headers["x-forwarded-for"] == site.gateway
    assert [headers[f"x-forwarded-{name}"] for name in ("proto", "host", "port")] == ["http", HOST, "80"]
    # A proxy is believed who the client is, and a client isn't who another one is.
    headers = site.told("trusts.test", **{**claims, "X_Forwarded_For": "2.2.2.2, 1.1.1.1"})["headers"]
    assert headers["x-real-ip"] == headers["x-forwarded-for"] == "1.1.1.1"
    assert [headers[f"x-forwarded-{name}"] for name in ("proto", "host", "port")] == ["https", "trusts.test", "443"]
    headers = site.told("distrusts.test", **claims)["headers"]
    assert headers["x-real-ip"] == headers["x-forwarded-for"] == site.gateway
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == ("http", "80")
    assert (
        site.told("cf.test", X_Forwarded_For="1.1.1.1", CF_Connecting_IP="2.2.2.2")["headers"]["x-real-ip"] == "2.2.2.2"
    )


def test_headers(site: Wire) -> None:
    found = site.ask("headers.test", "/", Accept_Encoding="gzip", X_Who="me")
    sent = found.told["headers"]
    assert (sent["x-fixed"], sent["x-who"], "accept-encoding" in sent) == ("a;b{c}", site.gateway, False)
    assert sent[LONG.lower()] == "1"
    assert (found.headers["x-frame-options"], found.headers["x-given"]) == ("DENY", 'say "hi"; {x}')
    more = site.ask("headers.test", "/more")
    assert (more.told["headers"]["x-fixed"], more.told["headers"]["x-who"]) == ("other", site.gateway)
    assert (more.headers["x-frame-options"], more.headers["x-more"]) == ("DENY", "1")
    # Who would speak HTTP/2 past nginx is not let to.
    sent = site.told("headers.test", "/", Connection="Upgrade, HTTP2-Settings", Upgrade="h2c")["headers"]
    assert not {"upgrade", "connection"} & set(sent)


def proxied(
    site: Wire, port: int, wrapped: bool, host: str = "proxied.test", who: str = "TCP4 203.0.113.7 192.0.2.1 4444 80"
) -> dict[str, Any] | None:
    """A request behind the PROXY protocol, whose client lies about itself; None where nginx hangs up."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with ExitStack() as ends:
        plain = ends.enter_context(socket.create_connection((site.address, port), 15))
        plain.sendall(f"PROXY {who}\r\n".encode())
        try:
            line = ends.enter_context(context.wrap_socket(plain, server_hostname=host)) if wrapped else plain
            claims = f"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: {'http' if wrapped else 'https'}\r\n"
            line.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n{claims}Connection: close\r\n\r\n".encode())
            found = http.client.HTTPResponse(line)
            found.begin()
        except (http.client.RemoteDisconnected, ssl.SSLError, ConnectionError):
            return None
        return dict(json.loads(found.read()))


def test_the_proxy_protocol(site: Wire) -> None:
    for port, wrapped in ((81, False), (444, True)):
        for who, client in (("TCP4 203.0.113.7 192.0.2.1 4444 80", "203.0.113.7"), ("UNKNOWN", site.gateway)):
            told = proxied(site, port, wrapped, who=who)
            assert told
            assert told["headers"]["x-real-ip"] == told["headers"]["x-forwarded-for"] == client
            said = [told["headers"][f"x-forwarded-{name}"] for name in ("proto", "port")]
            assert said == (["https", "443"] if wrapped else ["http", "80"])
        assert proxied(site, port, wrapped, "unknown.test") is None
        # A vhost that doesn't ask for it isn't there.
        assert proxied(site, port, wrapped, HOST) is None


# TLS and the versions of HTTP


def curl(site: Wire, host: str, *words: str) -> str:
    """The version of HTTP and the status, by a client that speaks HTTP/2."""
    where = ("--resolve", f"{host}:{site.tls_port}:127.0.0.1", f"https://{host}:{site.tls_port}/")
    told = (
        "--silent",
        "--insecure",
        "--noproxy",
        "*",
        "--output",
        os.devnull,
        "--write-out",
        "%{http_version} %{http_code}",
    )
    return subprocess.run(["curl", *told, *words, *where], capture_output=True, text=True, check=False).stdout


def test_http_1_and_2(site: Wire) -> None:
    assert curl(site, HOST) == "2 200"
    assert curl(site, HOST, "--http1.1") == "1.1 200"
    assert curl(site, "one1.example.com") == "1.1 200"
    assert curl(site, "unknown.example.com") == "0 000"
    assert site.ask(HOST).status == 200
    found = site.ask("redirect.example.com", "/a?b")
    assert (found.status, found.headers["location"]) == (307, "https://redirect.example.com/a?b")


def test_a_placeholder_answers_until_the_certificate_is_there(site: Wire) -> None:
    vhost = next(each for each in vhosts(site.gateway) if each["name"] == "new.example.com")
    placeholder = served_certificate(site, "new.example.com")
    found = site.ask("new.example.com")
    assert (found.status, "strict-transport-security" in found.headers) == (200, False)
    assert curl(site, "new.example.com") == "2 200"
    kept = site.folder / "releases" / "placeholder.pem"
    assert (kept.stat().st_mode & 0o777, placeholder in kept.read_text()) == (0o600, True)
    # Another change of others leaves it as it is.
    site.settle({"name": "beside.test", "upstream": "unix:/run/apps/one"})
    assert served_certificate(site, "new.example.com") == placeholder
    folder = certificate(site.lab, "new", "new.example.com")
    site.settle(vhost)
    assert served_certificate(site, "new.example.com") == (folder / "fullchain.pem").read_text()
    assert site.ask("new.example.com").status == 301


class Http3(QuicConnectionProtocol):
    """One request over QUIC."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.http, self.ended = H3Connection(self._quic), asyncio.Event()
        self.headers: dict[str, str] = {}
        self.body = b""

    def quic_event_received(self, event: QuicEvent) -> None:
        for found in self.http.handle_event(event):
            if isinstance(found, HeadersReceived):
                self.headers = {name.decode(): value.decode() for name, value in found.headers}
            if isinstance(found, DataReceived):
                self.body += found.data
            if getattr(found, "stream_ended", False):
                self.ended.set()

    async def ask(self, host: str) -> Answer:
        words = {":method": "GET", ":scheme": "https", ":authority": host, ":path": "/three"}
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, [(name.encode(), value.encode()) for name, value in words.items()], True)
        self.transmit()
        await asyncio.wait_for(self.ended.wait(), 120)
        return Answer(int(self.headers[":status"]), self.headers, self.body.decode())


def test_http_3(site: Wire) -> None:
    async def ask(host: str) -> Answer:
        wanted = QuicConfiguration(alpn_protocols=H3_ALPN, server_name=host, verify_mode=ssl.CERT_NONE)
        async with connect(site.address, 443, configuration=wanted, create_protocol=Http3) as line:
            return await line.ask(host)  # type: ignore[attr-defined]

    found = asyncio.run(ask(HOST))
    assert (found.status, found.told["path"], found.headers["strict-transport-security"]) == (
        200,
        "/three",
        "max-age=5",
    )
    assert found.told["headers"]["x-forwarded-proto"] == "https"
    assert 'h3=":443"' in found.headers["alt-svc"]
    with pytest.raises(ConnectionError):
        asyncio.run(asyncio.wait_for(ask("unknown.example.com"), 120))


def test_challenges_are_answered_for_every_name(site: Wire) -> None:
    hosts = (HOST, "redirect.example.com", "off.test", "auth.test", "allow.test", "unknown.test", "static.test")
    assert {site.ask(host, CHALLENGES + "token").body for host in hosts} == {"proof"}
    assert {site.ask(host, CHALLENGES + "none").status for host in hosts} == {404}


# Who may enter


def test_passwords(site: Wire) -> None:
    def status(user: str, password: str) -> int:
        word = base64.b64encode(f"{user}:{password}".encode()).decode()
        return site.ask("auth.test", Authorization=f"Basic {word}").status

    assert site.ask("auth.test").headers["www-authenticate"] == 'Basic realm="Mine & yours"'
    for user in ("anna", "bert"):
        assert [status(user, PASSWORD), status(user, PASSWORD + "x"), status(user, "")] == [200, 401, 401]


def test_addresses_and_limits(site: Wire) -> None:
    assert [site.ask(host, path).status for host, path in (("deny.test", "/"), ("allow.test", "/"))] == [403, 403]
    assert site.ask("allow.test", "/all/").status == 200
    assert [site.ask("rate.test").status for _time in range(5)] == [200, 200, 200, 429, 429]
    app = site.apps["one"]
    app.go.clear()
    with under_way(site, "many.test"):
        assert site.ask("many.test").status == 429
        app.go.set()
    site.until("many.test", 200)


def test_paths(site: Wire) -> None:
    spelled = ("/my%20files/a", "/%6dy%20files", "/x/..//my%20files/", "/gro%C3%9Fe/?a", "/.git/config", "/100%25/")
    found = {path: site.ask("paths.test", path).status for path in spelled}
    # The prefix without its slash is sent there.
    assert found == {**dict.fromkeys(spelled, 403), "/%6dy%20files": 301}
    assert site.ask("paths.test", "/my%20files").headers["location"] == "/my%20files/"
    assert site.told("paths.test", "/c%20%23%25/a%2Fb?c=%20")["path"] == "/a%2Fb?c=%20"


@contextmanager
def under_way(site: Wire, host: str, path: str = "/slow") -> Iterator[http.client.HTTPResponse]:
    """An answer that has begun."""
    line = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    try:
        line.request("GET", path, headers={"Host": host})
        found = line.getresponse()
        # nginx holds back what doesn't fill a buffer.
        assert found.read(BEGINNING) == HALF[:BEGINNING]
        yield found
        found.close()
    finally:
        line.close()


# What is answered


def test_pages(site: Wire) -> None:
    found = site.ask("pages.test")
    assert (found.status, found.body, found.headers["content-type"]) == (502, "<p>back soon</p>", "text/html")
    found = site.ask("pages.test", "/files/none")
    assert (found.status, found.body) == (404, "<p>none</p>")
    # Nobody reads a page by its own address.
    assert site.ask("pages.test", "/.flatrun/502.html").status == 404
    found = site.ask("off.test", "/any/where")
    assert (found.status, found.body) == (503, "<p>closed</p>")


def test_static_files_and_redirects(site: Wire) -> None:
    assert site.ask("static.test").body == "home"
    assert site.ask("static.test", "/sub/app.js").headers["content-type"].endswith("javascript")
    assert site.ask("static.test", "/none").status == 404
    for path in (
        "/../outside.txt",
        "/sub/../../outside.txt",
        "/%2e%2e/outside.txt",
        "/cut/../../outside.txt",
        "/cut../outside.txt",
    ):
        assert site.ask("static.test", path).status in (400, 404), path
    assert site.ask("static.test", "/spa/any/route").body == "home"
    assert site.ask("static.test", "/cut/app.js").body.startswith("script")
    found = [site.ask("static.test", path) for path in ("/to/a?b", "/moved", "/moved/on")]
    assert [each.status for each in found] == [302, 308, 404]
    assert [each.headers.get("location") for each in found[:2]] == [
        "https://new.example.com/there",
        "https://new.example.com/moved",
    ]
    # Who asks by another port or scheme than nginx knows of stays there.
    assert [site.ask("static.test", path).headers["location"] for path in ("/here/a", "/sub")] == ["/sub/", "/sub/"]


def test_an_app_that_routes_in_the_browser_beside_another(site: Wire) -> None:
    found = site.ask("spa.test", "/app/any/route?x=1")
    assert (found.status, found.body, found.headers["content-type"]) == (200, "home", "text/html")
    found = site.ask("spa.test", "/cut/any")
    assert (found.status, found.body[:6], found.headers["content-type"][-10:]) == (200, "script", "javascript")
    assert (found.headers["x-all"], found.headers["x-cut"]) == ("1", "1")
    found = site.ask("spa.test", "/gone/any")
    assert (found.status, found.body, found.headers["x-all"]) == (404, "<p>none</p>", "1")
    assert site.told("spa.test", "/other")["app"] == "one"
    assert site.ask("spa.test", "/index.html").status == 301
    assert site.told("spa.test", "/@flatrun_fallback_0")["app"] == "one"


def test_raw_text(site: Wire) -> None:
    within = {"path": "/within", "raw": "add_header X-Raw 1;"}
    vhost = {"name": "raw.test", "upstream": "unix:/run/apps/one"}
    beside = "location = /beside { return 200 raw; }"
    for each in ({**vhost, "raw": beside}, {**vhost, "locations": [within]}):
        site.run(each).refused("vhosts[0].raw: is taken only with allow_raw: true")
    site.run({**vhost, "raw": "} server {"}, allow_raw=True).refused("vhosts[0].raw: closes a block")
    site.settle({**vhost, "raw": beside, "locations": [within]}, allow_raw=True)
    assert site.ask("raw.test", "/beside").body == "raw"
    found = [site.ask("raw.test", path) for path in ("/within", "/")]
    assert [(each.told["app"], each.headers.get("x-raw")) for each in found] == [("one", "1"), ("one", None)]


def test_compression(site: Wire) -> None:
    line = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    line.request("GET", "/", headers={"Host": "gzip.test", "Accept-Encoding": "gzip"})
    found = line.getresponse()
    assert (found.getheader("Content-Encoding"), found.getheader("Vary")) == ("gzip", "Accept-Encoding")
    assert json.loads(gzip.decompress(found.read()))["app"] == "one"
    line.close()
    found.close()
    assert "content-encoding" not in site.ask("gzip.test").headers
    assert "content-encoding" not in site.ask("json.test", Accept_Encoding="gzip").headers


def test_sizes_and_timeouts(site: Wire) -> None:
    assert site.ask("slow.test", "/", "POST", "x" * 3_000_000).told["length"] == 3_000_000
    assert site.ask("slow.test", "/small", "POST", "x" * 2000).status == 413
    site.apps["one"].go.clear()
    with under_way(site, "slow.test", "/slow/short") as found, pytest.raises(http.client.IncompleteRead):
        found.read()
    site.apps["one"].go.set()


def test_the_log(site: Wire) -> None:
    word = secrets.token_hex(8)
    for host in ("json.test", "quiet.test", "trusts.test"):
        site.ask(host, f"/{word}?a=%22", User_Agent='an "agent"\\', X_Forwarded_For="1.2.3.4")
    found: list[dict[str, Any]] = []

    def are_written() -> bool:
        # Each worker writes its lines when it likes.
        found[:] = sorted((line for line in site.log() if word in line["uri"]), key=lambda line: line["host"])
        return len(found) == 2

    until(are_written)
    assert [line["host"] for line in found] == ["json.test", "trusts.test"]
    assert [line["client"] for line in found] == [site.gateway, "1.2.3.4"]
    assert (found[0]["status"], found[0]["agent"], found[0]["method"]) == (200, 'an "agent"\\', "GET")
    assert f"/{word}" not in "".join(line for line in docker("logs", site.name).splitlines() if "quiet.test" in line)


# What is under way


def websocket(site: Wire, host: str, path: str = "/") -> tuple[socket.socket, bytes]:
    line = socket.create_connection(("127.0.0.1", site.port), 60)
    words = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    line.sendall("\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *words, "", ""]).encode())
    return line, line.recv(4096)


def test_a_download_and_a_websocket_outlive_a_reload(site: Wire) -> None:
    app = site.apps["one"]
    app.go.clear()
    plain, refused = websocket(site, "headers.test", "/plain")
    plain.close()
    assert refused.startswith(b"HTTP/1.1 200 ")
    line, said = websocket(site, "headers.test")
    with line, under_way(site, "json.test") as found:
        assert said.startswith(b"HTTP/1.1 101 ")
        before = site.current()
        site.run({"name": "another.test", "upstream": "unix:/run/apps/one"}).good()
        assert site.current() != before
        assert site.ask("another.test").status == 200
        line.sendall(b"still here")
        assert line.recv(100) == b"still here"
        app.go.set()
        assert len(found.read()) == 2 * len(HALF) - BEGINNING


def test_ipv6(site: Wire) -> None:
    """An app by its address and by its name, and a client."""
    network = f"{site.lab.prefix}-six"
    prefix = f"fd{secrets.token_hex(1)}:{secrets.token_hex(2)}:{secrets.token_hex(2)}"
    docker("network", "create", "--ipv6", "--subnet", f"{prefix}::/64", network)
    app = backend(site.lab, "six-app", network=network)
    docker("network", "connect", network, site.name)
    networks = {name: inspect(name)["NetworkSettings"]["Networks"][network] for name in (app, site.name)}
    address = networks[app]["GlobalIPv6Address"]
    site.settle(
        {"name": "six.test", "upstream": f"[{address}]:8000"},
        {"name": "named.test", "upstream": f"{app}:8000"},
    )
    site.until("six.test", 200, "six-app")
    site.until("named.test", 200, "six-app")
    line = http.client.HTTPConnection(networks[site.name]["GlobalIPv6Address"], 80, timeout=60)
    line.request("GET", "/", headers={"Host": "six.test"})
    told = json.loads(line.getresponse().read())
    line.close()
    assert ipaddress.ip_address(told["headers"]["x-real-ip"]).version == 6
