"""A service over several fake vendors that tell what became of their messages, with a clock that a test moves.

Rules of this file: as for `tests.properties.world`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from otpcore.contract import CheckRequest, CodeOwner, SendRequest
from otpcore.engine import Engine
from otpcore.model import RecipientRecord
from otpcore.ports import DeliveryState
from otpcore.providers.fake import FakeProvider, Outcome
from otpcore.providers.fake_exchange import Message
from otpcore.receipts import InboundRequest
from otpcore.routing import Leg, Routing, Rule
from otpcore.stores.memory import MemoryStore
from tests.properties.world import EPOCH, PEPPER

NAMES = ("a", "b", "c")
WITHIN = timedelta(minutes=2)


@dataclass
class Several:
    """One engine over a store and the vendors `NAMES`.

    Attributes:
        orders: outcomes of the next sends, whichever vendor is asked.
        rule: what the one rule says beside its legs.
    """

    seed: int = 1
    rule: dict[str, Any] = field(default_factory=lambda: dict[str, Any](failover_on_undelivered=WITHIN))
    now: datetime = EPOCH
    orders: list[Outcome] = field(default_factory=list[Outcome])

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.store = MemoryStore()
        self.vendors = {name: self._vendor(place) for place, name in enumerate(NAMES)}
        self.engine = Engine(
            self.store,
            self.vendors,
            pepper=PEPPER,
            routing=Routing((Rule(legs=tuple(Leg(name) for name in NAMES), **self.rule),)),
            keep_number="failover_on_undelivered" in self.rule,
            clock=self._clock,
            entropy=self.random.randbytes,
        )

    def _vendor(self, place: int) -> FakeProvider:
        script: Callable[[SendRequest | CheckRequest], Outcome | None] = self._ordered
        return FakeProvider(owner=CodeOwner.CORE, script=script, seed=self.seed * 7 + place, clock=self._clock)

    def _clock(self) -> datetime:
        return self.now

    def _ordered(self, _request: SendRequest | CheckRequest) -> Outcome | None:
        return self.orders.pop(0) if self.orders else None

    def messages(self) -> list[tuple[str, Message]]:
        """What left, and through whom, oldest first."""
        out = [(name, message) for name, vendor in self.vendors.items() for message in vendor.outbox]
        return sorted(out, key=lambda one: one[1].at)

    def told(self, name: str, message: Message, state: DeliveryState) -> tuple[str, InboundRequest]:
        """A vendor's receipt, and whose it is."""
        return name, self.vendors[name].receipt(message, state)

    def records(self) -> list[RecipientRecord]:
        return [RecipientRecord.decode(entry.data) for key, entry in self.store.scan("", 10) if "/r/" in key]

    def dump(self) -> bytes:
        return b"\n".join(entry.data for _, entry in self.store.scan("", 1000))
