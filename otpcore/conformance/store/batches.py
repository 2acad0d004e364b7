"""Requirements on batches: each item of one is a load or a commit as any other, answered by itself and in order.

Rules of this file: it is there only where batches are claimed; a batch of a check holds a key at most once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias, cast

from otpcore.conformance.store.flow import AnyStore, Flow, commit, delete, later, load, load_each, put, sweep, together
from otpcore.conformance.store.requirement import Checks, Claim, check
from otpcore.errors import StoreError, StoreUnavailable
from otpcore.ports import CommitRequest, Conflict, Version, Versioned

__all__ = ["BatchChecks", "BatchRaceChecks", "commit_many", "load_many", "request", "told", "won"]

KEYS = tuple(f"5f1d0c93/r/{number:04x}" for number in range(8))
LARGE = 200
ROUNDS = 10
PARTIES = 6

Answer: TypeAlias = Version | Conflict | StoreError


def request(
    key: str, data: bytes | None, expect: Version | None = None, gc_at: datetime | None = None
) -> CommitRequest:
    """One commit of a batch; the record may be collected after `gc_at`, in one hour unless it is given."""
    return CommitRequest(key, data, expect, gc_at or later(hours=1))


def load_many(store: AnyStore, keys: Sequence[str]) -> Flow[list[Versioned | StoreError | None]]:
    """Load the keys on one trip."""
    found = yield cast("Any", store).load_many(keys)
    return list(cast("Sequence[Versioned | StoreError | None]", found))


def commit_many(store: AnyStore, commits: Sequence[CommitRequest]) -> Flow[list[Answer]]:
    """Commit on one trip."""
    answers = yield cast("Any", store).commit_many(commits)
    return list(cast("Sequence[Answer]", answers))


def _put_many(store: AnyStore, keys: Sequence[str]) -> Flow[dict[str, Versioned]]:
    """Create the keys on one trip, each with itself as data; what must stand then."""
    answers = yield from commit_many(store, [request(key, key.encode()) for key in keys])
    assert len(answers) == len(keys)
    return {key: Versioned(key.encode(), won(answer)) for key, answer in zip(keys, answers, strict=True)}


def won(answer: Answer) -> Version:
    """The version of a commit that must not conflict or fail."""
    assert isinstance(answer, str), f"an item of a batch that expected what stands was answered with {answer!r}"
    return answer


def told(step: Flow[list[Any]], count: int) -> Flow[list[object]]:
    """What each item of a batch was told: its answer, or what was raised for all."""
    try:
        answers = yield from step
    except Exception as error:  # noqa: BLE001  # the verdict is the caller's
        return [error] * count
    assert len(answers) == count
    return list(answers)


class BatchChecks(Checks):
    """Several keys on one trip, one caller."""

    @check(Claim.BATCH)
    def test_a_batch_of_loads_is_answered_in_order(self, store: AnyStore) -> Flow[None]:
        """`load_many` answers each key as `load` would, in the order of the keys, None for an absent one."""
        written: dict[str, Versioned] = {}
        for key in KEYS[::2]:
            written[key] = Versioned(key.encode(), (yield from put(store, key, key.encode())))
        keys = [KEYS[6], KEYS[1], KEYS[0], KEYS[4], KEYS[7], KEYS[2]]
        assert (yield from load_many(store, keys)) == [written.get(key) for key in keys]

    @check(Claim.BATCH)
    def test_an_empty_batch_is_answered_with_nothing(self, store: AnyStore) -> Flow[None]:
        """A batch of nothing has no answers, and raises nothing."""
        assert (yield from load_many(store, [])) == []
        assert (yield from commit_many(store, [])) == []

    @check(Claim.BATCH)
    def test_a_batch_of_commits_is_answered_in_order(self, store: AnyStore) -> Flow[None]:
        """`commit_many` answers with the version of each commit, in their order, and each record is loaded with it."""
        written = yield from _put_many(store, KEYS[::-1])
        for key, record in written.items():
            assert (yield from load(store, key)) == record

    @check(Claim.BATCH)
    def test_a_lost_commit_of_a_batch_leaves_the_others_applied(self, store: AnyStore) -> Flow[None]:
        """A commit that conflicts changes nothing, and the others of its batch, before it and after it, are applied."""
        stands = Versioned(b"stands", (yield from put(store, KEYS[1], b"stands")))
        commits = [request(key, b"by the batch") for key in KEYS[:3]]
        first, _lost, third = yield from commit_many(store, commits)
        found = yield from load_each(store, KEYS[:3])
        assert found == [Versioned(b"by the batch", won(first)), stands, Versioned(b"by the batch", won(third))]

    @check(Claim.BATCH)
    def test_a_conflict_in_a_batch_carries_the_current_record(self, store: AnyStore) -> Flow[None]:
        """A commit of a batch that conflicts is answered with the record that stands, None where none does."""
        old = yield from put(store, KEYS[0], b"old")
        stands = Versioned(b"stands", (yield from put(store, KEYS[0], b"stands", old)))
        gone = yield from put(store, KEYS[1], b"gone")
        yield from delete(store, KEYS[1], gone)
        commits = [request(KEYS[0], b"late", old), request(KEYS[1], b"late", gone), request(KEYS[2], None, gone)]
        assert (yield from commit_many(store, commits)) == [Conflict(stands), Conflict(None), Conflict(None)]

    @check(Claim.BATCH)
    def test_a_batch_creates_updates_and_deletes(self, store: AnyStore) -> Flow[None]:
        """One batch may create, update and delete, and delete what is absent as expected."""
        updated, deleted = (yield from put(store, KEYS[0], b"old")), (yield from put(store, KEYS[1], b"old"))
        commits = [
            request(KEYS[0], b"updated", updated),
            request(KEYS[1], None, deleted),
            request(KEYS[2], b"created"),
            request(KEYS[3], None),
        ]
        answers = yield from commit_many(store, commits)
        first, _second, third, _fourth = [won(answer) for answer in answers]
        found = yield from load_each(store, KEYS[:4])
        assert found == [Versioned(b"updated", first), None, Versioned(b"created", third), None]

    @check(Claim.BATCH)
    def test_a_large_batch_is_taken_whole(self, store: AnyStore) -> Flow[None]:
        """A batch of 200 commits, and then of 200 loads, is taken and answered."""
        keys = [f"{KEYS[0]}/{number}" for number in range(LARGE)]
        written = yield from _put_many(store, keys)
        assert (yield from load_many(store, keys)) == list(written.values())

    @check(Claim.BATCH)
    def test_versions_of_batches_are_all_different(self, store: AnyStore) -> Flow[None]:
        """No two commits of a batch have one version, nor one that a key had before, deletions between them or not."""
        gc_at, seen, expected = later(hours=1), list[Version](), dict[str, Version | None]()
        for data in (b"same", b"same", None, b"same"):
            answers = yield from commit_many(store, [request(key, data, expected.get(key), gc_at) for key in KEYS])
            versions = [won(answer) for answer in answers]
            seen += versions if data is not None else []
            expected = dict(zip(KEYS, versions, strict=True)) if data is not None else {}
        assert len(set(seen)) == len(seen)

    @check(Claim.BATCH)
    def test_gc_at_of_a_batch_counts(self, store: AnyStore) -> Flow[None]:
        """Each commit of a batch sets the `gc_at` of its own record."""
        yield from commit_many(store, [request(KEYS[0], b"due", None, later(hours=-1)), request(KEYS[1], b"kept")])
        assert (yield from sweep(store, later())) == 1
        assert [record is None for record in (yield from load_each(store, KEYS[:2]))] == [True, False]

    @check(Claim.BATCH, Claim.MAX_BYTES)
    def test_too_large_a_record_fails_alone_in_a_batch(self, store: AnyStore) -> Flow[None]:
        """A record above `max_bytes` is answered with a StoreError, and the others of its batch are applied."""
        large = b"x" * ((self.capabilities.max_bytes or 0) + 1)
        answers = yield from commit_many(
            store, [request(KEYS[0], b"1"), request(KEYS[1], large), request(KEYS[2], b"3")]
        )
        assert isinstance(answers[1], StoreError)
        assert (yield from load_each(store, KEYS[:3])) == [
            Versioned(b"1", won(answers[0])),
            None,
            Versioned(b"3", won(answers[2])),
        ]

    @check(Claim.BATCH)
    def test_a_batch_after_close_is_unavailable(self, store: AnyStore) -> Flow[None]:
        """After close a batch raises StoreUnavailable, or each item is answered with it, loads as commits."""
        yield store.close()
        errors = [*(yield from told(load_many(store, KEYS), len(KEYS)))]
        errors += yield from told(commit_many(store, [request(key, b"data") for key in KEYS]), len(KEYS))
        assert {type(error) for error in errors} == {StoreUnavailable}


def _single(store: AnyStore, data: bytes, expected: dict[str, Version]) -> Flow[list[Answer]]:
    """As a batch, one by one."""
    answers: list[Answer] = []
    for key in KEYS:
        answers.append((yield from commit(store, key, data, expected[key])))  # noqa: PERF401  # a step of a flow
    return answers


class BatchRaceChecks(Checks):
    """Batches of several callers."""

    @check(Claim.BATCH)
    def test_of_batches_and_single_commits_one_wins_each_key(self, store: AnyStore) -> Flow[None]:
        """Of batches and single commits that expect one version of a key exactly one wins, and its record stands."""
        expected = {key: record.version for key, record in (yield from _put_many(store, KEYS)).items()}
        for _ in range(ROUNDS):
            batches = [
                commit_many(store, [request(key, str(party).encode(), expected[key]) for key in KEYS])
                for party in range(PARTIES // 2)
            ]
            singles = [_single(store, str(party).encode(), expected) for party in range(PARTIES // 2, PARTIES)]
            expected = yield from _winners(store, (yield from together([*batches, *singles])))

    @check(Claim.BATCH)
    def test_batches_in_opposite_order_hold_nobody_up(self, store: AnyStore) -> Flow[None]:
        """Batches over the same keys, half of them backwards, all end; each key has one winner, whose record stands."""
        expected = {key: record.version for key, record in (yield from _put_many(store, KEYS)).items()}
        for _ in range(ROUNDS):
            flows: list[Flow[list[Answer]]] = []
            for party in range(PARTIES):
                commits = [request(key, str(party).encode(), expected[key]) for key in KEYS]
                flows.append(_backwards(store, commits) if party % 2 else commit_many(store, commits))
            expected = yield from _winners(store, (yield from together(flows)))


def _backwards(store: AnyStore, commits: Sequence[CommitRequest]) -> Flow[list[Answer]]:
    """The answers in the order of `commits`, which are sent in the opposite one."""
    return (yield from commit_many(store, commits[::-1]))[::-1]


def _winners(store: AnyStore, answers: Sequence[Sequence[Answer]]) -> Flow[dict[str, Version]]:
    """The version that won each key; exactly one did, the others were told its record, and it stands."""
    winners: dict[str, Version] = {}
    for key, of_key in zip(KEYS, zip(*answers, strict=True), strict=True):
        ((party, version),) = [(party, Version(one)) for party, one in enumerate(of_key) if isinstance(one, str)]
        stands = Versioned(str(party).encode(), version)
        assert [one for one in of_key if one != version] == [Conflict(stands)] * (len(of_key) - 1)
        assert (yield from load(store, key)) == stands
        winners[key] = version
    return winners
