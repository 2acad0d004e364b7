"""The state machines of a session, a send and a try: transition tables as data, and `step`.

Rules of this file: the tables are the specification, and `docs/state-machine.md` is drawn from them. An
event that a state does not list changes nothing: `step` is total over state x event. Guards (how many
tries are left, whose budget it is) are `otpcore.policy`; this file knows none.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from otpcore.model import CheckState, SendState, SessionStatus

__all__ = [
    "CHECK_TRANSITIONS",
    "SEND_TRANSITIONS",
    "SESSION_TRANSITIONS",
    "CheckEvent",
    "SendEvent",
    "SessionEvent",
    "step",
]


class SessionEvent(StrEnum):
    """What can happen to a session."""

    RIGHT_CODE = "right code"
    LAST_TRY_SPENT = "last try spent"
    CANCEL = "cancel"
    SIBLING_APPROVED = "sibling approved"
    LIFETIME_OVER = "lifetime over"
    PROVIDER_LOST_IT = "provider lost it"
    NOTHING_SENT = "nothing sent"


class SendEvent(StrEnum):
    """What can happen to a send."""

    ACCEPTED = "accepted"
    DEFINITELY_REFUSED = "definitely refused"
    ANSWER_LOST = "answer lost"
    LEASE_OVER = "lease over"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


class CheckEvent(StrEnum):
    """What can happen to a claimed try."""

    FOUND_WRONG = "found wrong"
    ANSWER_LOST = "answer lost"
    LEASE_OVER = "lease over"


_PENDING = SessionStatus.PENDING

SESSION_TRANSITIONS: Final[Mapping[tuple[SessionStatus, SessionEvent], SessionStatus]] = {
    (_PENDING, SessionEvent.RIGHT_CODE): SessionStatus.APPROVED,
    (_PENDING, SessionEvent.LAST_TRY_SPENT): SessionStatus.MAX_ATTEMPTS_REACHED,
    (_PENDING, SessionEvent.CANCEL): SessionStatus.CANCELED,
    (_PENDING, SessionEvent.SIBLING_APPROVED): SessionStatus.CANCELED,
    (_PENDING, SessionEvent.LIFETIME_OVER): SessionStatus.EXPIRED,
    (_PENDING, SessionEvent.PROVIDER_LOST_IT): SessionStatus.FAILED,
    (_PENDING, SessionEvent.NOTHING_SENT): SessionStatus.FAILED,
}
"""Only `pending` has a way out, and each way is taken once."""

SEND_TRANSITIONS: Final[Mapping[tuple[SendState, SendEvent], SendState]] = {
    (SendState.RESERVED, SendEvent.ACCEPTED): SendState.ACCEPTED,
    (SendState.RESERVED, SendEvent.DEFINITELY_REFUSED): SendState.REFUSED,
    (SendState.RESERVED, SendEvent.ANSWER_LOST): SendState.UNKNOWN,
    (SendState.RESERVED, SendEvent.LEASE_OVER): SendState.UNKNOWN,
    (SendState.UNKNOWN, SendEvent.ACCEPTED): SendState.ACCEPTED,
    (SendState.UNKNOWN, SendEvent.DEFINITELY_REFUSED): SendState.REFUSED,
    (SendState.ACCEPTED, SendEvent.DELIVERED): SendState.DELIVERED,
    (SendState.ACCEPTED, SendEvent.UNDELIVERED): SendState.UNDELIVERED,
    (SendState.UNKNOWN, SendEvent.DELIVERED): SendState.DELIVERED,
    (SendState.UNKNOWN, SendEvent.UNDELIVERED): SendState.UNDELIVERED,
    (SendState.UNDELIVERED, SendEvent.DELIVERED): SendState.DELIVERED,
}
"""`reserved` to `refused` gives the step back; `unknown` to `refused` never does. What has arrived has arrived,
in whatever order a vendor's receipts tell of it."""

CHECK_TRANSITIONS: Final[Mapping[tuple[CheckState, CheckEvent], CheckState]] = {
    (CheckState.CLAIMED, CheckEvent.FOUND_WRONG): CheckState.WRONG,
    (CheckState.CLAIMED, CheckEvent.ANSWER_LOST): CheckState.UNKNOWN,
    (CheckState.CLAIMED, CheckEvent.LEASE_OVER): CheckState.UNKNOWN,
    (CheckState.UNKNOWN, CheckEvent.FOUND_WRONG): CheckState.WRONG,
}
"""A try that turns out right, or was never compared, is taken off the record instead."""

State = TypeVar("State", SessionStatus, SendState, CheckState)
Event = TypeVar("Event", SessionEvent, SendEvent, CheckEvent)


def step(transitions: Mapping[tuple[State, Event], State], state: State, event: Event) -> State:
    """The state after the event; the same state where the table lists none."""
    return transitions.get((state, event), state)
