"""Requirements under concurrency: of several commits that expect one state, exactly one wins.

The parties start at a latch and are threads for a blocking store, tasks for an awaited one; outcomes are counted
exactly. Races of processes are in `lifetime`.

Rules of this file: no sleep, no repetition until something shows.
"""

from __future__ import annotations

import threading

from otpcore.conformance.store.flow import AnyStore, Flow, commit, delete, later, load, put, sweep, together
from otpcore.conformance.store.guards import OTHER_KEY
from otpcore.conformance.store.records import KEY
from otpcore.conformance.store.requirement import Checks, Claim, check
from otpcore.ports import Conflict, Version, Versioned

__all__ = ["RaceChecks", "count_up"]

PARTIES = 16
ROUNDS = 25


def count_up(store: AnyStore, key: str, times: int) -> Flow[list[Version]]:
    """Add one to the number in a record, `times` times; a lost race is run again from the record that won.

    Returns:
        The version of each commit.
    """
    versions: list[Version] = []
    found = yield from load(store, key)
    while len(versions) < times:
        number = int(found.data) + 1 if found else 1
        answer = yield from commit(store, key, str(number).encode(), found.version if found else None)
        if isinstance(answer, Conflict):
            found = answer.current
        else:
            found = Versioned(str(number).encode(), answer)
            versions.append(answer)
    return versions


def _split(answers: list[Version | Conflict]) -> tuple[list[Version], list[Conflict]]:
    won = [answer for answer in answers if not isinstance(answer, Conflict)]
    return won, [answer for answer in answers if isinstance(answer, Conflict)]


class _Reel:
    """States that one writer commits to the key one after the other while readers watch."""

    def __init__(self, states: list[bytes]) -> None:
        self._states = states
        self._ended = False

    def watched(self, store: AnyStore) -> Flow[list[list[int]]]:
        """Which states each of three readers met, by their numbers in the order of its loads."""
        version = yield from put(store, KEY, self._states[0])
        results = yield from together([self._write(store, version), *(self._read(store) for _ in range(3))])
        return results[1:]

    def _write(self, store: AnyStore, version: Version) -> Flow[list[int]]:
        try:
            for data in self._states[1:]:
                version = yield from put(store, KEY, data, version)
        finally:
            self._ended = True
        return []

    def _read(self, store: AnyStore) -> Flow[list[int]]:
        seen: list[int] = []
        while not self._ended:
            found = yield from load(store, KEY)
            assert found is not None, "a record vanished while it was being replaced"
            assert found.data in self._states, "a reader met a record that nobody wrote"
            seen.append(self._states.index(found.data))
        return seen


def _save(store: AnyStore, key: str) -> Flow[bool]:
    """Whether the record was saved by giving it longer, in a race with a sweep."""
    found = yield from load(store, key)
    if found is None:
        return False
    answer = yield from commit(store, key, b"saved", found.version, later(hours=1))
    assert not isinstance(answer, Conflict) or answer.current is None
    return not isinstance(answer, Conflict)


def _sweep_as_bool(store: AnyStore) -> Flow[bool]:
    yield from sweep(store, later(), limit=3)
    return False


class RaceChecks(Checks):
    """Several callers of one store."""

    @check()
    def test_one_of_many_creators_wins(self, store: AnyStore) -> Flow[None]:
        """Of creators of one key exactly one wins, and the others are answered with its record."""
        for number in range(ROUNDS):
            key = f"{KEY}/{number}"
            flows = [commit(store, key, str(party).encode(), None) for party in range(PARTIES)]
            answers = yield from together(flows)
            won, lost = _split(answers)
            assert len(won) == 1
            stands = Versioned(str(answers.index(won[0])).encode(), won[0])
            assert lost == [Conflict(stands)] * (PARTIES - 1)
            assert (yield from load(store, key)) == stands

    @check()
    def test_one_of_many_writers_wins(self, store: AnyStore) -> Flow[None]:
        """Of writers that expect one version exactly one wins, and the others are answered with its record."""
        version = yield from put(store, KEY, b"start")
        for _ in range(ROUNDS):
            answers = yield from together([commit(store, KEY, str(p).encode(), version) for p in range(PARTIES)])
            won, lost = _split(answers)
            assert len(won) == 1
            stands = Versioned(str(answers.index(won[0])).encode(), won[0])
            assert lost == [Conflict(stands)] * (PARTIES - 1)
            assert (yield from load(store, KEY)) == stands
            version = won[0]

    @check()
    def test_one_of_many_deleters_wins(self, store: AnyStore) -> Flow[None]:
        """Of deletions that expect one version exactly one wins, and the others find the key absent."""
        for _ in range(ROUNDS):
            version = yield from put(store, KEY, b"data")
            won, lost = _split((yield from together([delete(store, KEY, version) for _ in range(PARTIES)])))
            assert len(won) == 1
            assert lost == [Conflict(None)] * (PARTIES - 1)
            assert (yield from load(store, KEY)) is None

    @check()
    def test_an_update_and_a_deletion_do_not_both_win(self, store: AnyStore) -> Flow[None]:
        """Of an update and a deletion that expect one version exactly one wins, and what stands is its outcome."""
        for number in range(2 * ROUNDS):
            key = f"{KEY}/{number}"
            version = yield from put(store, key, b"start")
            flows = [commit(store, key, b"updated", version), delete(store, key, version)]
            updated, deleted = yield from together(flows)
            assert isinstance(updated, Conflict) != isinstance(deleted, Conflict)
            found = yield from load(store, key)
            if isinstance(updated, Conflict):
                assert updated == Conflict(None)
                assert found is None
            else:
                assert found == Versioned(b"updated", updated)
                assert deleted == Conflict(found)

    @check()
    def test_no_increment_is_lost(self, store: AnyStore) -> Flow[None]:
        """16 callers that each add one 25 times to the number in one record make it 400."""
        yield from together([count_up(store, KEY, ROUNDS) for _ in range(PARTIES)])
        found = yield from load(store, KEY)
        assert found is not None
        assert found.data == b"400"

    @check()
    def test_versions_of_a_race_are_all_different(self, store: AnyStore) -> Flow[None]:
        """Commits that win one after another in a race have different versions, and the last one stands."""
        lists = yield from together([count_up(store, KEY, ROUNDS) for _ in range(PARTIES)])
        versions = [version for one in lists for version in one]
        assert len(set(versions)) == PARTIES * ROUNDS
        found = yield from load(store, KEY)
        assert found is not None
        assert found.version in {one[-1] for one in lists}

    @check()
    def test_writers_of_other_keys_do_not_conflict(self, store: AnyStore) -> Flow[None]:
        """Concurrent commits to different keys do not conflict, and none is lost."""
        keys = [f"{KEY}/{party}" for party in range(PARTIES)]
        yield from together([_count_alone(store, key) for key in keys])
        for key in keys:
            found = yield from load(store, key)
            assert found is not None
            assert found.data == str(ROUNDS).encode()

    @check()
    def test_readers_meet_whole_records(self, store: AnyStore) -> Flow[None]:
        """A reader beside a writer meets only states that were committed, whole."""
        sizes = (5000, 10, 3000, 1, 4000) * 4
        yield from _Reel([bytes([65 + number]) * size for number, size in enumerate(sizes)]).watched(store)

    @check()
    def test_a_reader_never_sees_time_run_back(self, store: AnyStore) -> Flow[None]:
        """A load is a strong read: after a caller has seen a state, nobody sees an earlier one to it."""
        seen = yield from _Reel([str(number).encode() for number in range(40)]).watched(store)
        for one in seen:
            assert one == sorted(one)

    @check()
    def test_an_acknowledged_commit_is_seen_by_everybody(self, store: AnyStore) -> Flow[None]:
        """Once a commit has returned, every caller's next load gives its record."""
        version: Version | None = None
        for number in range(ROUNDS):
            version = yield from put(store, KEY, str(number).encode(), version)
            found = yield from together([load(store, KEY) for _ in range(4)])
            assert found == [Versioned(str(number).encode(), version)] * 4

    @check()
    def test_a_sweep_does_not_take_what_a_commit_saved(self, store: AnyStore) -> Flow[None]:
        """Of a sweep and a commit that gives a due record longer one wins: a commit that won is never swept."""
        keys = [f"{KEY}/{number}" for number in range(PARTIES)]
        for key in keys:
            yield from put(store, key, b"due", None, later(hours=-1))
        saving = [_save(store, key) for key in keys]
        answers = yield from together([*saving, *(_sweep_as_bool(store) for _ in range(4))])
        for key, saved in zip(keys, answers, strict=False):  # the sweepers' answers are left over
            found = yield from load(store, key)
            if saved:
                assert found is not None, "a record was swept after a commit had given it longer"
                assert found.data == b"saved"
            else:
                assert found is None

    @check()
    def test_sweepers_do_not_count_a_record_twice(self, store: AnyStore) -> Flow[None]:
        """What concurrent sweeps return adds up to the number of records that went."""
        count = 3 * PARTIES
        for number in range(count):
            yield from put(store, f"{KEY}/{number}", b"due", None, later(hours=-1))
        counts = yield from together([sweep(store, later(), limit=10) for _ in range(8)])
        rest = yield from sweep(store, later())
        assert sum(counts) + rest == count

    @check(Claim.BLOCKING)
    def test_a_store_may_be_used_from_another_thread(self, store: AnyStore) -> Flow[None]:
        """A thread that did not open the store may use it, before and after the thread that did."""
        answers: list[object] = []

        def elsewhere() -> None:
            try:
                version = store.commit(OTHER_KEY, b"data", expect=None, gc_at=later(hours=1))
                answers.append((version, store.load(OTHER_KEY)))
            except Exception as error:  # noqa: BLE001 # the verdict is given in the test's own thread
                answers.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        found = yield from load(store, OTHER_KEY)
        assert found is not None, answers
        assert answers == [(found.version, found)]


def _count_alone(store: AnyStore, key: str) -> Flow[None]:
    version: Version | None = None
    for number in range(ROUNDS):
        version = yield from put(store, key, str(number + 1).encode(), version)
