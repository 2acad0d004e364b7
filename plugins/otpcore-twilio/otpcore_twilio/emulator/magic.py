"""Magic numbers: recipients whose verification or message fails in a chosen way.

Twilio has none for Verify; these are ours. The last four digits of a number that answers with an error are the last
four of its code (+1 500 555 0203 answers 60203); but 20001 has 2001 and 60008 has 6008, because others end as they do.
The rest are faults of the transport, and messages that do not arrive. For messages of the application's own Twilio has
some ("Test credentials", read in November 2026), and they are here with the rest in a table of their own.

Rule of this file: data. What an entry means is carried out by `operations` and `app`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DELIVERIES", "FROM_NUMBERS", "MAGIC", "MESSAGE_MAGIC", "Delivery", "Fault", "Magic", "Operation"]


class Operation(StrEnum):
    """The request that a magic number spoils."""

    CREATE = "create"
    CHECK = "check"
    MESSAGE = "message"
    """A message of Programmable Messaging."""


class Fault(StrEnum):
    """What happens to the answer."""

    HANG = "hang"
    """Nothing is answered; the connection stays open until the client leaves."""
    RESET = "reset"
    """The connection is reset before a byte of the answer."""
    GARBAGE = "garbage"
    """An HTML page, as a proxy in between would send; 503."""
    TRUNCATED = "truncated"
    """The header promises more bytes than come, then the connection ends."""


@dataclass(frozen=True, slots=True)
class Magic:
    """What a number does.

    Attributes:
        number: E.164.
        on: the request that it spoils; every other request is served normally.
        outcome: an error code, or a fault.
        processed: whether the request takes effect first (a message is sent, a try is used up), so that only
            the answer is lost. An error is never processed.
        channels: the channels on which it acts; None: all of them.
    """

    number: str
    on: Operation
    outcome: int | Fault
    processed: bool = False
    channels: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.processed and not isinstance(self.outcome, Fault):
            raise ValueError("an error answer is never processed")


_PREFIX = "+1500555"

_CREATE_ERRORS = (
    20003, 20008, 20404, 20429, 20500,
    21211, 21215, 21216, 21408, 21608, 21610, 21612, 21614, 25109, 30450,
    60001, 60006, 60200, 60201, 60202, 60203, 60204, 60206, 60207, 60208, 60209, 60210, 60211, 60212, 60213, 60214,
    60217, 60220, 60221, 60222, 60223, 60224, 60226, 60227, 60228, 60229, 60238, 60252,
    60308, 60310, 60408, 60410, 60413, 60519, 60550, 60605,
)  # fmt: skip
_APART = {"2001": 20001, "6008": 60008}
"""Errors of a send whose last four digits are those of another."""

_CHECK_ERRORS = (
    20003, 20008, 20404, 20429, 20500, 25109,
    60200, 60202, 60203, 60204, 60212, 60221, 60308, 60310, 60410, 60413, 60519,
)  # fmt: skip


def _table() -> dict[str, Magic]:
    rows = [Magic(f"{_PREFIX}{code % 10_000:04}", Operation.CREATE, code) for code in _CREATE_ERRORS]
    rows.append(Magic(f"{_PREFIX}0205", Operation.CREATE, 60205, channels=frozenset({"sms"})))
    rows += [Magic(f"{_PREFIX}{last}", Operation.CREATE, code) for last, code in _APART.items()]
    rows += [Magic(f"{_PREFIX}9{code % 1000:03}", Operation.CHECK, code) for code in _CHECK_ERRORS]
    for first, operation in ((7, Operation.CREATE), (8, Operation.CHECK)):
        for last, fault in enumerate(Fault, start=1):
            rows.append(Magic(f"{_PREFIX}{first}00{last}", operation, fault))
            rows.append(Magic(f"{_PREFIX}{first}10{last}", operation, fault, processed=True))
    return {row.number: row for row in rows}


MAGIC: Final[Mapping[str, Magic]] = MappingProxyType(_table())
"""The default numbers. On create: an error by code, 7001..7004 a fault before the request takes effect, 7101..7104
after it. On check: 9 and the last three digits of the code, 8001..8004, 8101..8104. A landline (0205) takes calls."""


_TWILIOS = {"0001": 21211, "0002": 21612, "0003": 21408, "0004": 21610, "0009": 21614}
"""Twilio's own test numbers as recipients."""

_MESSAGE_ERRORS = (
    20003, 20005, 20404, 20429, 20500,
    21212, 21214, 21217, 21265, 21267, 21601, 21606, 21608, 21610, 21611, 21614, 21635, 21659, 21660, 21661, 21701,
    21703, 21705, 21730, 30450, 63038,
)  # fmt: skip
_MESSAGES_APART = {"2003": 20003, "2005": 20005}
"""Errors of a message whose last four digits are those of Twilio's own numbers, or near to them."""


def _message_table() -> dict[str, Magic]:
    numbers = {f"{code % 10_000:04}": code for code in _MESSAGE_ERRORS if code not in _MESSAGES_APART.values()}
    errors = numbers | _MESSAGES_APART | _TWILIOS
    rows = [Magic(f"{_PREFIX}{last}", Operation.MESSAGE, code) for last, code in errors.items()]
    for last, fault in enumerate(Fault, start=1):
        rows.append(Magic(f"{_PREFIX}700{last}", Operation.MESSAGE, fault))
        rows.append(Magic(f"{_PREFIX}710{last}", Operation.MESSAGE, fault, processed=True))
    return {row.number: row for row in rows}


MESSAGE_MAGIC: Final[Mapping[str, Magic]] = MappingProxyType(_message_table())
"""The default recipients of messages: Twilio's own five, errors by code, and the faults of a send as above."""

FROM_NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {f"{_PREFIX}0001": 21212, f"{_PREFIX}0007": 21606, f"{_PREFIX}0008": 21611}
)
"""Twilio's own test numbers as senders; +15005550006, as every other, can send."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What becomes of a message on its way.

    Attributes:
        statuses: the words of Twilio's message status, in the order in which they are reported.
        error_code: comes with `undelivered` and `failed`.
    """

    statuses: tuple[str, ...] = ("sent", "delivered")
    error_code: int | None = None


_UNDELIVERED = ("sent", "undelivered")

DELIVERIES: Final[Mapping[str, Delivery]] = MappingProxyType(
    {
        f"{_PREFIX}3000": Delivery(("sent",)),
        f"{_PREFIX}3001": Delivery(("failed",), 30001),
        **{f"{_PREFIX}3{code % 1000:03}": Delivery(_UNDELIVERED, code) for code in range(30003, 30009)},
    }
)
"""Numbers whose verification is accepted and whose message does not arrive; 3000 is never heard of again."""
