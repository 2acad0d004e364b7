"""Numbers that fail on purpose: each answers as its row says, and takes effect or not as its row says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]  # the SDK carries no types

from otpcore_twilio.emulator import MAGIC, MESSAGE_MAGIC, Fault, Magic, Operation
from otpcore_twilio.emulator.catalogue import ERRORS
from otpcore_twilio.error_table import ERRORS as KNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Bench

ERROR_ROWS = [row for row in MAGIC.values() if not isinstance(row.outcome, Fault)]
FAULT_ROWS = [row for row in MAGIC.values() if isinstance(row.outcome, Fault)]
SEEN_AS = {
    Fault.HANG: requests.exceptions.ReadTimeout,
    Fault.RESET: requests.exceptions.ConnectionError,
    Fault.TRUNCATED: requests.exceptions.ChunkedEncodingError,
}


def spoiled(bench: Bench, row: Magic) -> Callable[[], object]:
    """The request that this number spoils, after what has to come before it."""
    if row.on is Operation.CREATE:
        return lambda: bench.send(row.number)
    bench.send(row.number)
    return lambda: bench.check(bench.right(row.number), row.number)


def effects(bench: Bench, row: Magic) -> int:
    """How often the spoiled request took effect."""
    if row.on is Operation.CREATE:
        return len(bench.emulator.inbox(row.number))
    verification = bench.emulator.inbox(row.number)[-1].verification_sid
    return int(bench.status_of(verification) == 404)


@pytest.mark.parametrize("row", ERROR_ROWS, ids=lambda row: f"{row.on}-{row.outcome}")
def test_a_number_answers_with_its_error_and_nothing_happens(bench: Bench, row: Magic) -> None:
    assert not isinstance(row.outcome, Fault)
    assert bench.refused(spoiled(bench, row)) == (ERRORS[row.outcome].status, row.outcome)
    assert effects(bench, row) == 0


@pytest.mark.parametrize("row", FAULT_ROWS, ids=lambda row: f"{row.on}-{row.outcome}-{row.processed}")
def test_a_number_spoils_its_answer_before_or_after_the_effect(bench: Bench, row: Magic) -> None:
    call = spoiled(bench, row)
    bench.http.timeout = 2 if row.outcome is Fault.HANG else 10  # within it the request has its effect
    if row.outcome is Fault.GARBAGE:
        with pytest.raises(TwilioRestException) as caught:
            call()
        assert (caught.value.status, caught.value.code) == (503, 503)
    else:
        assert isinstance(row.outcome, Fault)
        with pytest.raises(SEEN_AS[row.outcome]):
            call()
    bench.http.timeout = 10
    assert effects(bench, row) == int(row.processed)


def test_the_last_four_digits_of_a_number_are_those_of_its_error() -> None:
    for row in ERROR_ROWS:
        shown = row.number[-4:] if row.on is Operation.CREATE else row.number[-3:]
        assert str(row.outcome).endswith(shown) or (row.outcome, shown) in {(20001, "2001"), (60008, "6008")}


def test_every_error_that_the_provider_knows_has_a_number() -> None:
    assert {row.outcome for row in ERROR_ROWS if row.on is Operation.CREATE} >= set(KNOWN)


def test_each_request_can_fail_in_every_way() -> None:
    for operation in Operation:
        rows = (*MAGIC.values(), *MESSAGE_MAGIC.values())
        found = {(row.outcome, row.processed) for row in rows if row.on is operation and isinstance(row.outcome, Fault)}
        assert found == {(fault, processed) for fault in Fault for processed in (False, True)}


def test_an_error_that_takes_effect_is_refused() -> None:
    with pytest.raises(ValueError, match="never processed"):
        Magic("+15005550203", Operation.CREATE, 60203, processed=True)


def test_the_same_number_is_ordinary_for_the_other_request(bench: Bench) -> None:
    number = next(row.number for row in ERROR_ROWS if row.on is Operation.CHECK)
    assert bench.send(number).status == "pending"
