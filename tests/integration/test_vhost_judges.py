"""What others say of our nginx: sslyze of its TLS, gixy of its configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.lab import Lab, module_path
from ansible_collections.flatrun.infra.tests.integration.test_vhost_nginx import Site, certificate

HOST = "judged.example.com"
# Not of safety but of speed: gixy would have every static file go with a cache of open files.
MATTERS_OF_TASTE = {"try_files_is_evil_too"}


@pytest.fixture(scope="module")
def site(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    lab = Lab(images, module_path(tmp_path_factory.mktemp("modules")))
    try:
        lab.open()
        made = Site(lab, "1.30")
        made.begin()
        certificate(lab, HOST, HOST)
        yield made
    finally:
        lab.close()


def vhost(**tls: Any) -> dict[str, Any]:
    return {
        "name": HOST,
        "upstream": {"servers": ["192.0.2.1:80", "app:80"], "method": "least_conn"},
        "tls": {"certificate": HOST, "hsts": {}, **tls},
        "allow": ["0.0.0.0/0"],
        "basic_auth": {"users": [{"name": "anna", "password": "a password"}]},
        "rate_limit": {"rate": "1000r/s", "burst": 100},
        "trusted_proxies": ["192.0.2.0/24"],
        "proxy_protocol": True,
        "access_log": "json",
        "compression": True,
        "request_headers": {"X-One": "$request_id"},
        "response_headers": {"X-Frame-Options": "DENY"},
        "locations": [
            {"path": "/api/", "strip_prefix": True},
            {"path": "/moved/", "redirect": {"to": "https://www.example.com"}},
            {"path": "/files/", "root": {"path": "/usr/share/nginx/html", "fallback": "/index.html"}},
        ],
    }


@pytest.mark.parametrize("policy", ["intermediate", "modern"])
def test_sslyze_agrees_with_the_policy(site: Site, policy: str) -> None:
    site.settle(vhost(policy=policy))
    command = [str(Path(sys.executable).with_name("sslyze")), f"--mozilla_config={policy}", "--sni", HOST]
    said = subprocess.run(
        [*command, f"127.0.0.1:{site.tls_port}"], capture_output=True, text=True, check=False, timeout=120
    ).stdout
    verdict = said.partition("COMPLIANCE AGAINST TLS CONFIGURATION")[2]
    objections = {line.split("*")[1].split(":")[0].strip() for line in verdict.splitlines() if line.strip()[:1] == "*"}
    # The certificate of a test is nobody's.
    assert verdict
    assert objections <= {"certificate_path_validation"}, verdict


def test_gixy_finds_nothing_that_matters(site: Site, tmp_path: Path) -> None:
    site.settle(vhost(http3=True))
    release = site.folder / "releases" / site.current()
    # As a whole, with the default servers; the user's own files are another matter.
    main = (release / "nginx.conf").read_text().replace("include /etc/nginx/conf.d/*.conf;", "")
    copy = tmp_path / "release"
    subprocess.run(["cp", "-r", str(release), str(copy)], check=True)
    (copy / "nginx.conf").write_text(main)
    command = [str(Path(sys.executable).with_name("gixy")), "--format", "json", str(copy / "nginx.conf")]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    found = json.loads(said.stdout)
    # Who spells a path in a strange way is told so, whoever it is.
    found = [each for each in found if "return 400" not in each["config"]]
    grave = [
        each for each in found if each["severity"] in ("MEDIUM", "HIGH") and each["plugin"] not in MATTERS_OF_TASTE
    ]
    assert not grave, "\n".join(f"{each['plugin']}: {each['reason']}\n{each['config']}" for each in grave)
