"""What the checks of a provider share: what its author gives, which claims bring checks in, how a call is made.

Rules of this file: no check.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, cast

import pytest

from otpcore.conformance.provider.driven import Colour, Driven
from otpcore.conformance.provider.elsewhere import found_again
from otpcore.conformance.provider.http_vendor import SCENARIOS, HttpVendor, names_and_values
from otpcore.conformance.provider.misbehaving import WireAnswer, WireRequest, reply
from otpcore.conformance.provider.vendor import Ending, Vendor
from otpcore.conformance.provider.workers import through_workers
from otpcore.ports import (
    AsyncProvider,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    DeliveryState,
    Failure,
    InboundRequest,
    MessageText,
    Provider,
    SendEffect,
    SendRequest,
)

__all__ = [
    "METHODS",
    "REFUSALS",
    "SEND_ID",
    "TEXT",
    "Checks",
    "Claim",
    "Requirement",
    "needs",
    "requirements",
    "usual_channel",
]

REFUSALS = (400, 403, 404, 422, 429)
SEND_ID = "0198b5a4-4c3e-7000-8000-000000000001"
TEXT = "918273 is your code. It ends in 5 minutes.\n\n@example.com #918273"
"""The words of a message, the last line in the form that browsers read."""


class Claim(StrEnum):
    """A property that not every provider has; a check that needs one is there only where the provider has it."""

    CHECKS = "checks"  # it compares codes
    CANCELS = "cancels"  # it ends verifications
    RECONCILES = "reconciles"  # it can be asked later what became of a check
    FEEDBACK = "feedback"  # its vendor hears what became of a code of the core
    RECEIPTS = "receipts"  # its vendor tells what became of messages
    DELIVERS = "delivers"  # it delivers codes of the core
    WORDS = "words"  # it delivers the words that the core made, as they are
    AWAITED = "awaited"  # it awaits by itself, in no thread


METHODS: Mapping[Claim, str] = MappingProxyType(
    {
        Claim.CHECKS: "check",
        Claim.CANCELS: "cancel",
        Claim.RECONCILES: "reconcile_check",
        Claim.FEEDBACK: "report_outcome",
        Claim.RECEIPTS: "parse_receipt",
    }
)
"""The optional methods of a provider, by the claim that each makes."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence that a provider must fulfil.

    Attributes:
        name: of the test.
        sentence: the requirement.
        needs: the claims that together bring it in; none: it holds of every provider.
    """

    name: str
    sentence: str
    needs: frozenset[Claim]


F = TypeVar("F", bound=Callable[..., None])
NEEDS = "otpcore_needs"


def needs(*claims: Claim) -> Callable[[F], F]:
    """A check that is there only for a provider that has these properties."""

    def mark(test: F) -> F:
        setattr(test, NEEDS, frozenset(claims))
        return test

    return mark


def requirements(contract: type) -> Iterator[Requirement]:
    """Every requirement that a contract class knows, claimed or not, in the order of their names."""
    found: dict[str, Requirement] = {}
    for owner in contract.__mro__:
        for name, test in vars(owner).items():
            if name.startswith("test_") and test is not None and name not in found:
                claims = cast("frozenset[Claim]", getattr(test, NEEDS, frozenset[Claim]()))
                found[name] = Requirement(name, inspect.getdoc(test) or name, claims)
    return iter(sorted(found.values(), key=lambda requirement: requirement.name))


class Checks:
    """What an author gives, in a subclass of `ProviderContract`, and how the checks use it.

    Attributes:
        colours: those that the provider has. A blocking one is awaited through worker threads, as the core does it.
        handle: an id such as the vendor gives to a verification or message, as in `answer`.
        recipient: a number (or address) for which `answer` answers well.
        code: a code for which `answer` approves.
        success_field: the top-level field of a JSON body that decides a check, and
        success_value: the one value of it that approves.
        extras: names of provider-specific parameters that it documents.
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
    code: ClassVar[str] = "918273"
    success_field: ClassVar[str] = "status"
    success_value: ClassVar[object] = "approved"
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
        """What the vendor answers when all is well: a send is accepted, a check of `code` approved."""
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

    def _perform(self, driven: Driven, operation: str, server: Vendor, scenario: str | None = None) -> Any:
        """Make a call; where no answer comes its deadline is short."""
        timeout_s = None
        if scenario is not None:
            server.play(scenario)
            timeout_s = self.timeout_s if self.scenarios.get(scenario) is Ending.SILENT else None
        if operation == "send":
            return driven.send(self.send_request(driven.provider, timeout_s))
        return driven.check(self.check_request(timeout_s))

    def _is_unknown(self, outcome: Any) -> bool:
        if isinstance(outcome, Failure):
            return outcome.effect is SendEffect.UNKNOWN
        return getattr(outcome, "verdict", None) is CheckVerdict.UNKNOWN


def usual_channel(channels: frozenset[str]) -> str:
    """The channel on which a provider is tried: SMS where it serves that."""
    return "sms" if "sms" in channels else min(channels)


def _has(provider: object, name: str) -> bool:
    return callable(getattr(provider, name, None))
