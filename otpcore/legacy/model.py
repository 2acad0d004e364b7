"""`OTP_Model`: the old class's surface, each call one or two of the core's.

Rules of this file: it translates and decides nothing: numbers, limits and codes are the core's, and its answers become
what the old callers know. Nothing is read or opened before a call needs it.
"""

from __future__ import annotations

import itertools
import logging
import math
import warnings
from datetime import datetime
from typing import Any, Final, SupportsIndex, overload

from otpcore.contract import mask
from otpcore.engine.sync import Engine
from otpcore.errors import InvalidNumber, OtpcoreError
from otpcore.ledger import waits_until
from otpcore.legacy import records
from otpcore.legacy.desk import Desk, here
from otpcore.legacy.errors import Forbidden, InternalServerError, NotDone, TooManyRequests
from otpcore.legacy.records import is_id, text_of
from otpcore.legacy.sms import CHANNEL, sms_of
from otpcore.model import RecipientRecord, SendState
from otpcore.phone import PhoneNumber, canonicalise
from otpcore.results import (
    Approved,
    ByRecipient,
    CheckResult,
    Ended,
    NotFound,
    Refusal,
    Refused,
    SendResult,
    Sent,
    Wait,
    Wrong,
)

__all__ = ["OTP_Model", "Timestamp"]

LOG: Final = logging.getLogger("otpcore.legacy")

LIMITS: Final = frozenset({Refusal.LOCKED, Refusal.RATE_LIMITED})
FORBIDS: Final = frozenset({Refusal.LOCKED, Refusal.RATE_LIMITED, Refusal.INVALID_CODE})
"""Refusals of a check that say no to this caller: too many failures, the vendor's limits, and what is no code."""

FORBIDDEN: Final = frozenset({403, 404, 429})
"""What a vendor answers to a check that says no to this caller."""

MOVE: Final = (
    "OTP_Model is kept for code that calls it. docs/howto/migrate-from-legacy.md shows the way to otpcore.Engine, "
    "step by step."
)


class Timestamp(str):
    """Seconds since the epoch as text, which callers also round: `int(round(expires)) * 1000`."""

    __slots__ = ()

    @classmethod
    def of(cls, at: datetime) -> Timestamp:
        """The text of an instant, to the millisecond."""
        return cls(repr(at.timestamp()))

    def __float__(self) -> float:
        return float(str(self))

    def __int__(self) -> int:
        return int(float(self))

    @overload
    def __round__(self, ndigits: None = None) -> int: ...
    @overload
    def __round__(self, ndigits: SupportsIndex) -> float: ...
    def __round__(self, ndigits: SupportsIndex | None = None) -> int | float:
        return round(float(self), ndigits)


_objects = itertools.count()
"""Counts those that were made; one step of it is atomic, and there is no lock that a fork could copy."""


class OTP_Model:  # noqa: N801  # the name that legacy code imports
    """Verification of one phone number, with a counter of resends.

    Args:
        phone_number: E.164. A bad one is reported when it is used.
        strict_legacy: the letter of the old behaviour, see docs/reference/legacy.md; None: as `OTPCORE_LEGACY_STRICT`
            says.
    """

    Svretries = records.Svretries

    def __init__(self, phone_number: str, *, strict_legacy: bool | None = None) -> None:
        if next(_objects) == 0:
            warnings.warn(MOVE, DeprecationWarning, stacklevel=2)
        self.phone_number = phone_number
        self._strict = strict_legacy
        self._loaded: set[int] = set()
        self._deleted: set[int] = set()
        self._approved = False
        self._canonical: tuple[str, PhoneNumber | None] = ("", None)

    def __repr__(self) -> str:
        return f"OTP_Model({mask(str(self.phone_number))!r})"

    @property
    def client(self) -> Any:
        """The client of the provider's SDK; with Twilio a `twilio.rest.Client`.

        Raises:
            AttributeError: the provider has none.
        """
        return here().native_client

    # --- the code ------------------------------------------------------------------------------

    def verification(self) -> Any:
        """Send a code to the number, the first or a further one.

        Returns:
            The SDK's own object where there is one, else an `SMSObject`; its `status` is "pending".

        Raises:
            TooManyRequests: a limit refuses; see `retry_after`.
            InternalServerError: anything else, a number that is none included.
        """
        self._approved = False
        try:
            desk = here()
            purpose, number = desk.purpose, self._number()
            result = self._engine(desk).start(number, purpose=purpose, channel=CHANNEL, by_recipient=True)
        except OtpcoreError as error:
            raise self._failed("verification", error) from error
        if isinstance(result, Sent) and result.state is not SendState.UNKNOWN:
            return sms_of(result, number.e164)
        reason = NotDone(_words(result), result)
        if isinstance(result, Wait):
            raise self._too_many("verification", reason, result.retry_after_s) from reason
        if isinstance(result, Refused) and result.kind in LIMITS:
            raise self._too_many("verification", reason, _seconds(result, desk.clock())) from reason
        raise self._failed("verification", reason) from reason

    def verification_check(self, code: str) -> Any:
        """Check a code that was sent to the number.

        Returns:
            The SDK's own object where there is one, else an `SMSObject`; its `status` is "approved".

        Raises:
            Forbidden: the code is wrong, used or too old, there was none, or the vendor refuses (403, 404, 429).
            InternalServerError: anything else; what became of the code is then not known.
        """
        try:
            desk = here()
            purpose, number = desk.purpose, self._number()
            text = _digits(code)
            result = self._engine(desk).check(ByRecipient(number.e164, purpose), text, recipient=number)
        except OtpcoreError as error:
            raise self._failed("verification_check", error) from error
        if isinstance(result, Approved):
            self._approved = True
            return sms_of(result, number.e164)
        if isinstance(result, Wrong) and self._is_strict(desk):
            return sms_of(result, number.e164)
        reason = NotDone(_words(result), result)
        if _forbids(result):
            self._log("verification_check", reason)
            raise Forbidden(
                "The code is wrong, or no longer good.", retry_after_s=_seconds(result, desk.clock())
            ) from reason
        raise self._failed("verification_check", reason) from reason

    # --- the counter of resends ----------------------------------------------------------------

    def check_count(self, unique_id: str, user_id: str) -> records.Svretries:
        """The pair's resend record, made where there is none, unless its wait is running.

        Right after an approval no wait of the number is in the way: the record is then asked for to be deleted.

        Raises:
            TooManyRequests: the wait after the last send is running; see `retry_after`.
            InternalServerError: the store failed.
        """
        try:
            desk = here()
            seen = desk.open_counter(text_of(unique_id), text_of(user_id), self._pseudonym(desk))
        except OtpcoreError as error:
            raise self._failed("check_count", error) from error
        now = seen.now or desk.clock()
        freed = self._approved and self._is_its_number(desk, seen.record)
        until = None if freed else waits_until(seen.record, now=now)
        if until is None:
            found = records.Svretries(seen.record)
            self._loaded.add(found.id)
            self._deleted.discard(found.id)
            return found
        reason = NotDone("The wait after the last send is running.")
        raise self._too_many("check_count", reason, (until - now).total_seconds()) from reason

    def add_count(self, counter: records.Svretries) -> Timestamp:
        """Count one send.

        Returns:
            When the wait after it ends, in seconds since the epoch.

        Raises:
            InternalServerError: the store failed.
        """
        self._approved = False
        try:
            desk = here()
            record = desk.count(counter.uniqueId, counter.userId, self._pseudonym(desk))
        except OtpcoreError as error:
            raise self._failed("add_count", error) from error
        self._loaded.add(counter.id)
        return Timestamp.of(record.ladder.next_at or desk.clock())

    def delete_count(self, counter_id: int | None = None, *, otp_counter: int | None = None) -> None:
        """Delete a resend record: one that this object has loaded, or that was made for its number.

        Deleting again what this object has deleted is no error; nor is an id of an imported table whose record is gone.
        A record that was imported, and for which no number was named since, is deleted by whoever was just approved.

        Args:
            counter_id: its id.
            otp_counter: the same, by the name in the documentation's example.

        Raises:
            Forbidden: there is none, or it is another's.
            InternalServerError: the store failed.
        """
        given = [each for each in (counter_id, otp_counter) if each is not None]
        if len(given) != 1:
            raise TypeError("delete_count() takes one id of a resend record: counter_id, or otp_counter.")
        identity = given[0]
        try:
            desk = here()
            record = desk.counter(identity) if is_id(identity) else None
            if record is None and is_id(identity) and (identity in self._deleted or desk.was_imported(identity)):
                return
            if record is not None and (self._is_strict(desk) or self._owns(desk, record)):
                desk.delete_counter(identity)
                self._deleted |= {identity, records.Svretries(record).id}
                return
        except OtpcoreError as error:
            raise self._failed("delete_count", error) from error
        reason = NotDone("There is no such resend record." if record is None else "The resend record is another's.")
        self._log("delete_count", reason)
        raise Forbidden("There is no such resend record.") from reason

    # --- what they share -----------------------------------------------------------------------

    def _is_strict(self, desk: Desk) -> bool:
        return desk.settings.strict if self._strict is None else self._strict

    def _engine(self, desk: Desk) -> Engine:
        return desk.strict if self._is_strict(desk) else desk

    def _number(self) -> PhoneNumber:
        given, known = self._canonical
        if known is None or given is not self.phone_number:
            given, known = self._canonical = self.phone_number, canonicalise(self.phone_number)
        return known

    def _pseudonym(self, desk: Desk) -> str:
        try:
            return desk.pseudonyms(self._number())[-1]
        except InvalidNumber:
            return ""

    def _owns(self, desk: Desk, record: RecipientRecord) -> bool:
        if record.counter is None or records.Svretries(record).id in self._loaded:
            return True
        return self._is_its_number(desk, record) if record.counter.recipient else self._approved

    def _is_its_number(self, desk: Desk, record: RecipientRecord) -> bool:
        """Whether the record was made for this number."""
        try:
            return record.counter is not None and record.counter.recipient in desk.pseudonyms(self._number())
        except InvalidNumber:
            return False

    def _too_many(self, operation: str, reason: NotDone, seconds: float | None) -> TooManyRequests:
        self._log(operation, reason)
        after = None if seconds is None else max(1, math.ceil(seconds))
        return TooManyRequests("Too many codes were asked for; try again later.", retry_after_s=after)

    def _failed(self, operation: str, error: OtpcoreError) -> InternalServerError:
        self._log(operation, error)
        return InternalServerError(str(error) if isinstance(error, InvalidNumber) else None)

    def _log(self, operation: str, error: OtpcoreError) -> None:
        LOG.warning("%s for %r: %s", operation, mask(str(self.phone_number)), error)


def _digits(code: Any) -> Any:
    """A code that came as a number, through JSON perhaps, is its digits; the core judges the rest."""
    return str(code) if isinstance(code, int) and not isinstance(code, bool) else code


def _words(result: SendResult | CheckResult) -> str:
    """What the core answered, in a line for the log: no number and no code."""
    match result:
        case Refused(kind=kind, detail=detail):
            return f"refused, {kind.value}{': ' if detail else ''}{detail}"
        case Wait(reason=reason):
            return f"wait, {reason.value}"
        case Ended(status=status):
            return f"the session is over: {status.value}"
        case Sent():
            return "the vendor's answer was lost; the message may be on its way"
        case _:
            return {"Wrong": "wrong code", "NotFound": "no code was sent"}.get(type(result).__name__, "not decided")


def _forbids(result: CheckResult) -> bool:
    """Whether a check that did not approve says no to this caller; else nobody knows, or the service is at fault."""
    if isinstance(result, Wrong | Ended | NotFound) or (isinstance(result, Refused) and result.kind in FORBIDS):
        return True
    native = getattr(getattr(result, "cause", None), "native", None)  # an SDK's error says the vendor's status
    return getattr(native, "status", None) in FORBIDDEN


def _seconds(result: SendResult | CheckResult, now: datetime) -> int | None:
    """When to come back, where the core knows."""
    if not isinstance(result, Refused):
        return None
    until = result.next.locked_until
    if until is not None:
        return max(1, math.ceil((until - now).total_seconds()))
    after = getattr(result.cause, "retry_after", None)
    return None if after is None else max(1, math.ceil(after.total_seconds()))
