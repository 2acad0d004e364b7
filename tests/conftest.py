"""What every test may ask for, and how a run reports on itself."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from hypothesis import settings

settings.register_profile("ci", deadline=None, max_examples=100, print_blob=True)
settings.register_profile("nightly", deadline=None, max_examples=10_000, print_blob=True)
settings.load_profile("ci")  # `--hypothesis-profile` is read later and wins


@pytest.fixture
def set_timezone() -> Iterator[Callable[[str], None]]:
    """Move this process to another time zone, by its IANA name, for the length of a test."""
    before = os.environ.get("TZ")

    def move(name: str | None) -> None:
        if name is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = name
        time.tzset()

    yield move
    move(before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped, and why, even when none was."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.getreports("skipped"):
        _path, _line, reason = cast("tuple[str, int, str]", report.longrepr)
        reasons[reason.removeprefix("Skipped: ")] += 1
    listed = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
    terminalreporter.write_line(f"{reasons.total()} skipped{': ' if listed else ''}{listed}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a run in which no test passed or failed, only skipped, is no evidence and not green."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None or session.config.option.collectonly:
        return
    if exitstatus == pytest.ExitCode.OK and not reporter.stats.get("passed"):
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
