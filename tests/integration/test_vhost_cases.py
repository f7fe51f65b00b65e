"""What an nginx of ours has to bear: files edited and certificates lost, runs beside each other, and what goes on over
a reload."""

from __future__ import annotations

import os
import resource
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults import modules
from ansible_collections.flatrun.infra.tests.integration.faults.lab import Lab, docker, module_path, pause
from ansible_collections.flatrun.infra.tests.integration.test_vhost_nginx import (
    Site,
    backend,
    certificate,
    secure,
    served_certificate,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

A: dict[str, Any] = {"name": "a.example.com", "redirect": {"to": "https://one.example.com"}}
B: dict[str, Any] = {"name": "b.example.com", "redirect": {"to": "https://two.example.com"}}


@pytest.fixture(scope="module")
def made(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    lab = Lab(images, module_path(tmp_path_factory.mktemp("modules")))
    try:
        lab.open()
        site = Site(lab, "1.30")
        site.begin()
        yield site
    finally:
        lab.close()


@pytest.fixture
def site(made: Site) -> Site:
    made.settle(exclusive=True)
    return made


def expire(folder: Path, name: str) -> None:
    """The same key, in a certificate that was good until yesterday."""
    key = serialization.load_pem_private_key((folder / "privkey.pem").read_bytes(), None)
    now, who = datetime.now(timezone.utc), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    built = x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(days=9)).not_valid_after(now - timedelta(days=1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    signed = built.sign(key, hashes.SHA256())
    (folder / "fullchain.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def test_a_file_of_ours_that_is_edited_by_hand_is_named_or_put_right(site: Site) -> None:
    site.settle(A)
    edited = site.folder / "releases" / "current" / "vhosts" / "a.example.com.conf"
    whole = edited.read_text()
    edited.write_text(whole + "server { broken; }\n")
    before = site.current()
    refused = site.run(B).refused("broken", "a.example.com.conf")
    assert not refused.changed
    assert site.current() == before
    assert site.ask("a.example.com").headers["location"] == "https://one.example.com/"
    done = site.settle(A, B)
    assert [action["target"] for action in done.actions][:2] == ["vhost a.example.com", "vhost b.example.com"]
    edited = site.folder / "releases" / "current" / "vhosts" / "a.example.com.conf"
    assert edited.read_text() == whole
    # Edited so that nginx takes it: it is changed only by a task that lists it, and foretold.
    edited.write_text(whole.replace("one.example.com", "hand.example.com"))
    site.settle(B)
    assert site.settle(A).said["vhosts"][0]["actions"][0]["reason"] == "it differs"


def test_an_expired_certificate_keeps_out_what_is_new_and_takes_down_nothing(site: Site) -> None:
    folder = certificate(site.lab, "e", "e.example.com")
    tls = {"name": "e.example.com", "redirect": {"to": "https://x.example.com"}, "tls": {"certificate": "e"}}
    site.settle(tls)
    expire(folder, "e.example.com")
    site.settle(tls, B)
    assert secure(site, "e.example.com", "/")[0] == 301
    site.run({**tls, "body_size": "1m"}).refused("vhosts[0].tls.certificate", "it expired a day ago")
    site.run({**tls, "name": "x", "domains": ["x.example.com"]}).refused("it expired")


def copies(site: Site) -> list[str]:
    return sorted(path.name.partition(".")[0] for path in (site.folder / "releases" / "certificates").iterdir())


def test_a_certificate_that_somebody_removed_takes_down_nothing(site: Site) -> None:
    folder = certificate(site.lab, "gone", "gone.example.com")
    tls = {"name": "gone.example.com", "redirect": {"to": "https://x.example.com"}, "tls": {"certificate": "gone"}}
    site.settle(tls, A)
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    site.settle(B)
    docker("restart", "--time", "1", site.name)
    site.until("a.example.com", 301)
    assert secure(site, "gone.example.com", "/")[0] == 301
    assert not site.run(tls).good().changed
    site.run({**tls, "body_size": "1m"}).refused("vhosts[0].tls.certificate", "does not exist")
    site.settle({"name": "gone.example.com", "state": "absent"}, B, keep_releases=2)
    site.settle(A, keep_releases=2)
    site.settle({**A, "redirect": {"to": "https://other.example.com"}}, keep_releases=2)
    assert "gone" not in copies(site)


def test_a_certificate_that_was_renewed_is_served_from_the_next_run_on(site: Site) -> None:
    folder = certificate(site.lab, "new", "new.example.com")
    tls = {"name": "new.example.com", "redirect": {"to": "https://x.example.com"}, "tls": {"certificate": "new"}}
    site.settle(tls, A)
    former = (folder / "fullchain.pem").read_text()
    assert served_certificate(site, "new.example.com") == former
    key = next((site.folder / "releases" / "certificates").glob("new.*/privkey.pem"))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    # Half written: the chain is a new one, and the key still the old one's.
    other = certificate(site.lab, "other", "new.example.com")
    whole = (other / "fullchain.pem").read_text()
    (folder / "fullchain.pem").write_text(whole)
    site.settle(A, B)
    docker("restart", "--time", "1", site.name)
    site.until("a.example.com", 301)
    assert served_certificate(site, "new.example.com") == former
    (folder / "privkey.pem").write_text((other / "privkey.pem").read_text())
    done = site.settle(tls)
    assert done.said["vhosts"][0]["actions"] == [
        {"action": "certify", "target": "certificate of vhost new.example.com", "reason": "another one is there"}
    ]
    assert served_certificate(site, "new.example.com") == whole
    # A way back is none to a former certificate.
    site.settle({**tls, "body_size": "2m"})
    site.run(state="rolled_back").good()
    assert served_certificate(site, "new.example.com") == whole
    site.settle({"name": "new.example.com", "state": "absent"}, A)


def test_a_pair_of_files_in_the_container_is_served_as_a_certificate_by_name_is(site: Site) -> None:
    """As other clients of ACME leave them: by links, and the key root's alone."""
    given, other = (certificate(site.lab, name, "pair.example.com") for name in ("given", "given-anew"))
    pair = {"fullchain": "/etc/pair/live.crt", "privkey": "/etc/pair/live.key"}
    tls = {"name": "pair.example.com", "redirect": {"to": "https://x.example.com"}, "tls": {"certificate": pair}}
    docker("exec", site.name, "mkdir", "-m", "700", "/etc/pair")
    for folder in (given, other):
        docker("cp", str(folder), f"{site.name}:/etc/pair/{folder.name}")

    def link(name: str, target: Path) -> None:
        docker("exec", site.name, "ln", "-sf", f"/etc/pair/{target.parent.name}/{target.name}", pair[name])

    link("fullchain", given / "fullchain.pem")
    site.run(tls).refused("vhosts[0].tls.certificate", f"{pair['privkey']} does not exist in the container")
    link("privkey", given / "privkey.pem")
    site.settle(tls)
    assert secure(site, "pair.example.com", "/")[0] == 301
    former = (given / "fullchain.pem").read_text()
    assert served_certificate(site, "pair.example.com") == former
    link("fullchain", other / "fullchain.pem")
    refused = site.run({**tls, "body_size": "1m"})
    refused.refused("vhosts[0].tls.certificate", f"the key {pair['privkey']} is not that of {pair['fullchain']}")
    assert served_certificate(site, "pair.example.com") == former
    link("privkey", other / "privkey.pem")
    assert [action["action"] for action in site.settle(tls).said["vhosts"][0]["actions"]] == ["certify"]
    assert served_certificate(site, "pair.example.com") == (other / "fullchain.pem").read_text() != former
    alone = {**tls, "tls": {"certificate": {"fullchain": pair["fullchain"]}}}
    site.run(alone).refused("vhosts[0].tls.certificate", "a mapping of fullchain and privkey")


def test_after_the_last_vhost_unknown_hosts_get_nothing(site: Site) -> None:
    certificate(site.lab, "last", "last.example.com")
    vhost = {"name": "last.example.com", "redirect": {"to": "https://x.example.com"}, "tls": {"certificate": "last"}}
    site.settle(vhost)
    assert secure(site, "last.example.com", "/")[0] == 301
    site.settle({"name": "last.example.com", "state": "absent"})
    docker("restart", "--time", "1", site.name)
    site.until("any.example.com", 0)
    for host in ("last.example.com", "unknown.example.com"):
        assert site.ask(host).status == 0
        with pytest.raises(ssl.SSLError):
            secure(site, host, "/")


def test_a_reload_for_which_no_descriptor_is_left_is_no_success(site: Site) -> None:
    site.settle(A)
    before, master = site.current(), site.master()
    limits = resource.prlimit(master, resource.RLIMIT_NOFILE)
    held = {int(name) for name in os.listdir(f"/proc/{master}/fd")}
    lowest = next(number for number in range(len(held) + 1) if number not in held)
    resource.prlimit(master, resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        changed = {**A, "redirect": {"to": "https://new.example.com"}}
        site.run(changed).refused("after its reload", "Too many open files")
    finally:
        resource.prlimit(master, resource.RLIMIT_NOFILE, limits)
    assert site.current() == before
    assert site.ask("a.example.com").headers["location"] == "https://one.example.com/"
    site.settle(changed)


def test_a_full_disk_changes_nothing(site: Site) -> None:
    site.settle(A)
    before = sorted(os.listdir(site.folder / "releases"))
    page = {"error_pages": {"502": "page " * 2000}}
    refused = site.run({**B, **page}, under=("prlimit", "--fsize=4096")).refused("can't be written (File too large)")
    assert not refused.changed
    assert sorted(os.listdir(site.folder / "releases")) == before
    site.settle({**B, **page})


def test_runs_beside_each_other_lose_nothing(site: Site) -> None:
    vhosts = [{**A, "name": f"p{number}.example.com"} for number in range(4)]
    with ThreadPoolExecutor(5) as pool:
        # Of two that want the same, one finds it done when its turn comes.
        done = [each.good().changed for each in pool.map(site.run, [*vhosts, vhosts[3]])]
        assert sorted(done) == [False, True, True, True, True]
        assert {site.ask(vhost["name"]).status for vhost in vhosts} == {301}
        assert not site.run(*vhosts, exclusive=True).good().changed
        back = [pool.submit(site.run, state="rolled_back") for _time in range(2)]
        assert all(each.result().good().said["live"] for each in back)


def test_a_log_in_json_for_names_of_any_sign(site: Site) -> None:
    vhosts = [{**A, "name": name, "access_log": "json"} for name in ("1.example.com", "Shop", "a.example.com")]
    vhosts[1]["server_names"] = ["shop.example.com"]
    site.settle(*vhosts)
    assert {site.ask(name).status for name in ("1.example.com", "shop.example.com", "a.example.com")} == {301}


def test_a_main_file_of_an_earlier_version_is_another_release(site: Site) -> None:
    site.settle(A)
    main = site.folder / "releases" / "current" / "nginx.conf"
    present = main.read_text()
    main.write_text("\n".join(line for line in present.splitlines() if "_share[d]" not in line).replace("[!_]*", "*"))
    assert site.lab.run(site.item).good().verbs == ["release"]
    assert not site.lab.run(site.item).good().changed
    assert (site.folder / "releases" / "current" / "nginx.conf").read_text() == present
    assert site.ask("a.example.com").status == 301
    assert not site.run(A).good().changed


def test_a_paused_nginx_gets_its_release_and_loads_it_when_it_goes_on(site: Site) -> None:
    site.settle(A)
    pause(site.name)
    try:
        done = site.run(B).good()
        assert not done.said["live"]
        assert not done.said["reloaded"]
    finally:
        docker("unpause", site.name)
    assert site.run(B).good().verbs == ["reload"]
    assert site.ask("b.example.com").status == 301


def test_a_crash_loop_is_told_by_what_nginx_says(site: Site) -> None:
    site.settle(A)
    broken = site.folder / "config" / "broken.conf"
    broken.write_text("server { broken; }")
    docker("restart", "--time", "1", site.name)
    try:
        # Whether the engine tries again just now, or waits for its next attempt.
        for _time in range(3):
            site.run(B).refused("broken", "conf.d/broken.conf")
    finally:
        broken.unlink()
    site.until("a.example.com", 301)
    site.settle(B)


def info(site: Site, **options: Any) -> dict[str, Any]:
    given = {"container": site.name, "root_dir": site.lab.root, "probe": True, **options}
    return modules.start("flatrun_vhost_info", given, site.lab.modules).finish().good().said


def test_what_is_told(site: Site) -> None:
    certificate(site.lab, "told", "told.example.com", days=60)
    pool = {"servers": ["127.0.0.1:80", "127.0.0.1:1"]}
    site.settle(A, {"name": "told.example.com", "upstream": pool, "tls": {"certificate": "told"}})
    told = info(site)
    assert told["live"]
    assert told["container"] == {"name": site.name, "status": "running", "version": told["container"]["version"]}
    assert told["served"] == told["release"] == site.current()
    assert told["release_age"] < 300
    plain, tls = told["vhosts"]
    nothing: dict[str, Any] = {"upstreams": [], "certificate": None, "edited": False}
    assert plain == {"name": "a.example.com", "server_names": ["a.example.com"], **nothing}
    answers = {each["address"]: each["answers"] for each in tls["upstreams"]}
    assert answers == {"127.0.0.1:1": False, "127.0.0.1:80": True}
    assert tls["certificate"].pop("fullchain").endswith("/told/fullchain.pem")
    assert tls["certificate"].pop("days_left") in (59, 60)
    assert tls["certificate"] == {"names": ["told.example.com"], "problem": ""}
    assert [each["name"] for each in info(site, vhosts=["told.example.com"])["vhosts"]] == ["told.example.com"]
    assert info(site, probe=False)["vhosts"][1]["upstreams"][0]["answers"] is None


def test_what_is_told_of_what_is_not_well(site: Site) -> None:
    folder = certificate(site.lab, "ill", "ill.example.com")
    site.settle(A, {"name": "ill.example.com", "upstream": "127.0.0.1:80", "tls": {"certificate": "ill"}})
    expire(folder, "ill.example.com")
    found = info(site)["vhosts"][1]["certificate"]
    says = "a copy is served, since what is there now won't do: it expired a day ago"
    assert (found["days_left"], found["problem"]) == (59, says)
    edited = site.folder / "releases" / "current" / "vhosts" / "a.example.com.conf"
    edited.write_text(edited.read_text().partition("\n")[2])
    (folder / "privkey.pem").unlink()
    found = info(site)["vhosts"]
    assert [each["edited"] for each in found] == [True, False]
    assert (found[1]["certificate"]["days_left"], "privkey.pem" in found[1]["certificate"]["problem"]) == (59, True)
    # On disk is what nginx was not told of.
    link, served = site.folder / "releases" / "current", site.current()
    link.unlink()
    link.symlink_to(f"{int(served) - 1:06d}")
    told = info(site)
    assert (told["live"], told["served"], told["release"]) == (False, served, f"{int(served) - 1:06d}")
    link.unlink()
    link.symlink_to(served)
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    site.settle({"name": "ill.example.com", "state": "absent"}, A)
    docker("stop", "--time", "1", site.name)
    told = info(site)
    assert (told["container"]["status"], told["live"], told["served"]) == ("exited", False, "")
    docker("start", site.name)
    told = info(site, container=f"{site.name}-none")
    assert (told["container"]["status"], told["live"], told["release"], told["vhosts"]) == ("absent", False, "", [])
    site.until("a.example.com", 301)


class Going:
    """One request that takes longer than a reload, on a connection of its own."""

    def __init__(self, site: Site, *headers: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", site.port), 30)
        lines = ["GET /slow HTTP/1.1", "Host: slow.example.com", *headers]
        self.connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.file = self.connection.makefile("rb")

    def head(self) -> list[str]:
        return [line.decode().strip() for line in iter(self.file.readline, b"\r\n")]

    def close(self) -> None:
        self.file.close()
        self.connection.close()


def test_downloads_and_websockets_go_on_over_reloads(site: Site) -> None:
    app = backend(site.lab, "slow")
    site.settle({"name": "slow.example.com", "upstream": f"{app}:8000"})
    site.until("slow.example.com", 200)
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    download, chat = Going(site), Going(site, "Upgrade: websocket", "Connection: Upgrade", key)
    try:
        assert download.head()[0].startswith("HTTP/1.1 200")
        assert chat.head()[0].startswith("HTTP/1.1 101")
        assert chat.file.read(7) == b"\x81\x05hello"
        for vhost in (A, B):
            assert site.settle(vhost).said["reloaded"]
        chat.connection.sendall(b"\x81\x84\0\0\0\0echo")
        assert chat.file.read(6) == b"\x81\x04echo"
        assert len(download.file.read(150_000)) == 150_000
    finally:
        download.close()
        chat.close()
        docker("rm", "--force", app)
