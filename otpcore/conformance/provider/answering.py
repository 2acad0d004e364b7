"""What a provider says of itself and of its vendor's answers: handles, approvals, capabilities, and what shows.

Rules of this file: as for `otpcore.conformance.provider.contract`.
"""

from __future__ import annotations

import inspect
import json
import logging
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otpcore.conformance.provider.driven import Colour, Driven
from otpcore.conformance.provider.elsewhere import call_elsewhere
from otpcore.conformance.provider.misbehaving import MisbehavingServer, WireAnswer, reply
from otpcore.conformance.provider.requirement import Checks, Claim, needs
from otpcore.conformance.provider.vendor import SERVE, Ending, Vendor
from otpcore.ports import (
    Accepted,
    AsyncProvider,
    AsyncReconcilesCheck,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    Provider,
    ProviderCapabilities,
)

__all__ = ["AnsweringChecks"]

_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


def _near(success: object) -> st.SearchStrategy[Any]:
    """Values that are not the success, some of them close to it."""
    text = str(success)
    close = [text.upper(), text.title(), f"{text} ", f" {text}", text[:-1], f"{text}d", [success], {text: success}, ""]
    return st.sampled_from([value for value in [*close, True, 1, None] if value != success]) | _anything.filter(
        lambda value: value != success
    )


def _a_check(recipient: str, code: str, timeout_s: float, handle: str) -> tuple[CheckRequest]:
    return (CheckRequest(handle, recipient, code, timeout_s),)


def _a_handle(timeout_s: float, handle: str) -> tuple[str, float]:
    return handle, timeout_s


class AnsweringChecks(Checks):
    """The part of the provider kit that is about what a provider says."""

    def _accepted(self, driven: Driven) -> str | None:
        outcome = driven.send(self.send_request(driven.provider))
        assert isinstance(outcome, Accepted), outcome
        return outcome.handle

    def test_a_handle_survives_json(self, driven: Driven) -> None:
        """It is stored in the recipient's record."""
        handle = self._accepted(driven)
        assert handle is None or (type(handle) is str and json.loads(json.dumps(handle)) == handle), type(handle)
        assert handle is None or (0 < len(handle) <= 100 and handle.isascii() and handle.isprintable()), len(handle)

    @needs(Claim.CHECKS)
    def test_a_handle_is_checked_in_another_process(self, driven: Driven, server: Vendor, colour: Colour) -> None:
        """A restart, or another replica: whatever opens the verification is in the handle."""
        handle = self._accepted(driven)
        assert handle is not None, "a provider that owns codes gives a handle"
        ask = partial(_a_check, self.recipient, self.code, self.patience_s / 2)
        found = call_elsewhere(self.opener(server.origin, colour), ask, "check", handle, self.patience_s)
        assert found is CheckVerdict.APPROVED, found

    @needs(Claim.CANCELS)
    def test_a_handle_is_cancelled_in_another_process(self, driven: Driven, server: Vendor, colour: Colour) -> None:
        """The same vendor's word, wherever it is asked: what ends here ends there."""
        here = driven.call("cancel", self._accepted(driven), self.patience_s / 2)
        before = len(server.requests)
        ask = partial(_a_handle, self.patience_s / 2)
        opener = self.opener(server.origin, colour)
        there = call_elsewhere(opener, ask, "cancel", self._accepted(driven) or "", self.patience_s)
        assert there is here, (here, there)
        assert len(server.requests) - before == before, server.requests

    def test_what_is_declared_is_implemented(self, driven: Driven, colour: Colour) -> None:
        """The core goes by capabilities; a caller by methods; both must see the same provider."""
        provider: Any = driven.provider
        capabilities: ProviderCapabilities = provider.capabilities
        assert isinstance(provider, Provider if colour == "blocking" else AsyncProvider)
        assert capabilities == provider.capabilities
        assert capabilities.channels
        assert capabilities.code_owners
        checks = callable(getattr(provider, "check", None))
        assert checks == (CodeOwner.PROVIDER in capabilities.code_owners), "code owner PROVIDER means `check`"
        assert checks or not capabilities.check_by_recipient, "a check by recipient needs `check`"
        assert checks or not isinstance(provider, AsyncReconcilesCheck), "`reconcile_check` needs `check`"
        assert not checks or capabilities.code_lifetime, "a provider that owns codes says how long they live"
        for name in ("send", "check", "cancel", "reconcile_check", "report_outcome", "close"):
            method = getattr(provider, name, None)
            assert method is None or inspect.iscoroutinefunction(method) == (colour == "awaited"), name

    def test_no_code_and_no_number_is_shown(
        self, driven: Driven, server: Vendor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not in a log at any level, not in an exception, not in a `repr`, though the vendor's own text holds both."""
        operations = ("send", "check") if callable(getattr(driven.provider, "check", None)) else ("send",)
        shown: list[str] = []
        slow = {Ending.SILENT, Ending.ANY}
        quick = [name for name, ending in self.scenarios.items() if ending not in slow or name == "stall"]
        with caplog.at_level(logging.NOTSET):
            for scenario in (SERVE, *quick):
                shown += [repr(self._perform(driven, operation, server, scenario)) for operation in operations]
        counted = dict.fromkeys(("created", "msecs", "relativeCreated", "thread", "process"))  # logging's own digits
        shown += [driven.texts(), caplog.text, *(repr(vars(record) | counted) for record in caplog.records)]
        everything = "\n".join(shown)
        assert self.code not in everything, "the code is shown"
        assert self.recipient.lstrip("+") not in everything, "the number is shown"

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
        document: dict[str, Any] = json.loads(approval.body)
        bodies = (
            _near(self.success_value).map(lambda value: {**document, self.success_field: value})
            | st.just({name: value for name, value in document.items() if name != self.success_field})
            | _anything
        ).map(lambda value: json.dumps(value).encode())
        answers = (
            bodies.map(lambda body: replace(approval, body=body))
            | st.binary(max_size=20).map(lambda body: replace(approval, body=body))
            | st.sampled_from([400, 404, 429, 500, 503]).map(lambda status: replace(approval, status=status))
        )

        @settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
        @given(answer=answers)
        def approves_nothing(answer: WireAnswer) -> None:
            server.scenario = reply(answer)
            assert driven.check(asked).verdict is not CheckVerdict.APPROVED, answer

        approves_nothing()
