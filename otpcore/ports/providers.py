"""The protocols of a provider, in both colours.

Rules of this file: protocols only; the values are in `otpcore.contract` and `otpcore.receipts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from otpcore.contract import Accepted, CheckAnswer, CheckRequest, Failure, ProviderCapabilities, SendRequest
from otpcore.receipts import DeliveryEvent, InboundRequest, Outcome

__all__ = [
    "AsyncCancels",
    "AsyncChecks",
    "AsyncProvider",
    "AsyncReconcilesCheck",
    "AsyncTakesFeedback",
    "Cancels",
    "Checks",
    "Clock",
    "HasNativeClient",
    "Provider",
    "ReadsReceipts",
    "ReconcilesCheck",
    "TakesFeedback",
]


class Clock(Protocol):
    """Gives the time."""

    def __call__(self) -> datetime:
        """The present, aware, in UTC."""
        ...


@runtime_checkable
class Provider(Protocol):
    """Sends codes. Safe to call from several threads.

    A call is made once on the wire and returns within the request's `timeout_s`. Expected failures
    are returned as `Failure`; any exception is taken as `Failure(INTERNAL, UNKNOWN)`.
    """

    @property
    def capabilities(self) -> ProviderCapabilities:
        """What this instance can do; constant for the life of the object."""
        ...

    def send(self, request: SendRequest) -> Accepted | Failure:
        """Send one code: the given one, or one of the provider's own."""
        ...

    def close(self) -> None:
        """Release connections. Calling it twice is harmless."""
        ...


@runtime_checkable
class AsyncProvider(Protocol):
    """`Provider`, awaited. A cancelled call may have sent."""

    @property
    def capabilities(self) -> ProviderCapabilities:
        """See `Provider.capabilities`."""
        ...

    async def send(self, request: SendRequest) -> Accepted | Failure:
        """See `Provider.send`."""
        ...

    async def close(self) -> None:
        """See `Provider.close`."""
        ...


@runtime_checkable
class Checks(Protocol):
    """A provider that compares the code itself (code owner PROVIDER)."""

    def check(self, request: CheckRequest) -> CheckAnswer:
        """One try at the code; any exception is taken as UNKNOWN."""
        ...


@runtime_checkable
class AsyncChecks(Protocol):
    """`Checks`, awaited."""

    async def check(self, request: CheckRequest) -> CheckAnswer:
        """See `Checks.check`."""
        ...


@runtime_checkable
class Cancels(Protocol):
    """A provider that can end a verification."""

    def cancel(self, handle: str, timeout_s: float) -> bool:
        """End it at the provider; False when there was nothing to end or nobody knows."""
        ...


@runtime_checkable
class AsyncCancels(Protocol):
    """`Cancels`, awaited."""

    async def cancel(self, handle: str, timeout_s: float) -> bool:
        """See `Cancels.cancel`."""
        ...


@runtime_checkable
class ReconcilesCheck(Protocol):
    """A provider that can be asked later what became of a check whose answer was lost."""

    def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        """APPROVED only where the vendor says that this verification was approved; None: cannot say."""
        ...


@runtime_checkable
class AsyncReconcilesCheck(Protocol):
    """`ReconcilesCheck`, awaited."""

    async def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        """See `ReconcilesCheck.reconcile_check`."""
        ...


@runtime_checkable
class TakesFeedback(Protocol):
    """A provider whose vendor wants to hear what became of a code that the core made."""

    def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        """Tell the vendor, once; False when it did not take it or nobody knows. Any exception is taken as False."""
        ...


@runtime_checkable
class AsyncTakesFeedback(Protocol):
    """`TakesFeedback`, awaited."""

    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        """See `TakesFeedback.report_outcome`."""
        ...


@runtime_checkable
class ReadsReceipts(Protocol):
    """A provider whose vendor tells the application what became of its messages.

    No I/O: the same method, not awaited, in both colours.
    """

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """What the vendor says, in any order; empty where it is none of the core's business.

        The signature is judged over the body as received, before anything of it is read.

        Raises:
            ReceiptRefused: the signature is missing or wrong, the body is too large or cannot be read. It says
                what is wrong and echoes nothing of the request.
        """
        ...


@runtime_checkable
class HasNativeClient(Protocol):
    """A provider that hands out its SDK's client (`twilio.rest.Client`)."""

    @property
    def native_client(self) -> object:
        """The SDK's own client, made at first use."""
        ...
