"""D11: a tenant that floods the memory store is refused new people; no live lock goes, and others notice nothing.

A nightly run floods a store of the default size with 10^6 recipients, whom the process must survive with less than
256 MiB more. A CI run has a thirty-second part of the room and of the bound, and half as many more recipients as have
room. Each has a start of its own: mailboxes of `example.com`, of which there are more than numbers for fiction; whose
record it is makes no difference to its size.
"""

from __future__ import annotations

import inspect
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from otpcore.contract import Accepted, CodeOwner, ProviderCapabilities, SendRequest
from otpcore.engine import Engine
from otpcore.errors import StoreFull
from otpcore.policy import DEFAULT
from otpcore.results import Approved, Refusal, Refused, Sent
from otpcore.stores.memory import MAX_RECORDS, MemorySettings, MemoryStore
from tests.storms.arena import PEPPER, MovedClock, phone, token_of

GROWTH: Final = 256 * 2**20
PART: Final = 32
"""Of everything, in CI."""

FLOOD: Final = 3 * MAX_RECORDS // PART // 2
OTHERS: Final = 10
"""Records of another tenant that have room beside the flood."""


class Evicting(MemoryStore):
    """The defect: makes room by dropping the oldest record."""

    def _take_room(self, key: str) -> None:
        if len(self._records) >= self._max_records - OTHERS:
            self._drop(next(iter(self._records)))
        super()._take_room(key)


class Boundless(MemoryStore):
    """The defect: takes everybody."""

    def _take_room(self, key: str) -> None:
        self._tenants[key.partition("/")[0]] += 1


class Carrier:
    """Sends everything, and keeps the last code alone: what grows is the store."""

    def __init__(self) -> None:
        self.code = ""
        self.capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms", "email"}))

    def send(self, request: SendRequest) -> Accepted:
        self.code = request.code or ""
        return Accepted(None)

    def close(self) -> None:
        """Nothing is open."""


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def flooded(kind: type[MemoryStore], room: int, starts: int, growth: int) -> None:
    """In a process of its own: one that has done other things has memory to spare, and would not grow."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        fresh.submit(flood, kind, room, starts, growth).result()


def flood(kind: type[MemoryStore], room: int, starts: int, growth: int) -> None:
    store = kind(max_records=room, max_records_per_tenant=room - OTHERS)
    clock, carrier = MovedClock(), Carrier()
    settings: dict[str, Any] = {"pepper": PEPPER, "clock": clock}
    many = Engine(store, carrier, tenant="flood", **settings)
    other = Engine(store, carrier, tenant="other", **settings)
    for wait in DEFAULT.ladder[:2]:  # ten failures of a phone lock it
        sent = many.start(phone(0))
        assert isinstance(sent, Sent)
        wrong = f"{(int(carrier.code) + 1) % 10**6:06}"
        for _ in range(DEFAULT.checks_per_session):
            many.check(token_of(sent), wrong)
        clock.advance(wait)
    held = other.start(phone(1))
    assert isinstance(held, Sent)
    code, before, refused = carrier.code, resident(), 0
    for number in range(starts):
        try:
            many.start(f"flood{number}@example.com", channel="email")
        except StoreFull:
            refused += 1
    grown = resident() - before
    locked = many.start(phone(0))
    assert isinstance(locked, Refused), "the lock is gone"
    assert locked.kind is Refusal.LOCKED
    assert grown < growth, f"the process has grown by {grown / 2**20:.1f} MiB"
    assert refused
    with pytest.raises(StoreFull):
        many.start(phone(2))
    assert isinstance(other.check(token_of(held), code), Approved)
    assert isinstance(other.start(phone(3)), Sent)


@pytest.mark.parametrize(("part", "starts"), [(PART, FLOOD), pytest.param(1, 1_000_000, marks=pytest.mark.nightly)])
def test_a_flood_evicts_no_lock_hurts_no_other_tenant_and_fills_no_memory(part: int, starts: int) -> None:
    flooded(MemoryStore, MAX_RECORDS // part, starts, GROWTH // part)


def test_that_is_the_room_of_a_store_that_is_told_nothing() -> None:
    assert MemorySettings().max_records == MAX_RECORDS
    assert inspect.signature(MemoryStore).parameters["max_records"].default == MAX_RECORDS


def test_a_store_that_evicts_under_a_flood_is_caught() -> None:
    with pytest.raises(AssertionError, match="the lock is gone"):
        flooded(Evicting, 500, 1_000, GROWTH)


def test_a_store_that_takes_everybody_is_caught() -> None:
    """T1: the bound of a CI run is one that can fail."""
    with pytest.raises(AssertionError, match="the process has grown by"):
        flooded(Boundless, MAX_RECORDS, FLOOD, GROWTH // PART)
