"""The words of a code that is about to be sent.

Rules of this file: see `otpcore.flows`. The language and the channel choose a template; no text of the call is in it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from otpcore.contract import MessageText
from otpcore.flows.reserving import Reserved
from otpcore.flows.setup import Setup
from otpcore.flows.wish import Wish
from otpcore.messages import render

__all__ = ["worded"]

MINUTE: Final = timedelta(minutes=1)


def worded(setup: Setup, wish: Wish, reserved: Reserved, *, now: datetime | None) -> MessageText | None:
    """The message for a code of the core; None for one of the provider's, which has words of its own.

    It says whole minutes, rounded down so that nobody is promised more than there is, and at least one.
    """
    code, channel = reserved.code, reserved.session.channel
    if code is None:
        return None
    template = setup.templates.find(purpose=wish.purpose, channel=channel, locale=wish.locale, brand=setup.brand)
    left = setup.profile.code_lifetime if now is None else reserved.session.expires_at - now
    return render(template, code, max(1, left // MINUTE), setup.brand, channel=channel)
