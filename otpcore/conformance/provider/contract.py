"""What every provider must keep, as tests that a provider's author runs in a subclass.

    class TestMyProvider(ProviderContract):
        handle = "req_0001"

        def make(self, origin): return MyProvider(MySettings(origin=origin, key="k" * 32))
        def make_async(self, origin): return AsyncMyProvider(MySettings(origin=origin, key="k" * 32))
        def answer(self, request): return WireAnswer.of_json(200, {"id": self.handle, "status": "ok"})

Rules of this file: each test states one property and is red for a provider that breaks that property alone
(the project keeps such a provider for each). A provider is judged by its answers and by what reaches the
wire, never by its code.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otpcore.conformance.provider.afterwards import AfterwardsChecks
from otpcore.conformance.provider.driven import Colour, Driven
from otpcore.conformance.provider.misbehaving import (
    FAULTS,
    MisbehavingServer,
    WireAnswer,
    WireRequest,
    drip_body,
    drip_headers,
    refused_origin,
    reply,
    serve,
    stall,
)
from otpcore.ports import (
    Accepted,
    AsyncProvider,
    AsyncReconcilesCheck,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    Failure,
    FailureKind,
    Provider,
    ProviderCapabilities,
    SendEffect,
    SendRequest,
)

__all__ = ["ProviderContract"]

_ONCE = {
    **FAULTS,
    "served": serve,
    "429": reply(WireAnswer(429, headers={"Content-Type": "application/json", "Retry-After": "0"})),
    "redirect": reply(WireAnswer(307, headers={"Location": "/elsewhere"})),
}
_SLOW = {"stall": stall, "drip-headers": drip_headers, "drip-body": drip_body}
_REFUSALS = (400, 403, 404, 422, 429)

_OPERATIONS = ("send", "check")

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


class ProviderContract(AfterwardsChecks):
    """Subclass it, name the subclass `Test…`, and run pytest.

    Attributes:
        colours: those that the provider has.
        handle: an id such as the vendor gives to a verification or message, as in `answer`.
        recipient: a number for which `answer` answers well.
        code: a code for which `answer` approves.
        success_field: the top-level field of a JSON body that decides a check, and
        success_value: the one value of it that approves.
        timeout_s: given with a request whose answer does not come.
        patience_s: a call that is away for longer counts as hung; other requests are given half of it, so that
            a busy machine is not taken for a slow vendor.
    """

    colours: ClassVar[tuple[Colour, ...]] = ("blocking", "awaited")
    handle: ClassVar[str] = ""
    recipient: ClassVar[str] = "+12025550123"
    code: ClassVar[str] = "918273"
    success_field: ClassVar[str] = "status"
    success_value: ClassVar[object] = "approved"
    timeout_s: ClassVar[float] = 0.5
    patience_s: ClassVar[float] = 8.0

    # --- what the author gives ---

    def make(self, origin: str) -> Provider:
        """A blocking provider whose vendor is at `origin`."""
        raise NotImplementedError("ProviderContract needs make(origin): your blocking provider.")

    def make_async(self, origin: str) -> AsyncProvider:
        """An awaited provider whose vendor is at `origin`."""
        raise NotImplementedError("ProviderContract needs make_async(origin): your awaited provider.")

    def answer(self, request: WireRequest) -> WireAnswer:
        """What the vendor answers when all is well: a send is accepted, a check of `code` approved."""
        raise NotImplementedError("ProviderContract needs answer(request): what the vendor says.")

    def refusal(self, status: int) -> WireAnswer:
        """How the vendor refuses with this HTTP status; the body may echo the recipient, as vendors do."""
        return WireAnswer.of_json(status, {"message": f"Invalid recipient {self.recipient} or code {self.code}"})

    def unauthorised(self) -> WireAnswer:
        """How the vendor answers to wrong credentials."""
        return WireAnswer.of_json(401, {"message": "unauthorised"})

    # --- how it is driven ---

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test in every colour, and tests of checks only where the provider checks."""
        if "colour" in metafunc.fixturenames:
            metafunc.parametrize("colour", self.colours)
        if "operation" in metafunc.fixturenames:
            metafunc.parametrize("operation", _OPERATIONS if self._owns_codes() else ("send",))

    def _owns_codes(self) -> bool:
        made = self.make if "blocking" in self.colours else self.make_async
        return CodeOwner.PROVIDER in made("http://127.0.0.1:9").capabilities.code_owners

    @pytest.fixture
    def server(self) -> Iterator[MisbehavingServer]:
        """The vendor; it behaves until its scenario is changed."""
        with MisbehavingServer(self.answer) as server:
            yield server

    @pytest.fixture
    def driven(self, colour: Colour, server: MisbehavingServer) -> Iterator[Driven]:
        """The provider, pointed at the server."""
        with self._drive(colour, server.origin, server) as driven:
            yield driven

    @contextmanager
    def _drive(self, colour: Colour, origin: str, server: MisbehavingServer) -> Generator[Driven]:
        provider = self.make(origin) if colour == "blocking" else self.make_async(origin)
        with Driven(provider, colour, self.patience_s, server.release) as driven:
            yield driven

    def send_request(self, provider: Provider | AsyncProvider, timeout_s: float | None = None) -> SendRequest:
        """A send that the provider should accept."""
        capabilities = provider.capabilities
        return SendRequest(
            send_id="0198b5a4-4c3e-7000-8000-000000000001",
            recipient=self.recipient,
            channel="sms" if "sms" in capabilities.channels else min(capabilities.channels),
            purpose="login",
            code=None if CodeOwner.PROVIDER in capabilities.code_owners else self.code,
            handle=None,
            expires_at=datetime.now(UTC) + timedelta(seconds=300),
            timeout_s=timeout_s or self.patience_s / 2,
        )

    def check_request(self, timeout_s: float | None = None) -> CheckRequest:
        """A check that the vendor approves."""
        return CheckRequest(self.handle, self.recipient, self.code, timeout_s or self.patience_s / 2)

    def _perform(self, driven: Driven, operation: str, server: MisbehavingServer) -> Any:
        timeout_s = self.timeout_s if server.scenario in _SLOW.values() else None
        if operation == "send":
            return driven.send(self.send_request(driven.provider, timeout_s))
        return driven.check(self.check_request(timeout_s))

    def _is_unknown(self, outcome: Any) -> bool:
        if isinstance(outcome, Failure):
            return outcome.effect is SendEffect.UNKNOWN
        return getattr(outcome, "verdict", None) is CheckVerdict.UNKNOWN

    # --- the properties ---

    def test_what_the_vendor_accepts_is_accepted_and_what_it_approves_is_approved(
        self, driven: Driven, server: MisbehavingServer, operation: str
    ) -> None:
        """Without this the other tests would prove nothing."""
        outcome = self._perform(driven, operation, server)
        assert isinstance(outcome, Accepted) or outcome.verdict is CheckVerdict.APPROVED, outcome

    @pytest.mark.parametrize("fault", _ONCE)
    def test_a_call_is_made_once_on_the_wire(
        self, driven: Driven, server: MisbehavingServer, operation: str, fault: str
    ) -> None:
        """No retry, by nobody: each replay may be a second message, and uses up the vendor's own limits."""
        server.scenario = _ONCE[fault]
        self._perform(driven, operation, server)
        assert len(server.requests) <= 1, server.requests

    @pytest.mark.parametrize("fault", ["stall", "cut"])
    def test_a_call_on_a_used_connection_is_made_once(
        self, driven: Driven, server: MisbehavingServer, operation: str, fault: str
    ) -> None:
        """A pooled connection that ends is where HTTP libraries like to try again."""
        self._perform(driven, operation, server)
        server.scenario = FAULTS[fault]
        self._perform(driven, operation, server)
        assert len(server.requests) <= 2, server.requests

    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_call_without_a_usable_answer_is_unknown(
        self, driven: Driven, server: MisbehavingServer, operation: str, fault: str
    ) -> None:
        """The message may be on its way; the code may have been used up.

        Only a request that arrived counts: on a busy machine a deadline may pass before anything was sent.
        """
        server.scenario = FAULTS[fault]
        outcome = self._perform(driven, operation, server)
        assert self._is_unknown(outcome) or not server.requests, outcome

    def test_a_refused_connection_is_not_sent(self, colour: Colour, server: MisbehavingServer) -> None:
        """Nothing left the machine, so the user's quota is given back."""
        with refused_origin() as origin, self._drive(colour, origin, server) as driven:
            outcome = driven.send(self.send_request(driven.provider))
        assert isinstance(outcome, Failure), outcome
        assert outcome.effect is SendEffect.NOT_SENT, outcome

    @pytest.mark.parametrize("status", _REFUSALS)
    def test_a_refusal_by_the_vendor_is_not_sent(self, driven: Driven, server: MisbehavingServer, status: int) -> None:
        """A 4xx is a definite no."""
        server.scenario = reply(self.refusal(status))
        outcome = driven.send(self.send_request(driven.provider))
        assert isinstance(outcome, Failure), outcome
        assert outcome.effect is SendEffect.NOT_SENT, outcome

    def test_wrong_credentials_are_a_misconfiguration(self, driven: Driven, server: MisbehavingServer) -> None:
        """An operator must hear of it, and another provider may be asked."""
        server.scenario = reply(self.unauthorised())
        outcome = driven.send(self.send_request(driven.provider))
        assert isinstance(outcome, Failure), outcome
        assert (outcome.kind, outcome.effect) == (FailureKind.MISCONFIGURED, SendEffect.NOT_SENT), outcome

    @pytest.mark.parametrize("slowness", _SLOW)
    def test_a_call_returns_within_its_deadline(
        self, driven: Driven, server: MisbehavingServer, operation: str, slowness: str
    ) -> None:
        """The deadline is for the whole call, however slowly bytes arrive; `driven` fails a call that hangs."""
        server.scenario = _SLOW[slowness]
        outcome = self._perform(driven, operation, server)
        assert not isinstance(outcome, Accepted), outcome

    def test_a_handle_survives_json(self, driven: Driven) -> None:
        """It is stored in the recipient's record."""
        outcome = driven.send(self.send_request(driven.provider))
        assert isinstance(outcome, Accepted), outcome
        handle = outcome.handle
        assert handle is None or (type(handle) is str and json.loads(json.dumps(handle)) == handle), type(handle)
        assert handle is None or (0 < len(handle) <= 100 and handle.isascii() and handle.isprintable()), len(handle)

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
        self, driven: Driven, server: MisbehavingServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not in a log at any level, not in an exception, not in a `repr`, though the vendor's own text holds both."""
        operations = ("send", "check") if callable(getattr(driven.provider, "check", None)) else ("send",)
        shown: list[str] = []
        with caplog.at_level(logging.NOTSET):
            for scenario in (serve, reply(self.refusal(400)), reply(self.refusal(429)), *FAULTS.values()):
                server.scenario = scenario
                shown += [repr(self._perform(driven, operation, server)) for operation in operations]
        counted = dict.fromkeys(("created", "msecs", "relativeCreated", "thread", "process"))  # logging's own digits
        shown += [driven.texts(), caplog.text, *(repr(vars(record) | counted) for record in caplog.records)]
        everything = "\n".join(shown)
        assert self.code not in everything, "the code is shown"
        assert self.recipient.lstrip("+") not in everything, "the number is shown"

    def test_only_the_literal_success_approves(self, driven: Driven, server: MisbehavingServer) -> None:
        """Fuzzed answers to a check: near misses of the deciding field, other documents, other statuses."""
        if not callable(getattr(driven.provider, "check", None)):
            return
        asked = self.check_request()
        driven.check(asked)
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

    def test_a_cancelled_task_closes_cleanly(self, driven: Driven, server: MisbehavingServer, colour: Colour) -> None:
        """Its connection ends, no task stays behind, and the provider serves the next call."""
        if colour == "blocking":
            return
        server.scenario = stall
        call = driven.begin("send", self.send_request(driven.provider, self.patience_s))
        assert server.wait_for_requests(1, self.patience_s)
        call.cancel()
        assert server.wait_until_idle(self.patience_s / 2), "the connection of the cancelled call stays open"
        assert driven.tasks() == 0, "a task of the cancelled call is still alive"
        server.scenario = serve
        assert isinstance(driven.send(self.send_request(driven.provider)), Accepted)
        assert len(server.requests) == 2

    def test_closing_twice_is_harmless(self, driven: Driven) -> None:
        """Also when nothing was ever sent."""
        driven.call("close")
        driven.call("close")
