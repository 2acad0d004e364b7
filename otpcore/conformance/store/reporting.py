"""What a run of the kit shows at its end: which claims were checked, and what was not, by name.

Rules of this file: it shows; what is in a report is made by the contract.
"""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["Reported"]

PLUGIN = "otpcore-store-contracts"


class Reports:
    """The reports of the contracts that ran, as a section of pytest's summary."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Write them."""
        terminalreporter.section("store contracts")
        for text in self.texts.values():
            terminalreporter.write_line(text)


class Reported:
    """A contract whose report is shown at the end of a run; not in a worker of pytest-xdist, which has no terminal."""

    @classmethod
    def report(cls) -> str:
        """What is to be shown."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def otpcore_reported(self, request: pytest.FixtureRequest) -> None:
        """Have the contract of this test in the summary."""
        plugins, contract = request.config.pluginmanager, type(self)
        reports: Any = plugins.get_plugin(PLUGIN)
        if reports is None:
            reports = Reports()
            plugins.register(reports, PLUGIN)
        reports.texts.setdefault(contract.__qualname__, contract.report())
