"""`fake`: a provider that sends nothing, in both colours. What it does is in `fake_exchange`.

Rules of this file: two thin clients of one `Exchange`, and their registration. It declares itself
`simulated`, so that nothing made for demonstrations is served where messages leave the machine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from otpcore.hookspecs import ProviderType, hookimpl
from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    Clock,
    CodeOwner,
    DeliveryEvent,
    DeliveryState,
    Failure,
    InboundRequest,
    ProviderCapabilities,
    SendRequest,
)
from otpcore.ports import Outcome as ReportedOutcome
from otpcore.providers.fake_exchange import Exchange, Message, Script, system_clock
from otpcore.providers.fake_magic import DELIVERIES, MAGIC_NUMBERS, Outcome, Vanished

__all__ = [
    "DELIVERIES",
    "MAGIC_NUMBERS",
    "AsyncFakeProvider",
    "Exchange",
    "FakeProvider",
    "FakeSettings",
    "Message",
    "Outcome",
    "Script",
    "Vanished",
    "otpcore_providers",
]


class _Fake:
    """What both colours share: an exchange, and its view for tests."""

    def __init__(
        self,
        *,
        owner: CodeOwner = CodeOwner.PROVIDER,
        script: Script | None = None,
        lifetime: timedelta = timedelta(seconds=600),
        seed: int | None = None,
        clock: Clock = system_clock,
        exchange: Exchange | None = None,
    ) -> None:
        self.exchange = exchange or Exchange(owner=owner, script=script, lifetime=lifetime, seed=seed, clock=clock)

    @property
    def capabilities(self) -> ProviderCapabilities:
        """See `Provider.capabilities`."""
        return self.exchange.capabilities

    @property
    def outbox(self) -> tuple[Message, ...]:
        """Every message that left, oldest first."""
        return self.exchange.outbox

    @property
    def calls(self) -> Mapping[str, int]:
        """How often "send", "check", "cancel" and "report_outcome" were called; 0 when never."""
        return self.exchange.calls

    @property
    def reported(self) -> tuple[tuple[str, ReportedOutcome], ...]:
        """What it was told became of its messages: handle and outcome, oldest first."""
        return self.exchange.reported

    def receipt(self, message: Message, state: DeliveryState, *, at: datetime | None = None) -> InboundRequest:
        """What the vendor would POST about one of its messages, signed; without `at` it does not say when."""
        return self.exchange.receipts.of(message.handle, message.recipient, state, at=at)

    def due_receipts(self) -> tuple[InboundRequest, ...]:
        """What the vendor would POST by now of messages to `DELIVERIES`, oldest first; each is given out once."""
        return self.exchange.due_receipts()

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """See `ReadsReceipts.parse_receipt`."""
        return self.exchange.receipts.parse(request)

    def code_for(self, recipient: str) -> str:
        """The code that this recipient holds; LookupError when there is none."""
        return self.exchange.code_for(recipient)


class FakeProvider(_Fake):
    """The fake, blocking. The keyword arguments are those of `Exchange`, or `exchange` itself.

    Attributes:
        before_send: when set, called with each request before anything happens: the place for a
            latch or a yield in a storm, or for an exception.
    """

    before_send: Callable[[SendRequest], None] | None = None

    def send(self, request: SendRequest) -> Accepted | Failure:
        """See `Provider.send`."""
        if self.before_send is not None:
            self.before_send(request)
        return self.exchange.send(request)

    def check(self, request: CheckRequest) -> CheckAnswer:
        """See `Checks.check`."""
        return self.exchange.check(request)

    def cancel(self, handle: str, timeout_s: float) -> bool:  # noqa: ARG002  # the port's name; nothing here waits
        """See `Cancels.cancel`."""
        return self.exchange.cancel(handle)

    def report_outcome(
        self,
        handle: str,
        outcome: ReportedOutcome,
        timeout_s: float,  # noqa: ARG002  # the port's name; nothing here waits
    ) -> bool:
        """See `TakesFeedback.report_outcome`."""
        return self.exchange.report_outcome(handle, outcome)

    def close(self) -> None:
        """See `Provider.close`."""


class AsyncFakeProvider(_Fake):
    """The fake, awaited. The keyword arguments are those of `Exchange`, or `exchange` itself.

    Attributes:
        before_send: when set, awaited with each request before anything happens.
    """

    before_send: Callable[[SendRequest], Awaitable[None]] | None = None

    async def send(self, request: SendRequest) -> Accepted | Failure:
        """See `Provider.send`."""
        if self.before_send is not None:
            await self.before_send(request)
        return self.exchange.send(request)

    async def check(self, request: CheckRequest) -> CheckAnswer:
        """See `Checks.check`."""
        return self.exchange.check(request)

    async def cancel(self, handle: str, timeout_s: float) -> bool:  # noqa: ARG002  # the port's name; nothing here waits
        """See `Cancels.cancel`."""
        return self.exchange.cancel(handle)

    async def report_outcome(
        self,
        handle: str,
        outcome: ReportedOutcome,
        timeout_s: float,  # noqa: ARG002  # the port's name; nothing here waits
    ) -> bool:
        """See `TakesFeedback.report_outcome`."""
        return self.exchange.report_outcome(handle, outcome)

    async def close(self) -> None:
        """See `Provider.close`."""


class FakeSettings(BaseModel):
    """Settings of `fake`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: CodeOwner = Field(default=CodeOwner.PROVIDER, description="who makes and compares the code")
    seed: int | None = Field(default=None, description="the same codes in every run")
    lifetime_s: float = Field(default=600, gt=0, le=86_400, description="seconds that a verification lives")

    def exchange(self) -> Exchange:
        """The vendor that these settings describe."""
        return Exchange(owner=self.owner, seed=self.seed, lifetime=timedelta(seconds=self.lifetime_s))


def _build(settings: FakeSettings) -> FakeProvider:
    return FakeProvider(exchange=settings.exchange())


def _build_async(settings: FakeSettings) -> AsyncFakeProvider:
    return AsyncFakeProvider(exchange=settings.exchange())


@hookimpl
def otpcore_providers() -> Iterable[ProviderType]:
    """The `fake` provider type."""
    return (ProviderType("fake", "sends nothing; scripted outcomes, for tests", FakeSettings, _build, _build_async),)
