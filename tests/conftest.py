"""What every test may ask for, and how a run reports on itself."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings

from tests import sql_places
from tests.places import Place, memory, redis, sql, tinydb
from tests.redis_servers import Server

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


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server for the tests that do not hurt it."""
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server.url
    server.stop()


@pytest.fixture
def place_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """A new place for a store of this name, of `tests.places.STORES`; it is dropped after the test."""
    numbers = itertools.count()
    with contextlib.ExitStack() as dropped:

        def make(store: str) -> Place:
            if store == "memory":
                return memory()
            if store == "redis":
                return redis(request.getfixturevalue("redis_url"))
            folder = tmp_path / f"place{next(numbers)}"
            folder.mkdir()
            if store == "tinydb":
                return tinydb(folder)
            return sql(dropped.enter_context(sql_places.place(store, folder)))

        yield make


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine wakes threads late; with a longer pause they still meet between load and commit."""
    monkeypatch.setattr("otpcore.conformance.yielding.PAUSE_S", 0.02)


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
