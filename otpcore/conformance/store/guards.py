"""Requirements on the guard of a commit: it replaces exactly the expected state, or nothing, and versions never recur.

Rules of this file: one caller, so that a failure here is wrong logic and not a lost race.
"""

from __future__ import annotations

from otpcore.conformance.store.flow import AnyStore, Flow, commit, delete, later, load, put, sweep
from otpcore.conformance.store.records import KEY
from otpcore.conformance.store.requirement import Checks, check
from otpcore.ports import Conflict, Version, Versioned

__all__ = ["OTHER_KEY", "GuardChecks"]

OTHER_KEY = "5f1d0c93/r/000000000000"
COMMITS = 50


class GuardChecks(Checks):
    """Expectations and versions."""

    @check()
    def test_create_conflicts_with_what_stands(self, store: AnyStore) -> Flow[None]:
        """A commit that expects an absent key is refused on a present one, with the record that stands."""
        version = yield from put(store, KEY, b"stands")
        answer = yield from commit(store, KEY, b"late", None)
        assert answer == Conflict(Versioned(b"stands", version))

    @check()
    def test_refused_create_changes_nothing(self, store: AnyStore) -> Flow[None]:
        """A refused creation leaves the record and its version as they were."""
        version = yield from put(store, KEY, b"stands")
        yield from commit(store, KEY, b"late", None)
        assert (yield from load(store, KEY)) == Versioned(b"stands", version)

    @check()
    def test_update_of_an_absent_key_conflicts_with_none(self, store: AnyStore) -> Flow[None]:
        """A commit that expects a version of a deleted key is refused with Conflict(None)."""
        version = yield from put(store, KEY, b"data")
        yield from delete(store, KEY, version)
        assert (yield from commit(store, KEY, b"late", version)) == Conflict(None)

    @check()
    def test_refused_update_creates_nothing(self, store: AnyStore) -> Flow[None]:
        """A refused update of an absent key leaves it absent."""
        version = yield from put(store, KEY, b"data")
        yield from delete(store, KEY, version)
        yield from commit(store, KEY, b"late", version)
        assert (yield from load(store, KEY)) is None

    @check()
    def test_stale_update_is_answered_with_the_current_record(self, store: AnyStore) -> Flow[None]:
        """A commit that expects a replaced version is refused with the record that stands now."""
        first = yield from put(store, KEY, b"first")
        second = yield from put(store, KEY, b"second", first)
        assert (yield from commit(store, KEY, b"late", first)) == Conflict(Versioned(b"second", second))

    @check()
    def test_stale_update_changes_nothing(self, store: AnyStore) -> Flow[None]:
        """A refused update leaves the record and its version as they were."""
        first = yield from put(store, KEY, b"first")
        second = yield from put(store, KEY, b"second", first)
        yield from commit(store, KEY, b"late", first)
        assert (yield from load(store, KEY)) == Versioned(b"second", second)

    @check()
    def test_conflict_is_enough_to_try_again(self, store: AnyStore) -> Flow[None]:
        """The version in a Conflict is the one that the next commit needs, without a load."""
        first = yield from put(store, KEY, b"first")
        yield from put(store, KEY, b"second", first)
        answer = yield from commit(store, KEY, b"third", first)
        assert isinstance(answer, Conflict)
        assert answer.current is not None
        third = yield from put(store, KEY, b"third", answer.current.version)
        assert (yield from load(store, KEY)) == Versioned(b"third", third)

    @check()
    def test_equal_data_is_no_excuse_for_a_stale_version(self, store: AnyStore) -> Flow[None]:
        """A commit with a stale version is refused also when it would write the bytes that stand."""
        first = yield from put(store, KEY, b"same")
        second = yield from put(store, KEY, b"same", first)
        assert (yield from commit(store, KEY, b"same", first)) == Conflict(Versioned(b"same", second))

    @check()
    def test_a_repeated_commit_is_applied_once(self, store: AnyStore) -> Flow[None]:
        """A commit that is sent again with the same expectation is refused with its own first result."""
        first = yield from put(store, KEY, b"first")
        second = yield from put(store, KEY, b"second", first)
        again = yield from commit(store, KEY, b"second", first)
        assert again == Conflict(Versioned(b"second", second))

    @check()
    def test_another_keys_version_is_refused(self, store: AnyStore) -> Flow[None]:
        """A version belongs to its key: given for another key, it is refused."""
        here = yield from put(store, KEY, b"same")
        there = yield from put(store, OTHER_KEY, b"same")
        assert (yield from commit(store, KEY, b"late", there)) == Conflict(Versioned(b"same", here))
        assert (yield from commit(store, OTHER_KEY, b"late", here)) == Conflict(Versioned(b"same", there))

    @check()
    def test_an_unknown_version_is_refused(self, store: AnyStore) -> Flow[None]:
        """A text that was never a version of the key is refused, whatever it looks like."""
        version = yield from put(store, KEY, b"stands")
        for text in ("0", "1", "-1", "None", "null", "*", "%", version + " ", version[:-1], version.upper() + "X"):
            answer = yield from commit(store, KEY, b"late", Version(text))
            assert answer == Conflict(Versioned(b"stands", version)), f"the version {text!r} was taken"

    @check()
    def test_an_empty_version_does_not_mean_absent(self, store: AnyStore) -> Flow[None]:
        """The empty text as a version is a version that does not stand: only None expects absence."""
        assert (yield from commit(store, KEY, b"late", Version(""))) == Conflict(None)
        assert (yield from load(store, KEY)) is None

    @check()
    def test_delete_with_a_stale_version_is_refused(self, store: AnyStore) -> Flow[None]:
        """A deletion that expects a replaced version is refused with the record that stands, which stays."""
        first = yield from put(store, KEY, b"first")
        second = yield from put(store, KEY, b"second", first)
        assert (yield from delete(store, KEY, first)) == Conflict(Versioned(b"second", second))
        assert (yield from load(store, KEY)) == Versioned(b"second", second)

    @check()
    def test_delete_that_expects_absence_is_refused(self, store: AnyStore) -> Flow[None]:
        """A deletion that expects an absent key is refused on a present one, which stays."""
        version = yield from put(store, KEY, b"stands")
        assert (yield from delete(store, KEY, None)) == Conflict(Versioned(b"stands", version))
        assert (yield from load(store, KEY)) == Versioned(b"stands", version)

    @check()
    def test_a_second_delete_conflicts_with_none(self, store: AnyStore) -> Flow[None]:
        """A deletion that expects a version of a deleted key is refused with Conflict(None)."""
        version = yield from put(store, KEY, b"data")
        yield from delete(store, KEY, version)
        assert (yield from delete(store, KEY, version)) == Conflict(None)

    @check()
    def test_a_version_is_a_text(self, store: AnyStore) -> Flow[None]:
        """A version is a text of at least one character, from a commit as from a load."""
        version: object = yield from put(store, KEY, b"data")
        loaded = yield from load(store, KEY)
        assert loaded is not None
        for one in (version, loaded.version):
            assert isinstance(one, str)
            assert one

    @check()
    def test_each_commit_has_a_new_version(self, store: AnyStore) -> Flow[None]:
        """No two commits of a key return the same version, also with equal data and equal gc_at."""
        seen: list[Version] = []
        gc_at = later(hours=1)
        for _ in range(COMMITS):
            seen.append((yield from put(store, KEY, b"same", seen[-1] if seen else None, gc_at)))
        assert len(set(seen)) == COMMITS

    @check()
    def test_a_version_does_not_recur_after_a_deletion(self, store: AnyStore) -> Flow[None]:
        """A key that is deleted and created again with equal data has a version that it never had."""
        seen: set[Version] = set()
        gc_at = later(hours=1)
        for _ in range(COMMITS):
            first = yield from put(store, KEY, b"same", None, gc_at)
            second = yield from put(store, KEY, b"same", first, gc_at)
            yield from delete(store, KEY, second)
            assert not seen & {first, second}
            seen |= {first, second}

    @check()
    def test_a_version_from_before_a_deletion_is_refused(self, store: AnyStore) -> Flow[None]:
        """A version of the deleted record is refused on the one that was created in its place."""
        old = yield from put(store, KEY, b"same")
        yield from delete(store, KEY, old)
        new = yield from put(store, KEY, b"same")
        assert (yield from commit(store, KEY, b"late", old)) == Conflict(Versioned(b"same", new))

    @check()
    def test_a_version_from_before_a_sweep_is_refused(self, store: AnyStore) -> Flow[None]:
        """A version of a collected record is refused on the one that was created in its place."""
        old = yield from put(store, KEY, b"same", None, later(hours=-1))
        yield from sweep(store, later())
        new = yield from put(store, KEY, b"same")
        assert (yield from commit(store, KEY, b"late", old)) == Conflict(Versioned(b"same", new))

    @check()
    def test_other_keys_do_not_move_a_version(self, store: AnyStore) -> Flow[None]:
        """Commits to other keys, and their deletion, leave a record's version as it is."""
        version = yield from put(store, KEY, b"stands")
        other = yield from put(store, OTHER_KEY, b"first")
        other = yield from put(store, OTHER_KEY, b"second", other)
        yield from delete(store, OTHER_KEY, other)
        assert (yield from load(store, KEY)) == Versioned(b"stands", version)
