"""Twilio's window of ten minutes under the core's ladder, and what its ambiguous 404 means, end to end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from otpcore import Approved, Ended, Sent, SessionStatus, Wait
from otpcore.policy import DEFAULT, TWILIO
from otpcore.results import Undecided, WaitReason
from otpcore_twilio.emulator import Emulator, Fault, Scenario

PHONE = "+12025550123"
Desks = Callable[..., Any]


def verifications(emulator: Emulator) -> list[str]:
    """Of each message, the verification that it belongs to."""
    return [message.verification_sid for message in emulator.inbox(PHONE)]


def code_of(answer: Ended | Undecided) -> str | None:
    """Twilio's, in its answer to the check."""
    return None if answer.cause is None else answer.cause.provider_code


def test_a_resend_in_the_window_adopts_the_verification_and_after_it_a_new_one_goes_on_with_the_ladder(
    desk: Desks, emulator: Emulator
) -> None:
    here = desk(engine={"profile": DEFAULT})
    token = here.start(PHONE).session.token
    for wait_s in (120, 300):
        emulator.advance(wait_s - 1)
        assert isinstance(here.resend(token, PHONE), Wait)
        emulator.advance(1)
        assert isinstance(here.resend(token, PHONE), Sent)
    assert len(set(verifications(emulator))) == len(set(here.codes())) == 1
    emulator.advance(181)  # the window is over, the ladder is not
    waiting = here.start(PHONE)
    assert isinstance(waiting, Wait)
    assert (waiting.reason, waiting.retry_after_s) == (WaitReason.LADDER, 900 - 181)
    emulator.advance(900 - 181)
    fresh = here.start(PHONE)
    assert isinstance(fresh, Sent)
    assert fresh.next.resend_at == emulator.clock.now() + timedelta(days=1)
    *earlier, newest = verifications(emulator)
    assert newest not in earlier
    assert isinstance(here.check(fresh.session.token, here.codes()[-1]), Approved)


def test_a_start_in_the_window_adopts_the_verification_too(desk: Desks, emulator: Emulator) -> None:
    here = desk()
    here.start(PHONE)
    emulator.advance(120)
    second = here.start(PHONE)
    assert len(set(verifications(emulator))) == 1
    assert isinstance(here.check(second.session.token, here.codes()[0]), Approved)


def test_the_sixth_send_of_a_window_is_never_asked_for(desk: Desks, emulator: Emulator) -> None:
    here = desk(engine={"profile": TWILIO})
    token = here.start(PHONE).session.token
    for wait_s in (30, 40, 60, 90):
        emulator.advance(wait_s)
        assert isinstance(here.resend(token, PHONE), Sent)
    emulator.advance(379)  # 599 s after the first
    assert isinstance(here.start(PHONE), Wait)
    assert len(verifications(emulator)) == 5
    emulator.advance(6)
    assert isinstance(here.start(PHONE), Sent)
    assert len(set(verifications(emulator))) == 2


def test_what_was_used_is_told_as_approved(desk: Desks, emulator: Emulator) -> None:
    here = desk()
    first = here.start(PHONE).session.token
    emulator.advance(120)
    second = here.start(PHONE).session.token
    code = here.codes()[0]
    assert isinstance(here.check(first, code), Approved)
    for token, status in ((first, SessionStatus.APPROVED), (second, SessionStatus.CANCELED)):
        again = here.check(token, code)
        assert isinstance(again, Ended)
        assert again.status is status


def test_what_has_expired_is_told_as_expired(desk: Desks, emulator: Emulator) -> None:
    behind = [0]  # seconds that the core's clock is behind Twilio's
    here = desk(engine={"clock": lambda: emulator.clock.now() - timedelta(seconds=behind[0])})
    token = here.start(PHONE).session.token
    emulator.advance(601)
    behind[0] = 11
    answer = here.check(token, here.codes()[0])
    assert isinstance(answer, Ended)
    assert answer.status is SessionStatus.EXPIRED
    assert code_of(answer) == "20404", "Twilio was asked, and its 404 does not say"


def test_what_twilio_lost_in_the_middle_of_its_life_is_told_as_lost(desk: Desks, emulator: Emulator) -> None:
    here = desk()
    token = here.start(PHONE).session.token
    sid, code = verifications(emulator)[0], here.codes()[0]
    assert here.run(lambda: here.provider.cancel(sid, 5.0)) is True
    answer = here.check(token, code)
    assert isinstance(answer, Ended)
    assert answer.status is SessionStatus.FAILED
    assert code_of(answer) == "20404"


def test_what_was_used_by_a_try_whose_answer_is_lost_is_neither_approved_nor_called_lost(
    desk: Desks, emulator: Emulator
) -> None:
    here = desk()
    token = here.start(PHONE).session.token
    code = here.codes()[0]
    emulator.faults.add(Scenario(outcome=Fault.RESET, operation="create_check", processed=True))
    emulator.faults.add(Scenario(outcome=503, operation="list_attempts"))
    assert isinstance(here.check(token, code), Undecided)
    again = here.check(token, code)
    assert isinstance(again, Undecided)
    assert code_of(again) == "20404"
