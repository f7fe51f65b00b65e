"""For every test: a skip is a failure, unless tests/skips.txt says what the machine lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

LISTED = [
    line.split(" # ")[0].strip()
    for line in Path(__file__).with_name("skips.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def refuse_unlisted_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    # With several workers, the group that a test is in stands behind its name.
    name = report.nodeid.rsplit("@", 1)[0]
    if not report.skipped or hasattr(report, "wasxfail") or any(name.endswith(listed) for listed in LISTED):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{reason}\nA skip has to stand in tests/skips.txt, with what the machine lacks."


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    refuse_unlisted_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    refuse_unlisted_skip(report)
    return report
