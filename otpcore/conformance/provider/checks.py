"""What the checks of a provider share: what its author gives, and how a call is made.

Rules of this file: no check.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from otpcore.conformance.provider.driven import Colour, Driven
from otpcore.conformance.provider.elsewhere import Elsewhere, found_again
from otpcore.conformance.provider.http_vendor import SCENARIOS, HttpVendor, names_and_values
from otpcore.conformance.provider.misbehaving import WireAnswer, WireRequest, reply
from otpcore.conformance.provider.requirement import METHODS, Claim
from otpcore.conformance.provider.vendor import SERVE, Ending, Vendor
from otpcore.conformance.provider.workers import through_workers
from otpcore.ports import (
    Accepted,
    AsyncProvider,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    DeliveryState,
    Failure,
    InboundRequest,
    MessageText,
    Outcome,
    Provider,
    SendEffect,
    SendRequest,
)

__all__ = ["A_MOMENT_S", "CHANNELS", "REFUSALS", "SEND_ID", "TEXT", "Checks", "usual_channel"]

CHANNELS = frozenset({"sms", "call", "whatsapp", "email"})
"""Those that the core and its providers call so; an application asks for them by these names."""
REFUSALS = (400, 403, 404, 422, 429)
SEND_ID = "0198b5a4-4c3e-7000-8000-000000000001"
A_MOMENT_S = 0.2
"""A deadline for a vendor that says nothing, once a first call has made what a provider makes once."""
TEXT = "918273 is your code. It ends in 5 minutes.\n\n@example.com #918273"
"""The words of a message, the last line in the form that browsers read."""


class Checks:
    """What an author gives, in a subclass of `ProviderContract`, and how the checks use it.

    Attributes:
        colours: those that the provider has. A blocking one is awaited through worker threads, as the core does it.
        handle: an id such as the vendor gives to a verification or message, as in `answer`.
        recipient: a number (or address) for which `answer` answers well.
        address: an e-mail address for which it does, where the channel `email` is one of several.
        own_channels: those of its channels that are none of `CHANNELS`; its documentation says what they are.
        code: a code for which `answer` approves.
        success_field: the top-level field of a JSON body that decides a check, and
        success_value: the one value of it that approves.
        reconciled_field: the field, however deep in a JSON body, that says what became of a check, and
        reconciled_value: the one value of it that approves.
        extras: names of provider-specific parameters to try, where its capabilities do not say which it understands.
        own_words: codes of the core are delivered in the vendor's words, not in the core's.
        shared_connection: one connection carries many calls at once, so a cancelled one does not end it.
        tls: the vendor is at https://localhost, with the certificate of `http_vendor.CERTIFICATE`.
        scenarios: in which ways the vendor misbehaves, and what the provider must make of each.
        timeout_s: given with a request whose answer does not come.
        patience_s: a call that is away for longer counts as hung; other requests are given half of it. Nobody waits
            for it but a provider that hangs, so it is long: a busy machine is not taken for a slow vendor.
    """

    colours: ClassVar[tuple[Colour, ...]] = ("blocking", "awaited")
    handle: ClassVar[str] = ""
    recipient: ClassVar[str] = "+12025550123"
    address: ClassVar[str] = "jo.doe@example.org"
    own_channels: ClassVar[frozenset[str]] = frozenset()
    code: ClassVar[str] = "918273"
    success_field: ClassVar[str] = "status"
    success_value: ClassVar[object] = "approved"
    reconciled_field: ClassVar[str] = "status"
    reconciled_value: ClassVar[object] = "approved"
    extras: ClassVar[Sequence[str]] = ("kit",)
    own_words: ClassVar[bool] = False
    shared_connection: ClassVar[bool] = False
    tls: ClassVar[bool] = False
    scenarios: ClassVar[Mapping[str, Ending]] = MappingProxyType(
        {name: ending for name, (_, ending) in SCENARIOS.items()}
        | {f"refusal-{status}": Ending.NOT_SENT for status in REFUSALS}
        | {"unauthorised": Ending.MISCONFIGURED}
    )
    timeout_s: ClassVar[float] = 0.5
    patience_s: ClassVar[float] = 60.0

    # --- what the author gives ---

    def make(self, origin: str) -> Provider:
        """A blocking provider whose vendor is at `origin`."""
        raise NotImplementedError("ProviderContract needs make(origin): your blocking provider.")

    def make_async(self, origin: str) -> AsyncProvider:
        """An awaited provider whose vendor is at `origin`; by default the blocking one behind worker threads."""
        return through_workers(self.make(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        """What the vendor answers when all is well.

        A send is accepted, a check of `code` approved; the verification of `handle` is ended where that is asked, and
        was approved where that is; an outcome is taken.
        """
        raise NotImplementedError("ProviderContract needs answer(request): what the vendor says.")

    def refusal(self, status: int) -> WireAnswer:
        """How the vendor refuses with this HTTP status; the body may echo the recipient, as vendors do."""
        return WireAnswer.of_json(status, {"message": f"Invalid recipient {self.recipient} or code {self.code}"})

    def unauthorised(self) -> WireAnswer:
        """How the vendor answers to wrong credentials."""
        return WireAnswer.of_json(401, {"message": "unauthorised"})

    def vendor(self) -> AbstractContextManager[Vendor]:
        """The vendor, not yet serving: over HTTP unless the author brings another; see `Vendor`."""
        own = {f"refusal-{status}": reply(self.refusal(status)) for status in REFUSALS}
        return HttpVendor(self.answer, own | {"unauthorised": reply(self.unauthorised())}, tls=self.tls)

    def origin_at(self, port: int) -> str:
        """The origin of a vendor at this port of 127.0.0.1."""
        return f"https://localhost:{port}" if self.tls else f"http://127.0.0.1:{port}"

    def read(self, request: Any) -> Sequence[tuple[str, str]]:
        """What a vendor reads out of a request that arrived: every name, and its value, decoded whole.

        By default of an HTTP request: segments of the path, the query, headers, and a body that is a form or JSON.
        """
        return names_and_values(request)

    def receipt(self, state: DeliveryState, size: int = 0) -> InboundRequest:
        """What the vendor sends to the application about the message of `handle` to `recipient`; needed to read one.

        Args:
            state: what became of the message: DELIVERED or UNDELIVERED.
            size: the body has at least so many bytes, and is signed all the same.
        """
        raise NotImplementedError("a provider that has parse_receipt is proved with the vendor's own receipts")

    def opener(self, origin: str, colour: Colour) -> Callable[[], Any]:
        """What makes the provider in another process. It is pickled.

        By default this class is found again in its file by its name. Where it is not to be found there, or its file
        cannot be imported alone, return a `functools.partial` of a function of a module.
        """
        kind = type(self)
        file = sys.modules[kind.__module__].__file__ or ""
        return partial(found_again, file, kind.__qualname__, "make" if colour == "blocking" else "make_async", origin)

    # --- how it is driven ---

    @classmethod
    def claims(cls) -> frozenset[Claim]:
        """What the provider declares, and which of the optional methods it has."""
        contract = cls()
        make = contract.make if "blocking" in cls.colours else contract.make_async
        provider = make(contract.origin_at(9))
        owners = provider.capabilities.code_owners
        has = partial(_has, provider)
        holds = {
            **{claim: has(method) for claim, method in METHODS.items()},
            Claim.CHECKS: CodeOwner.PROVIDER in owners or has("check"),
            Claim.DELIVERS: CodeOwner.CORE in owners,
            Claim.WORDS: CodeOwner.CORE in owners and not cls.own_words,
            Claim.BY_RECIPIENT: provider.capabilities.check_by_recipient,
            Claim.AWAITED: "awaited" in cls.colours and cls.make_async is not Checks.make_async,
        }
        return frozenset(claim for claim, held in holds.items() if held)

    @contextmanager
    def _drive(self, colour: Colour, origin: str, server: Vendor) -> Generator[Driven]:
        provider = self.make(origin) if colour == "blocking" else self.make_async(origin)
        with Driven(provider, colour, self.patience_s, server.release) as driven:
            yield driven

    @pytest.fixture
    def server(self) -> Iterator[Vendor]:
        """The vendor; it behaves until another scenario is played."""
        with self.vendor() as server:
            yield server

    @pytest.fixture(scope="class")
    @classmethod
    def elsewhere(cls) -> Iterator[Elsewhere]:
        """Another process; one for the class, for to start one takes long."""
        with Elsewhere() as elsewhere:
            yield elsewhere

    @pytest.fixture
    def driven(self, colour: Colour, server: Vendor) -> Iterator[Driven]:
        """The provider, pointed at the server."""
        with self._drive(colour, server.origin, server) as driven:
            yield driven

    def send_request(self, provider: Provider | AsyncProvider, timeout_s: float | None = None) -> SendRequest:
        """A send that the provider should accept."""
        capabilities = provider.capabilities
        request = SendRequest(
            send_id=SEND_ID,
            recipient=self.recipient,
            channel=usual_channel(capabilities.channels),
            purpose="login",
            code=None,
            handle=None,
            expires_at=datetime.now(UTC) + timedelta(seconds=300),
            timeout_s=timeout_s or self.patience_s / 2,
        )
        return request if CodeOwner.PROVIDER in capabilities.code_owners else self.with_words(request)

    def with_words(self, request: SendRequest, text: str = TEXT) -> SendRequest:
        """The same send of a code of the core, with the core's words."""
        subject = "Your code" if request.channel == "email" else None
        words = MessageText(text, -(-len(text) // 67), "kit", "en", subject)
        return replace(request, code=self.code, message=words)

    def check_request(self, timeout_s: float | None = None) -> CheckRequest:
        """A check that the vendor approves."""
        return CheckRequest(self.handle, self.recipient, self.code, timeout_s or self.patience_s / 2)

    def _accepted(self, driven: Driven) -> str | None:
        outcome = driven.send(self.send_request(driven.provider))
        assert isinstance(outcome, Accepted), outcome
        return outcome.handle

    def _perform(
        self,
        driven: Driven,
        operation: str,
        server: Vendor,
        scenario: str | None = None,
        silence_s: float | None = None,
    ) -> Any:
        """Make a call of any operation; where no answer comes its deadline is short."""
        timeout_s = self.patience_s / 2
        if scenario is not None:
            server.play(scenario)
            if self.scenarios.get(scenario) is Ending.SILENT:
                timeout_s = silence_s or self.timeout_s
        match operation:
            case "send":
                return driven.send(self.send_request(driven.provider, timeout_s))
            case "check":
                return driven.check(self.check_request(timeout_s))
            case "report_outcome":
                return driven.ask(operation, self.handle, Outcome.APPROVED, timeout_s, lost=False)
            case _:
                lost = None if operation == METHODS[Claim.RECONCILES] else False
                return driven.ask(operation, self.handle, timeout_s, lost=lost)

    def _let_go(self, driven: Driven, server: Vendor, operation: str, *arguments: object) -> None:
        """Cancel a call that is on the wire."""
        server.play("stall")
        call = driven.begin(operation, *arguments)
        assert server.wait_for_requests(1, self.patience_s)
        call.cancel()
        if not self.shared_connection:
            assert server.wait_until_idle(self.patience_s / 8), "the connection of the cancelled call stays open"
            assert driven.tasks() == 0, "a task of the cancelled call is still alive"
        server.play(SERVE)

    def _is_made_once(self, driven: Driven, server: Vendor, operation: str) -> None:
        """One request for each call, on a new connection and on used ones; the silent scenarios are `_ends_in_time`."""
        for scenario in (SERVE, *self._scenarios(*{*Ending} - {Ending.SILENT}), SERVE, "cut"):
            before = len(server.requests)
            self._perform(driven, operation, server, scenario)
            made = len(server.requests) - before
            assert made == 1 or (made == 0 and scenario != SERVE), (scenario, server.requests[before:])

    def _ends_in_time(self, driven: Driven, server: Vendor, operation: str) -> None:
        """A silent vendor keeps nobody longer than the deadline, is asked once, and has said nothing."""
        self._perform(driven, operation, server)
        for count, slowness in enumerate(self._scenarios(Ending.SILENT), 2):
            answer = self._perform(driven, operation, server, slowness, A_MOMENT_S)
            assert self._is_unknown(answer), (slowness, answer)
            assert len(server.requests) <= count, (slowness, server.requests)

    def _operations(self) -> list[str]:
        """What the provider can be asked for over the wire, by the names of its methods."""
        later = (Claim.CHECKS, Claim.CANCELS, Claim.RECONCILES, Claim.FEEDBACK)
        return ["send", *(METHODS[claim] for claim in later if claim in self.claims())]

    def _scenarios(self, *endings: Ending) -> list[str]:
        """The names of the scenarios that end so."""
        return [name for name, ending in self.scenarios.items() if ending in endings]

    def _is_unknown(self, outcome: Any) -> bool:
        if isinstance(outcome, Failure):
            return outcome.effect is SendEffect.UNKNOWN
        return outcome is None or outcome is False or getattr(outcome, "verdict", None) is CheckVerdict.UNKNOWN


def usual_channel(channels: frozenset[str]) -> str:
    """The channel on which a provider is tried: SMS where it serves that."""
    return "sms" if "sms" in channels else min(channels)


def _has(provider: object, name: str) -> bool:
    return callable(getattr(provider, name, None))
