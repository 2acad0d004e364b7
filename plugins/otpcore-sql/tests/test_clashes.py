"""Batches and commits that the server refuses for the sake of others: deadlocks, and what is refused again and again.

The rings are made, not waited for: a session holds a row until the store is seen to wait for it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from otpcore.errors import StoreUnavailable
from otpcore.ports import CommitRequest, Conflict, Version, Versioned
from otpcore_sql import aio, flows, mysql, postgresql
from otpcore_sql.dialect import Clash
from tests.sql_places import Place, place
from tests.sql_waits import another, waiters, waiting

LATER = datetime.now(UTC) + timedelta(days=30)


def refusals(store: Any) -> list[Clash]:
    """What the server refuses the store from now on for the sake of others."""
    refused: list[Clash] = []
    perform = store._dialect.perform

    def counted(*given: Any) -> Any:
        try:
            return perform(*given)
        except Clash as clash:
            refused.append(clash)
            raise

    store._dialect.perform = counted
    return refused


def clashes(at: Place) -> int:
    """Two batches over the same 20 keys, in opposite orders; how many were refused.

    A third session holds the row in their middle until both wait, each with what it could lock before. The server is
    held to look the rows up by their keys, as it does in a large table: in the order in which they were given.
    """
    large = quote("-cenable_seqscan=off -cenable_hashjoin=off -cenable_mergejoin=off -cenable_bitmapscan=off")
    stores = [Place(at.kind, f"{at.url}?options={large}", at.prefix).store() for _ in range(2)]
    filling = [CommitRequest(f"k{number:02}", b"x", None, LATER) for number in range(20)]
    versions = stores[0].commit_many(filling)
    asked = [CommitRequest(one.key, b"y", version, LATER) for one, version in zip(filling, versions, strict=True)]
    refused = [refusals(store) for store in stores]
    with ThreadPoolExecutor(2) as pool, another(at) as session:
        session.exec_driver_sql(f"UPDATE {at.prefix}_records SET gc_at = 0 WHERE key = 'k10'")
        jobs: list[Future[Any]] = []
        for store, batch in zip(stores, (asked, asked[::-1]), strict=True):
            jobs.append(pool.submit(store.commit_many, batch))
            while waiters(at) < len(jobs):
                assert not any(job.done() for job in jobs)
        session.rollback()
        one, two = jobs[0].result(60), jobs[1].result(60)[::-1]
    for left, right in zip(one, two, strict=True):
        (won,) = [Version(each) for each in (left, right) if isinstance(each, str)]
        (lost,) = [each for each in (left, right) if not isinstance(each, str)]
        assert lost == Conflict(Versioned(b"y", won))
    for store in stores:
        store.close()
    return sum(map(len, refused))


def test_batches_that_come_in_opposite_orders_wait_in_a_line(tmp_path: Path) -> None:
    with place("postgresql", tmp_path) as at:
        assert clashes(at) == 0


def test_without_an_order_they_would_wait_in_a_ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test before. The server breaks the ring, and each key has one winner all the same."""
    monkeypatch.setattr(postgresql, "WRITE_MANY", postgresql.WRITE_MANY.replace("ORDER BY r.key", ""))
    with place("postgresql", tmp_path) as at:
        assert clashes(at) > 0


@pytest.mark.parametrize("knows", [True, False], ids=["", "planted"])
def test_a_batch_that_innodb_picks_as_the_victim_of_a_deadlock_is_made_one_by_one(
    knows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch has `a` and waits for `b`; a session that has changed more rows has `b` and then wants `a`.

    A store that does not know the code is the control: its caller is told that the batch was refused.
    """
    if not knows:
        monkeypatch.setattr(mysql, "CLASHES", frozenset[int]())
    with place("mariadb", tmp_path) as at:
        store = at.store()
        filling = [CommitRequest(key, b"1", None, LATER) for key in ("a", "b", *map(str, range(50)))]
        versions = store.commit_many(filling)
        asked = [CommitRequest(key, b"2", version, LATER) for key, version in zip("ab", versions, strict=False)]
        refused = refusals(store)
        changing = f"UPDATE {at.prefix}_records SET gc_at = 0 WHERE `key` "
        with another(at) as session:
            session.exec_driver_sql(f"{changing} = 'b' OR `key` < 'a'")

            def closes_the_ring() -> None:
                session.exec_driver_sql(f"{changing} = 'a'")
                session.commit()

            if knows:
                answers = waiting(at, lambda: store.commit_many(asked), then=closes_the_ring)
                assert all(isinstance(answer, str) for answer in answers), answers
                assert len(refused) == 1
            else:
                with pytest.raises(StoreUnavailable, match="1213"):
                    waiting(at, lambda: store.commit_many(asked), then=closes_the_ring)
        assert [one.data for one in store.load_many("ab")] == [b"2" if knows else b"1"] * 2
        store.close()


@pytest.mark.parametrize("awaited", [False, True], ids=["blocking", "awaiting"])
def test_who_is_refused_for_others_again_and_again_pauses_and_is_told_that_nothing_is_applied(
    awaited: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[int] = []

    def pause(clashes: int) -> float:
        pauses.append(clashes)
        return 0.0

    def clash(*_given: Any, **_named: Any) -> Any:
        raise Clash("others first")

    async def awaited_clash(*_given: Any, **_named: Any) -> Any:
        clash()

    monkeypatch.setattr(flows, "pause_s", pause)
    with place("postgresql", tmp_path) as at, asyncio.Runner() as runner:
        store = at.async_store() if awaited else at.store()

        def call(method: str, *given: Any, **named: Any) -> Any:
            answer = getattr(store, method)(*given, **named)
            return runner.run(answer) if awaited else answer

        first = call("commit", "a", b"1", expect=None, gc_at=LATER)
        with monkeypatch.context() as planted:
            planted.setattr(store._dialect, "perform", clash)
            planted.setattr(aio, "awaited_exchange", awaited_clash)
            with pytest.raises(StoreUnavailable, match="nothing was applied"):
                call("commit", "a", b"2", expect=first, gc_at=LATER)
            assert pauses == list(range(1, flows.TRIES + 1))
            asked = [CommitRequest("a", b"2", first, LATER), CommitRequest("b", b"2", None, LATER)]
            assert [type(answer) for answer in call("commit_many", asked)] == [StoreUnavailable] * 2
        assert call("load_many", ["a", "b"]) == [Versioned(b"1", first), None]
        call("close")


def test_pauses_grow_and_end() -> None:
    """None after the first refusal, which is a deadlock's; 1.2 s for all tries on an average, 2.4 s at most."""
    longest = [max(flows.pause_s(clashes) for _ in range(200)) for clashes in range(1, flows.TRIES + 1)]
    assert longest[0] == 0
    assert 0 < longest[1] <= 0.004
    assert 0.02 < longest[-1] <= flows.LONGEST_PAUSE_S
