"""gixy has nothing grave to say of whatever we render; nginx itself is not needed for that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.flatrun.infra.plugins.module_utils.service.nginx import NGINX_FILES, status_server
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.render import render
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.shared import render_shared
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import parse
from ansible_collections.flatrun.infra.tests.unit.vhost import cases
from ansible_collections.flatrun.infra.tests.unit.vhost.full import full
from ansible_collections.flatrun.infra.tests.unit.vhost.world import params

ROOT = Path(__file__).parents[3]
NEW = {"path": "/new/", "upstream": "192.0.2.1:80"}


def rich() -> dict[str, Any]:
    return {
        "upstream": {"servers": ["192.0.2.1:80", "192.0.2.2:80"], "method": "least_conn"},
        "tls": {"certificate": "a", "hsts": {}, "http3": True},
        "allow": ["0.0.0.0/0"],
        "basic_auth": {"users": [{"name": "anna", "password": "a password"}]},
        "rate_limit": {"rate": "1000r/s", "burst": 100},
        "connection_limit": 100,
        "trusted_proxies": ["192.0.2.0/24"],
        "proxy_protocol": True,
        "access_log": "json",
        "compression": True,
        "buffering": False,
        "request_headers": {"X-One": "$request_id"},
        "response_headers": {"X-Frame-Options": "DENY"},
        "error_pages": {"502": "<h1>gone</h1>", "503": "<h1>closed</h1>"},
        "locations": [
            {"path": "/api/", "strip_prefix": True, "response_headers": {"X-Two": "two"}},
            {"path": "/exact", "match": "exact", "upstream": "unix:/run/app.sock"},
            {"path": "/moved/", "redirect": {"to": "https://www.example.com"}},
            {"path": "/files/", "root": {"path": "/srv/files", "fallback": "/index.html"}, "strip_prefix": True},
        ],
    }


def examples() -> list[dict[str, Any]]:
    """Whatever the documentation shows."""
    module = (ROOT / "plugins" / "modules" / "flatrun_vhost.py").read_text()
    pages = [module.split('EXAMPLES = r"""')[1].split('"""')[0]]
    pages += [block.split("```")[0] for block in (ROOT / "docs" / "vhosts.md").read_text().split("```yaml")[1:]]
    tasks = [task for page in pages for task in yaml.safe_load(page)]
    listed = [task.get("flatrun.infra.flatrun_vhost", {}).get("vhosts", ()) for task in tasks]
    return [each for given in listed if isinstance(given, list) for each in given]


def fixtures(version: tuple[int, ...]) -> list[dict[str, Any]]:
    """All of them side by side, each with names of its own."""
    found = [*full(version), *examples(), *(each for given in cases.ASKED.values() for each in given)]
    found += [rich(), {**rich(), "maintenance": True}, {"locations": [{"path": "/", "redirect": {"to": "/new/"}}, NEW]}]
    found = [each for each in found if each.get("state") != "absent" and each is not cases.A_BAD]
    # Where the user has browsers told nothing, gixy would have them told.
    found = [{**each, "tls": {"hsts": {}, **each["tls"]}} if "tls" in each else each for each in found]
    if version < cases.POOLS:
        found = [{**each, "upstream": "one:80"} for each in found]
        found = [{key: value for key, value in each.items() if key not in ("tls", "redirect")} for each in found]
    return [{**each, "name": f"f{at}", "server_names": [f"f{at}.example.com"]} for at, each in enumerate(found)]


@pytest.mark.parametrize("version", [(1, 22, 1), (1, 30, 0)], ids=str)
def test_gixy_finds_nothing_that_matters(version: tuple[int, ...], tmp_path: Path) -> None:
    given = [{key: value for key, value in each.items() if key != "domains"} for each in fixtures(version)]
    assert len(given) > 20
    rendered = [render(vhost, version) for vhost in parse(params(given)).vhosts]
    parts = {name: text for each in rendered for name, text in each.parts.items()}
    texts = {f"{index:03}.conf": each.text for index, each in enumerate(rendered)}
    (tmp_path / "vhosts").mkdir()
    for name, text in {**texts, "_shared.conf": render_shared(parts, version)}.items():
        (tmp_path / "vhosts" / name).write_text(text)
    # As a whole, with the default servers; the user's own files are another matter.
    main = NGINX_FILES["nginx.conf"].replace("include /etc/nginx/conf.d/*.conf;", "")
    for name, text in {**NGINX_FILES, "nginx.conf": main, "status.conf": status_server("000001")}.items():
        (tmp_path / name).write_text(text)
    command = [str(Path(sys.executable).with_name("gixy")), "--format", "json", str(tmp_path / "nginx.conf")]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found = json.loads(said.stdout)
    grave = [each for each in found if each["severity"] in ("MEDIUM", "HIGH")]
    assert not grave, "\n".join(f"{each['plugin']}: {each['reason']}\n{each['config']}" for each in grave)
