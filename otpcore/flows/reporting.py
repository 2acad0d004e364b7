"""After an approval, a cancellation or a move: the provider hears what became of a code of the core.

Rules of this file: see `otpcore.flows`. It is told when the commit has won and the answer is known; whatever comes of
it changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from otpcore.contract import CodeOwner
from otpcore.effects import ReportOutcome, Tell
from otpcore.events import Event
from otpcore.flows.setup import Flow, Setup, event
from otpcore.ledger import Carrier, carrier
from otpcore.model import RecipientRecord, Session
from otpcore.receipts import Outcome

__all__ = ["REPORT_S", "left_behind", "report"]

REPORT_S: Final = 2.0
"""Most seconds that an answer waits for the providers to hear of it; the answer stands without."""


def report(
    setup: Setup, session: Session, by: Carrier | None, outcome: Outcome, *, key: str, now: datetime | None
) -> Flow[None]:
    """Tell the provider that carried a code, once, where it takes feedback.

    Args:
        setup: of the engine.
        session: the code's, for the audit log.
        by: who carried it, as it was while it lived: an ended session does not know that any more.
        outcome: what became of it.
        key: of the record.
        now: on the record's clock, when it was decided.
    """
    terms = setup.providers.get(by.provider) if by is not None else None
    if by is None or terms is None or not terms.takes_feedback:
        return
    taken: bool = yield ReportOutcome(terms.name, by.handle, outcome, min(REPORT_S, setup.timeout_s))

    def facts() -> tuple[Event, ...]:
        about = {"provider": terms.name, "outcome": outcome.value, "taken": "yes" if taken else "no"}
        return (event(setup, "outcome.reported", at=now, key=key, session=session, **about),) if now else ()

    yield Tell(facts)


def left_behind(asked: Session, accepted: Carrier, before: RecipientRecord, after: RecipientRecord) -> Carrier | None:
    """Who has a code of the core that is over, now that a provider has accepted a send.

    That is who carried the code before, where the session has gone to another provider; or the one that accepted,
    where its code was over by then: a newer one was accepted elsewhere, or the session has ended. A provider that keeps
    the session is not told: it was asked with its own verification in hand.

    Args:
        asked: the session as it was handed to the provider that accepted.
        accepted: that one; its handle may be "".
        before: the record when the answer was there.
        after: the same with the answer in it.
    """
    if asked.owner is not CodeOwner.CORE:
        return None
    was, stands = before.session(asked.id), after.session(asked.id)
    left: Carrier | None = accepted
    if stands is None or not stands.is_live:
        if accepted.handle == asked.handle:
            return None  # who ended the session has told of it
    elif accepted.provider == stands.provider:
        left = carrier(before, was) if was is not None else None
        if left is not None and left.provider == stands.provider:
            return None
    in_use = [carrier(after, one) for one in after.sessions if one.is_live]
    return left if left is not None and left.handle and left not in in_use else None
