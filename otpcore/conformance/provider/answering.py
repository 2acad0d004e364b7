"""What a provider says of itself and of its vendor's answers: handles, approvals, capabilities, and what shows.

Rules of this file: as for `otpcore.conformance.provider.contract`.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings

from otpcore.conformance.provider.checks import Checks
from otpcore.conformance.provider.driven import Colour, Driven
from otpcore.conformance.provider.elsewhere import Elsewhere
from otpcore.conformance.provider.misbehaving import MisbehavingServer, WireAnswer, reply
from otpcore.conformance.provider.near import near_answers, of_others
from otpcore.conformance.provider.requirement import Claim, needs
from otpcore.conformance.provider.vendor import Ending, Vendor
from otpcore.ports import (
    AsyncProvider,
    AsyncReconcilesCheck,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    Provider,
    ProviderCapabilities,
)

__all__ = ["AnsweringChecks"]


def _a_check(recipient: str, code: str, timeout_s: float, handle: str) -> tuple[CheckRequest]:
    return (CheckRequest(handle, recipient, code, timeout_s),)


class AnsweringChecks(Checks):
    """The part of the provider kit that is about what a provider says."""

    def test_a_handle_survives_json(self, driven: Driven) -> None:
        """It is stored in the recipient's record."""
        handle = self._accepted(driven)
        assert handle is None or (type(handle) is str and json.loads(json.dumps(handle)) == handle), type(handle)
        assert handle is None or (0 < len(handle) <= 100 and handle.isascii() and handle.isprintable()), len(handle)

    @needs(Claim.CHECKS)
    def test_a_handle_is_checked_in_another_process(
        self, driven: Driven, server: Vendor, colour: Colour, elsewhere: Elsewhere
    ) -> None:
        """A restart, or another replica: whatever opens the verification is in the handle."""
        handle = self._accepted(driven)
        assert handle is not None, "a provider that owns codes gives a handle"
        ask = partial(_a_check, self.recipient, self.code, self.patience_s / 2)
        found = elsewhere.call(self.opener(server.origin, colour), ask, "check", handle, self.patience_s)
        assert found is CheckVerdict.APPROVED, found

    @needs(Claim.CHECKS, Claim.BY_RECIPIENT)
    def test_a_check_by_recipient_needs_no_handle(self, driven: Driven, server: Vendor) -> None:
        """Where the answer to the first send was lost. Made once, and unknown where there is no usable answer."""
        asked = replace(self.check_request(), handle=None)
        answer = driven.check(asked)
        assert answer.verdict is CheckVerdict.APPROVED, driven.raised or answer
        assert len(server.requests) == 1, server.requests
        for count, fault in enumerate(self._scenarios(Ending.UNKNOWN), 2):
            server.play(fault)
            assert driven.check(asked).verdict is CheckVerdict.UNKNOWN, fault
            assert len(server.requests) <= count, (fault, server.requests)

    def test_what_is_declared_is_implemented(self, driven: Driven, colour: Colour) -> None:
        """The core goes by capabilities; a caller by methods; both must see the same provider."""
        provider: Any = driven.provider
        capabilities: ProviderCapabilities = provider.capabilities
        assert isinstance(provider, Provider if colour == "blocking" else AsyncProvider)
        assert capabilities == provider.capabilities
        assert capabilities.channels
        assert capabilities.code_owners
        assert isinstance(capabilities.extra_names, frozenset | None), "a text would be a name for each letter of it"
        checks = callable(getattr(provider, "check", None))
        assert checks == (CodeOwner.PROVIDER in capabilities.code_owners), "code owner PROVIDER means `check`"
        assert checks or not capabilities.check_by_recipient, "a check by recipient needs `check`"
        assert checks or not isinstance(provider, AsyncReconcilesCheck), "`reconcile_check` needs `check`"
        assert not checks or capabilities.code_lifetime, "a provider that owns codes says how long they live"
        for name in ("send", "check", "cancel", "reconcile_check", "report_outcome", "close"):
            method = getattr(provider, name, None)
            assert method is None or inspect.iscoroutinefunction(method) == (colour == "awaited"), name

    @needs(Claim.CHECKS)
    def test_only_the_literal_success_approves(self, driven: Driven, server: Vendor) -> None:
        """Fuzzed answers to a check: near misses of the deciding field, other documents, other statuses."""
        assert isinstance(server, MisbehavingServer), (
            "a provider that checks codes over another wire proves this itself"
        )
        asked = self.check_request()
        driven.check(asked)
        assert server.requests, "no check arrived within its deadline"
        approval = self.answer(server.requests[-1])

        @settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
        @given(answer=near_answers(approval, self.success_field, self.success_value))
        def approves_nothing(answer: WireAnswer) -> None:
            server.scenario = reply(answer)
            assert driven.check(asked).verdict is not CheckVerdict.APPROVED, answer

        approves_nothing()

    @needs(Claim.CHECKS)
    def test_the_word_about_another_verification_approves_nobody(self, driven: Driven, server: Vendor) -> None:
        """Where the vendor's answer names the verification, it has to be the one that was asked about."""
        if not isinstance(server, MisbehavingServer):
            return  # over another wire the provider proves this itself, with the literal success
        asked = self.check_request()
        driven.check(asked)
        approval = self.answer(server.requests[-1])
        for other in of_others(approval, self.handle):
            server.scenario = reply(other)
            assert driven.check(asked).verdict is not CheckVerdict.APPROVED, other
