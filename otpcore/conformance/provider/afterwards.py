"""What a provider does after a send: it tells its vendor what became of a code.

Rules of this file: as for `otpcore.conformance.provider.contract`.
"""

from __future__ import annotations

from otpcore.conformance.provider.checks import Checks
from otpcore.conformance.provider.driven import Driven
from otpcore.conformance.provider.requirement import METHODS, Claim, needs
from otpcore.conformance.provider.vendor import Vendor
from otpcore.ports import CodeOwner, Outcome

__all__ = ["OutcomeChecks"]

REPORT = METHODS[Claim.FEEDBACK]


class OutcomeChecks(Checks):
    """The part of the provider kit that is about outcomes."""

    @needs(Claim.FEEDBACK)
    def test_an_outcome_is_reported_once_and_taken_when_the_vendor_took_it(
        self, driven: Driven, server: Vendor
    ) -> None:
        """The answer is a bool and nothing like one; a provider that lets the core make codes has something to say."""
        hears = CodeOwner.CORE in driven.provider.capabilities.code_owners
        for count, outcome in enumerate(Outcome, 1):
            taken = driven.call(REPORT, self.handle, outcome, self.patience_s / 2)
            assert taken is True or (taken is False and not hears), taken
            assert len(server.requests) == count or not hears, server.requests
            assert len(server.requests) <= count, server.requests

    @needs(Claim.FEEDBACK)
    def test_an_outcome_without_a_usable_answer_is_not_taken(self, driven: Driven, server: Vendor, fault: str) -> None:
        """Made once on the wire, whatever happens there; nobody knows, so it is False."""
        taken = self._perform(driven, REPORT, server, fault)
        assert taken is False, f"{taken!r} without the vendor's own word; a 2xx alone may be a proxy's"
        assert len(server.requests) <= 1, server.requests

    @needs(Claim.FEEDBACK)
    def test_an_outcome_is_reported_within_its_deadline(self, driven: Driven, server: Vendor) -> None:
        """However slowly bytes arrive; and then nobody knows, so it is False."""
        self._ends_in_time(driven, server, REPORT)
