"""A payment is confirmed with the amount and payee that it was started with, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from otpcore import Approved, Refused, SendState, Sent
from otpcore.ports import CheckRequest, CheckVerdict
from otpcore.results import Refusal, Undecided, Wrong
from otpcore_twilio import translate
from otpcore_twilio.emulator import Emulator, Fault, Scenario

PHONE = "+12025550123"
PAYMENT = {"Amount": "€39.99", "Payee": "Acme & Söhne"}
Desks = Callable[..., Any]
Change = Callable[..., None]


@pytest.fixture
def payments(desk: Desks, service: Change) -> Any:
    service(psd2_enabled=True)
    return desk(psd2_enabled=True)


def test_the_same_payment_approves_once(payments: Any) -> None:
    token = payments.start(PHONE, extra=PAYMENT).session.token
    assert isinstance(payments.check(token, payments.codes()[0], extra=PAYMENT), Approved)
    assert not isinstance(payments.check(token, payments.codes()[0], extra=PAYMENT), Approved)


@pytest.mark.parametrize(
    "change", [{"Amount": "€3999"}, {"Amount": "€39.99 "}, {"Payee": "Other"}, {"Payee": PAYMENT["Payee"].upper()}]
)
def test_another_payment_is_a_wrong_code(payments: Any, change: dict[str, str]) -> None:
    token = payments.start(PHONE, extra=PAYMENT).session.token
    code = payments.codes()[0]
    assert isinstance(payments.check(token, code, extra=PAYMENT | change), Wrong)
    assert isinstance(payments.check(token, code, extra=PAYMENT), Approved)


@pytest.mark.parametrize("left", [{}, {"Amount": "€39.99"}, {"Payee": "Acme & Söhne"}])
def test_a_check_or_start_without_the_whole_payment_is_refused_and_costs_no_try(
    payments: Any, left: dict[str, str]
) -> None:
    none = payments.start(PHONE, extra=left)
    assert isinstance(none, Refused)
    assert none.kind is Refusal.CONTENT_REJECTED
    assert not payments.codes()
    token = payments.start(PHONE, extra=PAYMENT).session.token
    refused = payments.check(token, payments.codes()[0], extra=left)
    assert isinstance(refused, Refused)
    assert refused.next.checks_left == 5
    assert isinstance(payments.check(token, payments.codes()[0], extra=PAYMENT), Approved)


def test_a_resend_for_another_payment_makes_the_earlier_code_void(payments: Any, emulator: Emulator) -> None:
    token = payments.start(PHONE, extra=PAYMENT).session.token
    emulator.advance(120)
    other = PAYMENT | {"Amount": "€40.00"}
    assert isinstance(payments.resend(token, PHONE, extra=other), Sent)
    earlier, later = payments.codes()
    assert isinstance(payments.check(token, earlier, extra=PAYMENT), Wrong)
    assert isinstance(payments.check(token, earlier, extra=other), Wrong)
    assert isinstance(payments.check(token, later, extra=other), Approved)


def test_a_service_without_psd2_approves_no_payment(desk: Desks) -> None:
    here = desk(psd2_enabled=True)  # the service has not, and binds nothing
    sent = here.start(PHONE, extra=PAYMENT)
    assert sent.state is SendState.UNKNOWN
    assert sent.native.amount is None
    answer = here.check(sent.session.token, here.codes()[0], recipient=PHONE, extra=PAYMENT)
    assert isinstance(answer, Undecided)


def test_without_the_setting_no_payment_is_begun(desk: Desks) -> None:
    here = desk()
    refused = here.start(PHONE, extra=PAYMENT)
    assert isinstance(refused, Refused)
    assert refused.kind is Refusal.MISCONFIGURED
    assert "psd2_enabled" in refused.detail
    token = here.start(PHONE).session.token
    assert isinstance(here.check(token, here.codes()[0], extra=PAYMENT), Refused)


def test_a_lost_answer_approves_no_payment(payments: Any, emulator: Emulator) -> None:
    token = payments.start(PHONE, extra=PAYMENT).session.token
    emulator.faults.add(Scenario(outcome=Fault.RESET, operation="create_check", processed=True))
    assert isinstance(payments.check(token, payments.codes()[0], extra=PAYMENT), Undecided)


@pytest.mark.parametrize(
    "bound", [{"amount": None, "payee": None}, {"amount": "€1"}, {"payee": "Other"}, {"payee": None}, {}]
)
def test_an_approval_of_another_payment_is_none(bound: dict[str, object]) -> None:
    sid = "VE" + "a" * 32
    names = {"amount": PAYMENT["Amount"], "payee": PAYMENT["Payee"]} | bound if bound else {}
    check = SimpleNamespace(sid=sid, status="approved", valid=True, **names)
    asked = CheckRequest(sid, None, "123456", 5.0, PAYMENT)
    assert translate.check_answer(check, asked).verdict is CheckVerdict.UNKNOWN
