"""What became of a code that the core made is told to Twilio, which then counts it as converted or lets it go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otpcore import Approved, CodeOwner
from otpcore.ports import Outcome
from otpcore_twilio.emulator import Emulator, Fault, Scenario

PHONE = "+12025550123"
Desks = Callable[..., Any]
Change = Callable[..., None]


@pytest.fixture
def own_codes(desk: Desks, service: Change) -> Any:
    service(custom_code_enabled=True)
    return desk(custom_code_enabled=True, engine={"code_owner": CodeOwner.CORE})


def status_of(emulator: Emulator, sid: str) -> str:
    with emulator.account.lock:
        return emulator.account.world.held.verifications[sid].status


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_outcome_is_told_once_and_only_of_what_is_pending(
    own_codes: Any, emulator: Emulator, outcome: Outcome
) -> None:
    own_codes.start(PHONE)
    sid = emulator.inbox(PHONE)[0].verification_sid
    report = own_codes.provider.report_outcome
    assert own_codes.run(lambda: report(sid, outcome, 5.0)) is True
    assert status_of(emulator, sid) == outcome.value
    assert own_codes.run(lambda: report(sid, outcome, 5.0)) is False


@pytest.mark.parametrize("handle", ["VE" + "0" * 32, "../Accounts", ""])
def test_an_outcome_of_nothing_is_false(own_codes: Any, handle: str) -> None:
    assert own_codes.run(lambda: own_codes.provider.report_outcome(handle, Outcome.APPROVED, 5.0)) is False


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.TRUNCATED, 503, 20003])
def test_an_outcome_that_nobody_took_is_false(own_codes: Any, emulator: Emulator, fault: Fault | int) -> None:
    own_codes.start(PHONE)
    sid = emulator.inbox(PHONE)[0].verification_sid
    emulator.faults.add(Scenario(outcome=fault, operation="update_verification"))
    assert own_codes.run(lambda: own_codes.provider.report_outcome(sid, Outcome.APPROVED, 5.0)) is False
    assert not emulator.faults.pending()


def test_a_code_of_twilios_is_not_approved_by_hand(desk: Desks, emulator: Emulator) -> None:
    here = desk()
    here.start(PHONE)
    sid = emulator.inbox(PHONE)[0].verification_sid
    assert here.run(lambda: here.provider.report_outcome(sid, Outcome.APPROVED, 5.0)) is False
    assert status_of(emulator, sid) == "pending"


def test_a_code_of_the_core_that_was_right_is_converted_at_twilio(own_codes: Any, emulator: Emulator) -> None:
    token = own_codes.start(PHONE).session.token
    sid = emulator.inbox(PHONE)[0].verification_sid
    assert isinstance(own_codes.check(token, own_codes.codes()[0]), Approved)
    assert status_of(emulator, sid) == "approved"


def test_a_canceled_session_is_canceled_at_twilio(own_codes: Any, emulator: Emulator) -> None:
    token = own_codes.start(PHONE).session.token
    sid = emulator.inbox(PHONE)[0].verification_sid
    own_codes.cancel(token)
    assert status_of(emulator, sid) == "canceled"
