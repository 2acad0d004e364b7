"""The stories that cassettes tell: what is asked of Verify, one step after the other, and what each answer means.

A story is recorded with the official SDK alone (`record`) and replayed through both colours of the provider
(`playing`); `expect` is in the words of `playing.told`.

Rules of this file: data. Numbers are from the ranges reserved for fiction; codes are those named here and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from otpcore_twilio.emulator import Fault, Magic, Operation, Scenario

__all__ = [
    "ACCOUNT",
    "CUSTOM",
    "NUMBER",
    "RIGHT",
    "SERVICE",
    "STORIES",
    "UNKNOWN_SID",
    "WRONG",
    "Attempts",
    "Cancel",
    "Check",
    "Pass",
    "Send",
    "Step",
    "Story",
]

NUMBER: Final = "+12025550123"
LANDLINE: Final = "+12025550105"
NOWHERE: Final = "+12025550106"
FAR: Final = "+12025550107"
PUMPED: Final = "+12025550108"

RIGHT: Final = "424242"
"""Stands for the code that was sent."""

WRONG: Final = "000000"
CUSTOM: Final = "246813"
"""A code of the application's own."""

ACCOUNT: Final = "AC" + "0" * 32
SERVICE: Final = "VA" + "0" * 32
UNKNOWN_SID: Final = "VE" + "f" * 32


@dataclass(frozen=True, slots=True)
class Send:
    """Create a verification, or send its code again."""

    expect: str
    channel: str = "sms"
    to: str = NUMBER
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Try a code; `RIGHT` is the one that was sent. By the SID of the last send, or another, or by number."""

    expect: str
    code: str = WRONG
    sid: str | None = None
    by_number: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the verification of the last send."""

    expect: str = "canceled"


@dataclass(frozen=True, slots=True)
class Attempts:
    """List the sends of the verification."""

    expect: str


@dataclass(frozen=True, slots=True)
class Pass:
    """Let time pass; nothing is asked."""

    seconds: int


Step = Send | Check | Cancel | Attempts | Pass


@dataclass(frozen=True, slots=True)
class Story:
    """One cassette.

    Attributes:
        name: of the file.
        text: what happens, for the head of the file.
        steps: in their order.
        options: of the emulator, where they are not the default.
        custom_codes: the service takes codes of the application's own.
        wrong_token: the credentials are not the account's.
        live: can be recorded from the live service with one ordinary number.
    """

    name: str
    text: str
    steps: tuple[Step, ...]
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    custom_codes: bool = False
    wrong_token: bool = False
    live: bool = False


FIRST: Final = "accepted"
AGAIN: Final = "accepted, same verification"


def _magic(number: str, code: int, channels: frozenset[str] | None = None) -> dict[str, Any]:
    return {"magic": {number: Magic(number, Operation.CREATE, code, channels=channels)}}


def _faults(*scenarios: Scenario) -> dict[str, Any]:
    return {"faults": scenarios}


CREATE: Final = "create_verification"
CHECK: Final = "create_check"

STORIES: Final = (
    Story("start-sms", "A code is sent by SMS.", (Send(FIRST),), live=True),
    Story("start-call", "A code is told in a call.", (Send(FIRST, "call"),), live=True),
    Story("start-whatsapp", "A code is sent by WhatsApp.", (Send(FIRST, "whatsapp"),), live=True),
    Story(
        "resend",
        "The code is sent again inside its ten minutes, then told in a call: the verification is the same.",
        (Send(FIRST), Send(AGAIN), Send(AGAIN, "call")),
        live=True,
    ),
    Story(
        "five-sends",
        "Five sends to one number, then the limit: 60203.",
        (Send(FIRST), *[Send(AGAIN)] * 4, Send("rate_limited of recipient, not_sent, 60203")),
        live=True,
    ),
    Story(
        "wrong-codes",
        "Five wrong codes, then no check is answered any more: 60202, for the right code too.",
        (Send(FIRST), *[Check("wrong")] * 5, Check("exhausted, 60202"), Check("exhausted, 60202", RIGHT)),
        live=True,
    ),
    Story("right-code", "The code is right.", (Send(FIRST), Check("approved", RIGHT)), live=True),
    Story(
        "right-code-by-number",
        "A wrong code, then the right one, by the number in place of the verification.",
        (Send(FIRST), Check("wrong", by_number=True), Check("approved", RIGHT, by_number=True)),
        live=True,
    ),
    Story(
        "code-again",
        "The right code is tried again after it was approved: 404.",
        (Send(FIRST), Check("approved", RIGHT), Check("gone, 20404", RIGHT)),
        live=True,
    ),
    Story(
        "expired",
        "The right code after its ten minutes: 404. The next send opens another verification.",
        (Send(FIRST), Pass(601), Check("gone, 20404", RIGHT), Send(FIRST)),
        live=True,
    ),
    Story(
        "canceled",
        "The application ends the verification: its code is void, and the next send opens another one.",
        (Send(FIRST), Cancel(), Check("gone, 20404", RIGHT), Cancel("not canceled"), Send(FIRST)),
        live=True,
    ),
    Story(
        "unknown-sid", "A check of a verification that there never was: 404.", (Check("gone, 20404", sid=UNKNOWN_SID),)
    ),
    Story(
        "invalid-number",
        "A number that cannot be: 60200.",
        (Send("invalid_recipient, not_sent, 60200", to=NOWHERE),),
        _magic(NOWHERE, 60200),
    ),
    Story(
        "landline",
        "A landline gets no SMS, 60205; it can be called.",
        (Send("channel_unreachable, not_sent, 60205", to=LANDLINE), Send(FIRST, "call", LANDLINE)),
        _magic(LANDLINE, 60205, frozenset({"sms"})),
    ),
    Story(
        "geo-block",
        "The geographic permissions of the account exclude the number: 60605.",
        (Send("destination_blocked, not_sent, 60605", to=FAR),),
        _magic(FAR, 60605),
    ),
    Story(
        "fraud-block",
        "Fraud Guard has blocked the prefix: 60410.",
        (Send("fraud_suspected, not_sent, 60410", to=PUMPED),),
        _magic(PUMPED, 60410),
    ),
    Story(
        "too-many-requests",
        "The account asks too often, 20429: with a Retry-After and without one, at a send and at a check.",
        (
            Send("rate_limited of account, not_sent, 20429, after 3 s"),
            Send("rate_limited of account, not_sent, 20429"),
            Send(FIRST),
            Check("throttled, 20429, after 2 s", RIGHT),
            Check("throttled, 20429", RIGHT),
            Check("approved", RIGHT),
        ),
        _faults(
            Scenario(operation=CREATE, outcome=20429, retry_after_s=3),
            Scenario(operation=CREATE, outcome=20429),
            Scenario(operation=CHECK, outcome=20429, retry_after_s=2),
            Scenario(operation=CHECK, outcome=20429),
        ),
    ),
    Story(
        "wrong-credentials",
        "The auth token is not the account's: 401.",
        (Send("misconfigured, not_sent, 20003"), Check("denied, 20003", by_number=True)),
        wrong_token=True,
    ),
    Story(
        "trouble",
        "Verify fails with an error of its own, a bare 502, and a page of HTML: nobody knows what happened.",
        (
            Send("internal, unknown, 20500"),
            Send("internal, unknown"),
            Send("internal, unknown"),
            Send(FIRST),
            Check("unknown, 20500", RIGHT),
            Check("unknown", RIGHT),
            Check("approved", RIGHT),
        ),
        _faults(
            Scenario(operation=CREATE, outcome=20500),
            Scenario(operation=CREATE, outcome=502),
            Scenario(operation=CREATE, outcome=Fault.GARBAGE),
            Scenario(operation=CHECK, outcome=20500),
            Scenario(operation=CHECK, outcome=Fault.GARBAGE),
        ),
    ),
    Story(
        "custom-code",
        "A code of the application's own is sent, and checked.",
        (Send(FIRST, code=CUSTOM), Check("wrong"), Check("approved", CUSTOM)),
        custom_codes=True,
    ),
    Story(
        "attempts",
        "What was sent, and what became of it.",
        (
            Send(FIRST),
            Send(AGAIN, "call"),
            Attempts("call unconverted, sms unconverted"),
            Check("approved", RIGHT),
            Attempts("call converted, sms unconverted"),
        ),
        live=True,
    ),
)
