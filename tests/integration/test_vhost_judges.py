"""What sslyze says of our nginx. What gixy says of its configuration needs no nginx: see tests/unit/vhost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.flatrun.infra.tests.integration.faults.lab import Lab, module_path
from ansible_collections.flatrun.infra.tests.integration.test_vhost_nginx import Site, certificate

HOST = "judged.example.com"


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
    return {"name": HOST, "upstream": "192.0.2.1:80", "tls": {"certificate": HOST, "hsts": {}, **tls}}


@pytest.mark.parametrize("policy", ["intermediate", "modern"])
def test_sslyze_agrees_with_the_policy(site: Site, policy: str) -> None:
    site.settle(vhost(policy=policy))
    command = [str(Path(sys.executable).with_name("sslyze")), f"--mozilla_config={policy}", "--sni", HOST]
    said = subprocess.run(
        [*command, f"127.0.0.1:{site.tls_port}"], capture_output=True, text=True, check=False, timeout=600
    ).stdout
    verdict = said.partition("COMPLIANCE AGAINST TLS CONFIGURATION")[2]
    objections = {line.split("*")[1].split(":")[0].strip() for line in verdict.splitlines() if line.strip()[:1] == "*"}
    # The certificate of a test is nobody's.
    assert verdict
    assert objections <= {"certificate_path_validation"}, verdict
