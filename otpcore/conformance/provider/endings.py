"""How a provider ends a verification at its vendor.

Rules of this file: as for `otpcore.conformance.provider.contract`.
"""

from __future__ import annotations

from functools import partial

from otpcore.conformance.provider.checks import Checks
from otpcore.conformance.provider.driven import Colour, Driven
from otpcore.conformance.provider.elsewhere import Elsewhere
from otpcore.conformance.provider.requirement import METHODS, Claim, needs
from otpcore.conformance.provider.vendor import SERVE, Ending, Vendor, refused_port

__all__ = ["EndingChecks"]

CANCEL = METHODS[Claim.CANCELS]


def _a_handle(timeout_s: float, handle: str) -> tuple[str, float]:
    return handle, timeout_s


class EndingChecks(Checks):
    """The part of the provider kit that is about `cancel`."""

    @needs(Claim.CANCELS)
    def test_what_the_vendor_ended_is_ended(self, driven: Driven, server: Vendor) -> None:
        """The answer is True, and nothing like it; without this the other tests would prove nothing."""
        assert self._perform(driven, CANCEL, server) is True
        assert server.requests, "it was not asked"

    @needs(Claim.CANCELS)
    def test_a_cancel_is_made_once_on_the_wire(self, driven: Driven, server: Vendor) -> None:
        """Whatever the vendor does, on a new connection and on a used one."""
        self._is_made_once(driven, server, CANCEL)

    @needs(Claim.CANCELS)
    def test_a_cancel_returns_within_its_deadline(self, driven: Driven, server: Vendor) -> None:
        """However slowly bytes arrive; and then nobody knows, so it is False."""
        self._ends_in_time(driven, server, CANCEL)

    @needs(Claim.CANCELS)
    def test_a_cancel_without_a_usable_answer_ended_nothing(
        self, driven: Driven, server: Vendor, colour: Colour
    ) -> None:
        """Nobody knows, so it is False."""
        for fault in self._scenarios(Ending.UNKNOWN):
            assert self._perform(driven, CANCEL, server, fault) is False, fault
        with refused_port() as port, self._drive(colour, self.origin_at(port), server) as nowhere:
            assert self._perform(nowhere, CANCEL, server, SERVE) is False, "nobody listens"

    @needs(Claim.CANCELS)
    def test_a_handle_is_cancelled_in_another_process(
        self, driven: Driven, server: Vendor, colour: Colour, elsewhere: Elsewhere
    ) -> None:
        """The same vendor's word, wherever it is asked: what ends here ends there."""
        here = driven.call(CANCEL, self._accepted(driven), self.patience_s / 2)
        before = len(server.requests)
        ask = partial(_a_handle, self.patience_s / 2)
        opener = self.opener(server.origin, colour)
        there = elsewhere.call(opener, ask, CANCEL, self._accepted(driven) or "", self.patience_s)
        assert there is here, (here, there)
        assert len(server.requests) - before == before, server.requests
