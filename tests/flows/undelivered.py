"""What the scripts of failover after an undelivered message share: a rule that wants it, a life, and what stands after.

Rules of this file: as for `tests.flows.script`.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

from otpcore import Sent
from otpcore.contract import Accepted
from otpcore.effects import SendCode, Tell
from otpcore.flows import Setup, receipt, start
from otpcore.policy import DEFAULT, Profile
from otpcore.receipts import DeliveryEvent, DeliveryState
from otpcore.routing import Routing
from tests.flows.hearing import REQUEST, happened
from tests.flows.legs import several, ways
from tests.flows.script import CORE, NUMBER, Page, entropy

SEEDS = itertools.count()
WITHIN = timedelta(minutes=2)
"""As long after a send it may be followed."""


def following(
    *,
    providers: int = 3,
    keep_number: bool = True,
    profile: Profile = DEFAULT,
    routing: Routing | None = None,
    plugged: bool = True,
    **more: Any,
) -> Setup:
    """Providers a, b, … that read receipts, and a rule that goes from one to the next."""
    rule = ways(*((name, "") for name in "abcdefgh"[:providers]), **{"failover_on_undelivered": WITHIN, **more})
    given = several(*[CORE] * providers, routing=routing or rule, profile=profile, plugged=plugged, reads_receipts=True)
    return replace(given, keep_number=keep_number)


def named() -> Page:
    """A page whose messages have handles of their own: A1 of the first, B1 of the second, C1 of the third."""
    return Page(sends=[Accepted("A1"), Accepted("B1"), Accepted("C1")])


def begun(page: Page, given: Setup, seed: int = 1, **asked: Any) -> Sent:
    result = page.run(start(given, entropy(seed), NUMBER, **asked))
    assert isinstance(result, Sent)
    return result


def tell(page: Page, given: Setup, provider: str, *events: DeliveryEvent) -> Any:
    """One receipt, each an operation of its own."""
    page.receipts.append(events)
    return page.run(receipt(given, entropy(next(SEEDS) % 150 + 100), provider, REQUEST))


def lost(handle: str, state: DeliveryState = DeliveryState.UNDELIVERED, **changes: Any) -> DeliveryEvent:
    return happened(state, None, handle=handle, **changes)


def asked_of(page: Page) -> list[str]:
    """The providers that were asked to send, in order."""
    return [effect.provider for effect in page.requests(SendCode)]


def codes(page: Page) -> list[str]:
    return [effect.request.code or "" for effect in page.requests(SendCode)]


def names(page: Page) -> list[str]:
    """Of the events that were told."""
    return [event.name for each in page.requests(Tell) for event in each.events()]


def reasons(page: Page) -> list[str]:
    """Why nothing followed, as it was told."""
    told = [event for each in page.requests(Tell) for event in each.events()]
    return [event.detail["reason"] for event in told if event.name == "failover.none"]
