"""What becomes of a call on the wire: made once, within its deadline, and taken for what it was.

Rules of this file: as for `otpcore.conformance.provider.contract`.
"""

from __future__ import annotations

from otpcore.conformance.provider.checks import A_MOMENT_S, Checks
from otpcore.conformance.provider.driven import Colour, Driven
from otpcore.conformance.provider.requirement import Claim, needs
from otpcore.conformance.provider.vendor import Ending, Vendor, refused_port
from otpcore.ports import Accepted, CheckVerdict, Failure, FailureKind, SendEffect

__all__ = ["WireChecks"]


class WireChecks(Checks):
    """The part of the provider kit that is about the wire."""

    def test_the_vendor_of_the_tests_can_misbehave(self) -> None:
        """In each way that the contract speaks of; a provider that was never tried so is not proved."""
        assert {"stall", "cut"} <= {*self.scenarios}, "scenarios need a stall and a cut"
        assert self.scenarios["stall"] is Ending.SILENT
        assert self.scenarios["cut"] is Ending.UNKNOWN
        assert {Ending.NOT_SENT, Ending.MISCONFIGURED} <= {*self.scenarios.values()}, "scenarios need both refusals"

    def test_what_the_vendor_accepts_is_accepted_and_what_it_approves_is_approved(
        self, driven: Driven, server: Vendor, operation: str
    ) -> None:
        """Without this the other tests would prove nothing."""
        outcome = self._perform(driven, operation, server)
        assert isinstance(outcome, Accepted) or outcome.verdict is CheckVerdict.APPROVED, outcome
        assert len(server.requests) == 1, server.requests

    def test_a_call_is_made_once_on_the_wire(
        self, driven: Driven, server: Vendor, operation: str, scenario: str
    ) -> None:
        """No retry, by nobody: each replay may be a second message, and uses up the vendor's own limits."""
        self._perform(driven, operation, server, scenario)
        assert len(server.requests) <= 1, server.requests

    def test_a_call_on_a_used_connection_is_made_once(self, driven: Driven, server: Vendor, operation: str) -> None:
        """A pooled connection that ends is where libraries like to try again."""
        self._perform(driven, operation, server)
        self._perform(driven, operation, server, "cut")
        assert len(server.requests) <= 2, server.requests

    def test_a_call_without_a_usable_answer_is_unknown(
        self, driven: Driven, server: Vendor, operation: str, fault: str
    ) -> None:
        """The message may be on its way; the code may have been used up.

        Only a request that arrived counts: on a busy machine a deadline may pass before anything was sent.
        """
        outcome = self._perform(driven, operation, server, fault)
        assert self._is_unknown(outcome) or not server.requests, outcome

    def test_a_refused_connection_is_not_sent(self, colour: Colour, server: Vendor) -> None:
        """Nothing left the machine, so the user's quota is given back."""
        with refused_port() as port, self._drive(colour, self.origin_at(port), server) as driven:
            outcome = driven.send(self.send_request(driven.provider))
        assert isinstance(outcome, Failure), outcome
        assert outcome.effect is SendEffect.NOT_SENT, outcome

    def test_a_refusal_by_the_vendor_is_not_sent(self, driven: Driven, server: Vendor, refused: str) -> None:
        """A definite no (HTTP: any 4xx)."""
        outcome = self._perform(driven, "send", server, refused)
        assert isinstance(outcome, Failure), outcome
        assert outcome.effect is SendEffect.NOT_SENT, outcome

    def test_wrong_credentials_are_a_misconfiguration(self, driven: Driven, server: Vendor, denied: str) -> None:
        """An operator must hear of it, and another provider may be asked."""
        outcome = self._perform(driven, "send", server, denied)
        assert isinstance(outcome, Failure), outcome
        assert (outcome.kind, outcome.effect) == (FailureKind.MISCONFIGURED, SendEffect.NOT_SENT), outcome

    def test_a_call_returns_within_its_deadline(
        self, driven: Driven, server: Vendor, operation: str, slowness: str
    ) -> None:
        """The deadline is for the whole call, however slowly bytes arrive; `driven` fails a call that hangs.

        The first call is for what a provider makes once (an SDK's client); then a short deadline shows the same.
        """
        self._perform(driven, operation, server)
        outcome = self._perform(driven, operation, server, slowness, A_MOMENT_S)
        assert len(server.requests) <= 2, server.requests
        assert self._is_unknown(outcome) or len(server.requests) < 2, outcome

    @needs(Claim.AWAITED)
    def test_a_cancelled_task_closes_cleanly(self, driven: Driven, server: Vendor, colour: Colour) -> None:
        """Its connection ends, no task stays behind, and the provider serves the next call."""
        if colour == "awaited":
            self._let_go(driven, server, "send", self.send_request(driven.provider, self.patience_s))
            assert isinstance(self._perform(driven, "send", server), Accepted)
            assert len(server.requests) == 2

    def test_closing_twice_is_harmless(self, driven: Driven) -> None:
        """Also when nothing was ever sent."""
        driven.call("close")
        driven.call("close")
