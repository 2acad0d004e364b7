"""Requirements on a store that gives its records a lifetime at the server: no record is ever without one.

Rules of this file: it is there only where an author gives `keys_without_expiry`. When a record expires is judged
nowhere: it is garbage collection, some time after `gc_at`.
"""

from __future__ import annotations

from otpcore.conformance.store.batches import commit_many, request, won
from otpcore.conformance.store.flow import AnyStore, Flow, commit, delete, later, put, sweep
from otpcore.conformance.store.guards import OTHER_KEY
from otpcore.conformance.store.records import KEY
from otpcore.conformance.store.requirement import Checks, Claim, check

__all__ = ["ExpiryChecks"]


class ExpiryChecks(Checks):
    """Lifetimes at the server."""

    @check(Claim.EXPIRES)
    def test_no_record_is_without_expiry_after_any_commit(self, store: AnyStore) -> Flow[None]:
        """Created, updated, refused, given longer or shorter, deleted and created again, a record has a lifetime."""
        first = yield from put(store, KEY, b"first")
        self._all_expire(store, "a creation")
        second = yield from put(store, KEY, b"second", first)
        self._all_expire(store, "an update")
        yield from commit(store, KEY, b"late", None)
        yield from commit(store, KEY, b"late", first)
        self._all_expire(store, "refused commits")
        longer = yield from put(store, KEY, b"longer", second, later(days=400))
        self._all_expire(store, "a later gc_at")
        shorter = yield from put(store, KEY, b"shorter", longer, later(hours=-1))
        self._all_expire(store, "a gc_at in the past")
        yield from delete(store, KEY, shorter)
        yield from delete(store, OTHER_KEY, None)
        self._all_expire(store, "deletions")
        yield from put(store, KEY, b"again")
        yield from put(store, OTHER_KEY, b"due", None, later(hours=-1))
        yield from sweep(store, later())
        self._all_expire(store, "a creation after a deletion, and a sweep")

    @check(Claim.EXPIRES, Claim.BATCH)
    def test_no_record_of_a_batch_is_without_expiry(self, store: AnyStore) -> Flow[None]:
        """Created, updated, refused or deleted in a batch, a record has a lifetime."""
        answers = yield from commit_many(store, [request(KEY, b"first"), request(OTHER_KEY, b"first")])
        self._all_expire(store, "creations")
        first, other = [won(answer) for answer in answers]
        answers = yield from commit_many(store, [request(KEY, b"second", first), request(OTHER_KEY, b"late")])
        self._all_expire(store, "an update and a refusal")
        yield from commit_many(store, [request(KEY, None, won(answers[0])), request(OTHER_KEY, b"second", other)])
        self._all_expire(store, "a deletion and an update")

    def _all_expire(self, store: AnyStore, after: str) -> None:
        kept = list(self.keys_without_expiry(store))
        assert kept == [], f"without a lifetime after {after}"
