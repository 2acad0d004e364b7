"""D11: a tenant that floods the memory store is refused new phones; no live lock goes, and others notice nothing.

A nightly run floods with 10^6 random phones, a CI run with 10^5; the process must not grow by 256 MiB.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from otpcore.contract import CodeOwner
from otpcore.engine import Engine
from otpcore.errors import StoreFull
from otpcore.providers.fake import FakeProvider
from otpcore.results import Approved, Refusal, Refused, Sent
from otpcore.stores.memory import MemoryStore
from tests.storms.arena import PEPPER, MovedClock, keys_of, phone, token_of

ROOM = 20_000
FLOODS = [100_000, pytest.param(1_000_000, marks=pytest.mark.nightly)]
GROWTH = 256 * 2**20
RECORD = bytes(700)


class Evicting(MemoryStore):
    """The defect: makes room by dropping the oldest record."""

    def _take_room(self, key: str) -> None:
        if len(self._records) >= self._max_records:
            self._drop(next(iter(self._records)))
        super()._take_room(key)


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def flooded(store: MemoryStore, phones: int) -> None:
    clock = MovedClock()
    vendor = FakeProvider(owner=CodeOwner.CORE, clock=clock, seed=11)
    settings: dict[str, Any] = {"pepper": PEPPER, "clock": clock}
    flood = Engine(store, vendor, tenant="flood", **settings)
    other = Engine(store, vendor, tenant="other", **settings)
    for pause_s in (0, 120):  # ten failures of a phone lock it
        clock.advance(seconds=pause_s)
        sent = flood.start(phone(0))
        assert isinstance(sent, Sent)
        wrong = f"{(int(vendor.code_for(phone(0))) + 1) % 10**6:06}"
        for _ in range(5):
            flood.check(token_of(sent), wrong)
    held = other.start(phone(1))
    assert isinstance(held, Sent)
    before, refused = resident(), 0
    mine = keys_of(flood)
    for _ in range(phones):
        try:
            key = mine + secrets.token_urlsafe(16)
            store.commit(key, RECORD, expect=None, gc_at=clock.now + timedelta(days=400))
        except StoreFull:
            refused += 1
    assert resident() - before < GROWTH
    clock.advance(minutes=5)
    locked = flood.start(phone(0))
    assert isinstance(locked, Refused), "the lock is gone"
    assert locked.kind is Refusal.LOCKED
    assert refused >= phones - ROOM
    with pytest.raises(StoreFull):
        flood.start(phone(2))
    assert isinstance(other.check(token_of(held), vendor.code_for(phone(1))), Approved)
    assert isinstance(other.start(phone(3)), Sent)


@pytest.mark.parametrize("phones", FLOODS)
def test_a_flood_of_phones_evicts_no_lock_and_hurts_no_other_tenant(phones: int) -> None:
    flooded(MemoryStore(max_records=2 * ROOM, max_records_per_tenant=ROOM), phones)


def test_a_store_that_evicts_under_a_flood_is_caught() -> None:
    with pytest.raises(AssertionError, match="the lock is gone"):
        flooded(Evicting(max_records=ROOM), 2 * ROOM)
