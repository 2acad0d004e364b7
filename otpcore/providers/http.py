"""Write a provider over REST as pure functions: what to ask, and what the answer means. Needs `otpcore[http]`.

    class Pigeon:
        capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms"}))

        def request(self, request):         # SendRequest -> HttpRequest
            return HttpRequest("POST", url_of(self.origin, "messages"), json={"to": request.recipient, …})

        def parse(self, request, response):  # SendRequest, HttpResponse -> Accepted | Failure
            return Accepted(response.document["id"]) if response.status == 201 else failure(response)

    blocking(Pigeon())   # a Provider
    awaited(Pigeon())    # an AsyncProvider

The author's object does no I/O. It may have more pairs, and the provider then has the method of the port:

    check_request, parse_check              -> check
    cancel_request, parse_cancel            -> cancel
    reconcile_request, parse_reconcile      -> reconcile_check
    outcome_request, parse_outcome          -> report_outcome
    parse_receipt                           -> parse_receipt

What the transport sees to: one request on the wire, no redirect, one deadline over the whole call, an answer of at
most 64 KiB, nothing logged. What it decides: no connection is NOT_SENT; no usable answer, an exception of `parse`
included, is UNKNOWN; a request that cannot be encoded as it was meant is NOT_SENT and never tried.

Rules of this file: two thin clients of one `http_calls`, in both colours. The values are in `http_values`, receipts'
signatures in `http_signed`; the wires, in `http_transport` and `http_aio`, are imported at the first call.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeVar

from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    DeliveryEvent,
    Failure,
    InboundRequest,
    Outcome,
    ProviderCapabilities,
    SendRequest,
)
from otpcore.providers.http_calls import Calls, Exchange, Settled, lacking_methods
from otpcore.providers.http_signed import (
    LARGEST_RECEIPT,
    REPLAY_WINDOW,
    require_basic,
    require_hmac,
    require_recent,
    require_size,
)
from otpcore.providers.http_values import (
    KINDS,
    Encoded,
    Fields,
    HttpRequest,
    HttpResponse,
    UnfitRequest,
    failure,
    url_of,
)

__all__ = [
    "KINDS",
    "LARGEST_RECEIPT",
    "REPLAY_WINDOW",
    "AsyncHttpProvider",
    "Encoded",
    "Fields",
    "HttpProvider",
    "HttpRequest",
    "HttpResponse",
    "RestApi",
    "UnfitRequest",
    "awaited",
    "blocking",
    "failure",
    "require_basic",
    "require_hmac",
    "require_recent",
    "require_size",
    "url_of",
]

R = TypeVar("R")

LONGEST_S: Final = 10.0
"""No engine waits longer for a call."""


class RestApi(Protocol):
    """What an author writes, at the least."""

    @property
    def capabilities(self) -> ProviderCapabilities:
        """See `Provider.capabilities`."""
        ...

    def request(self, request: SendRequest, /) -> HttpRequest | Failure:
        """What to ask for this send; a Failure where the vendor cannot be asked for it."""
        ...

    def parse(self, request: SendRequest, response: HttpResponse, /) -> Accepted | Failure:
        """What the answer means. What is raised here is an unusable answer: UNKNOWN."""
        ...


class _Provider:
    """What both colours share."""

    def __init__(self, api: RestApi, tls: ssl.SSLContext | None, timeout_s: float) -> None:
        self._calls = Calls(api)
        self._tls = tls
        self._timeout_s = timeout_s
        self._wire: Any = None

    @property
    def capabilities(self) -> ProviderCapabilities:
        """See `Provider.capabilities`."""
        found: ProviderCapabilities = self._calls.api.capabilities
        return found

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """See `ReadsReceipts.parse_receipt`."""
        events: Sequence[DeliveryEvent] = self._calls.api.parse_receipt(request)
        return events


class HttpProvider(_Provider):
    """An author's functions, served blocking; `blocking` makes one. Safe for threads and after a fork."""

    def send(self, request: SendRequest) -> Accepted | Failure:
        """See `Provider.send`."""
        return self._perform(self._calls.send(request), request.timeout_s)

    def check(self, request: CheckRequest) -> CheckAnswer:
        """See `Checks.check`."""
        return self._perform(self._calls.check(request), request.timeout_s)

    def cancel(self, handle: str, timeout_s: float) -> bool:
        """See `Cancels.cancel`."""
        return self._perform(self._calls.cancel(handle), timeout_s)

    def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        """See `ReconcilesCheck.reconcile_check`."""
        return self._perform(self._calls.reconcile(handle), timeout_s)

    def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        """See `TakesFeedback.report_outcome`."""
        return self._perform(self._calls.report(handle, outcome), timeout_s)

    def _perform(self, exchange: Exchange[R], timeout_s: float) -> R:
        encoded = exchange.prepare()
        if isinstance(encoded, Settled):
            return encoded.outcome
        from otpcore.providers.http_transport import NoAnswer, Wire  # noqa: PLC0415  # not before it is needed

        if self._wire is None:  # two threads may race: one wire is dropped before it connected
            self._wire = Wire(self._tls)
        try:
            response = self._wire.exchange(encoded, min(timeout_s, self._timeout_s))
        except NoAnswer as error:
            return exchange.without(error)
        return exchange.read(response)

    def close(self) -> None:
        """See `Provider.close`."""
        if self._wire is not None:
            self._wire.close()


class AsyncHttpProvider(_Provider):
    """An author's functions, served awaiting; `awaited` makes one. One pool for each event loop that uses it."""

    async def send(self, request: SendRequest) -> Accepted | Failure:
        """See `Provider.send`."""
        return await self._perform(self._calls.send(request), request.timeout_s)

    async def check(self, request: CheckRequest) -> CheckAnswer:
        """See `Checks.check`."""
        return await self._perform(self._calls.check(request), request.timeout_s)

    async def cancel(self, handle: str, timeout_s: float) -> bool:
        """See `Cancels.cancel`."""
        return await self._perform(self._calls.cancel(handle), timeout_s)

    async def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        """See `ReconcilesCheck.reconcile_check`."""
        return await self._perform(self._calls.reconcile(handle), timeout_s)

    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        """See `TakesFeedback.report_outcome`."""
        return await self._perform(self._calls.report(handle, outcome), timeout_s)

    async def _perform(self, exchange: Exchange[R], timeout_s: float) -> R:
        encoded = exchange.prepare()
        if isinstance(encoded, Settled):
            return encoded.outcome
        from otpcore.providers.http_aio import AsyncWire, NoAnswer  # noqa: PLC0415  # not before it is needed

        if self._wire is None:
            self._wire = AsyncWire(self._tls)
        try:
            response = await self._wire.exchange(encoded, min(timeout_s, self._timeout_s))
        except NoAnswer as error:
            return exchange.without(error)
        return exchange.read(response)

    async def close(self) -> None:
        """See `Provider.close`."""
        if self._wire is not None:
            await self._wire.close()


def blocking(api: RestApi, *, tls: ssl.SSLContext | None = None, timeout_s: float = LONGEST_S) -> HttpProvider:
    """A provider over the author's functions.

    Args:
        api: the author's object; see the module's docstring.
        tls: for https; None: the system's and certifi's authorities.
        timeout_s: seconds that one call may take at most, where the engine's own deadline is not shorter.

    Raises:
        TypeError: it has half of a pair of functions.
    """
    return _with_what_it_has(HttpProvider, lacking_methods(api))(api, tls, timeout_s)


def awaited(api: RestApi, *, tls: ssl.SSLContext | None = None, timeout_s: float = LONGEST_S) -> AsyncHttpProvider:
    """`blocking`, awaited."""
    return _with_what_it_has(AsyncHttpProvider, lacking_methods(api))(api, tls, timeout_s)


P = TypeVar("P", HttpProvider, AsyncHttpProvider)


def _with_what_it_has(kind: type[P], lacking: frozenset[str]) -> type[P]:
    """The class without these methods: None in a class is, to `isinstance` with a protocol, no method."""
    made: type[P] = type(kind.__name__, (kind,), dict.fromkeys(lacking))
    return made
