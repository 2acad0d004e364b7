"""What a run of a kit shows at its end: which claims were checked, and what was not, by name.

Rules of this file: it shows; what is in a report is made by the contract.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

__all__ = ["Reported"]

PLUGIN = "otpcore-contracts"


class Reports:
    """The reports of the contracts that ran, a section of pytest's summary for each kind."""

    def __init__(self) -> None:
        self.texts: dict[str, dict[str, str]] = {}

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Write them."""
        for kind, texts in sorted(self.texts.items()):
            terminalreporter.section(f"{kind} contracts")
            for text in texts.values():
                terminalreporter.write_line(text)


class Reported:
    """A contract whose report is shown at the end of a run; not in a worker of pytest-xdist, which has no terminal.

    Attributes:
        plugin_kind: "store" or "provider".
    """

    plugin_kind: ClassVar[str]

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
        texts: dict[str, str] = reports.texts.setdefault(self.plugin_kind, {})
        if contract.__qualname__ not in texts:
            texts[contract.__qualname__] = contract.report()
