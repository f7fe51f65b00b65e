"""Every figure of design and documentation that is about time, as a ratio within one run."""

from __future__ import annotations

import sys

import databases
import proxies
import services
import vhosts
from harness import bench

PARTS = {
    "start": services.start,
    "site": services.site,
    "calls": services.calls,
    "databases": databases.databases,
    "vhosts": vhosts.vhosts,
    "proxies": proxies.proxies,
}


def main() -> None:
    wanted = sys.argv[1:] or list(PARTS)
    with bench() as run:
        for part in wanted:
            run.say(f"\n{part}: {(PARTS[part].__doc__ or '').strip()}")
            PARTS[part](run)


if __name__ == "__main__":
    main()
