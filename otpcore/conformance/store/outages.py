"""Requirements on a store whose server or file is away for a while: what is told meanwhile, and what stands after.

Rules of this file: it is there only where an author gives `outage`; nothing here waits for a deadline of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from otpcore.conformance.store.batches import commit_many, load_many, request, told
from otpcore.conformance.store.flow import AnyStore, Flow, commit, later, load, put, sweep
from otpcore.conformance.store.guards import OTHER_KEY
from otpcore.conformance.store.records import KEY
from otpcore.conformance.store.requirement import Checks, Claim, check
from otpcore.errors import CommitUnknown, StoreError, StoreUnavailable
from otpcore.ports import Version, Versioned

__all__ = ["OutageChecks"]

T = TypeVar("T")

TRIES = 20
"""Connections from before an outage that a store may find broken after it, one with each call."""


def _failure(step: Flow[Any]) -> Flow[Exception]:
    """What a step raises; it must raise."""
    try:
        answer = yield from step
    except Exception as error:  # noqa: BLE001  # the verdict is the caller's
        return error
    raise AssertionError(f"a store that is away answered with {answer!r}")


def _after(step: Callable[[int], Flow[T]]) -> Flow[T]:
    """The answer of a step, given the number of the try, once the outage is over."""
    for number in range(TRIES):
        try:
            return (yield from step(number))
        except (StoreUnavailable, CommitUnknown):
            continue
    raise AssertionError(f"the store did not come back in {TRIES} calls")


def _is_told(error: object, *kinds: type[StoreError]) -> None:
    assert isinstance(error, kinds), f"what was raised is no {' or '.join(kind.__name__ for kind in kinds)}: {error!r}"
    assert error.__cause__ is not None, "the error does not say what it comes from (`raise … from error`)"


class OutageChecks(Checks):
    """Away, and back."""

    @check(Claim.OUTAGE)
    def test_a_load_in_an_outage_is_unavailable(self, store: AnyStore) -> Flow[None]:
        """A load that cannot reach the records raises StoreUnavailable with its cause: it does not answer "absent"."""
        yield from put(store, KEY, b"data")
        with self.outage(store):
            errors = yield from _several(lambda: _failure(load(store, KEY)))
        for error in errors:
            _is_told(error, StoreUnavailable)

    @check(Claim.OUTAGE)
    def test_a_commit_in_an_outage_is_unavailable_or_unknown(self, store: AnyStore) -> Flow[None]:
        """A commit that gets no answer raises StoreUnavailable or CommitUnknown with its cause, no driver's error."""
        version = yield from put(store, KEY, b"data")
        with self.outage(store):
            errors = yield from _several(lambda: _failure(commit(store, KEY, b"new", version)))
        for error in errors:
            _is_told(error, StoreUnavailable, CommitUnknown)

    @check(Claim.OUTAGE)
    def test_a_sweep_in_an_outage_is_unavailable(self, store: AnyStore) -> Flow[None]:
        """A sweep that cannot reach the records raises StoreUnavailable with its cause."""
        yield from put(store, KEY, b"data")
        with self.outage(store):
            errors = yield from _several(lambda: _failure(sweep(store, later())))
        for error in errors:
            _is_told(error, StoreUnavailable)

    @check(Claim.OUTAGE)
    def test_the_same_store_works_again_after_an_outage(self, store: AnyStore) -> Flow[None]:
        """After an outage, noticed or not, the same store object loads and commits again, and nothing is lost."""
        version = yield from put(store, KEY, b"data")
        for turn in range(2):
            with self.outage(store):
                if turn:
                    yield from _failure(load(store, KEY))
            found = yield from _after(lambda _number: load(store, KEY))
            assert found == Versioned(b"data", version)
            key, created = yield from _after(partial(_create, store, f"{OTHER_KEY}/{turn}"))
            assert (yield from load(store, key)) == created

    @check(Claim.OUTAGE)
    def test_a_commit_of_an_outage_is_applied_or_not(self, store: AnyStore) -> Flow[None]:
        """After an outage each record is the old or the new one whole; after StoreUnavailable it is the old one."""
        stood: dict[str, Version | None] = {KEY: (yield from put(store, KEY, b"old")), OTHER_KEY: None}
        told: dict[str, Exception] = {}
        with self.outage(store):
            for key, version in stood.items():
                told[key] = yield from _failure(commit(store, key, b"new", version))
        for key, version in stood.items():
            yield from _is_whole(store, key, version, told[key])

    @check(Claim.OUTAGE, Claim.BATCH)
    def test_a_batch_in_an_outage_is_told_as_single_calls_are(self, store: AnyStore) -> Flow[None]:
        """A batch that gets no answer raises, or each item is answered with, what a single call would have raised."""
        version = yield from put(store, KEY, b"old")
        stood: dict[str, Version | None] = {KEY: version, OTHER_KEY: None}
        with self.outage(store):
            loads = yield from told(load_many(store, list(stood)), len(stood))
            commits = [request(key, b"new", expect) for key, expect in stood.items()]
            answers = yield from told(commit_many(store, commits), len(stood))
        for error in loads:
            _is_told(error, StoreUnavailable)
        for (key, expect), error in zip(stood.items(), answers, strict=True):
            _is_told(error, StoreUnavailable, CommitUnknown)
            yield from _is_whole(store, key, expect, error)


def _several(step: Callable[[], Flow[Exception]]) -> Flow[list[Exception]]:
    """Twice: on the connection from before the outage, and on the try for a new one."""
    return [(yield from step()), (yield from step())]


def _create(store: AnyStore, head: str, number: int) -> Flow[tuple[str, Versioned]]:
    key = f"{head}/{number}"
    return key, Versioned(b"after", (yield from put(store, key, b"after")))


def _is_whole(store: AnyStore, key: str, version: Version | None, told: object) -> Flow[None]:
    """The old record, or the new one if it may be applied; and the version that is loaded guards it."""
    found = yield from _after(lambda _number: load(store, key))
    old = None if version is None else Versioned(b"old", version)
    if found != old:
        assert not isinstance(told, StoreUnavailable), "a commit was applied after StoreUnavailable was raised for it"
        assert found is not None
        assert found.data == b"new"
        assert found.version != version
    yield from put(store, key, b"next", None if found is None else found.version)
