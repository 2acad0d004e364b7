"""What the scripts of receipts share: engines that read them, events, and a page that hears them.

Rules of this file: as for `tests.flows.script`.
"""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

from otpcore import SendState, Sent
from otpcore.flows import Setup, receipt, resend, start
from otpcore.model import RecipientRecord
from otpcore.receipts import DeliveryEvent, DeliveryState, InboundRequest
from tests.flows.script import CORE, MINUTE, NOW, NUMBER, PROVIDER, Page, entropy, setup

REQUEST = InboundRequest("POST", "/r", {}, b"")
READS = setup(CORE, reads_receipts=True)
OWNS = setup(PROVIDER, reads_receipts=True)
EVENTS = itertools.count(1)
GOOD = (DeliveryState.DELIVERED, DeliveryState.READ)
BAD = (DeliveryState.UNDELIVERED, DeliveryState.FAILED, DeliveryState.EXPIRED)
SAYS_NOTHING = tuple(state for state in DeliveryState if state not in (*GOOD, *BAD))


def happened(state: DeliveryState, at: datetime | None = NOW, **changes: Any) -> DeliveryEvent:
    """An event; each has an id of its own, unless one is given."""
    given: dict[str, Any] = {
        "id": f"EV{next(EVENTS)}",
        "handle": "VE1",
        "recipient": NUMBER,
        "provider_code": None,
        **changes,
    }
    return DeliveryEvent(state=state, at=at, **given)


def opened(page: Page, given: Setup = READS, seed: int = 1, **asked: Any) -> Sent:
    result = page.run(start(given, entropy(seed), NUMBER, **asked))
    assert isinstance(result, Sent)
    return result


def hear(page: Page, *events: DeliveryEvent, given: Setup = READS, seed: int = 50) -> Any:
    page.receipts.append(events)
    return page.run(receipt(given, entropy(seed), None, REQUEST))


def states(page: Page) -> list[SendState]:
    return [send.state for send in page.record().sends]


def without_states(record: RecipientRecord) -> RecipientRecord:
    """Everything but what is known of the sends, and when it was last written."""
    return record.but(mark_at=None, sends=tuple(send.but(state=SendState.ACCEPTED, told=()) for send in record.sends))


def twice_sent(page: Page, given: Setup = OWNS) -> None:
    """Two sends of one session, two minutes apart."""
    token = opened(page, given).session.token or ""
    page.now += 2 * MINUTE
    page.run(resend(given, entropy(2), token, NUMBER))
