"""A check whose answer was lost is approved only where Twilio's log literally says so of this very verification."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from otpcore import Approved
from otpcore.ports import (
    AsyncReconcilesCheck,
    AsyncTakesFeedback,
    CheckVerdict,
    ReadsReceipts,
    ReconcilesCheck,
    TakesFeedback,
)
from otpcore.results import Undecided
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, translate
from otpcore_twilio.emulator import Emulator, Fault, Scenario

PHONE = "+12025550123"
SID = "VE" + "a" * 32
OTHER = "VE" + "b" * 32
SERVICE = "VA" + "1" * 32
Desks = Callable[..., Any]
CONVERTED = {"verification_sid": SID, "service_sid": SERVICE, "conversion_status": "converted"}


def lose(emulator: Emulator, *, processed: bool) -> None:
    emulator.faults.add(Scenario(outcome=Fault.RESET, operation="create_check", processed=processed))


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"


def test_both_colours_have_the_optional_protocols() -> None:
    for protocol in (ReconcilesCheck, TakesFeedback, ReadsReceipts):
        assert issubclass(TwilioProvider, protocol)
    for twin in (AsyncReconcilesCheck, AsyncTakesFeedback, ReadsReceipts):
        assert issubclass(AsyncTwilioProvider, twin)


@pytest.mark.parametrize(
    ("processed", "right", "approved"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_lost_check_is_approved_where_it_took_effect_and_was_right(
    desk: Desks, emulator: Emulator, processed: bool, right: bool, approved: bool
) -> None:
    here = desk()
    token = here.start(PHONE).session.token
    code = here.codes()[0]
    lose(emulator, processed=processed)
    answer = here.check(token, code if right else other_than(code))
    assert isinstance(answer, Approved if approved else Undecided), answer
    assert not emulator.faults.pending()


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.GARBAGE, Fault.TRUNCATED, 20429, 20003, 503])
def test_a_log_that_cannot_be_read_approves_nobody(desk: Desks, emulator: Emulator, fault: Fault | int) -> None:
    here = desk()
    token = here.start(PHONE).session.token
    lose(emulator, processed=True)
    emulator.faults.add(Scenario(outcome=fault, operation="list_attempts", times=None))
    assert isinstance(here.check(token, here.codes()[0]), Undecided)
    assert len(emulator.faults.pending()) == 1, "the check's own fault was met"


def test_an_earlier_verification_of_the_number_approves_nobody(desk: Desks, emulator: Emulator) -> None:
    here = desk()
    first = here.start(PHONE).session.token
    used = emulator.inbox(PHONE)[0].verification_sid
    assert isinstance(here.check(first, here.codes()[0]), Approved)
    emulator.advance(120)
    second = here.start(PHONE).session.token
    lose(emulator, processed=False)
    assert isinstance(here.check(second, here.codes()[-1]), Undecided)
    reconcile = here.provider.reconcile_check
    assert here.run(lambda: reconcile(used, 5.0)).verdict is CheckVerdict.APPROVED
    assert here.run(lambda: reconcile(emulator.inbox(PHONE)[-1].verification_sid, 5.0)) is None


@pytest.mark.parametrize(("handle", "timeout_s"), [("../Accounts", 5.0), (SID + "\n", 5.0), ("", 5.0), (SID, 0.0)])
def test_what_is_no_handle_is_not_asked_for(desk: Desks, handle: str, timeout_s: float) -> None:
    here = desk(origin="http://127.0.0.1:9")
    assert here.run(lambda: here.provider.reconcile_check(handle, timeout_s)) is None
    assert here.provider._client is None  # pyright: ignore[reportPrivateUsage]  # nothing was even made ready


@pytest.mark.parametrize(
    "attempt",
    [
        {"verification_sid": OTHER},
        {"verification_sid": None},
        {"service_sid": "VA" + "2" * 32},
        {"service_sid": None},
        {"conversion_status": "unconverted"},
        {"conversion_status": "Converted"},
        {"conversion_status": "converted "},
        {"conversion_status": "approved"},
        {"conversion_status": True},
        {"conversion_status": None},
        {"conversion_status": ["converted"]},
    ],
)
def test_only_the_literal_converted_of_this_verification_approves(attempt: dict[str, object]) -> None:
    assert translate.converted([SimpleNamespace(**(CONVERTED | attempt))], SID, SERVICE) is None
    answer = translate.converted([SimpleNamespace(**(CONVERTED | attempt)), SimpleNamespace(**CONVERTED)], SID, SERVICE)
    assert answer is not None
    assert (answer.verdict, answer.handle) == (CheckVerdict.APPROVED, SID)


@pytest.mark.parametrize("log", [None, [], {}, "converted", [None], [SimpleNamespace()], CONVERTED])
def test_a_log_of_another_shape_says_nothing(log: object) -> None:
    assert translate.converted(log, SID, SERVICE) is None
