"""PSD2: a code confirms one payment, and the check must name it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Bench

PAYMENT = {"amount": "€39.99", "payee": "Acme Inc."}


@pytest.fixture
def bank(bench: Bench) -> Bench:
    bench.service.update(psd2_enabled=True, friendly_name="Bank")
    return bench


def confirm(bench: Bench, code: str | None = None, **payment: str) -> Any:
    return bench.service.verification_checks.create(to="+12025550123", code=code or bench.right(), **payment)


def test_a_payment_is_told_in_the_message_and_shown(bank: Bench) -> None:
    sent = bank.send(**PAYMENT)
    assert (sent.amount, sent.payee) == ("€39.99", "Acme Inc.")
    assert bank.emulator.inbox()[-1].text == f"Your Bank code to pay €39.99 to Acme Inc. is: {bank.right()}"
    checked = confirm(bank, **PAYMENT)
    assert (checked.status, checked.amount, checked.payee) == ("approved", "€39.99", "Acme Inc.")


@pytest.mark.parametrize("given", [{}, {"amount": "€39.99"}, {"payee": "Acme Inc."}, {"amount": "", "payee": "x"}])
def test_neither_send_nor_check_may_leave_the_payment_out(bank: Bench, given: dict[str, str]) -> None:
    assert bank.refused(bank.send, **given) == (400, 60206)
    bank.send(**PAYMENT)
    assert bank.refused(confirm, bank, **given) == (400, 60206)
    assert confirm(bank, **PAYMENT).valid


@pytest.mark.parametrize("other", [{"amount": "€40.00"}, {"payee": "Evil Inc."}])
def test_the_code_of_one_payment_confirms_no_other_and_the_try_is_used(bank: Bench, other: dict[str, str]) -> None:
    bank.send(**PAYMENT)
    for _ in range(5):
        assert confirm(bank, **(PAYMENT | other)).status == "pending"
    assert bank.refused(confirm, bank, **PAYMENT) == (429, 60202)


def test_another_payment_gets_another_code_and_the_first_is_dead(bank: Bench) -> None:
    first = bank.send(**PAYMENT)
    code = bank.right()
    assert (bank.send(**PAYMENT).sid, bank.right()) == (first.sid, code)
    changed = bank.send(amount="€40.00", payee="Acme Inc.")
    assert (changed.sid, changed.amount) == (first.sid, "€40.00")
    assert bank.right() != code
    assert confirm(bank, code, **PAYMENT).status == "pending"
    assert confirm(bank, amount="€40.00", payee="Acme Inc.").valid


def test_a_call_cannot_confirm_a_payment(bank: Bench) -> None:
    assert bank.refused(bank.send, channel="call", **PAYMENT) == (400, 60214)


def test_a_service_without_psd2_takes_no_notice_of_a_payment(bench: Bench) -> None:
    sent = bench.send(**PAYMENT)
    assert (sent.amount, sent.payee) == (None, None)
    assert "Acme" not in bench.emulator.inbox()[-1].text
    assert confirm(bench, amount="€40.00", payee="Evil Inc.").valid
