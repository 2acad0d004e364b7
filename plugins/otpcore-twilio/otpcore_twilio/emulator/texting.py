"""What happens to messages that an application words itself: sent, shown, and told how they ended.

Rule of this file: pure state, as in `state`; the parameters of a request are judged in `resources.texts`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otpcore_twilio.emulator.magic import Delivery
from otpcore_twilio.emulator.records import Message, Text

if TYPE_CHECKING:
    from datetime import datetime

    from otpcore_twilio.emulator.state import World

__all__ = ["LONGEST_TEXT", "Draft", "code_in", "segments_of", "send"]

LONGEST_TEXT: Final = 1600

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""The two tables of the GSM 7 bit alphabet [3GPP TS 23.038, 6.2.1]; a character of the second counts twice."""

_GSM: Final = (160, 153)
_UCS2: Final = (70, 67)
"""Characters of a message alone, and of each part of several [3GPP TS 23.040, 9.2.3.24]."""

_BOUND: Final = re.compile(r"@\S+ #([0-9]{4,10})(?![0-9])")
"""The last line of a message that a browser reads [WICG, origin-bound one-time codes]."""

_CODE: Final = re.compile(r"(?<![0-9])[0-9]{4,10}(?![0-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message as it was asked for.

    Attributes:
        to: E.164.
        sender: number, short code or sender id; None: the service chooses.
        service_sid: MG…; None without one.
        body: the text.
        feedback: the application will say how it ended.
        callback: URL that its statuses are told to; None: none was given.
    """

    to: str
    sender: str | None
    service_sid: str | None
    body: str
    feedback: bool
    callback: str | None


def send(world: World, draft: Draft, *, now: datetime) -> Text:
    """Put a message on its way: into the inbox of its recipient, and on the list."""
    held = world.held
    delivery = world.options.deliveries.get(draft.to, Delivery())
    text = Text(
        world.sid("SM"),
        draft.to,
        draft.sender,
        draft.service_sid,
        draft.body,
        created_at=now,
        segments=segments_of(draft.body),
        feedback=draft.feedback,
        callback=draft.callback,
        status=delivery.statuses[-1],
        error_code=delivery.error_code,
    )
    held.texts[text.sid] = text
    held.sent += 1
    held.messages.append(Message(held.sent, text.sid, text.sid, text.to, "sms", code_in(text.body), text.body, now))
    del held.messages[: -world.options.inbox_size]
    if len(held.texts) > world.options.inbox_size:
        del held.texts[next(iter(held.texts))]
    return text


def code_in(body: str) -> str:
    """The code that a person would read in a text; "" where there is none."""
    bound = _BOUND.search(body)
    found = _CODE.search(body)
    return bound[1] if bound else found[0] if found else ""


def segments_of(body: str) -> int:
    """Short messages that a text takes."""
    if all(character in _BASIC or character in _EXTENDED for character in body):
        size, (alone, each) = sum(1 + (character in _EXTENDED) for character in body), _GSM
    else:
        size, (alone, each) = len(body.encode("utf-16-be")) // 2, _UCS2
    return 1 if size <= alone else -(-size // each)
