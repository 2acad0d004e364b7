"""A primary is lost and its replica takes its place: what was acknowledged, and what of it stands.

The link to the replica is cut before the primary dies, so that the loss is certain. A store that does not wait for the
replica is the control: it loses what it acknowledged. So is one that waits for its commits and not for its loads.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otpcore.engine import Engine
from otpcore.errors import CommitUnknown, StoreError, StoreUnavailable
from otpcore.ports import Store
from otpcore.results import Approved, Sent, Wait
from otpcore_redis.routes import Route
from tests.benchmarks.cycle import PEPPER, Instant, number
from tests.benchmarks.failover import Lost, Told, commits, people, rounds, verify, write
from tests.postgres_pairs import PostgresPair
from tests.redis_pairs import Pair
from tests.redis_servers import until

LATER = datetime.now(UTC) + timedelta(days=30)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.stop()


HURRY_S = 1
"""Timeout of a store that is to wait in vain."""


def engine_of(store: Store) -> tuple[Engine, Instant]:
    provider = Instant()
    return Engine(store, provider, pepper=PEPPER), provider


def is_answered(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except StoreUnavailable:
        return False
    return True


def sent_and_used(engine: Engine, provider: Instant) -> Told:
    """One recipient was sent a code, another one has used theirs."""
    told = Told()
    for one in (1, 2):
        sent = engine.start(number(one))
        assert isinstance(sent, Sent)
        told.sent[one] = (sent.session.token or "", provider.code)
    return told


def test_a_commit_that_no_replica_has_is_acknowledged_and_lost_without_a_wait(pair: Pair) -> None:
    hasty = pair.store(wait=False)
    pair.cut()
    version = hasty.commit("a", b"1", expect=None, gc_at=LATER)
    assert isinstance(version, str)
    pair.fail_over()
    pair.attach()
    assert commits(hasty, Told(commits=["a"])) == Lost(acknowledged=1, commits=1)
    hasty.close()


def test_a_commit_that_no_replica_has_is_in_doubt_with_a_wait(pair: Pair) -> None:
    patient, hurried = pair.store(wait=True), pair.store(wait=True, timeout_s=HURRY_S)
    assert isinstance(patient.commit("b", b"1", expect=None, gc_at=LATER), str)
    pair.cut()
    with pytest.raises(CommitUnknown):
        hurried.commit("a", b"1", expect=None, gc_at=LATER)
    with pytest.raises(StoreUnavailable):
        hurried.load("a")  # it is there, and may not be told
    pair.fail_over()
    pair.attach()
    until(lambda: is_answered(lambda: hurried.load("a")), "the new replica has what the doubt is about")
    assert hurried.load("a") is None
    assert commits(hurried, Told(commits=["b"])) == Lost(acknowledged=1)
    patient.close()
    hurried.close()


def forgets_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted defect: a load after a commit in doubt does not wait."""
    judged: Any = Route._judged  # pyright: ignore[reportPrivateUsage]  # where the defect is planted

    def forgetting(self: Any, *given: Any) -> Any:
        answers = judged(self, *given)
        self._doubted.clear()
        return answers

    monkeypatch.setattr(Route, "_judged", forgetting)


@pytest.mark.parametrize("wait", [False, True], ids=["no wait", "only commits wait"])
def test_without_a_wait_of_loads_too_people_get_a_second_code_and_a_second_approval(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, wait: bool
) -> None:
    shared, hurried = pair.store(wait=wait), pair.store(wait=wait, timeout_s=HURRY_S)
    forgets_doubt(monkeypatch)
    engine, provider = engine_of(shared)
    told = sent_and_used(engine, provider)
    pair.cut()
    engine = Engine(hurried, provider, pepper=PEPPER)
    sent = engine.start(number(3))
    assert isinstance(sent, Sent)
    told.sent[3] = (sent.session.token or "", provider.code)
    told.approved[2] = told.sent.pop(2)
    assert isinstance(engine.check(*told.approved[2]), Approved)
    pair.fail_over()
    pair.attach()
    assert people(shared, told) == Lost(acknowledged=3, over_quota=1, approved_twice=1)
    shared.close()
    hurried.close()


def test_with_a_wait_nothing_is_sent_or_approved_while_no_replica_answers(pair: Pair) -> None:
    patient, hurried = pair.store(wait=True), pair.store(wait=True, timeout_s=HURRY_S)
    engine, provider = engine_of(patient)
    told = sent_and_used(engine, provider)
    pair.cut()
    provider.code = ""
    cut_off = Engine(hurried, provider, pepper=PEPPER)
    with pytest.raises(StoreError):
        cut_off.start(number(3))
    assert provider.code == ""
    with pytest.raises(StoreError):
        cut_off.check(*told.sent[2])
    hurried.close()
    pair.fail_over()
    pair.attach()
    assert isinstance(engine.start(number(1)), Wait)
    assert isinstance(engine.start(number(3)), Sent)
    assert isinstance(engine.check(*told.sent[2]), Approved)
    patient.close()


def test_under_load_a_wait_loses_nothing_at_two_failovers(pair: Pair) -> None:
    """CI: 2 kills of each level, 0.3 s of load; `python -m tests.benchmarks.failover`: 20 kills, 1 s."""
    lost = rounds(pair, write, commits, wait=True, kills=2, seconds=0.3)
    assert lost.acknowledged > 0
    assert lost == Lost(lost.acknowledged)
    lost = rounds(pair, verify, people, wait=True, kills=2, seconds=0.3)
    assert lost.acknowledged > 0
    assert lost == Lost(lost.acknowledged)


@pytest.fixture
def postgres() -> Iterator[PostgresPair]:
    with tempfile.TemporaryDirectory() as folder:  # nobody but root may enter pytest's
        made = PostgresPair(Path(folder))
        yield made
        made.stop()


def test_postgresql_without_a_synchronous_standby_loses_what_it_acknowledged(postgres: PostgresPair) -> None:
    hasty = postgres.store(wait=False)
    engine, provider = engine_of(hasty)
    told = sent_and_used(engine, provider)
    postgres.cut()
    told.approved[2] = told.sent.pop(2)
    assert isinstance(engine.check(*told.approved[2]), Approved)
    assert isinstance(hasty.commit("a", b"{}", expect=None, gc_at=LATER), str)
    hasty.close()
    postgres.fail_over()
    successor = postgres.store(wait=False)
    assert commits(successor, Told(commits=["a"])) == Lost(acknowledged=1, commits=1)
    assert people(successor, told) == Lost(acknowledged=2, approved_twice=1)
    successor.close()


def test_postgresql_with_a_synchronous_standby_sends_and_approves_nothing_while_it_is_away(
    postgres: PostgresPair,
) -> None:
    patient, hurried = postgres.store(wait=True), postgres.store(wait=True, timeout_s=HURRY_S)
    engine, provider = engine_of(patient)
    told = sent_and_used(engine, provider)
    postgres.cut()
    provider.code = ""
    cut_off = Engine(hurried, provider, pepper=PEPPER)
    with pytest.raises(StoreError):
        cut_off.start(number(3))
    assert provider.code == ""
    with pytest.raises(StoreError):
        cut_off.check(*told.sent[2])
    hurried.close()
    patient.close()
    postgres.fail_over()
    successor = postgres.store(wait=False)
    engine, _ = engine_of(successor)
    assert isinstance(engine.start(number(1)), Wait)
    assert isinstance(engine.check(*told.sent[2]), Approved)
    successor.close()
