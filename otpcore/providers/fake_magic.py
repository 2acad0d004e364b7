"""The numbers for which `fake` does something else than send: every failure, verdict and state of delivery.

    +1 303-555-0100 …   a send fails with each `FailureKind`, in the order of their definition
    +1 303-555-0120 …   a send fails in the ways that a kind alone does not say: `VARIANTS`
    +1 303-555-0150 …   a check is answered with each `CheckVerdict`, in the order of their definition
    +1 303-555-0170 …   a send is accepted, and the vendor tells of each `DeliveryState`, in their order

Numbers 555-0100 to 555-0199 are reserved for fiction (NANPA, 555 line numbers).

Rules of this file: data. `docs/providers/fake.md` shows it, and a test keeps the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from otpcore.ports import (
    CheckAnswer,
    CheckVerdict,
    DeliveryState,
    Failure,
    FailureKind,
    FailureScope,
    SendEffect,
)

__all__ = ["DELIVERIES", "MAGIC_NUMBERS", "VARIANTS", "Outcome", "Vanished"]


@dataclass(frozen=True, slots=True)
class Vanished:
    """Nobody knows what became of the send, and nothing left: the easier of the two cases that look alike.

    Attributes:
        kind: of the failure that is answered; its effect is UNKNOWN.
    """

    kind: FailureKind


Outcome = Failure | FailureKind | Vanished | CheckAnswer | CheckVerdict | Exception
"""What a script may order. A kind or a verdict stands for the plain value of it; an exception is raised;
an outcome that does not fit the call (a verdict for a send) leaves it to the ordinary behaviour."""


def _numbers(first: int, outcomes: list[Outcome]) -> dict[str, Outcome]:
    return {f"+13035550{first + place}": outcome for place, outcome in enumerate(outcomes)}


VARIANTS: Mapping[str, Outcome] = MappingProxyType(
    _numbers(
        120,
        [
            Failure(
                FailureKind.RATE_LIMITED,
                SendEffect.NOT_SENT,
                "this recipient was sent to too often",
                scope=FailureScope.RECIPIENT,
                retry_after=timedelta(seconds=60),
            ),
            Failure(
                FailureKind.RATE_LIMITED,
                SendEffect.NOT_SENT,
                "this account sends too fast",
                scope=FailureScope.ACCOUNT,
                retry_after=timedelta(seconds=5),
            ),
            Failure(FailureKind.TIMEOUT, SendEffect.NOT_SENT, "no connection within the deadline"),
            Failure(FailureKind.INTERNAL, SendEffect.NOT_SENT, "the vendor failed before it took anything"),
            Failure(FailureKind.TRANSIENT, SendEffect.UNKNOWN, "sent, and the answer was lost"),
            Failure(FailureKind.MISCONFIGURED, SendEffect.UNKNOWN, "sent, and the answer made no sense"),
            Vanished(FailureKind.TIMEOUT),
            Vanished(FailureKind.INTERNAL),
        ],
    )
)
"""+1 303-555-0120 and on: scopes, and both effects where a kind alone says one."""

MAGIC_NUMBERS: Mapping[str, Outcome] = MappingProxyType(
    _numbers(100, [*FailureKind]) | dict(VARIANTS) | _numbers(150, [*CheckVerdict])
)
"""What sends to a number and checks of its code come to."""

DELIVERIES: Mapping[str, DeliveryState] = MappingProxyType(
    {f"+13035550{170 + place}": state for place, state in enumerate(DeliveryState)}
)
"""What the vendor says afterwards of a message to a number, in a receipt (`Exchange.due_receipts`)."""
