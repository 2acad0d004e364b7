"""What a provider says when it is asked later what became of a check: it may approve, so it is held like a check.

Rules of this file: as for `otpcore.conformance.provider.contract`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings

from otpcore.conformance.provider.checks import Checks
from otpcore.conformance.provider.driven import Colour, Driven
from otpcore.conformance.provider.misbehaving import MisbehavingServer, WireAnswer, reply
from otpcore.conformance.provider.near import near_answers, of_others
from otpcore.conformance.provider.requirement import METHODS, Claim, needs
from otpcore.conformance.provider.vendor import SERVE, Ending, Vendor, refused_port
from otpcore.ports import CheckAnswer, CheckVerdict

__all__ = ["ReconcileChecks"]

RECONCILE = METHODS[Claim.RECONCILES]


def _approves(answer: object) -> bool:
    return getattr(answer, "verdict", None) is CheckVerdict.APPROVED


class ReconcileChecks(Checks):
    """The part of the provider kit that is about `reconcile_check`."""

    def _reconciled(self, driven: Driven, server: Vendor, scenario: str | None = None) -> Any:
        """An answer, or None: "cannot say" is nothing else."""
        answer = self._perform(driven, RECONCILE, server, scenario)
        assert answer is None or isinstance(answer, CheckAnswer), answer
        return answer

    @needs(Claim.RECONCILES)
    def test_what_the_vendor_approved_is_approved_later(self, driven: Driven, server: Vendor) -> None:
        """Without this the other tests would prove nothing."""
        answer = self._reconciled(driven, server)
        assert _approves(answer), answer
        assert server.requests, "it was not asked"

    @needs(Claim.RECONCILES)
    def test_a_check_is_reconciled_once_on_the_wire(self, driven: Driven, server: Vendor) -> None:
        """Whatever the vendor does, on a new connection and on a used one."""
        self._is_made_once(driven, server, RECONCILE)

    @needs(Claim.RECONCILES)
    def test_a_check_is_reconciled_within_its_deadline(self, driven: Driven, server: Vendor) -> None:
        """However slowly bytes arrive; and then nobody can say."""
        self._ends_in_time(driven, server, RECONCILE)

    @needs(Claim.RECONCILES)
    def test_a_check_that_cannot_be_reconciled_approves_nobody(
        self, driven: Driven, server: Vendor, colour: Colour
    ) -> None:
        """Without a usable answer it is None or UNKNOWN; a refusal may say more, and never that it was approved."""
        for scenario, ending in self.scenarios.items():
            if ending is not Ending.SILENT:
                answer = self._reconciled(driven, server, scenario)
                assert not _approves(answer), scenario
                assert ending is not Ending.UNKNOWN or self._is_unknown(answer), (scenario, answer)
        with refused_port() as port, self._drive(colour, self.origin_at(port), server) as nowhere:
            assert self._is_unknown(self._reconciled(nowhere, server, SERVE)), "nobody listens"

    @needs(Claim.RECONCILES)
    def test_only_the_literal_word_about_this_handle_approves_later(self, driven: Driven, server: Vendor) -> None:
        """Fuzzed answers: near misses of the deciding field, the word about another handle, other documents."""
        assert isinstance(server, MisbehavingServer), (
            "a provider that reconciles checks over another wire proves this itself"
        )
        self._reconciled(driven, server)
        approval = self.answer(server.requests[-1])

        def approves_nobody(answer: WireAnswer) -> None:
            server.scenario = reply(answer)
            found = driven.ask(RECONCILE, self.handle, self.patience_s / 2, lost=None)
            assert not _approves(found), answer

        for other in of_others(approval, self.handle):
            approves_nobody(other)

        @settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
        @given(answer=near_answers(approval, self.reconciled_field, self.reconciled_value))
        def approves_nothing(answer: WireAnswer) -> None:
            approves_nobody(answer)

        approves_nothing()

    @needs(Claim.RECONCILES, Claim.AWAITED)
    def test_a_cancelled_reconciliation_closes_cleanly(self, driven: Driven, server: Vendor, colour: Colour) -> None:
        """Its connection ends, no task stays behind, and the provider answers the next call."""
        if colour == "awaited":
            self._let_go(driven, server, RECONCILE, self.handle, self.patience_s)
            assert _approves(self._reconciled(driven, server))
            assert len(server.requests) == 2
