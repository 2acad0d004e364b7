"""What time does to a record: all is shifted with a clock that was set back; what counts stays."""

from __future__ import annotations

from datetime import timedelta

from otpcore import CodeOwner, Engine, Refused, Sent, Wrong
from otpcore.contract import CheckRequest, FailureKind, SendRequest
from otpcore.ledger import catch_up, gc_at, settle_send
from otpcore.machine import SendEvent
from otpcore.model import Check, Handle, IdempotencyKey, Ladder, RecipientRecord, Send, SendState
from otpcore.policy import DEFAULT, Profile
from otpcore.providers.fake import FakeProvider
from otpcore.stores.memory import MemoryStore
from tests.properties.world import EPOCH

HOUR = timedelta(hours=1)
LEASE = timedelta(seconds=13)


def _lost(_request: SendRequest | CheckRequest) -> FailureKind:
    return FailureKind.TIMEOUT


def test_a_clock_set_back_takes_every_instant_with_it() -> None:
    """D8, trap 2: failures, keys and verifications keep their age, or a limit would not be what it says."""
    record = RecipientRecord(
        v=1,
        mark_at=EPOCH,
        ladder=Ladder(count=1, next_at=EPOCH + HOUR),
        sends=(Send(at=EPOCH - HOUR),),
        checks=(Check(at=EPOCH - HOUR),),
        keys=(IdempotencyKey(digest="d", body="b", at=EPOCH - HOUR, session="n", send="s"),),
        handles=(Handle(provider="p", id="h", purpose="login", first_at=EPOCH - HOUR, last_at=EPOCH),),
    )
    back = timedelta(hours=30)
    caught = catch_up(record, DEFAULT, now=EPOCH - back, lease=LEASE)
    assert caught.must_write
    shifted = caught.record
    assert shifted.ladder.next_at == EPOCH + HOUR - back
    assert [shifted.sends[0].at, shifted.checks[0].at, shifted.keys[0].at] == [EPOCH - HOUR - back] * 3
    assert (shifted.handles[0].first_at, shifted.handles[0].last_at) == (EPOCH - HOUR - back, EPOCH - back)


def test_a_record_lives_as_long_as_failures_in_a_row_count() -> None:
    """V6, D10: a lock is not swept away after a day."""
    free = RecipientRecord(v=1, mark_at=EPOCH)
    assert gc_at(free, DEFAULT, now=EPOCH) == EPOCH + timedelta(days=1)
    assert gc_at(free.but(consecutive=1), DEFAULT, now=EPOCH) == EPOCH + timedelta(days=400)
    assert gc_at(free.but(ladder=Ladder(count=2)), DEFAULT, now=EPOCH) == EPOCH + timedelta(days=400)


def test_a_refund_does_not_free_the_wait_of_a_newer_send() -> None:
    """S5, trap 4: a step is given back; the wait that a later send has set stays."""
    older = Send(id="s1", at=EPOCH, state=SendState.RESERVED, session="n1")
    newer = Send(id="s2", at=EPOCH + timedelta(minutes=2), state=SendState.RESERVED, session="n1")
    until = EPOCH + timedelta(minutes=7)
    record = RecipientRecord(sends=(older, newer), ladder=Ladder(count=2, next_at=until))
    refused = settle_send(record, DEFAULT, older, SendEvent.DEFINITELY_REFUSED, now=newer.at)
    assert (refused.ladder.count, refused.ladder.next_at) == (1, until)
    alone = settle_send(record.but(sends=(older,)), DEFAULT, older, SendEvent.DEFINITELY_REFUSED, now=newer.at)
    assert alone.ladder.next_at == EPOCH


def test_each_generation_of_a_code_has_a_lifetime_of_its_own() -> None:
    """V8, trap 6: the session lives on with its newer code, the older one does not."""
    now = [EPOCH]
    provider = FakeProvider(owner=CodeOwner.CORE, clock=lambda: now[0])
    minutely = Profile(name="minutely", source="this test", ladder=(timedelta(minutes=1),) * 4)
    engine = Engine(MemoryStore(), provider, profile=minutely, clock=lambda: now[0])
    number = "+12025550123"
    sent = engine.start(number)
    assert isinstance(sent, Sent)
    token, old = sent.session.token or "", provider.code_for(number) or ""
    now[0] += timedelta(minutes=1)
    provider.exchange.script = _lost
    resent = engine.resend(token, number)
    assert not isinstance(resent, Refused)
    now[0] = EPOCH + timedelta(seconds=601)
    assert isinstance(engine.check(token, old), Wrong)
