"""Traps 2 and 7: what is told while a try is on its way, or when its answer was lost."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from otpcore import Approved, Ended, SessionStatus, Undecided
from otpcore.contract import CheckAnswer, CheckVerdict, CodeOwner
from otpcore.effects import CheckCode, Effect
from otpcore.flows import check, start
from otpcore.model import CheckState
from tests.flows.script import NOW, NUMBER, Page, entropy, setup

GIVEN = setup(CodeOwner.PROVIDER)
APPROVED, GONE, LOST = (
    CheckAnswer(verdict) for verdict in (CheckVerdict.APPROVED, CheckVerdict.GONE, CheckVerdict.UNKNOWN)
)
LIFE = timedelta(seconds=600)
SECOND = timedelta(seconds=1)


def opened(page: Page, seed: int = 1) -> str:
    sent = page.run(start(GIVEN, entropy(seed), NUMBER))
    return sent.session.token or ""


def tried(page: Page, token: str, seed: int) -> Any:
    return page.run(check(GIVEN, entropy(seed), token, "123456"))


def on_its_way(page: Page, token: str, seed: int) -> tuple[Generator[Effect, Any, Any], CheckCode]:
    """A try that is claimed, up to the moment when the provider is asked."""
    flow = check(GIVEN, entropy(seed), token, "123456")
    effect = next(flow)
    while not isinstance(effect, CheckCode):
        effect = flow.send(page.perform(effect))
    return flow, effect


def answered(page: Page, flow: Generator[Effect, Any, Any], answer: CheckAnswer) -> Any:
    return page.finish(flow, flow.send(answer))


def test_gone_while_anothers_try_is_on_its_way_leaves_the_success_to_it() -> None:
    """Trap 7: the session is not over before the other try is settled."""
    page = Page(checks=[GONE])
    token = opened(page)
    flow, _ = on_its_way(page, token, 2)
    assert isinstance(tried(page, token, 3), Undecided)
    assert page.record().sessions[0].is_live
    assert isinstance(answered(page, flow, APPROVED), Approved)


def test_gone_while_a_try_of_a_session_on_the_same_verification_is_on_its_way_ends_neither() -> None:
    """Traps 1 and 7: what the sibling's try used is the sibling's success."""
    page = Page(checks=[GONE])
    first = opened(page)
    page.now += timedelta(minutes=2)
    second = opened(page, 20)
    flow, _ = on_its_way(page, first, 2)
    assert isinstance(tried(page, second, 3), Undecided)
    assert [one.is_live for one in page.record().sessions] == [True, True]
    assert isinstance(answered(page, flow, APPROVED), Approved)


def test_gone_after_a_try_whose_answer_was_lost_is_undecided_until_the_session_expires() -> None:
    """Trap 7: the lost try may be the one that used the code, so nobody knows how the session ended."""
    page = Page(checks=[LOST, GONE])
    token = opened(page)
    assert isinstance(tried(page, token, 2), Undecided)
    assert isinstance(tried(page, token, 3), Undecided)
    assert page.record().sessions[0].is_live
    page.now = NOW + LIFE
    ended = tried(page, token, 4)
    assert isinstance(ended, Ended)
    assert ended.status is SessionStatus.EXPIRED


def test_gone_after_a_try_whose_process_died_is_undecided() -> None:
    """Trap 7: a claim that nobody settles is lost once its lease is over, and may have used the code too."""
    page = Page(checks=[GONE])
    token = opened(page)
    on_its_way(page, token, 2)[0].close()
    page.now += GIVEN.lease
    assert isinstance(tried(page, token, 3), Undecided)
    assert [one.state for one in page.record().checks] == [CheckState.UNKNOWN] * 2
    assert page.record().sessions[0].is_live


def test_gone_with_no_other_try_ends_the_session() -> None:
    """Trap 7: and so it does after a try that was found wrong, which used nothing."""
    page = Page(checks=[CheckAnswer(CheckVerdict.WRONG), GONE])
    token = opened(page)
    tried(page, token, 2)
    ended = tried(page, token, 3)
    assert isinstance(ended, Ended)
    assert ended.status is SessionStatus.FAILED


def test_an_expiry_that_is_answered_while_a_try_is_on_its_way_is_marked_first() -> None:
    """Trap 2, invariant 14: the session waits for its open try, and yet a clock set back revives nothing."""
    page = Page()
    token = opened(page)
    page.now = NOW + LIFE - SECOND
    flow, _ = on_its_way(page, token, 2)
    page.now = NOW + LIFE
    assert isinstance(tried(page, token, 3), Ended)
    assert page.record().mark_at == NOW + LIFE
    page.now = NOW + LIFE - SECOND
    assert isinstance(tried(page, token, 4), Ended)
    assert len(page.record().checks) == 1
    assert isinstance(answered(page, flow, APPROVED), Approved)
