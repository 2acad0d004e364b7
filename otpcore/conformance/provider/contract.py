"""What every provider must keep, as tests that a provider's author runs in a subclass.

    class TestMyProvider(ProviderContract):
        handle = "req_0001"

        def make(self, origin): return MyProvider(MySettings(origin=origin, key="k" * 32))
        def make_async(self, origin): return AsyncMyProvider(MySettings(origin=origin, key="k" * 32))
        def answer(self, request): return WireAnswer.of_json(200, {"id": self.handle, "status": "ok"})

Rules of these files: each test states one property and is red for a provider that breaks that property alone
(the project keeps such a provider for each). A provider is judged by its answers and by what reaches the
wire, never by its code. Here is composition only.
"""

from __future__ import annotations

from typing import Any

import pytest

from otpcore.conformance.provider.afterwards import OutcomeChecks
from otpcore.conformance.provider.answering import AnsweringChecks
from otpcore.conformance.provider.channels import ChannelChecks
from otpcore.conformance.provider.core import CoreChecks
from otpcore.conformance.provider.endings import EndingChecks
from otpcore.conformance.provider.receipts import ReceiptChecks
from otpcore.conformance.provider.reconciling import ReconcileChecks
from otpcore.conformance.provider.requirement import METHODS, Claim, Requirement, requirements
from otpcore.conformance.provider.showing import ShowingChecks
from otpcore.conformance.provider.vendor import SERVE, Ending
from otpcore.conformance.provider.wire import WireChecks
from otpcore.conformance.provider.words import WordsChecks
from otpcore.conformance.reporting import Reported

__all__ = ["ProviderContract"]


class ProviderContract(
    WireChecks,
    AnsweringChecks,
    ChannelChecks,
    ShowingChecks,
    WordsChecks,
    EndingChecks,
    ReconcileChecks,
    OutcomeChecks,
    ReceiptChecks,
    CoreChecks,
    Reported,
):
    """Proves that a provider keeps the contract of `otpcore.ports`, with pytest.

    Subclass it in a test module, name the subclass `Test…`, and say how to make the provider and what its vendor
    answers; the attributes and methods to give are those of `Checks`. Each requirement is one test; its docstring is
    the requirement. What the provider has not is not there: `report()` names it.
    """

    plugin_kind = "provider"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take away the checks of what the provider has not, and give back those of what a subclass has anew."""
        super().__init_subclass__(**kwargs)
        try:
            claims = cls.claims()
        except NotImplementedError:
            return  # a class between this one and a provider's
        for requirement in requirements(cls):
            if not requirement.needs <= claims:
                setattr(cls, requirement.name, None)
            elif getattr(cls, requirement.name) is None:
                setattr(cls, requirement.name, getattr(ProviderContract, requirement.name))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test in every colour, and in every scenario that it is about."""
        endings = self.scenarios
        quick = [name for name, ending in endings.items() if ending is not Ending.SILENT or name == "stall"]
        values: dict[str, list[str]] = {
            "colour": [*self.colours],
            "operation": ["send", "check"] if Claim.CHECKS in self.claims() else ["send"],
            "scenario": [SERVE, *quick],
            "fault": [name for name, ending in endings.items() if ending is Ending.UNKNOWN],
            "slowness": [name for name, ending in endings.items() if ending is Ending.SILENT],
            "refused": [name for name, ending in endings.items() if ending is Ending.NOT_SENT],
            "denied": [name for name, ending in endings.items() if ending is Ending.MISCONFIGURED],
        }
        for name, each in values.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, each)

    @classmethod
    def requirements(cls) -> list[Requirement]:
        """Those that hold for this provider, in the order of their names."""
        claims = cls.claims()
        return [one for one in requirements(cls) if one.needs <= claims]

    @classmethod
    def report(cls) -> str:
        """What the provider has, what is checked, and by name what is not checked because it has it not."""
        claims = cls.claims()
        lines = [
            f"{cls.__name__} ({' and '.join(cls.colours)}) has: {', '.join(sorted(claims))}",
            f"  {len(cls.requirements())} requirements checked",
        ]
        for claim in sorted(set(Claim) - claims):
            method = f" (no {METHODS[claim]})" if claim in METHODS else ""
            if left_out := [one.name for one in requirements(cls) if claim in one.needs]:
                lines.append(f"  {claim} is not there{method}; not checked: {', '.join(left_out)}")
        return "\n".join(lines)
