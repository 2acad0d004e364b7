"""A retry waits: behind a lost race and behind a commit without an answer, by the same bounded, jittered pause."""

from __future__ import annotations

import pytest

from otpcore import Sent
from otpcore.contract import Conflict, Version, Versioned
from otpcore.effects import Commit, Pause, SendCode
from otpcore.errors import Busy, CommitUnknown
from otpcore.flows import start
from otpcore.flows.transact import DOUBTS, LONGEST_PAUSE_S, PAUSE_S
from otpcore.model import RecipientRecord
from tests.flows.script import NEW, NOW, NUMBER, OLD, Page, entropy, losing, setup


class Silent(Page):
    """Answers no commit."""

    def commit(self, effect: Commit) -> Version | Conflict:
        raise CommitUnknown


class Losing(Page):
    """Another was first, each time."""

    def commit(self, effect: Commit) -> Version | Conflict:
        self.serial += 1
        current = Versioned(RecipientRecord(v=1, mark_at=NOW).encode(), Version(str(self.serial)))
        self.records[effect.key] = current
        return Conflict(current)


def pauses_of(page: Page, seed: int, error: type[Exception]) -> list[float]:
    with pytest.raises(error):
        page.run(start(setup(), entropy(seed), NUMBER))
    assert page.requests(SendCode) == []
    return [each.seconds for each in page.requests(Pause)]


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("place", [1, 2])
def test_a_commit_without_an_answer_is_looked_after_behind_a_pause(place: int, *, applied: bool) -> None:
    page = Page()
    page.fault = losing(page, place, applied=applied)
    assert isinstance(page.run(start(setup(), entropy(1), NUMBER)), Sent)
    order = page.order()
    lost = [at for at, name in enumerate(order) if name == "Commit"][place - 1]
    assert order[lost + 1 : lost + 3] == ["Pause", "Load"]
    assert order.count("Pause") == 1


def test_each_doubt_pauses_and_the_last_one_does_not() -> None:
    """Nobody waits for an answer that is given up."""
    assert len(pauses_of(Silent(), 1, CommitUnknown)) == DOUBTS


def test_a_doubt_waits_as_long_as_a_race_that_was_lost_as_often() -> None:
    """One rule for both; the first lost race alone goes on at once, for its answer brought the record along."""
    doubts, races = pauses_of(Silent(), 1, CommitUnknown), pauses_of(Losing(), 1, Busy)
    assert doubts[1:] == races[: DOUBTS - 1]


@pytest.mark.parametrize("page", [Silent, Losing])
def test_a_pause_is_bounded_and_jittered(page: type[Page]) -> None:
    error = CommitUnknown if page is Silent else Busy
    drawn = [pauses_of(page(), seed, error) for seed in range(20)]
    for each in drawn:
        for retry, seconds in enumerate(each, start=page is Losing):
            assert 0 < seconds <= min(LONGEST_PAUSE_S, PAUSE_S * 2 ** min(retry, 8))
    for place in range(DOUBTS):
        assert len({each[place] for each in drawn}) > 10, "competitors come back together"


@pytest.mark.parametrize("applied", [True, False])
def test_a_marker_without_an_answer_is_looked_after_behind_a_pause(*, applied: bool) -> None:
    page = Page()
    page.fault = losing(page, 1, applied=applied)
    during = setup(current=NEW, previous=(OLD,))
    assert isinstance(page.run(start(during, entropy(1), NUMBER)), Sent)
    order = page.order()
    marker = order.index("Commit")
    assert order[marker + 1 : marker + 3] == ["Pause", "Load"]


def test_where_nothing_is_lost_nobody_waits() -> None:
    page = Page()
    assert isinstance(page.run(start(setup(), entropy(1), NUMBER)), Sent)
    assert "Pause" not in page.order()
