"""Every option of a vhost in its plainest form, and the way to each place where a text could do harm."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.arguments import Options
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.arguments import VHOST
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.upstream import _KEYS, _SERVER_KEYS

Path = tuple[Any, ...]
# The name of a mapping's entry, as a place of its own.
KEY = object()
# Options that Ansible hands over as they are, and what is known inside.
INSIDE = {
    "upstream": {*(_KEYS - {"servers"}), *(f"servers.{key}" for key in _SERVER_KEYS)},
    "certificate": {"fullchain", "privkey"},
}
# Text for nginx as it is, which only allow_raw lets in: test_syntax.py looks at that.
MEANT_TO_BE_NGINX = {"raw"}


def full(version: tuple[int, ...]) -> list[dict[str, Any]]:
    """Vhosts that together have every option."""
    weighed = {"weight": 2, "max_fails": 3, "fail_timeout": "5s", "down": False}
    hashed = {"servers": [{"address": "192.0.2.1:80", **weighed}, "192.0.2.2:80"], "method": "hash", "hash_key": "$uri"}
    kept = {"servers": ["192.0.2.1:80", {"address": "192.0.2.2:80", "backup": True}], "keepalive": 5, "scheme": "https"}
    sticky = {"method": "sticky", "cookie": "plain"} if version >= (1, 29, 6) else {"method": "least_conn"}
    return [
        {
            "name": "plain",
            "server_names": ["plain.example.com"],
            "upstream": "plain:80",
            "body_size": "1m",
            "timeouts": {"connect": "5s", "send": "5s", "read": "5s"},
            "request_headers": {"X-Plain": "plain"},
            "response_headers": {"X-Plain": "plain"},
            "basic_auth": {
                "realm": "plain",
                "users": [{"name": "plain", "password": "plain"}, {"name": "hashed", "password_hash": HASH}],
            },
            "allow": ["192.0.2.0/24"],
            "deny": ["192.0.2.1"],
            "rate_limit": {"rate": "10r/s"},
            "tls": {"certificate": "plain", "hsts": {}},
            "trusted_proxies": ["192.0.2.0/24"],
            "real_ip_header": "X-Plain",
            "error_pages": {"502": "plain"},
            "locations": [
                {"path": "/plain/", "upstream": hashed, "strip_prefix": True},
                {"path": "/moved/", "redirect": {"to": "https://plain.example.com"}},
                {"path": "/files/", "root": {"path": "/plain", "index": "plain.html", "fallback": "/plain.html"}},
            ],
        },
        {
            "name": "pair.example.com",
            "upstream": {**kept, **sticky},
            "tls": {"certificate": {"fullchain": "/plain/chain.pem", "privkey": "/plain/key.pem"}},
        },
    ]


HASH = "$2y$05$" + "abcdefghijklmnopqrstuv" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ01234"


def option(path: Path) -> str:
    """What a place belongs to, in the words of the argument specification: the same for a vhost and its locations."""
    words = ["(name)" if key is KEY else key for key in path if not isinstance(key, int)]
    return ".".join(words[1:] if words[:1] == ["locations"] else words)


def places(given: Any, options: Options, path: Path = ()) -> Iterator[Path]:
    """Every place that a text of the user's own gets to. Ansible itself sees to booleans, numbers and choices."""
    for name, value in given.items():
        known, here = options.get(name, {}), (*path, name)
        if "choices" in known or name in MEANT_TO_BE_NGINX:
            continue
        if known.get("options"):
            for index, each in enumerate(value if isinstance(value, list) else [value]):
                inner = (*here, index) if isinstance(value, list) else here
                yield from places(each, known["options"], inner)
        elif known["type"] == "raw":
            yield from _inside(value, here)
        elif known["type"] == "dict":
            yield from [*(((*here, KEY)),), *((*here, key) for key in value)]
        elif known["type"] == "list":
            yield from ((*here, index) for index in range(len(value)))
        elif known["type"] == "str":
            yield here


def _inside(value: Any, path: Path) -> Iterator[Path]:
    if not isinstance(value, (dict, list)):
        yield path
        return
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _inside(each, (*path, key))


def open_options(options: Options, path: Path = ()) -> Iterator[str]:
    """The options that take a text, told from the argument specification alone."""
    for name, known in options.items():
        here = (*path, name)
        if "choices" in known or name in MEANT_TO_BE_NGINX:
            continue
        if known.get("options"):
            yield from open_options(known["options"], here)
        elif known["type"] == "dict":
            yield from (f"{option(here)}.(name)", f"{option(here)}.(value)")
        elif known["type"] in ("str", "list", "raw"):
            yield from (option(here), *(f"{option(here)}.{inner}" for inner in INSIDE.get(name, ())))


def changed(vhosts: list[dict[str, Any]], path: Path, text: str) -> list[dict[str, Any]]:
    """The same vhosts with another text at a place."""
    found = deepcopy(vhosts)
    place: Any = found
    for key in path[:-1] if path[-1] is not KEY else path[:-2]:
        place = place[key]
    if path[-1] is KEY:
        place[path[-2]] = {text: next(iter(place[path[-2]].values()))}
    else:
        place[path[-1]] = text
    return found


OPTIONS: Options = VHOST.options["vhosts"]["options"]
