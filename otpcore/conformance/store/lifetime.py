"""Requirements on a store as an object: true capabilities, closing, records that outlive it where it says so.

Rules of this file: whatever opens a store a second time, here or in another process, is here.
"""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from otpcore.conformance.store.batches import commit_many, request, won
from otpcore.conformance.store.flow import (
    AnyStore,
    Flow,
    commit,
    delete,
    from_killed_process,
    in_processes,
    later,
    load,
    load_each,
    put,
    sweep,
)
from otpcore.conformance.store.guards import OTHER_KEY
from otpcore.conformance.store.races import count_up
from otpcore.conformance.store.records import KEY
from otpcore.conformance.store.requirement import Checks, Claim, check
from otpcore.errors import StoreUnavailable
from otpcore.ports import AsyncStore, Conflict, Store, Version, Versioned

__all__ = ["LifetimeChecks"]

PROCESSES = 4
INCREMENTS = 25
ACKNOWLEDGED = 20
METHODS = ("load", "commit", "sweep", "close")
BATCH_METHODS = ("load_many", "commit_many")


def _load_number(store: AnyStore, _number: int) -> Flow[Versioned | None]:
    return (yield from load(store, KEY))


def _create_numbered(store: AnyStore, number: int) -> Flow[Version | Conflict]:
    return (yield from commit(store, KEY, str(number).encode(), None))


def _count_up_numbered(store: AnyStore, _number: int) -> Flow[list[Version]]:
    return (yield from count_up(store, KEY, INCREMENTS))


def _update_numbered(expect: Version, store: AnyStore, _number: int) -> Flow[Version | Conflict]:
    return (yield from commit(store, KEY, b"from elsewhere", expect))


def _commit_and_die(say: Callable[[Version], None], store: AnyStore) -> Flow[None]:
    """Say each commit's version after it was acknowledged, then be killed."""
    for number in range(ACKNOWLEDGED):
        say((yield from put(store, f"{KEY}/{number}", str(number).encode())))
    os.kill(os.getpid(), signal.SIGKILL)


def _commit_batches_and_die(say: Callable[[Version], None], store: AnyStore) -> Flow[None]:
    """The same by batches of two."""
    for number in range(0, ACKNOWLEDGED, 2):
        pair = (number, number + 1)
        answers = yield from commit_many(store, [request(f"{KEY}/{each}", str(each).encode()) for each in pair])
        for answer in answers:
            say(won(answer))
    os.kill(os.getpid(), signal.SIGKILL)


class LifetimeChecks(Checks):
    """Capabilities, closing, opening again, other processes."""

    def reopen(self, store: AnyStore) -> Flow[AnyStore]:
        """Close the store and open its records again; `run` does not close this one."""
        yield store.close()
        opened: AnyStore = yield self.opener()()
        return opened

    # --- the object ------------------------------------------------------------------------------

    @check()
    def test_it_is_a_store_of_one_colour(self, store: AnyStore) -> Flow[None]:
        """It has every method of `Store`, all blocking, or every method of `AsyncStore`, all awaited."""
        yield
        assert isinstance(store, AsyncStore if self.is_awaited else Store)
        awaited = {name for name in METHODS if inspect.iscoroutinefunction(getattr(store, name))}
        assert awaited == (set(METHODS) if self.is_awaited else set())

    @check()
    def test_capabilities_are_as_declared(self, store: AnyStore) -> Flow[None]:
        """The store's capabilities are those that its contract declares, so that what it claims is checked."""
        yield
        assert store.capabilities == self.capabilities

    @check()
    def test_capabilities_are_constant(self, store: AnyStore) -> Flow[None]:
        """The capabilities are the same before, during and after work."""
        before = store.capabilities
        yield from put(store, KEY, b"data")
        during = store.capabilities
        yield store.close()
        assert before == during == store.capabilities

    @check()
    def test_scan_is_as_declared(self, store: AnyStore) -> Flow[None]:
        """The store has `scan` if its contract declares `scans`, and only then, so that it is checked."""
        yield
        assert hasattr(store, "scan") == self.scans

    @check(Claim.BATCH)
    def test_what_claims_batches_takes_them(self, store: AnyStore) -> Flow[None]:
        """A store that claims `batch` has `load_many` and `commit_many`, of its own colour."""
        yield
        methods = [getattr(store, name, None) for name in BATCH_METHODS]
        assert all(callable(method) for method in methods)
        assert [inspect.iscoroutinefunction(method) for method in methods] == [self.is_awaited] * 2

    # --- closing ---------------------------------------------------------------------------------

    @check()
    def test_closing_twice_is_harmless(self, store: AnyStore) -> Flow[None]:
        """A second close does nothing and raises nothing."""
        yield from put(store, KEY, b"data")
        yield store.close()
        yield store.close()

    @check()
    def test_closing_an_unused_store_is_harmless(self, store: AnyStore) -> Flow[None]:
        """A store that was never used can be closed."""
        yield store.close()

    @check()
    def test_load_after_close_is_unavailable(self, store: AnyStore) -> Flow[None]:
        """A load after close raises StoreUnavailable: it does not answer "absent"."""
        yield from put(store, KEY, b"data")
        yield store.close()
        with pytest.raises(StoreUnavailable):
            yield from load(store, KEY)

    @check()
    def test_commit_after_close_is_unavailable(self, store: AnyStore) -> Flow[None]:
        """A commit after close raises StoreUnavailable: certainly not applied."""
        yield store.close()
        with pytest.raises(StoreUnavailable):
            yield from put(store, KEY, b"data")

    @check()
    def test_sweep_after_close_is_unavailable(self, store: AnyStore) -> Flow[None]:
        """A sweep after close raises StoreUnavailable."""
        yield store.close()
        with pytest.raises(StoreUnavailable):
            yield from sweep(store, later())

    # --- opening again ---------------------------------------------------------------------------

    @check(Claim.DURABLE)
    def test_records_are_there_after_reopening(self, store: AnyStore) -> Flow[None]:
        """Records, their bytes and their versions are the same after closing and opening again."""
        data = bytes(range(256))
        version = yield from put(store, KEY, data)
        store = yield from self.reopen(store)
        found = yield from load(store, KEY)
        yield store.close()
        assert found == Versioned(data, version)

    @check(Claim.DURABLE)
    def test_deletions_hold_after_reopening(self, store: AnyStore) -> Flow[None]:
        """A deleted record and a swept one stay away after opening again."""
        yield from delete(store, KEY, (yield from put(store, KEY, b"data")))
        yield from put(store, OTHER_KEY, b"due", None, later(hours=-1))
        yield from sweep(store, later())
        store = yield from self.reopen(store)
        found = yield from load_each(store, [KEY, OTHER_KEY])
        yield store.close()
        assert found == [None, None]

    @check(Claim.DURABLE)
    def test_versions_guard_after_reopening(self, store: AnyStore) -> Flow[None]:
        """A version from before is taken after opening again where it stands, and refused where it does not."""
        first = yield from put(store, KEY, b"first")
        second = yield from put(store, KEY, b"second", first)
        store = yield from self.reopen(store)
        late = yield from commit(store, KEY, b"late", first)
        third = yield from commit(store, KEY, b"third", second)
        yield store.close()
        assert late == Conflict(Versioned(b"second", second))
        assert not isinstance(third, Conflict)

    @check(Claim.DURABLE)
    def test_versions_do_not_recur_after_reopening(self, store: AnyStore) -> Flow[None]:
        """A key that is written, deleted and written again over several openings never has a version twice."""
        seen: set[Version] = set()
        gc_at = later(hours=1)
        for _ in range(4):
            first = yield from put(store, KEY, b"same", None, gc_at)
            second = yield from put(store, KEY, b"same", first, gc_at)
            yield from delete(store, KEY, second)
            again = seen & {first, second}
            seen |= {first, second}
            store = yield from self.reopen(store)
            assert not again
        yield store.close()

    @check(Claim.DURABLE)
    def test_gc_at_is_kept_over_reopening(self, store: AnyStore) -> Flow[None]:
        """A sweep after opening again takes what is due, and nothing else."""
        yield from put(store, KEY, b"due", None, later(hours=-1))
        yield from put(store, OTHER_KEY, b"kept", None, later(hours=1))
        store = yield from self.reopen(store)
        swept = yield from sweep(store, later())
        kept = yield from load(store, OTHER_KEY)
        yield store.close()
        assert swept == 1
        assert kept is not None

    @check(Claim.DURABLE)
    def test_acknowledged_commits_survive_a_kill(self, store: AnyStore) -> Flow[None]:
        """Each commit that was acknowledged to a process that is killed with SIGKILL is there afterwards."""
        yield from self._survives_a_kill(store, _commit_and_die)

    @check(Claim.DURABLE, Claim.BATCH)
    def test_acknowledged_batches_survive_a_kill(self, store: AnyStore) -> Flow[None]:
        """Each commit of a batch that was acknowledged to a process that is killed with SIGKILL is there afterwards."""
        yield from self._survives_a_kill(store, _commit_batches_and_die)

    def _survives_a_kill(
        self, store: AnyStore, dying: Callable[[Callable[[Version], None], AnyStore], Flow[None]]
    ) -> Flow[None]:
        yield store.close()
        versions = from_killed_process(self.opener(), dying, awaited=self.is_awaited)
        opened: AnyStore = yield self.opener()()
        found = yield from load_each(opened, [f"{KEY}/{number}" for number in range(ACKNOWLEDGED)])
        yield opened.close()
        assert len(versions) == ACKNOWLEDGED
        assert found == [Versioned(str(n).encode(), version) for n, version in enumerate(versions)]

    # --- other processes -------------------------------------------------------------------------

    @check(Claim.MULTI_PROCESS)
    def test_another_process_sees_a_commit(self, store: AnyStore) -> Flow[None]:
        """A record that was committed here is loaded by a process that opens the store afterwards."""
        version = yield from put(store, KEY, b"from here")
        assert self._in_processes(_load_number, 1) == [Versioned(b"from here", version)]

    @check(Claim.MULTI_PROCESS)
    def test_a_commit_of_another_process_is_seen(self, store: AnyStore) -> Flow[None]:
        """A commit of another process is seen by the next load here, though this store has loaded before."""
        version = yield from put(store, KEY, b"from here")
        yield from load(store, KEY)
        (answer,) = self._in_processes(partial(_update_numbered, version), 1)
        assert not isinstance(answer, Conflict)
        assert (yield from load(store, KEY)) == Versioned(b"from elsewhere", answer)

    @check(Claim.MULTI_PROCESS)
    def test_a_commit_of_another_process_guards(self, store: AnyStore) -> Flow[None]:
        """A version that another process has replaced is refused here, with that process's record."""
        version = yield from put(store, KEY, b"from here")
        (answer,) = self._in_processes(partial(_update_numbered, version), 1)
        assert not isinstance(answer, Conflict)
        late = yield from commit(store, KEY, b"late", version)
        assert late == Conflict(Versioned(b"from elsewhere", answer))

    @check(Claim.MULTI_PROCESS)
    def test_one_of_many_processes_creates(self, store: AnyStore) -> Flow[None]:
        """Of processes that create one key at once exactly one wins, and the others are answered with its record."""
        answers = self._in_processes(_create_numbered, PROCESSES)
        (winner,) = [number for number, answer in enumerate(answers) if not isinstance(answer, Conflict)]
        stands = yield from load(store, KEY)
        assert stands is not None
        assert stands.data == str(winner).encode()
        assert [answer for answer in answers if isinstance(answer, Conflict)] == [Conflict(stands)] * (PROCESSES - 1)

    @check(Claim.MULTI_PROCESS)
    def test_no_increment_of_processes_is_lost(self, store: AnyStore) -> Flow[None]:
        """4 processes that each add one 25 times to one record make it 100, with a version of its own for each."""
        lists = self._in_processes(_count_up_numbered, PROCESSES)
        found = yield from load(store, KEY)
        assert found is not None
        assert found.data == str(PROCESSES * INCREMENTS).encode()
        assert len({version for one in lists for version in one}) == PROCESSES * INCREMENTS

    def _in_processes(self, flow: Callable[[AnyStore, int], Flow[Any]], parties: int) -> list[Any]:
        return in_processes(self.opener(), flow, parties=parties, awaited=self.is_awaited)
