"""After an approval or a cancellation: the provider hears what became of a code of the core.

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
from otpcore.model import Session
from otpcore.receipts import Outcome

__all__ = ["REPORT_S", "report"]

REPORT_S: Final = 2.0
"""Most seconds that an answer waits for the provider to hear of it; the answer stands without."""


def report(setup: Setup, session: Session, outcome: Outcome, *, key: str, now: datetime | None) -> Flow[None]:
    """Tell the session's provider, once, where it takes feedback.

    Args:
        setup: of the engine.
        session: as it was while it lived: an ended one does not know its handle any more.
        outcome: what became of it.
        key: of the record.
        now: on the record's clock, when it was decided.
    """
    terms = setup.providers.get(session.provider)
    if terms is None or not terms.takes_feedback or session.owner is not CodeOwner.CORE or not session.handle:
        return
    taken: bool = yield ReportOutcome(terms.name, session.handle, outcome, min(REPORT_S, setup.timeout_s))

    def facts() -> tuple[Event, ...]:
        about = {"provider": terms.name, "outcome": outcome.value, "taken": "yes" if taken else "no"}
        return (event(setup, "outcome.reported", at=now, key=key, session=session, **about),) if now else ()

    yield Tell(facts)
