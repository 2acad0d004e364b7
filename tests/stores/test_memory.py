"""The memory store beyond its contract: bounds by count, tenant and bytes, versions, hook and settings."""

from __future__ import annotations

import gc
import multiprocessing
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from otpcore.errors import StoreError, StoreFull
from otpcore.hookspecs import StoreType
from otpcore.ports import Conflict, Scans, Store, Version
from otpcore.stores import memory
from otpcore.stores.memory import MemorySettings, MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def put(store: MemoryStore, key: str, data: bytes = b"data", expect: Version | None = None) -> Version:
    answer = store.commit(key, data, expect=expect, gc_at=LATER)
    assert not isinstance(answer, Conflict)
    return answer


class Evicting(MemoryStore):
    """The defect: makes room by dropping the oldest record."""

    def _take_room(self, key: str) -> None:
        if len(self._records) >= 3:
            self._drop(next(iter(self._records)))
        super()._take_room(key)


def keeps_the_live_when_full(store: MemoryStore) -> bool:
    versions = {key: put(store, key) for key in ("t/1", "t/2", "t/3")}
    try:
        put(store, "t/4")
    except StoreFull:
        return {key: found.version for key, found in store.scan("", 10)} == versions
    return False


def test_a_full_store_refuses_new_keys_and_evicts_none() -> None:
    assert keeps_the_live_when_full(MemoryStore(max_records=3))


def test_a_store_that_evicts_is_seen() -> None:
    assert not keeps_the_live_when_full(Evicting(max_records=3))


def test_a_full_store_still_updates_deletes_and_answers_conflicts() -> None:
    store = MemoryStore(max_records=2)
    first, second = put(store, "t/1"), put(store, "t/2")
    assert isinstance(store.commit("t/1", b"late", expect=None, gc_at=LATER), Conflict)
    put(store, "t/1", b"new", first)
    store.commit("t/2", None, expect=second, gc_at=LATER)
    put(store, "t/3")


def test_a_sweep_makes_room() -> None:
    store = MemoryStore(max_records=1)
    put(store, "t/1")
    assert store.sweep(LATER + timedelta(seconds=1), limit=10) == 1
    put(store, "t/2")


def test_a_tenant_that_fills_its_share_leaves_the_others_theirs() -> None:
    store = MemoryStore(max_records=100, max_records_per_tenant=2)
    put(store, "a/1")
    one = put(store, "a/2")
    with pytest.raises(StoreFull, match="max_records_per_tenant"):
        put(store, "a/3")
    put(store, "b/1")
    store.commit("a/2", None, expect=one, gc_at=LATER)
    put(store, "a/3")


def test_without_a_share_a_tenant_is_bounded_by_the_whole() -> None:
    store = MemoryStore(max_records=2)
    put(store, "a/1")
    put(store, "b/1")
    with pytest.raises(StoreFull, match="max_records"):
        put(store, "b/2")


def test_a_hundred_thousand_random_recipients_stay_within_the_cap() -> None:
    store = MemoryStore(max_records=2_000, max_records_per_tenant=1_000)
    refused = 0
    for number in range(100_000):
        try:
            put(store, f"flood/r/{number}", b"")
        except StoreFull:
            refused += 1
    assert refused == 99_000
    put(store, "other/r/1")


@pytest.mark.nightly
def test_a_million_recipients_grow_the_process_by_less_than_256_mib() -> None:
    store = MemoryStore(max_records=250_000)
    tracemalloc.start()
    try:
        for number in range(1_000_000):
            try:
                put(store, f"5f1d0c93/r/{number:032x}", bytes(500))
            except StoreFull:
                continue
        grown, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 256 * 2**20


def test_ten_thousand_records_of_500_bytes_take_at_most_10_mb() -> None:
    gc.collect()
    tracemalloc.start()
    try:
        store = MemoryStore()
        for number in range(10_000):
            gc_at = LATER + timedelta(microseconds=number)
            store.commit(f"{number:016x}/r/{number:064x}", bytes(500), expect=None, gc_at=gc_at)
        grown, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown <= 10_000_000


def test_versions_of_two_stores_differ() -> None:
    assert {put(MemoryStore(), "t/1") for _ in range(10)}.isdisjoint({put(MemoryStore(), "t/1") for _ in range(10)})


def test_an_instant_without_a_zone_is_refused_and_nothing_is_written() -> None:
    store = MemoryStore()
    with pytest.raises(TypeError):
        store.commit("t/1", b"", expect=None, gc_at=NOW.replace(tzinfo=None))
    assert store.load("t/1") is None


def test_tenants_without_records_are_forgotten() -> None:
    store = MemoryStore()
    for number in range(10):
        put(store, f"{number}/1")
    store.sweep(LATER + timedelta(seconds=1), limit=100)
    assert not store._tenants  # pyright: ignore[reportPrivateUsage]  # what must not grow


def test_it_serves_the_async_engine_without_a_thread() -> None:
    store = MemoryStore()
    assert not store.capabilities.blocking_io
    assert isinstance(store, Store)
    assert isinstance(store, Scans)


def test_the_hook_brings_the_store_type() -> None:
    (brought,) = memory.otpcore_stores()
    assert isinstance(brought, StoreType)
    assert brought.name == "memory"
    assert brought.build_async is None
    store = brought.build(brought.settings.model_validate({"max_records": 1, "max_records_per_tenant": 1}))
    store.commit("t/1", b"", expect=None, gc_at=LATER)
    with pytest.raises(StoreFull):
        store.commit("t/2", b"", expect=None, gc_at=LATER)


@pytest.mark.parametrize("field", ["max_records", "max_records_per_tenant"])
def test_settings_refuse_a_cap_of_nothing(field: str) -> None:
    with pytest.raises(ValidationError):
        MemorySettings.model_validate({field: 0})


def in_child(told: Any, store: MemoryStore) -> None:
    for call in (lambda: store.load("t/1"), lambda: put(store, "t/2"), lambda: store.sweep(LATER, limit=1)):
        try:
            call()
        except StoreError as error:
            told.put(str(error))
        else:
            told.put("")


class Copied(MemoryStore):
    """The defect: a forked child goes on with its copy, a second budget for everybody."""

    def after_fork(self) -> None:
        pass


def refuses_after_a_fork(store: MemoryStore) -> bool:
    put(store, "t/1")
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    process = context.Process(target=in_child, args=(told, store))
    process.start()
    process.join(30)
    answers = [told.get() for _ in range(3)]
    assert store.load("t/1") is not None  # the parent goes on
    return all("made before a fork" in each for each in answers)


def test_a_store_that_was_made_before_a_fork_refuses_in_the_child() -> None:
    assert refuses_after_a_fork(MemoryStore())


def test_a_store_that_is_copied_by_a_fork_is_seen() -> None:
    assert not refuses_after_a_fork(Copied())
