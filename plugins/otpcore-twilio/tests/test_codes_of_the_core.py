"""A code that the core made is the one that goes out, although Twilio would rather send an earlier one again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from otpcore import Approved, CodeOwner, SendState, Sent
from otpcore.ports import SendRequest
from otpcore.results import Wrong
from otpcore_twilio.emulator import Emulator, Fault, Scenario

PHONE = "+12025550123"
STEP = timedelta(seconds=120)


@pytest.fixture
def here(desk: Callable[..., Any], service: Callable[..., None]) -> Any:
    service(custom_code_enabled=True)
    return desk(custom_code_enabled=True, engine={"code_owner": CodeOwner.CORE, "purposes": ("login", "payment")})


def test_a_resend_carries_the_new_code(here: Any, emulator: Emulator) -> None:
    token = here.start(PHONE).session.token
    emulator.advance(120)
    assert isinstance(here.resend(token, PHONE), Sent)
    first, second = here.codes()
    assert first != second
    assert isinstance(here.check(token, first), Wrong)
    assert isinstance(here.check(token, second), Approved)


def test_sessions_side_by_side_have_their_own_codes_whichever_is_sent_to(here: Any, emulator: Emulator) -> None:
    one = here.start(PHONE).session.token
    emulator.advance(120)
    other = here.start(PHONE, purpose="payment").session.token
    emulator.advance(300)
    assert here.resend(one, PHONE).state is SendState.ACCEPTED
    _, of_other, of_one = here.codes()
    assert isinstance(here.check(other, of_other), Approved)
    assert isinstance(here.check(one, of_one), Approved)
    assert len(emulator.inbox(PHONE)) == 3, "one message for each send"


def test_a_code_of_a_verification_that_nobody_knows_of_is_not_taken_for_ours(here: Any, emulator: Emulator) -> None:
    here.run(lambda: here.provider.send(request_of(here)))
    emulator.advance(1)
    sent = here.start(PHONE)
    assert sent.state is SendState.UNKNOWN, "an earlier code went out once more"
    assert here.codes()[0] == here.codes()[1] == "918273"
    token = sent.session.token
    emulator.advance(120)
    assert here.resend(token, PHONE).state is SendState.ACCEPTED
    assert isinstance(here.check(token, here.codes()[-1]), Approved)


@pytest.mark.parametrize("processed", [True, False])
def test_an_end_whose_answer_is_lost_makes_no_wrong_code_ours(here: Any, emulator: Emulator, processed: bool) -> None:
    token = here.start(PHONE).session.token
    emulator.advance(120)
    emulator.faults.add(Scenario(outcome=Fault.RESET, operation="update_verification", processed=processed))
    sent = here.resend(token, PHONE)
    assert isinstance(sent, Sent)
    assert sent.state is (SendState.ACCEPTED if processed else SendState.UNKNOWN)
    assert (here.codes()[0] != here.codes()[1]) is processed
    emulator.advance(300)
    assert here.resend(token, PHONE).state is SendState.ACCEPTED
    assert isinstance(here.check(token, here.codes()[-1]), Approved)
    assert len(here.codes()) == 3


def request_of(here: Any) -> SendRequest:
    """Another program's send to the same number in the same service."""
    return SendRequest("other", PHONE, "sms", "other", "918273", None, here.emulator.clock.now() + STEP, 5.0)
