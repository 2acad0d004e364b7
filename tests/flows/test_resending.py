"""start and resend: what is given back, what is repeated, what is continued."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otpcore import Ended, NotFound, Refusal, Refused, Sent, Wait, WaitReason
from otpcore.codes import make_code
from otpcore.contract import Accepted, Versioned
from otpcore.effects import Effect, SendCode
from otpcore.flows import cancel, check, resend, start
from otpcore.model import SessionStatus
from tests.flows.script import (
    CORE,
    KEY,
    MINUTE,
    NO_ANSWER,
    NOT_SENT,
    NOW,
    NUMBER,
    OTHER_NUMBER,
    PROVIDER,
    Page,
    entropy,
    setup,
    started,
)
from tests.numbers import phone

OWNERS = pytest.mark.parametrize("owner", [CORE, PROVIDER])


# --- refunds -----------------------------------------------------------------------------------


def test_only_a_definite_refusal_is_given_back() -> None:
    """Invariant 1, S5: of 1,000 unknown outcomes none is."""
    for seed in range(1000):
        page = Page(sends=[NO_ANSWER])
        page.run(start(setup(), entropy(seed), NUMBER))
        assert page.record().ladder.count == 1
    page = Page(sends=[NOT_SENT])
    result = page.run(start(setup(), entropy(1), NUMBER))
    assert isinstance(result, Refused)
    assert result.next.resend_at == NOW
    assert page.record().sessions[0].status is SessionStatus.FAILED


def test_a_refusal_after_the_lease_gives_nothing_back() -> None:
    """Trap 4: reserved became unknown, and unknown to refused never refunds."""
    page = Page(sends=[NOT_SENT])
    page.race = lambda effect: setattr(page, "now", page.now + MINUTE) if isinstance(effect, SendCode) else None
    assert isinstance(page.run(start(setup(), entropy(1), NUMBER)), Refused)
    assert page.record().ladder.count == 1


def test_a_step_of_another_epoch_is_not_given_back() -> None:
    """Trap 4: a success between reservation and refusal has cleared the ladder."""
    page, given = Page(sends=[Accepted("m"), NOT_SENT]), setup()
    token = started(page).session.token or ""
    page.now += 2 * MINUTE

    def race(effect: Effect) -> None:
        if isinstance(effect, SendCode):
            page.race = None
            page.run(check(given, entropy(7), token, make_code(entropy(1).code, 6)))
            page.run(start(given, entropy(8), NUMBER))

    page.race = race
    page.sends = [NOT_SENT]
    page.run(resend(given, entropy(2), token, NUMBER))
    assert page.record().ladder.count == 1
    assert not any(send.refunded for send in page.record().sends)


def test_at_most_three_refunds_an_hour() -> None:
    """Trap 4."""
    page = Page(sends=[NOT_SENT] * 5)
    results = [page.run(start(setup(), entropy(seed), NUMBER)) for seed in range(5)]
    assert [type(each).__name__ for each in results] == ["Refused"] * 4 + ["Wait"]
    assert sum(send.refunded for send in page.record().sends) == 3


# --- idempotency -------------------------------------------------------------------------------


def test_a_repeated_start_has_the_same_token_and_sends_nothing() -> None:
    """Trap 8, S7."""
    page = Page()
    first = started(page, idempotency_key=KEY)
    again = page.run(start(setup(), entropy(2), NUMBER, idempotency_key=KEY))
    assert isinstance(again, Sent)
    assert (again.session.token, again.replayed) == (first.session.token, True)
    other = page.run(start(setup(), entropy(3), NUMBER, purpose="payment", idempotency_key=KEY))
    assert isinstance(other, Refused)
    assert other.kind is Refusal.IDEMPOTENCY_MISMATCH
    page.run(cancel(setup(), entropy(4), first.session.token or ""))
    assert isinstance(page.run(start(setup(), entropy(5), NUMBER, idempotency_key=KEY)), Ended)
    assert len(page.requests(SendCode)) == 1


def test_a_key_is_kept_for_24_hours_whether_or_not_somebody_wrote_since() -> None:
    """S7."""
    page = Page()
    started(page, idempotency_key=KEY)
    page.now += timedelta(hours=24)
    again = page.run(start(setup(), entropy(2), NUMBER, idempotency_key=KEY))
    assert isinstance(again, Sent)
    assert not again.replayed


# --- sessions that are addressed by their recipient --------------------------------------------


def test_a_start_by_recipient_goes_on_with_its_live_session() -> None:
    """Trap 9: one such session per purpose."""
    page = Page()
    first = started(page, by_recipient=True)
    page.now += 2 * MINUTE
    second = page.run(start(setup(), entropy(2), NUMBER, by_recipient=True))
    assert isinstance(second, Sent)
    assert (first.session.id, first.session.token) == (second.session.id, None)
    assert len(page.record().sessions) == 1


def test_a_session_is_not_continued_on_a_channel_or_provider_that_cannot() -> None:
    page = Page()
    started(page, by_recipient=True)
    page.now += 2 * MINUTE
    moved = setup(PROVIDER)
    result = page.run(start(moved, entropy(2), NUMBER, by_recipient=True))
    assert isinstance(result, Refused)
    assert result.kind is Refusal.CHANNEL_UNSUPPORTED
    assert len(page.requests(SendCode)) == 1


def test_a_fourth_live_session_waits_and_none_is_evicted() -> None:
    """Trap 1: and the wait is never in the past."""
    page = Page()
    for seed, wait in ((1, 2), (2, 5), (3, 0)):
        started(page, seed=seed)
        page.now += wait * MINUTE
    page.now = NOW + timedelta(minutes=9)
    record = page.record()
    key = next(iter(page.records))
    free = record.but(ladder=record.ladder.but(count=0, next_at=None))
    page.records[key] = Versioned(free.encode(), page.records[key].version)
    result = page.run(start(setup(), entropy(4), NUMBER))
    assert isinstance(result, Wait)
    assert (result.reason, result.until) == (WaitReason.SESSIONS, NOW + timedelta(minutes=10))
    assert sum(one.is_live for one in page.record().sessions) == 3


def test_a_session_cannot_be_turned_to_another_number() -> None:
    """S12."""
    page = Page()
    token = started(page).session.token or ""
    page.now += 2 * MINUTE
    for seed in range(1000):
        result = page.run(resend(setup(), entropy(seed), token, phone(1000 + seed)))
        assert isinstance(result, Refused | NotFound)
    result = page.run(check(setup(), entropy(2), token, "000000", recipient=OTHER_NUMBER))
    assert isinstance(result, Refused)
    assert result.kind is Refusal.RECIPIENT_MISMATCH
    assert len(page.requests(SendCode)) == 1
