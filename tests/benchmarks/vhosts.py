"""Vhosts: many in one task against a template each, and against what no program could save."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from harness import Bench

COUNTS = (1000, 10000)
LOOPED = 100
IMAGE = "flatrun/nginx:local"


def docker(*words: str) -> str:
    """What the engine's client says, on both streams."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"docker {' '.join(words)}: {done.stderr}")
    return done.stdout + done.stderr


def vhosts(run: Bench) -> None:
    """1,000 and 10,000 vhosts first, again and one more, against templates (100 of them, scaled)."""
    looped = _looped(run)
    for count in COUNTS:
        run.play("services", True, bench_only="nginx")
        _many(run, count, *looped)
        run.clean()


def _many(run: Bench, count: int, looped_first: float, looped_again: float) -> None:
    """``looped_...`` are the seconds that a loop takes for each vhost."""
    few, one_more = _listed(run, count), _listed(run, count + 1)
    gone = json.dumps({"bench_vhosts": [{"name": _name(count), "state": "absent"}]})
    first, told = _counted(run, few)
    again = run.median("vhosts", 3, False, extra=few)
    more, told_more = _counted(run, one_more)
    run.play("vhosts", True, extra=gone)
    more = min(more, run.play("vhosts", True, extra=one_more))
    of, written = f"{count:,} vhosts", _by_hand(run)
    few_looped, again_looped = (run.floor + count * each for each in (looped_first, looped_again))
    reaches = ("reach 4 P", "reach 2 P", "reach 2.5 P") if count == COUNTS[0] else ("", "", "")
    run.row(f"{of}, first time: {told}", first, reaches[0], f"looped {few_looped / first:.0f} x (140 x)")
    run.row(f"{of} again, nothing to change", again, reaches[1], f"looped {again_looped / again:.0f} x (280 x)")
    run.row(f"{of} and one more: {told_more}", more, reaches[2], f"looped {again_looped / more:.0f} x (280 x)")
    run.row(f"{of}: their files, one test and one reload alone", written, "what no program could save")


def _name(number: int) -> str:
    return f"x{number}.example.com"


def _listed(run: Bench, count: int) -> str:
    """A file of variables with so many vhosts; ten each have the same app."""
    path = Path(run.root, f"vhosts-{count}.json")
    found = [{"name": _name(number), "upstream": f"app-{number // 10}:8080"} for number in range(count)]
    path.write_text(json.dumps({"bench_vhosts": found}))
    return f"@{path}"


def _counted(run: Bench, listed: str) -> tuple[float, str]:
    """Seconds of a run that changes something, and how often it had nginx test and reload."""
    nginx, begun = f"{run.prefix}-nginx", time.time()
    seconds = run.play("vhosts", True, extra=listed)
    since = f"{begun:.6f}"
    log = docker("logs", "--since", since, nginx)
    events = docker("events", "--since", since, "--until", f"{time.time():.6f}", "--filter", f"container={nginx}")
    tests, reloads = len(re.findall("exec_start: nginx -t", events)), log.count("(SIGHUP) received")
    return seconds, f"{tests} test, {reloads} reload"


def _by_hand(run: Bench) -> float:
    """Seconds in which the same files are written to the disk, tested by nginx and loaded, and nothing else is done."""
    nginx, releases = f"{run.prefix}-nginx", Path(run.root, f"{run.prefix}-nginx", "releases")
    current = (releases / "current").resolve()
    texts = {path: path.read_bytes() for path in current.rglob("*") if path.is_file()}
    copy = releases / "999999"
    begun = time.perf_counter()
    for path, text in texts.items():
        new = copy / path.relative_to(current)
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(text)
    for path in texts:
        with open(copy / path.relative_to(current), "rb") as file:
            os.fsync(file.fileno())
    docker("exec", nginx, "nginx", "-t", "-c", f"/etc/nginx/{copy.name}/nginx.conf")
    docker("kill", "--signal", "HUP", nginx)
    while docker("logs", "--since", f"{time.time() - 60:.6f}", nginx).count("start worker process ") == 0:
        time.sleep(0.02)
    seconds = time.perf_counter() - begun
    shutil.rmtree(copy)
    return seconds


def _looped(run: Bench) -> tuple[float, float]:
    """Seconds that each vhost takes where it is a template in a loop, first and again."""
    folder = Path(run.root, "looped")
    folder.mkdir()
    (folder / "00-resolver.conf").write_text("resolver 127.0.0.11 valid=10s;\n")
    mount = f"{folder}:/etc/nginx/conf.d:ro"
    docker("run", "--detach", "--name", f"{run.prefix}-looped", "--volume", mount, IMAGE)
    listed = _listed(run, LOOPED)
    first = run.play("vhosts_looped", True, extra=listed)
    again = run.play("vhosts_looped", False, extra=listed)
    docker("rm", "--force", f"{run.prefix}-looped")
    run.row(f"{LOOPED} vhosts as templates in a loop, first time", first, "")
    run.row(f"{LOOPED} vhosts as templates in a loop, again", again, "")
    return (first - run.floor) / LOOPED, (again - run.floor) / LOOPED
