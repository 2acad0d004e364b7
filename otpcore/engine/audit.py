"""Telling what happened: the audit log, and the plugins that observe.

The logger `otpcore.audit` gets one line of JSON for each event at INFO: every start, resend, check, cancel,
status, forget, unlock and receipt, answered or failed, and each refund, lock, erasure, delivery, reported outcome, and
breaker that opens or closes.
Instants are UTC; control characters are escaped by the encoding, so that no value can forge a line.

Rules of this file: an event holds no code and no full number (`otpcore.contract.Event`), and what fails
here is logged and never fails the operation that it tells of.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from otpcore.contract import FailureScope, SendEffect
from otpcore.engine.answers import to_milliseconds
from otpcore.engine.breaking import Change
from otpcore.events import Event
from otpcore.ports import Clock
from otpcore.routing import FAILOVER

__all__ = ["AUDIT", "Redact", "line_of", "tell", "tell_breakers"]

AUDIT: Final = logging.getLogger("otpcore.audit")

_log: Final = logging.getLogger(__name__)

_HIDDEN: Final = re.compile(r"[^\s@<>\"'(),;:\[\]]{0,63}[^\s@<>\"'(),;:\[\]*]@[^\s@<>\"'(),;:\[\]]+|\+?\d{6,}")


def line_of(event: Event) -> str:
    """The event as one line of ASCII JSON."""
    fields = {
        "event": event.name,
        "at": event.at.isoformat(timespec="milliseconds"),
        "tenant": event.tenant,
        "purpose": event.purpose,
        "recipient": event.recipient_key,
        "tail": event.recipient_tail,
        "session": event.session,
        **event.detail,
    }
    return json.dumps({name: value for name, value in fields.items() if value}, ensure_ascii=True)


def tell(make: Callable[[], tuple[Event, ...]], observe: Callable[[Event], None] | None) -> None:
    """Make the events and tell them, when somebody listens.

    Args:
        make: gives the events.
        observe: tells the plugins; None when there are none that observe.
    """
    audited = AUDIT.isEnabledFor(logging.INFO)
    if not audited and observe is None:
        return
    for event in make():
        if audited:
            with suppress(Exception):  # a handler's own failure is told by `logging`, and takes no answer away
                AUDIT.info("%s", line_of(event))
        if observe is not None:
            observe(event)


def tell_breakers(
    changes: Sequence[Change], tenant: str, clock: Clock, observe: Callable[[Event], None] | None
) -> None:
    """Tell of breakers; what only somebody's hand ends is also a warning in this module's own log.

    Args:
        changes: what has opened or closed.
        tenant: of the engine.
        clock: of the engine.
        observe: as for `tell`.
    """
    for each in changes:
        if each.opened and FAILOVER[each.kind, FailureScope.ACCOUNT, SendEffect.NOT_SENT].alert:
            _log.warning("Provider %s is spared until somebody helps: %s", each.provider, each.kind.value)
    with suppress(Exception):  # a clock that fails takes no provider's answer away
        at = to_milliseconds(clock())
        tell(lambda: tuple(_event(each, tenant, at) for each in changes), observe)


def _event(change: Change, tenant: str, at: datetime) -> Event:
    about = {"provider": change.provider, "channel": change.channel, "region": change.region, "kind": change.kind.value}
    if change.opened:
        return Event("breaker.opened", at, tenant, "", "", detail=about | {"seconds": f"{change.seconds:g}"})
    return Event("breaker.closed", at, tenant, "", "", detail=about)


class Redact(logging.Filter):
    """Last line of defence for a handler: hides addresses, and runs of six digits and more, whoever logged them.

    Put it on a handler (`handler.addFilter(Redact())`): a filter on a logger does not see its children's records.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Hide digits and addresses in the message; always lets the record pass."""
        hidden = _HIDDEN.sub("…", record.getMessage())
        if hidden != record.getMessage():
            record.msg, record.args = hidden, ()
        if record.exc_info and record.exc_text is None:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = _HIDDEN.sub("…", record.exc_text)
        return True
