"""What both engines make of answers that no plugin may give: exceptions, and values of the wrong kind.

Rules of this file: everything unclassified is unknown, and never a success. No text of an exception is
passed on, because a vendor's may hold the number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import time_ns
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote

from otpcore.contract import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    Conflict,
    Failure,
    FailureKind,
    FailureScope,
    Money,
    SendEffect,
    SendRequest,
    Version,
)
from otpcore.errors import CommitUnknown, ReceiptRefused, StoreError, StoreUnavailable
from otpcore.ports import ReadsReceipts
from otpcore.receipts import DeliveryEvent, DeliveryState, InboundRequest

__all__ = [
    "cause_of",
    "check_answer",
    "check_failed",
    "check_not_started",
    "commit_answer",
    "commit_failed",
    "load_failed",
    "read_receipt",
    "send_answer",
    "send_failed",
    "send_not_started",
    "to_milliseconds",
    "wall_clock",
    "within",
]


EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

Request = TypeVar("Request", SendRequest, CheckRequest)
Answer = TypeVar("Answer", Failure, CheckAnswer)

LONGEST_HANDLE: Final = 100
LONGEST_EVENT_ID: Final = 200
LONGEST_AMOUNT: Final = 32
LONGEST_ERROR_CODE: Final = 100
TELLING: Final = 6
"""So many last digits of a number, or letters of a mailbox, tell whose it is."""

LONGEST_WAIT: Final = timedelta(days=30)
"""What a vendor asks for beyond it is cut to it: an instant that far ahead need not exist."""

_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_NO_DIGIT: Final = re.compile(r"[^0-9]")
_NO_WORD: Final = re.compile(r"[^a-z0-9]")
_NUMBERLIKE: Final = re.compile(r"@|[0-9]{7}")


def wall_clock() -> datetime:
    """The machine's clock, in whole milliseconds."""
    return EPOCH + time_ns() // 1_000_000 * MILLISECOND


def to_milliseconds(instant: datetime) -> datetime:
    """The instant as the record keeps it.

    Raises:
        ValueError: it is naive, or not in UTC.
    """
    if instant.tzinfo is not UTC and instant.utcoffset() != timedelta(0):
        raise ValueError("A clock gives aware instants in UTC.")
    spare = instant.microsecond % 1000
    return instant - timedelta(microseconds=spare) if spare else instant


def cause_of(error: Exception) -> BaseException | None:
    """What is behind the error that a flow is told: never that error itself."""
    return error.__cause__ if isinstance(error, StoreError) else error


def load_failed(error: Exception) -> StoreError:
    """What a flow is told of an exception out of `load`."""
    return error if isinstance(error, StoreError) else StoreUnavailable(f"The store failed: {type(error).__name__}.")


def commit_failed(error: Exception) -> StoreError:
    """What a flow is told of an exception out of `commit`: unless classified, nobody knows."""
    return error if isinstance(error, StoreError) else CommitUnknown(f"The store failed: {type(error).__name__}.")


def commit_answer(answer: object) -> Version | Conflict:
    """The answer of `commit`.

    Raises:
        CommitUnknown: it is neither a version nor a conflict.
    """
    if isinstance(answer, Conflict):
        return answer
    if isinstance(answer, str) and answer:
        return Version(answer)
    raise CommitUnknown(f"The store answered a commit with {type(answer).__name__}.")


def send_answer(answer: object, request: SendRequest) -> Accepted | Failure:
    """The answer of `send` to this request."""
    if isinstance(answer, Failure) and _is_failure(answer):
        answer, wait = _untelling(answer, request), answer.retry_after
        if wait is None or timedelta() <= wait <= LONGEST_WAIT:
            return answer
        return replace(answer, retry_after=min(max(wait, timedelta()), LONGEST_WAIT))
    if isinstance(answer, Accepted) and _is_handle(answer.handle):
        return answer if answer.cost is None or _is_price(answer.cost) else replace(answer, cost=None)
    detail = f"The provider answered a send with {type(answer).__name__}."
    return Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN, detail)


def _is_failure(answer: Any) -> bool:
    """Whether it holds what its type says, as far as anything is decided by it."""
    kinds = ((answer.kind, FailureKind), (answer.effect, SendEffect), (answer.scope, FailureScope))
    if not all(isinstance(given, kind) for given, kind in kinds):
        return False
    return answer.retry_after is None or isinstance(answer.retry_after, timedelta)


def _untelling(answer: Answer, request: SendRequest | CheckRequest | None) -> Answer:
    """The answer without a vendor's error code that may hold what the vendor was told: logs show that code."""
    said: object = answer.provider_code
    return answer if said is None or _tells_nothing(said, request) else replace(answer, provider_code=None)


def _tells_nothing(said: object, request: SendRequest | CheckRequest | None) -> bool:
    """Whether neither the code nor the recipient is in a text, however they are spaced, joined or percent-encoded.

    What cannot be judged is taken for telling: without a request everything, without its recipient what may be one.
    """
    if request is None or not isinstance(said, str) or len(said) > LONGEST_ERROR_CODE:
        return False
    while "%" in said and (decoded := unquote(said)) != said:
        said = decoded
    if not said.isascii() or not said.isprintable():
        return False
    digits, recipient = _NO_DIGIT.sub("", said), request.recipient
    if request.code and request.code in digits:
        return False
    if recipient is None:
        return _NUMBERLIKE.search(said) is None
    if "@" not in recipient:
        return _NO_DIGIT.sub("", recipient)[-TELLING:] not in digits
    whole, mailbox = (_NO_WORD.sub("", each.lower()) for each in (recipient, recipient.partition("@")[0]))
    return (mailbox if len(mailbox) >= TELLING else whole) not in _NO_WORD.sub("", said.lower())


def _is_price(cost: Any) -> bool:
    """Whether it is what a record and a log may show of a price; a message that left has left, whatever it is."""
    amount, currency = getattr(cost, "amount", None), getattr(cost, "currency", None)
    if not isinstance(cost, Money) or not isinstance(amount, Decimal) or not isinstance(currency, str):
        return False
    return len(str(amount)) <= LONGEST_AMOUNT and _CURRENCY.fullmatch(currency) is not None


def _is_handle(handle: object) -> bool:
    """What a record may keep: nothing, or up to 100 printable ASCII characters."""
    if handle is None:
        return True
    return isinstance(handle, str) and len(handle) <= LONGEST_HANDLE and handle.isascii() and handle.isprintable()


def send_failed(error: Exception) -> Failure:
    """What a flow is told of an exception out of `send`."""
    kind = FailureKind.TIMEOUT if isinstance(error, TimeoutError) else FailureKind.INTERNAL
    return Failure(kind, SendEffect.UNKNOWN, f"The provider raised {type(error).__name__}.", native=error)


def send_not_started() -> Failure:
    """What a flow is told when no place was free for a send."""
    detail = "As many sends as this provider may have at once are under way."
    return Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT, detail)


def within(request: Request, left_s: float) -> Request:
    """The request, with what is left of its deadline."""
    return request if left_s == request.timeout_s else replace(request, timeout_s=left_s)


def check_answer(answer: object, request: CheckRequest | None) -> CheckAnswer:
    """The answer of `check` to this request; None: of `reconcile_check`, which is told neither code nor recipient."""
    verdict: object = getattr(answer, "verdict", None)
    if isinstance(answer, CheckAnswer) and isinstance(verdict, CheckVerdict) and _is_handle(answer.handle):
        return _untelling(answer, request)
    return CheckAnswer(CheckVerdict.UNKNOWN, detail=f"The provider answered a check with {type(answer).__name__}.")


def check_failed(error: Exception) -> CheckAnswer:
    """What a flow is told of an exception out of `check`."""
    return CheckAnswer(CheckVerdict.UNKNOWN, detail=f"The provider raised {type(error).__name__}.", native=error)


def check_not_started() -> CheckAnswer:
    """What a flow is told when no place was free for a check: the code was not compared."""
    detail = "As many checks as this provider may have at once are under way."
    return CheckAnswer(CheckVerdict.THROTTLED, detail=detail)


def read_receipt(provider: ReadsReceipts, request: InboundRequest) -> Sequence[DeliveryEvent]:
    """What a provider reads in a receipt; it awaits nothing, so this serves both colours.

    Raises:
        ReceiptRefused: it refused it, raised anything else, or answered with what is no list or tuple of events
            that keep to `DeliveryEvent`.
    """
    try:
        answer: object = provider.parse_receipt(request)
        if isinstance(answer, list | tuple):
            events = [each for each in cast("Sequence[object]", answer) if isinstance(each, DeliveryEvent)]
            if len(events) == len(answer) and all(_is_sound(each) for each in events):
                return events
    except ReceiptRefused:
        raise
    except Exception as error:  # noqa: BLE001  # whatever a provider raises is no receipt
        raise ReceiptRefused(f"The provider raised {type(error).__name__}.") from None
    raise ReceiptRefused(f"The provider answered a receipt with {type(answer).__name__}.")


def _is_sound(each: Any) -> bool:
    """Whether an event holds what its type says, an aware instant, and an id that logs may show."""
    told = (each.id, each.provider_code or "")
    texts = (*told, each.handle or "", each.recipient or "")
    aware = each.at is None or (isinstance(each.at, datetime) and each.at.utcoffset() is not None)
    if not aware or not isinstance(each.state, DeliveryState) or not all(isinstance(text, str) for text in texts):
        return False
    number = (each.recipient or "").removeprefix("+")
    plain = 0 < len(each.id) <= LONGEST_EVENT_ID and each.id.isascii() and each.id.isprintable()
    return plain and not (number and any(number in text for text in told))
