"""flatrun_vhost with an nginx that somebody else runs: its files are never touched, and it is never left broken."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.conftest import Play, this_host
from ansible_collections.flatrun.infra.tests.integration.faults import trace
from ansible_collections.flatrun.infra.tests.integration.faults.lab import Lab, docker, inspect, module_path
from ansible_collections.flatrun.infra.tests.integration.faults.modules import Result
from ansible_collections.flatrun.infra.tests.integration.test_vhost_nginx import Site, backend, certificate, secure

MAIN = """
user www-data;
events {}
http {
    include mime.types;
    # What ours says in its main file as well, and nginx takes only once.
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;
    client_max_body_size 1k;
    include sites/*.conf;
}
"""
THEIRS = """
server {
    listen 80;
    server_name mine.example.com;
    location / { return 200 theirs; }
    location /closed/ { auth_basic theirs; auth_basic_user_file passwords; }
}
server {
    listen 443 ssl;
    server_name mine.example.com;
    ssl_certificate /certs/mine/fullchain.pem;
    ssl_certificate_key /certs/mine/privkey.pem;
    return 200 theirs;
}
"""
# Prints the configuration with a warning in the middle of the heading of its second file.
WARNING = """#!/bin/sh
[ "$1" = -T ] || exec /usr/sbin/nginx "$@"
/usr/sbin/nginx "$@" 2>/dev/null | while IFS= read -r line; do
    case $line in
        "# configuration file /etc/nginx/mime.types:")
            printf '# configuration file '
            sleep 0.1
            echo "nginx: [warn] something" >&2
            sleep 0.1
            line=${line#"# configuration file "} ;;
    esac
    printf '%s\\n' "$line"
done
"""


class Guest(Site):
    """A container that was made by hand, with a folder of its own as /etc/nginx."""

    @property
    def folder(self) -> Path:
        return Path(self.lab.root, "theirs")

    @property
    def sites(self) -> Path:
        return self.folder / "sites"

    def begin(self) -> None:
        self.sites.mkdir(parents=True)
        (self.folder / "nginx.conf").write_text(MAIN)
        (self.folder / "mime.types").write_text("types { text/html html; }")
        (self.folder / "passwords").write_text("")
        (self.sites / "mine.conf").write_text(THEIRS)
        certificate(self.lab, "mine", "mine.example.com")
        Path(self.lab.root, "acme/.well-known/acme-challenge").mkdir(parents=True)
        ports = ("--publish", f"127.0.0.1:{self.port}:80", "--publish", f"127.0.0.1:{self.tls_port}:443")
        mounts = {self.folder: "/etc/nginx", f"{self.lab.root}/certificates": "/certs", f"{self.lab.root}/acme": "/web"}
        volumes = [word for source, target in mounts.items() for word in ("--volume", f"{source}:{target}:ro")]
        docker(
            "run", "--detach", "--name", self.name, "--network", self.lab.network("nginx"), *ports, *volumes, self.image
        )

    def run(self, *vhosts: Any, under: tuple[str, ...] = (), **options: Any) -> Result:
        return super().run(*vhosts, under=under, **{"config_path": str(self.sites), **options})

    def theirs(self) -> dict[str, bytes]:
        """All files that aren't ours."""
        found = (path for path in self.folder.rglob("*") if path.is_file() and ".flatrun" not in path.parts)
        return {str(path): path.read_bytes() for path in found if path.name != "zz-flatrun.conf"}

    def names(self) -> list[str]:
        return sorted(os.listdir(self.sites))


@pytest.fixture(scope="module")
def site(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    lab = Lab(images, module_path(tmp_path_factory.mktemp("modules")))
    try:
        lab.open()
        made = Guest(lab, "1.30")
        made.begin()
        made.until("mine.example.com", 200, "theirs")
        yield made
    finally:
        lab.close()


def test_what_cant_be_meant_is_refused_and_leaves_nothing(site: Guest) -> None:
    wanted = {"name": "a.example.com", "redirect": {"to": "https://b.example.com"}}
    site.run(wanted, config_path="/var/empty-of-nobody").refused("config_path", "has mounted")
    site.run(wanted, config_path=str(site.folder)).refused("config_path", "includes no file /etc/nginx/zz-flatrun.conf")
    site.run(wanted, config_path="", reload_command="true").refused("reload_command", "config_path")
    site.run(wanted, config_path="").refused("is not an nginx that flatrun_infra made")
    site.run({**wanted, "domains": ["mine.example.com"]}).refused("server_names[0]", "/etc/nginx/sites/mine.conf:4")
    site.run({**wanted, "request_headers": {"X": "$none"}, "upstream": "x", "redirect": None}).refused("none")
    assert site.names() == ["mine.conf"]
    assert not [path for path in site.folder.rglob("*") if ".flatrun" in path.name]


def test_vhosts_of_somebody_elses_nginx(site: Guest) -> None:
    before = site.theirs()
    app = backend(site.lab, "guest-app")
    certificate(site.lab, "shop", "shop.example.com")
    shop: dict[str, Any] = {
        "name": "shop.example.com",
        "upstream": {"servers": [f"{app}:8000"]},
        "tls": {"certificate": "shop", "redirect": False},
        "request_headers": {f"X-{'a' * 98}": "long"},
        "error_pages": {"404": "<h1>gone</h1>"},
        "locations": [
            {"path": "/in/", "basic_auth": {"users": [{"name": "anna", "password": "a b"}]}},
            {"path": "/none", "root": {"path": "/nowhere"}},
        ],
    }
    result = site.settle(shop)
    assert (result.said["release"], result.said["reloaded"]) == ("000001", True)
    assert site.theirs() == before
    told = site.until("shop.example.com", 200, "guest-app").told
    assert told["headers"]["host"] == "shop.example.com"
    # The main file would have had 1 KiB.
    assert site.ask("shop.example.com", "/", "POST", "x" * 2000).told["body"] == "x" * 2000
    assert secure(site, "shop.example.com", "/")[0] == 200
    assert site.ask("shop.example.com", "/none").body == "<h1>gone</h1>"
    assert [site.ask("shop.example.com", "/in/", Authorization=word).status for word in ("", "Basic YW5uYTphIGI=")] == [
        401,
        200,
    ]
    Path(site.lab.root, "acme/.well-known/acme-challenge/token").write_text("proof")
    assert site.ask("shop.example.com", "/.well-known/acme-challenge/token").body == "proof"
    # Who isn't asked for still is theirs to answer, over TLS too.
    assert site.ask("unknown.example.com").body == "theirs"
    assert secure(site, "unknown.example.com", "/")[0] == 200
    docker("restart", "--time", "1", site.name)
    site.until("shop.example.com", 200, "guest-app")
    assert not site.run(shop).good().changed


def test_a_bad_one_changes_nothing_and_a_good_one_goes_live(site: Guest) -> None:
    before = site.theirs()
    good = {"name": "good.example.com", "redirect": {"to": "https://one.example.com"}}
    bad = {"name": "bad.example.com", "upstream": "192.0.2.1:1", "request_headers": {"X": "$no_such"}}
    site.settle(good)
    current = os.readlink(site.sites / ".flatrun" / "current")
    site.run({**good, "redirect": {"to": "https://two.example.com"}}, bad).refused("vhosts[1] (bad.example.com)")
    assert os.readlink(site.sites / ".flatrun" / "current") == current
    held = site.run(good, bad, on_invalid="quarantine").refused("bad.example.com")
    assert not held.changed
    site.settle({**good, "redirect": {"to": "https://two.example.com"}})
    assert site.run(state="rolled_back").good().said["live"]
    assert site.ask("good.example.com").headers["location"] == "https://one.example.com/"
    assert not (site.sites / ".flatrun" / ".trial").exists()
    assert site.theirs() == before


def test_a_reload_that_does_nothing_is_no_success(site: Guest) -> None:
    good = {"name": "good.example.com", "redirect": {"to": "https://one.example.com"}}
    site.settle(good)
    current = os.readlink(site.sites / ".flatrun" / "current")
    changed = {**good, "redirect": {"to": "https://three.example.com"}}
    site.run(changed, reload_command="false").refused("nginx does not reload")
    assert os.readlink(site.sites / ".flatrun" / "current") == current
    assert site.ask("good.example.com").headers["location"] == "https://one.example.com/"
    # Somebody broke a file of their own: that is said, and nothing is switched.
    own = site.sites / "broken.conf"
    own.write_text("server { no_such_directive; }")
    site.run(changed).refused("no_such_directive", "sites/broken.conf")
    own.unlink()
    # Somebody removed the file that leads to ours: the next run says so and puts it back.
    (site.sites / "zz-flatrun.conf").unlink()
    docker("exec", site.name, "nginx", "-s", "reload")
    site.until("good.example.com", 200, "theirs")
    assert site.run(good).good().verbs == ["reload"]
    assert site.ask("good.example.com").headers["location"] == "https://one.example.com/"


def test_one_that_does_not_run_is_left_alone(site: Guest) -> None:
    docker("stop", "--time", "1", site.name)
    site.run({"name": "b.example.com", "upstream": "x"}).refused("it is exited", "Start it")
    assert inspect(site.name)["State"]["Status"] == "exited"
    docker("start", site.name)
    site.until("mine.example.com", 200, "theirs")


def test_killed_at_each_file_operation_something_whole_is_served(site: Guest, tmp_path: Path) -> None:
    def wish(target: str) -> dict[str, Any]:
        return {"name": "kill.example.com", "redirect": {"to": f"https://{target}.example.com"}}

    site.settle(wish("one"))
    log = tmp_path / "trace"
    site.run(wish("two"), under=tuple(trace.recording(log))).good()
    points = trace.steps(log, site.lab.root)
    assert len(points) > 20
    wanted = os.environ.get("FLATRUN_TEST_CRASHES", "")
    chosen = points if wanted == "all" else points[len(points) // 2 :: max(1, len(points) // int(wanted or 2))]
    former = "two"
    for step in chosen:
        target = "one" if former == "two" else "two"
        site.run(wish(target), under=tuple(trace.killing(step)))
        docker("exec", site.name, "nginx", "-t")
        docker("restart", "--time", "1", site.name)
        found = site.until("kill.example.com", 301).headers["location"]
        assert found in (f"https://{former}.example.com/", f"https://{target}.example.com/"), step
        assert site.ask("mine.example.com").body == "theirs"
        site.settle(wish(target))
        former = target


def test_what_nginx_warns_of_does_not_get_into_its_files(site: Guest) -> None:
    """An engine mixes the two streams of a command where it likes: here, in the middle of a heading."""
    site.settle({"name": "warned.example.com", "redirect": {"to": "https://one.example.com"}})
    put = "cat > /usr/local/sbin/nginx; chmod +x /usr/local/sbin/nginx"
    inside = ["docker", "exec", "--interactive", site.name, "sh", "-c", put]
    subprocess.run(inside, input=WARNING.encode(), check=True)
    try:
        assert "# configuration file nginx: [warn]" in docker("exec", site.name, "sh", "-c", "nginx -T 2>&1")
        site.settle({"name": "warned.example.com", "redirect": {"to": "https://two.example.com"}})
        taken = {"name": "x.example.com", "domains": ["mine.example.com"], "upstream": "x"}
        site.run(taken).refused("/etc/nginx/sites/mine.conf:4")
    finally:
        docker("exec", site.name, "rm", "/usr/local/sbin/nginx")
    site.until("warned.example.com", 301)


def test_the_block_routes_apps_through_it(
    site: Guest, play: Callable[..., Play], tmp_path_factory: pytest.TempPathFactory
) -> None:
    nginx = {"external": True, "container_name": site.name, "config_path": str(site.sites), "reload_command": ""}
    app = {"name": "block", "domains": "block.example.com", "vhost": {"redirect": {"to": "https://one.example.com"}}}
    block = {"nginx": nginx, "certbot": {"enabled": False}, "deployments": [app]}
    host = this_host(tmp_path_factory.mktemp("inventory"))
    first = play(host, "flatrun.infra.site", infrastructure_root_dir=site.lab.root, **block)
    assert first.changed
    assert site.ask("block.example.com").headers["location"] == "https://one.example.com/"
    assert not play(host, "flatrun.infra.site", infrastructure_root_dir=site.lab.root, **block).changed


def test_the_last_one_gone_leaves_theirs(site: Guest) -> None:
    before = site.theirs()
    site.settle(exclusive=True)
    assert site.ask("shop.example.com").body == "theirs"
    assert site.theirs() == before
    said = subprocess.run(["docker", "exec", site.name, "nginx", "-t"], capture_output=True, text=True, check=False)
    assert "successful" in said.stderr
