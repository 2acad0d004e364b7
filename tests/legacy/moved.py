"""A desk with a clock that a test moves, rows to move into it, and what its store holds then.

Rules of this file: it expects nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from otpcore.codes import counter_id
from otpcore.contract import CodeOwner
from otpcore.legacy import Desk, LegacySettings
from otpcore.legacy.moving import Report, move_table
from otpcore.model import RecipientRecord
from otpcore.ports import Store
from otpcore.providers.fake import FakeProvider
from otpcore.stores.memory import MemoryStore

__all__ = ["EPOCH", "MONTH", "ZONE", "MovedClock", "desk_over", "expected_of", "line", "move", "stands"]

EPOCH: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ZONE: Final = ZoneInfo("Africa/Douala")
MONTH: Final = timedelta(days=30)


class MovedClock:
    """Stands still until a test moves it."""

    def __init__(self, now: datetime = EPOCH) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **span: float) -> None:
        self.now += timedelta(**span)


def desk_over(clock: MovedClock, store: Store | None = None, settings: LegacySettings | None = None) -> Desk:
    provider = FakeProvider(owner=CodeOwner.CORE, clock=clock)
    return Desk(store or MemoryStore(), provider, clock=clock, pepper=bytes(32), settings=settings)


def line(
    identity: object,
    pair: str = "a",
    count: object = 1,
    expires: timedelta | None = None,
    *,
    created: datetime | None = EPOCH - timedelta(days=9),
) -> tuple[object, ...]:
    """A row of the pair ("hash-…", "user-…"); `expires` from the epoch on."""
    return (identity, f"hash-{pair}", f"user-{pair}", count, None if expires is None else EPOCH + expires, created)


def move(desk: Desk, lines: Iterable[Sequence[object]], *, write: bool = True, keep_ids: timedelta = MONTH) -> Report:
    return move_table(desk, lines, zone=ZONE, keep_ids=keep_ids, write=write)


def stands(store: Any) -> dict[str, Any]:
    """What the store holds by key, when it was written left out: (count, next_at, created_at), or where a key leads."""
    found: dict[str, Any] = {}
    for key, held in store.scan("", 10**6):
        record = RecipientRecord.decode(held.data)
        counter = record.counter
        made = None if counter is None else (counter.unique_id, counter.user_id, counter.created_at)
        found[key] = record.forward or (record.ladder.count, record.ladder.next_at, made)
    return found


def expected_of(pairs: Mapping[str, tuple[int, datetime | None]]) -> dict[int, tuple[int, datetime | None]]:
    """By id of the record: count and expiry of each pair's."""
    return {counter_id(f"hash-{pair}", f"user-{pair}"): value for pair, value in pairs.items()}
