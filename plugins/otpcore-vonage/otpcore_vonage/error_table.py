"""What each refusal of Vonage's means to the core, as data.

Sources, read in November 2026: Vonage's "API Errors" (the generic ones, and those of Verify v2), the API reference of
Verify v2 (1.0.1), and the bodies in the tests of Vonage's own SDKs. The HTTP status decides, and where one status
stands for several things the last word of the problem's `type`; never a title or a detail, which drift.

No row is FRAUD_SUSPECTED. Every documented meaning of 403 is the account's (forbidden, unprovisioned, suspended, out of
credit); a network that Vonage's anti-fraud blocks is accepted like any other, and the callback says `blocked` ("Verify
Anti-Fraud System"). So a 403 is not taken for a suspicion on a guess, which would switch all failover off.

Rules of this file: data, and the look-up. The sentences are our own. Every row is a refusal with a 4xx status, so
nothing was sent; a 5xx never comes here, nor the 409 of a new request, which is an answer of its own (`translate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from otpcore.ports import CheckVerdict, FailureKind, FailureScope

__all__ = ["CHECKS", "PROBLEMS", "SENDS", "Refusal", "check_row", "send_row"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal.

    Attributes:
        kind: of a send that met it.
        text: a sentence for an operator.
        scope: whose limit, where `kind` is RATE_LIMITED.
    """

    kind: FailureKind
    text: str
    scope: FailureScope = FailureScope.ACCOUNT


_CREDENTIALS = Refusal(FailureKind.MISCONFIGURED, "Vonage does not accept the credentials")
_BALANCE = Refusal(FailureKind.QUOTA_EXHAUSTED, "the balance of the Vonage account is too low")

SENDS: Final[Mapping[int, Refusal]] = MappingProxyType(
    {
        400: Refusal(FailureKind.CONTENT_REJECTED, "Vonage does not accept the request"),
        401: _CREDENTIALS,
        402: _BALANCE,
        403: Refusal(FailureKind.MISCONFIGURED, "Vonage forbids the request to this account or application"),
        404: Refusal(FailureKind.MISCONFIGURED, "there is no Verify v2 at this origin"),
        409: Refusal(
            FailureKind.RATE_LIMITED, "the number has a live verification that cannot go on", FailureScope.RECIPIENT
        ),
        422: Refusal(FailureKind.INVALID_RECIPIENT, "Vonage does not accept the number"),
        429: Refusal(FailureKind.RATE_LIMITED, "too many requests to Vonage"),
    }
)
"""Of a new request or of a step to the next channel, by HTTP status."""

PROBLEMS: Final[Mapping[str, Refusal]] = MappingProxyType(
    {
        "low-balance": _BALANCE,
        "out-of-credit": _BALANCE,
        "unprovisioned": Refusal(FailureKind.MISCONFIGURED, "the Vonage account has no access to Verify"),
        "account-suspended": Refusal(FailureKind.MISCONFIGURED, "the Vonage account is suspended"),
        "invalid-api-key": _CREDENTIALS,
        "jwt-expired": Refusal(FailureKind.MISCONFIGURED, "Vonage takes the JWT for expired: this clock is wrong"),
    }
)
"""Of the same, by the last word of the problem's `type`; it goes before the status."""

CHECKS: Final[Mapping[int, tuple[CheckVerdict, str]]] = MappingProxyType(
    {
        400: (CheckVerdict.WRONG, ""),
        401: (CheckVerdict.DENIED, _CREDENTIALS.text),
        402: (CheckVerdict.DENIED, _BALANCE.text),
        403: (CheckVerdict.DENIED, SENDS[403].text),
        404: (CheckVerdict.GONE, "Vonage no longer knows this verification"),
        409: (CheckVerdict.DENIED, "the step that the verification is at takes no code"),
        410: (CheckVerdict.EXHAUSTED, "the checks of this verification are used up at Vonage"),
        422: (CheckVerdict.DENIED, "Vonage does not accept the form of the code"),
        429: (CheckVerdict.THROTTLED, SENDS[429].text),
    }
)
"""Of a check, by HTTP status."""

_UNKNOWN_SEND = Refusal(FailureKind.INTERNAL, "Vonage refused the request with a status that is not in the table")
_UNKNOWN_CHECK = CheckVerdict.UNKNOWN, "Vonage refused the check with a status that is not in the table"


def send_row(status: int, problem: str) -> Refusal:
    """What a refused send means.

    Args:
        status: 400 to 499.
        problem: the last word of the problem's `type`; "" where there is none.
    """
    return PROBLEMS.get(problem) or SENDS.get(status, _UNKNOWN_SEND)


def check_row(status: int) -> tuple[CheckVerdict, str]:
    """What a refused check means."""
    return CHECKS.get(status, _UNKNOWN_CHECK)
