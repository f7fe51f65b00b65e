"""Services: side by side against one by one, nothing to change, and how often the engine is asked."""

from __future__ import annotations

import os

from harness import HERE, Bench, Counter

TYPES = ("nginx", "mysql", "mariadb", "postgresql", "redis", "certbot")


def start(run: Bench) -> None:
    """First start of six services from images at hand, and the same again."""
    alone = {}
    for kind in TYPES:
        alone[kind] = run.play("services", True, bench_only=kind)
        run.clean()
    slowest = max(alone, key=lambda kind: alone[kind])
    run.say("one alone: " + ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in alone.items()))
    together = run.play("services", True)
    again = run.median("services", 3, False)
    run.clean()
    looped = run.play("community", True)
    looped_again = run.median("community", 3, False)
    run.clean()
    own = alone[slowest] - run.floor
    run.row(
        "six services, first start",
        together,
        f"reach {own + 4 * run.floor:.2f} s ({slowest}'s own start + 4 P)",
        f"one by one {sum(alone.values()) / together:.1f} x, community.docker {looped / together:.1f} x (3 x)",
    )
    run.row(
        "six services again, nothing to change",
        again,
        "reach 4 P",
        f"community.docker {looped_again / again:.1f} x (3 x)",
    )


def site(run: Bench) -> None:
    """`site` from nothing and again, against the same networks, folders, files and containers with community.docker."""
    block = f"@{HERE}/plays/block.yml"
    first = run.play("flatrun.infra.site", True, extra=block)
    again = run.median("flatrun.infra.site", 3, False, extra=block)
    run.clean()
    run.play("community", True)
    looped_again = run.median("community", 3, False)
    run.clean()
    run.row("site, six services, from nothing", first, "see start")
    run.row("site again, nothing to change", again, "reach 4 P", f"community.docker {looped_again / again:.1f} x (3 x)")


def calls(run: Bench) -> None:
    """Requests of flatrun_infra_info to the engine for 3 and for 30 services."""
    counts = {}
    for count in (3, 30):
        run.play("many", True, bench_count=count)
        path = f"{run.root}/engine-{count}.sock"
        counter = Counter(path)
        run.play("info", False, bench_socket=f"unix://{path}")
        counts[count] = counter.requests
        os.unlink(path)
    run.say(f"flatrun_infra_info asks the engine {counts[3]} times for 3 services and {counts[30]} times for 30")
    run.clean()
