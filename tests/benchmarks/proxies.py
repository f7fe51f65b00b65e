"""Requests per second through a vhost of ours, beside what others make of the same way to the same backend."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness import Bench
from vhosts import IMAGE, docker

HOST, LOGGED = "bench.example.com", "logged.example.com"
RIVALS = "flatrun-bench/rivals:local"
ROUNDS, SECONDS, CONNECTIONS = 5, 5, 32
# What a vhost written by hand has at least: the headers that most apps need.
_HEADERS = """
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
"""
# What one has that does the same as ours: where the app is reached, for its links, and WebSockets.
_MORE_HEADERS = """
            proxy_set_header X-Forwarded-Host $host;
            proxy_set_header X-Forwarded-Port $server_port;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
"""
_TUNING = """
    map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
    gzip on;
    gzip_proxied any;
    gzip_vary on;
    gzip_min_length 1024;
    gzip_types text/plain text/css application/javascript application/json application/xml image/svg+xml;
"""
_NGINX = """
worker_processes auto;
worker_rlimit_nofile 65536;
error_log stderr;
pid /run/nginx.pid;
events { worker_connections 16384; }
http {
    sendfile on;
    tcp_nopush on;
    keepalive_requests 10000;
    access_log %(log)s;
    %(before)s
    server {
        listen 80;
        server_name bench.example.com;
        location / {
            proxy_pass http://%(target)s;%(headers)s
            %(inner)s
        }
    }
}
"""
_BACKEND = """
worker_processes auto;
error_log stderr;
pid /run/nginx.pid;
events { worker_connections 16384; }
http {
    access_log off;
    keepalive_requests 1000000;
    server { listen 8000 reuseport; location / { default_type text/plain; return 200 "%s"; } }
}
""" % ("flatrun " * 128)
_HAPROXY = """
global
    maxconn 4096
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    option forwardfor
    http-reuse always
frontend front
    bind :80
    http-request set-header X-Forwarded-Proto http
    default_backend back
backend back
    server one %(backend)s:8000
"""
_CADDY = """
{
    admin off
    auto_https off
}
http://bench.example.com {
    reverse_proxy %(backend)s:8000
}
"""


@dataclass(frozen=True)
class Rival:
    """``config`` is put at ``path`` of a container that runs ``command``; ``reach`` is what ours has to be of it, 0
    where that is only told.

    What ``logs`` is compared with ours that does: what it writes goes through the engine, which takes its time.
    """

    name: str
    image: str
    path: str
    config: str
    command: tuple[str, ...]
    reach: float
    logs: bool = False


def _nginx(name: str, config: str, reach: float, logs: bool = False) -> Rival:
    return Rival(name, IMAGE, "/etc/nginx/nginx.conf", config, ("nginx", "-g", "daemon off;"), reach, logs)


def rivals(backend: str) -> list[Rival]:
    pool = f"upstream back {{ zone back 64k; server {backend}:8000; keepalive 32; }}"
    tuned = {"before": _TUNING + pool, "target": "back", "headers": _HEADERS + _MORE_HEADERS}
    tuned["inner"] = "proxy_http_version 1.1;"
    least = {"before": pool, "target": "back", "headers": _HEADERS}
    least["inner"] = 'proxy_http_version 1.1; proxy_set_header Connection "";'
    plain = {"before": "", "target": f"{backend}:8000", "headers": _HEADERS, "inner": ""}
    logged = "/dev/stdout combined buffer=4k flush=1s"
    haproxy = ("haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg")
    caddy = ("caddy", "run", "--config", "/etc/caddy/Caddyfile")
    return [
        _nginx("nginx, tuned by hand", _NGINX % {**tuned, "log": "off"}, 0.98),
        Rival("HAProxy", RIVALS, haproxy[3], _HAPROXY % {"backend": backend}, haproxy, 0.95),
        Rival("Caddy", RIVALS, caddy[3], _CADDY % {"backend": backend}, caddy, 2),
        _nginx("nginx, tuned by hand, with less in it", _NGINX % {**least, "log": "off"}, 0),
        _nginx("nginx, a plain vhost without keepalive", _NGINX % {**plain, "log": "off"}, 5),
        _nginx("nginx, tuned by hand, with its log", _NGINX % {**tuned, "log": logged}, 0.98, True),
    ]


def proxies(run: Bench) -> None:
    """Requests per second through ours, a hand-written nginx, HAProxy and Caddy of the distribution, on 127.0.0.1."""
    run.play("services", True, bench_only="nginx")
    network, backend = f"{run.prefix}-proxy", f"{run.prefix}-backend"
    _start(run, backend, network, _nginx("backend", _BACKEND, 0))
    _build()
    known = rivals(backend)
    for index, rival in enumerate(known):
        _start(run, f"{run.prefix}-rival{index}", network, rival)
    vhosts = [{"name": HOST, "access_log": "off"}, {"name": LOGGED}]
    listed = [{**vhost, "upstream": f"{backend}:8000"} for vhost in vhosts]
    run.play("vhosts", True, extra=json.dumps({"bench_vhosts": listed}))
    ways = {"ours": (f"{run.prefix}-nginx", HOST), "ours, with its log": (f"{run.prefix}-nginx", LOGGED)}
    ways.update({rival.name: (f"{run.prefix}-rival{index}", HOST) for index, rival in enumerate(known)})
    rates = _rates(ways)
    for name in ("ours", "ours, with its log"):
        run.say(f"{name:<40} {rates[name]:8,.0f} requests/s")
    for rival in known:
        own = rates["ours, with its log" if rival.logs else "ours"]
        reach = f" (reach {rival.reach})" if rival.reach else ""
        ratio = f"ours is {own / rates[rival.name]:.2f} of it{reach}"
        run.say(f"{rival.name:<40} {rates[rival.name]:8,.0f} requests/s; {ratio}")
    run.clean()


def _rates(ways: dict[str, tuple[str, str]]) -> dict[str, float]:
    """In turns, so that whatever else the machine does hits all of them; the first turn warms them up."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            rates[name].append(_rate(*way, SECONDS if turn else 1))
    return {name: statistics.median(found[1:]) for name, found in rates.items()}


def _start(run: Bench, name: str, network: str, rival: Rival) -> None:
    path = Path(run.root, name)
    path.write_text(rival.config)
    options = ("--network", network, "--volume", f"{path}:{rival.path}:ro", "--entrypoint", rival.command[0])
    docker("run", "--detach", "--name", name, *options, rival.image, *rival.command[1:])


def _build() -> None:
    """The others' image, of the same release as nginx' own."""
    with tempfile.TemporaryDirectory() as folder:
        lines = ("FROM flatrun/base:sid", "RUN printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d", "RUN")
        install = "apt-get -qq install --no-install-recommends haproxy caddy"
        text = "\n".join(lines) + f" chmod 0755 /usr/sbin/policy-rc.d && apt-get -qq update && {install}\n"
        Path(folder, "Dockerfile").write_text(text)
        proxy = [word for name in ("http_proxy", "https_proxy", "no_proxy") for word in ("--build-arg", name)]
        docker("build", "--network", "host", *proxy, "--tag", RIVALS, folder)


def _rate(container: str, host: str, seconds: int) -> float:
    """Requests per second, asked on 127.0.0.1 in the container's own network: no port of the engine's is between."""
    pid = docker("inspect", "--format", "{{.State.Pid}}", container).strip()
    command = ["nsenter", "--target", pid, "--net", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    until = time.monotonic() + 30
    while True:
        done = subprocess.run(
            [*command, "-H", f"Host: {host}", "http://127.0.0.1/"], capture_output=True, text=True, check=False
        )
        rate = re.search(r"Requests/sec: +([\d.]+)", done.stdout)
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", done.stdout)
        if rate and not failed:
            return float(rate[1])
        if time.monotonic() > until:
            raise SystemExit(f"{container} does not answer: {done.stdout}{done.stderr}")
        time.sleep(0.5)
