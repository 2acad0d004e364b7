"""A whole service in one object, with a clock that a test moves: engine, store, fake vendor, and what they did.

Rules of this file: it drives and takes notes; what must hold is said by the tests that use it. The vendor's clock
never runs backwards, whatever the engine's does: a vendor has a clock of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from otpcore.contract import CheckRequest, CodeOwner, SendRequest
from otpcore.engine.sync import Engine
from otpcore.errors import CommitUnknown
from otpcore.model import RecipientRecord
from otpcore.policy import DEFAULT, Profile
from otpcore.ports import Conflict, Version
from otpcore.providers.fake import FakeProvider, Outcome
from otpcore.results import Sent
from otpcore.stores.memory import MemoryStore

NUMBER = "+12025550123"
PEPPER = bytes(range(32))
EPOCH = datetime(2026, 3, 8, 6, 30, tzinfo=UTC)
"""Half an hour before New York's clocks go forward."""


class LossyStore(MemoryStore):
    """A memory store that can lose the answer to its next commit, applied or not."""

    lose: str | None = None

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        lose, self.lose = self.lose, None
        if lose == "before":
            raise CommitUnknown
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if lose == "after":
            raise CommitUnknown
        return answer


@dataclass
class World:
    """One engine over one store and one fake vendor.

    Attributes:
        now: what the engine's clock shows.
        passed: how much time has gone by: jumps backwards do not count.
        orders: outcomes of the vendor's next calls.
    """

    owner: CodeOwner = CodeOwner.CORE
    profile: Profile = DEFAULT
    purposes: tuple[str, ...] = ("login", "payment")
    seed: int = 1
    make: Callable[..., Engine] = Engine
    now: datetime = EPOCH
    passed: timedelta = timedelta(0)
    orders: list[Outcome] = field(default_factory=list[Outcome])

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.store = LossyStore()
        self.vendor = FakeProvider(
            owner=self.owner, script=self._script, seed=self.seed, clock=lambda: EPOCH + self.passed
        )
        self.engine = self.make(
            self.store,
            self.vendor,
            pepper=PEPPER,
            profile=self.profile,
            purposes=self.purposes,
            clock=lambda: self.now,
            entropy=self.random.randbytes,
        )

    def _script(self, request: SendRequest | CheckRequest) -> Outcome | None:
        return self.orders.pop(0) if self.orders else None

    def move(self, by: timedelta) -> None:
        self.now += by
        if by > timedelta(0):
            self.passed += by

    def dump(self) -> bytes:
        return b"\n".join(entry.data for _, entry in self.store.scan("", 1000))

    def record(self) -> RecipientRecord:
        """The only recipient's record; an empty one when there is none."""
        found = [entry.data for key, entry in self.store.scan("", 10) if "/r/" in key]
        return RecipientRecord.decode(found[0]) if found else RecipientRecord()


def begin(world: World, **asked: Any) -> tuple[str, str]:
    """Start; a session's token, and the code that was sent."""
    result = world.engine.start(NUMBER, **asked)
    assert isinstance(result, Sent)
    return result.session.token or "", world.vendor.code_for(NUMBER)


def wrong(code: str) -> str:
    """Another code of the same length."""
    return f"{(int(code) + 1) % 10**6:06d}"
