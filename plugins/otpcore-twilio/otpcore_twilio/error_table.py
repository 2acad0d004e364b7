"""What each of Twilio's error codes means to the core, as data.

Sources: Twilio's error dictionary and Verify documentation (November 2026), and how production code bases
sort the messaging-layer codes that can surface through Verify. 60202 counts checks and 60203 sends; secondary
sources often swap them.

Rules of this file: data, and the look-up. A code decides, never a message: the messages drift, and that of
60200 holds the phone number. The sentences are our own. Every row is a refusal with a 4xx status, so
nothing was sent; a 5xx never comes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from otpcore.ports import CheckVerdict, FailureKind, FailureScope, SendEffect

__all__ = ["BY_STATUS", "ERRORS", "UNKNOWN", "Row", "row_for"]


@dataclass(frozen=True, slots=True)
class Row:
    """One error.

    Attributes:
        kind: of a send that met it.
        text: a sentence for an operator.
        verdict: of a check that met it.
        scope: of whom it says something: of one recipient, what a number alone can bring about.
        retry: Twilio states that the request was not processed and may be repeated by a machine.
        effect: of a send that met it.
    """

    kind: FailureKind
    text: str
    verdict: CheckVerdict = CheckVerdict.UNKNOWN
    scope: FailureScope = FailureScope.ACCOUNT
    retry: bool = False
    effect: SendEffect = SendEffect.NOT_SENT


def _limited(text: str, verdict: CheckVerdict = CheckVerdict.THROTTLED) -> Row:
    return Row(FailureKind.RATE_LIMITED, text, verdict, FailureScope.RECIPIENT)


def _one_number(kind: FailureKind, text: str) -> Row:
    return Row(kind, text, scope=FailureScope.RECIPIENT)


def _throttled(text: str, *, retry: bool) -> Row:
    return Row(FailureKind.RATE_LIMITED, text, CheckVerdict.THROTTLED, retry=retry)


def _misconfigured(text: str, verdict: CheckVerdict = CheckVerdict.DENIED) -> Row:
    return Row(FailureKind.MISCONFIGURED, text, verdict)


_ADMIN = _misconfigured("a conflict in the configuration of rate limits or messaging at Twilio")
_TEMPLATE = _misconfigured("the message template does not exist, is not approved or does not fit")
_CREDENTIALS = _misconfigured("misconfigured: Twilio does not accept the account or API key credentials")
_BAD_NUMBER = Row(FailureKind.INVALID_RECIPIENT, "Twilio does not accept the number")
_REGION = Row(FailureKind.DESTINATION_BLOCKED, "the account or service has no permission for this destination")
_FRAUD = Row(FailureKind.FRAUD_SUSPECTED, "Twilio's fraud protection blocked the attempt")
_NO_CHANNEL = Row(FailureKind.CHANNEL_UNREACHABLE, "the number cannot be reached on this channel")
_BODY = Row(FailureKind.CONTENT_REJECTED, "the parameters of a payment confirmation are missing or do not fit")
_CHINA = Row(FailureKind.DESTINATION_BLOCKED, "the service is not vetted for this destination")

ERRORS: Mapping[int, Row] = MappingProxyType(
    {
        20001: Row(FailureKind.INTERNAL, "a parameter that Twilio requires was not given"),
        20003: _CREDENTIALS,
        20008: _misconfigured("misconfigured: test credentials do not work with Verify"),
        20404: _misconfigured("the Verify service does not exist in this account", CheckVerdict.GONE),
        20429: _throttled("too many requests to Twilio at once; not processed", retry=True),
        21211: _BAD_NUMBER,
        21215: _one_number(FailureKind.DESTINATION_BLOCKED, "permissions for calls exclude the number or its prefix"),
        21216: _one_number(FailureKind.DESTINATION_BLOCKED, "Twilio blocks calls to the number, as a risk or by law"),
        21408: _REGION,
        21608: _one_number(FailureKind.DESTINATION_BLOCKED, "a trial account reaches only numbers verified in it"),
        21610: Row(FailureKind.OPTED_OUT, "the person has opted out of messages"),
        21612: _NO_CHANNEL,
        21614: _NO_CHANNEL,
        25109: _throttled("too many Verify requests to Twilio", retry=True),
        30450: _FRAUD,
        60001: _NO_CHANNEL,
        60006: _BAD_NUMBER,
        60008: _NO_CHANNEL,
        60200: Row(FailureKind.INVALID_RECIPIENT, "Twilio does not accept the number or another parameter"),
        60201: _TEMPLATE,
        60202: _limited("the checks of this verification are used up", CheckVerdict.EXHAUSTED),
        60203: _limited("the sends of this verification are used up"),
        60204: _misconfigured("the Verify service does not have this feature"),
        60205: Row(FailureKind.CHANNEL_UNREACHABLE, "a landline cannot receive an SMS; offer a call"),
        60206: _BODY,
        60207: _ADMIN,
        60208: _ADMIN,
        60209: _ADMIN,
        60210: _ADMIN,
        60211: _ADMIN,
        60212: _limited("too many verifications of this number were started at once"),
        60213: _ADMIN,
        60214: _BODY,
        60217: _misconfigured("the Verify service has no mailer"),
        60220: _CHINA,
        60221: Row(FailureKind.INTERNAL, "neither recipient nor verification was given"),
        60222: _misconfigured("the sender of e-mail is not verified"),
        60223: _misconfigured("the channel is switched off in the Verify service"),
        60224: _TEMPLATE,
        60226: _CHINA,
        60227: _TEMPLATE,
        60228: _TEMPLATE,
        60229: _TEMPLATE,
        60238: Row(FailureKind.DESTINATION_BLOCKED, "Twilio's policy blocks verifications of this destination"),
        60252: _TEMPLATE,
        60308: _limited("the attempts of this factor are used up"),
        60310: _limited("the attempts of this factor are used up"),
        60408: _TEMPLATE,
        60410: _FRAUD,
        60413: _FRAUD,
        60519: Row(FailureKind.INTERNAL, "a silent network authentication is still pending", CheckVerdict.THROTTLED),
        60550: Row(FailureKind.CHANNEL_UNREACHABLE, "no channel reaches the number"),
        60605: Row(FailureKind.DESTINATION_BLOCKED, "Verify's geographic permissions exclude the destination"),
    }
)
"""By Twilio's error code."""

BY_STATUS: Mapping[int, Row] = MappingProxyType(
    {
        401: _CREDENTIALS,
        402: Row(FailureKind.QUOTA_EXHAUSTED, "the account cannot pay", CheckVerdict.DENIED),
        403: _misconfigured("misconfigured: Twilio forbids the request to this account or API key"),
        404: ERRORS[20404],
        429: _throttled("too many requests to Twilio", retry=False),
    }
)
"""By HTTP status, for a code that a table does not know, or a body without one."""

UNKNOWN = Row(FailureKind.INTERNAL, "Twilio refused the request with a code that is not in the table")


def row_for(status: int, code: int | None) -> Row:
    """The row of a refusal; for a code that the table does not know, that of its HTTP status.

    Args:
        status: 400 to 499.
        code: Twilio's own, where the body had one.
    """
    return (ERRORS.get(code) if code is not None else None) or BY_STATUS.get(status, UNKNOWN)
