# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flatrun_vhost_info tells: the vhosts of one nginx, and whether all of it is as it looks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core import names
from ansible_collections.flatrun.infra.plugins.module_utils.service.engine import Engine, NotRunning
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.certificate import objection
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.observe import Observer
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.spec import parse_guest
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.state import State
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.summary import summary_of
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.tls import PLACEHOLDER
from ansible_collections.flatrun.infra.plugins.module_utils.vhost.upstream import dotted

Summary = Mapping[str, Any]

# Asked inside nginx' container, since only there names mean what they mean to nginx. Debian's images have bash and
# no nc, Alpine's the reverse. Each address that takes a connection is written back.
_PROBE = """
ask() {
    case $1 in
        unix:*) [ -S "${1#unix:}" ] ;;
        *) host=${1%:*} port=${1##*:} host=${host#[} host=${host%]}
           if command -v nc > /dev/null; then nc -z -w 2 "$host" "$port"
           else timeout 2 bash -c 'exec 3<> "/dev/tcp/$0/$1"' "$host" "$port"; fi ;;
    esac > /dev/null 2>&1 && echo "$1"
}
for address; do ask "$address" & done
wait
"""
_ADDRESS = re.compile(r"(?:unix:/[A-Za-z0-9_./-]+|[A-Za-z0-9_.\[\]:-]+:\d+)")
_AT_ONCE = 64
_UNTIL = "it is the self-signed placeholder, until the certificate is there"
_WORSE = "a copy is served, since what is there now won't do: "
_NEWER = "another one is there, which is served from the next run of flatrun_vhost for this vhost on"


def answer(params: Mapping[str, Any]) -> dict[str, Any]:
    """The result of flatrun_vhost_info."""
    engine = Engine(params)
    try:
        engine.require_local()
        container = names.container_name(params["container"], "container")
        guest = parse_guest(params["config_path"], None)
        observer = Observer(engine, container, names.absolute_path(params["root_dir"], "root_dir"), guest)
        first = observer.look({})
        chosen = {name: summary_of(text) for name, text in sorted(first.files.vhosts.items())}
        if params["vhosts"]:
            chosen = {name: summary for name, summary in chosen.items() if name in params["vhosts"]}
        read = [each.get(key) for each in chosen.values() for key in ("certificate", "source")]
        pairs = {pair["fullchain"]: pair["privkey"] for pair in read if pair}
        state = observer.look(pairs) if pairs else first
        answering = _answering(engine, container, chosen.values()) if params["probe"] and state.running else None
        switched = observer.releases.switched_at() if state.release else 0
        return {
            "container": {
                "name": container,
                "status": state.status or state.found or "absent",
                "version": dotted(state.version),
            },
            "release": state.release,
            "release_age": max(0, int(state.now - switched)) if switched else 0,
            "served": state.served,
            "live": state.live,
            "vhosts": [_told(name, summary, state, answering) for name, summary in chosen.items()],
        }
    finally:
        engine.close()


def _told(name: str, summary: Summary, state: State, answering: frozenset[str] | None) -> dict[str, Any]:
    return {
        "name": name,
        "server_names": summary.get("server_names", []),
        "upstreams": [
            {"address": address, "answers": None if answering is None else address in answering}
            for address in summary.get("upstreams", ())
        ],
        "certificate": _certificate(summary, state) if summary.get("certificate") else None,
        # Somebody else wrote its first line, so what is told of it may be nothing.
        "edited": not summary,
    }


def _certificate(summary: Summary, state: State) -> dict[str, Any]:
    """That of the copy which is served, and what there is to say of the one that it was made of."""
    path = summary["certificate"]["fullchain"]
    found = state.certificates[path]
    problem = _UNTIL if path.endswith(PLACEHOLDER) else objection(found, summary.get("server_names", ()), state.now)
    source = state.certificates.get(summary["source"]["fullchain"]) if summary.get("source") else None
    if source and not problem and source.pair != found.pair:
        words = objection(source, summary.get("server_names", ()), state.now)
        problem = _WORSE + words if words else _NEWER
    return {
        "fullchain": (summary.get("source") or summary["certificate"])["fullchain"],
        "days_left": None if found.problem else found.days_left(state.now),
        "names": list(found.names),
        "problem": problem,
    }


def _answering(engine: Engine, container: str, summaries: Iterable[Summary]) -> frozenset[str] | None:
    wanted = sorted({address for each in summaries for address in each.get("upstreams", ())})
    asked = [address for address in wanted if _ADDRESS.fullmatch(address)]
    found: set[str] = set()
    for start in range(0, len(asked), _AT_ONCE):
        try:
            _code, said = engine.run(container, ["sh", "-c", _PROBE, "probe", *asked[start : start + _AT_ONCE]], False)
        except NotRunning:
            return None
        found.update(said.split())
    return frozenset(found)
