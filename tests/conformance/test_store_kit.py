"""The store kit passes sound stores, and each of its requirements is seen to fail a store that breaks it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from otpcore.conformance.store import Claim, StoreContract
from otpcore.conformance.store.requirement import requirements
from otpcore.conformance.yielding import AsyncYieldingStore
from otpcore.ports import Conflict, StoreCapabilities, Version, Versioned
from otpcore.stores.memory import CAPABILITIES, MemoryStore
from tests.conformance.broken_stores import DEFECTS
from tests.conformance.file_store import FILE_CAPABILITIES, FILE_DEFECTS, FileStore
from tests.conformance.kit_runs import ONE_CALLER, RACES, contract_of, failures
from tests.conformance.racing_stores import RACING_DEFECTS, NaiveStore
from tests.conformance.server_like import ServerLike

for module in ("keys", "guards", "upkeep", "scans", "batches", "outages", "singly", "alone"):
    import_module(f"tests.conformance.broken_{module}")  # registers its stores

SEEN_BY_ONE = frozenset({"RacingVersions", "WeakReads", "ComparesFirst", "SweepsByAList", "SweepsWhatWasSaved"})
"""Racing stores that are not asked everything: two are wrong for one caller too, the others wait for a second one."""

IMPLIED = {
    "test_closing_an_unused_store_is_harmless": (  # they close an unused store themselves
        "test_commit_after_close_is_unavailable",
        "test_sweep_after_close_is_unavailable",
    ),
    "test_commits_without_an_answer_never_send_twice": (  # a check is of a session that was started so
        "test_commits_without_an_answer_never_approve_twice",
    ),
    "test_it_is_a_store_of_one_colour": (  # what is not there, or awaits where it should not, is not called
        "test_capabilities_are_constant",
        "test_closing_an_unused_store_is_harmless",
        "test_closing_twice_is_harmless",
        "test_commit_after_close_is_unavailable",
        "test_load_after_close_is_unavailable",
        "test_sweep_after_close_is_unavailable",
    ),
}
"""Requirements that no store breaks alone, and what breaks with them."""


class TestFileStore(StoreContract):
    """A store that claims everything passes everything."""

    capabilities = FILE_CAPABILITIES
    scans = True
    path: Path

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "folder" / "records"
        self.path.parent.mkdir()

    def make_store(self) -> FileStore:
        return FileStore(self.path)

    def outage(self, store: FileStore) -> AbstractContextManager[None]:
        return store.outage()

    def opener(self) -> partial[FileStore]:
        return partial(FileStore, self.path)


class TestServerLike(StoreContract):
    """A store whose server can be away, and gives records a lifetime."""

    capabilities = ServerLike.CLAIMS
    scans = True

    def make_store(self) -> ServerLike:
        return ServerLike()

    def outage(self, store: ServerLike) -> AbstractContextManager[None]:
        return store.outage()

    def keys_without_expiry(self, store: ServerLike) -> list[str]:
        return store.keys_without_expiry()


class AwaitedMemoryStore:
    """A memory store whose every method is awaited and gives way."""

    def __init__(self, inner: MemoryStore) -> None:
        self._inner = inner

    @property
    def capabilities(self) -> StoreCapabilities:
        return CAPABILITIES

    async def load(self, key: str) -> Versioned | None:
        await asyncio.sleep(0)
        return self._inner.load(key)

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        await asyncio.sleep(0)
        return self._inner.commit(key, data, expect=expect, gc_at=gc_at)

    async def sweep(self, before: datetime, *, limit: int) -> int:
        return self._inner.sweep(before, limit=limit)

    async def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        return self._inner.scan(after, limit)

    async def close(self) -> None:
        self._inner.close()


class TestAwaitedMemoryStore(StoreContract):
    capabilities = CAPABILITIES
    scans = True

    async def make_store(self) -> AwaitedMemoryStore:
        return AwaitedMemoryStore(MemoryStore())


class TestYieldingStoreOverTasks(StoreContract):
    capabilities = CAPABILITIES
    scans = True

    async def make_store(self) -> AsyncYieldingStore:
        return AsyncYieldingStore(MemoryStore())


@pytest.mark.parametrize(("store", "expected"), DEFECTS, ids=[store.__name__ for store, _ in DEFECTS])
def test_a_broken_store_fails_exactly_the_requirements_that_it_breaks(
    store: type[Any], expected: frozenset[str]
) -> None:
    assert failures(contract_of(store), ONE_CALLER) == expected


@pytest.mark.parametrize(("store", "name"), RACING_DEFECTS)
def test_a_store_that_loses_races_fails_the_requirement_that_it_breaks(store: type[MemoryStore], name: str) -> None:
    assert failures(contract_of(store), [name]) == {name}
    alone = ["test_update_replaces_the_data"] if store.__name__ in SEEN_BY_ONE else ONE_CALLER
    assert failures(contract_of(store), alone) == set()


@pytest.mark.parametrize(("store", "name"), FILE_DEFECTS)
def test_a_file_that_breaks_its_promise_fails_the_requirement(
    store: type[FileStore], name: str, tmp_path: Path
) -> None:
    opener = partial(store, tmp_path / "records")
    contract = contract_of(opener, capabilities=FILE_CAPABILITIES, opener=opener)
    assert failures(contract, [name]) == {name}


def test_every_requirement_is_seen_to_fail_alone() -> None:
    """Of all that one caller asks; those of `IMPLIED` with what they imply, and no other."""
    by_one = {name for _, names in DEFECTS if len(names) == 1 for name in names}
    by_others = {name for _, name in (*RACING_DEFECTS, *FILE_DEFECTS)}
    every = {one.name for contract in (TestFileStore, TestServerLike) for one in contract.requirements()}
    assert {name for name in dir(StoreContract) if name.startswith("test_")} == every
    assert every - by_one - by_others == set(IMPLIED)
    for name, others in IMPLIED.items():
        assert frozenset({name, *others}) in {names for _, names in DEFECTS}


def test_awaited_stores_that_lose_races_are_seen_too() -> None:
    class Naive(AwaitedMemoryStore):
        async def commit(
            self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
        ) -> Version | Conflict:
            stands = await self.load(key)
            if (stands and stands.version) != expect:
                return Conflict(stands)
            await asyncio.sleep(0)
            stands = self._inner.load(key)
            return self._inner.commit(key, data, expect=stands.version if stands else None, gc_at=gc_at)

    class TestNaive(StoreContract):
        capabilities = CAPABILITIES
        scans = True

        async def make_store(self) -> AwaitedMemoryStore:
            return Naive(MemoryStore())

    assert {
        "test_one_of_many_creators_wins",
        "test_one_of_many_writers_wins",
        "test_one_of_many_deleters_wins",
        "test_an_update_and_a_deletion_do_not_both_win",
        "test_no_increment_is_lost",
    } <= failures(TestNaive, RACES)


def test_the_kit_has_the_60_requirements_that_it_promises() -> None:
    assert len(TestFileStore.requirements()) >= 60


def test_every_requirement_is_a_sentence() -> None:
    for requirement in TestFileStore.requirements():
        assert requirement.sentence.endswith((".", "?"))
        assert len(requirement.sentence.split()) >= 6


def test_what_is_not_claimed_is_not_there_and_is_named() -> None:
    contract = contract_of(MemoryStore)
    assert contract.claims() == {Claim.BLOCKING, Claim.SCAN}
    assert contract.__dict__["test_acknowledged_commits_survive_a_kill"] is None
    report = contract.report()
    assert "durable is not claimed" in report
    assert "test_acknowledged_commits_survive_a_kill" in report
    assert f"{len(contract.requirements())} requirements checked" in report


def test_a_subclass_that_claims_more_gets_the_checks_back() -> None:
    class TestMore(contract_of(MemoryStore)):  # type: ignore[misc]  # a class made by a function
        capabilities = FILE_CAPABILITIES

    assert callable(TestMore.test_acknowledged_commits_survive_a_kill)


def test_a_claim_that_needs_an_opener_says_so() -> None:
    contract = contract_of(MemoryStore, capabilities=FILE_CAPABILITIES)
    with pytest.raises(NotImplementedError, match="opener"):
        contract().test_records_are_there_after_reopening()


def test_a_contract_without_a_store_says_what_is_missing() -> None:
    class TestNothing(StoreContract):
        capabilities = CAPABILITIES

    with pytest.raises(NotImplementedError, match="make_store"):
        TestNothing().test_absent_key_loads_none()


def test_a_naive_store_fails_at_least_five_requirements() -> None:
    """D1: of the kit's, which are more than 60."""
    assert len(list(requirements(StoreContract))) >= 60
    assert len(failures(contract_of(NaiveStore), RACES)) >= 5
