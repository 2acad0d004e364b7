"""Item 2 of the facade: what was wrong with the old class is right, and the control shows that each test would tell.

Rules of this file: a property is a body over a house; it holds for the facade's and fails, by an assertion, for the
control's. What is promised is in the names.
"""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from werkzeug.exceptions import Forbidden, TooManyRequests

from otpcore import legacy
from otpcore.contract import CodeOwner
from otpcore.policy import DAY
from tests.legacy.reference import Told
from tests.legacy.variant import TEST_NUMBER, OldHouse
from tests.legacy.world import LATCH_TIMEOUT_S, SEASONS, House, at_once, heard, in_zone, told, utc
from tests.numbers import phone

pytestmark = pytest.mark.filterwarnings("ignore:OTP_Model is kept:DeprecationWarning")

Make = Callable[..., Any]
PARTIES: Final = 64
MILLISECOND: Final = timedelta(milliseconds=1)
WAITS: Final = (timedelta(minutes=2), timedelta(minutes=5), timedelta(minutes=15), DAY)
NUMBER: Final = phone(0)
SPELLINGS: Final = ("+1 202 555 0100", "+1 (202) 555-0100", "+1-202-555-0100", "+12025550100")
PAIR: Final = {"unique_id": "hash", "user_id": "user"}


def strict() -> House:
    return House(strict=True)


def core_owned() -> House:
    return House(owner=CodeOwner.CORE)


def is_free(model: Any) -> bool:
    came, _, error = told(lambda: model.check_count(**PAIR))
    assert error is None or isinstance(error, TooManyRequests)
    return not came.error


# --- the properties ----------------------------------------------------------------------------


def never_more_than_four_sends_in_a_day_without_a_success(make: Make) -> None:
    """Whatever count the record has come to, and whether or not `verification` is asked too."""
    for count, sends in [(0, True), *((count, False) for count in range(7))]:
        with make() as house:
            house.make_record(count)
            model = house.model(NUMBER)
            counted: list[Any] = []
            ends: list[tuple[Any, Any]] = []
            until = house.now + 2.2 * DAY
            while house.now < until:
                if is_free(model):
                    record = model.check_count(**PAIR)
                    assert not sends or model.verification().status == "pending"
                    ends.append((house.now, model.add_count(record)))
                    counted.append(house.now)
                house.move(timedelta(seconds=151))
            assert len(counted) >= 5
            for at in counted:
                assert sum(at - DAY < one <= at for one in counted) <= 4
            assert all(end is not None and float(end) > at.timestamp() for at, end in ends)


def check_and_add_are_one_decision(make: Make) -> None:
    """All callers have looked before one of them writes, and all were let through before one of them sends."""
    with make() as house:
        house.model(phone(1)).check_count("another", "user")
        let_through = threading.Barrier(PARTIES)

        def call() -> None:
            model = house.model(NUMBER)
            record = model.check_count(**PAIR)
            let_through.wait(LATCH_TIMEOUT_S)
            if model.verification().status == "pending":
                model.add_count(record)

        house.meet(PARTIES)
        outcomes = at_once([call] * PARTIES)
        assert len(house.sent) == 1
        assert sum(isinstance(outcome, TooManyRequests) for outcome in outcomes) == PARTIES - 1
        assert outcomes.count(None) == 1
        assert [record.count for record in house.find_records()] == [1]
        assert not is_free(house.model(NUMBER))


def every_send_is_counted(make: Make) -> None:
    """Of many at once, too: none is lost, and the wait is that of the last."""
    with make() as house:
        model = house.model(NUMBER)
        record = model.check_count(**PAIR)
        house.meet(PARTIES)
        outcomes = at_once([lambda: model.add_count(record)] * PARTIES)
        assert [record.count for record in house.find_records()] == [4]
        assert max(float(outcome) for outcome in outcomes) == (house.now + DAY).timestamp()
        house.move(DAY)
        assert not is_free(model)


def one_pair_has_one_record(make: Make) -> None:
    with make() as house:
        house.model(phone(1)).check_count("another", "user")
        house.meet(PARTIES)
        outcomes = at_once([lambda: house.model(NUMBER).check_count(**PAIR)] * PARTIES)
        assert len({outcome.id for outcome in outcomes}) == 1
        assert len(house.find_records()) == 1


def one_phone_has_one_budget(make: Make) -> None:
    """However many ids ask for it."""
    with make() as house:
        for user in range(100):
            model = house.model(NUMBER)
            record = model.check_count("hash", f"user-{user}")
            came, _, _ = told(model.verification)
            if came == Told(status="pending"):
                model.add_count(record)
            else:
                assert came == Told(429, 120)
        assert len(house.sent) == 1


def one_phone_has_one_spelling(make: Make) -> None:
    with make() as house:
        came = [told(house.model(spelling).verification)[0] for spelling in SPELLINGS]
        assert came == [Told(status="pending"), *[Told(429, 120)] * 3]
        assert house.sent == [NUMBER]
        assert told(lambda: house.model(SPELLINGS[1]).verification_check(house.code_of(NUMBER)))[0].status == "approved"


def a_wait_is_as_long_as_it_says(make: Make) -> None:
    """Each wait of the ladder over each change of the clocks, there and back, in three zones."""
    for zone, begin in SEASONS:
        for count, wait in enumerate(WAITS):
            for before in (timedelta(minutes=1), wait / 2, wait - timedelta(seconds=1)):
                with in_zone(zone), make(begin=begin + timedelta(minutes=30) - before) as house:
                    model, start = house.model(NUMBER), house.now
                    house.make_record(count)
                    ends = float(model.add_count(model.check_count(**PAIR)))
                    assert ends == (start + wait).timestamp()
                    assert utc(house.find_records()[0].expires, zone) == start + wait
                    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
                        house.move(start + share * wait - house.now)
                        assert not is_free(model)
                    house.move(MILLISECOND)
                    assert is_free(model)


def a_clock_that_is_set_back_makes_no_wait_longer(make: Make) -> None:
    for back in (timedelta(seconds=30), timedelta(hours=1), timedelta(days=30)):
        with make() as house:
            model = house.model(NUMBER)
            model.add_count(model.check_count(**PAIR))
            house.move(-back)
            assert not is_free(model)
            house.move(WAITS[0] + timedelta(seconds=6))
            assert is_free(model)


def a_record_is_deleted_by_its_owner(make: Make) -> None:
    """By who was handed it, or has its number in any spelling; nobody else does, and it stays."""
    with make() as house:
        owner, other = house.model(NUMBER), house.model(phone(1))
        record = owner.check_count(**PAIR)
        owner.add_count(record)
        other.check_count("another", "user")
        assert not is_free(other)
        for stranger in (other, house.model(phone(2)), house.model("no number")):
            _, _, error = told(partial(stranger.delete_count, record.id))
            assert isinstance(error, Forbidden)
            assert len(house.find_records()) == 1
        assert told(lambda: house.model(SPELLINGS[0]).delete_count(record.id))[0] == Told()
        assert not house.find_records()


def an_approval_frees_no_later_wait(make: Make) -> None:
    """Only the record that led to it, so that this can be deleted."""
    with make() as house:
        model = house.model(NUMBER)
        for _ in range(2):
            record = model.check_count(**PAIR)
            model.verification()
            model.add_count(record)
            assert not is_free(model)
            assert model.verification_check(house.code_of(NUMBER)).status == "approved"
            assert is_free(model)
        model.verification()
        assert not is_free(model)


def a_missing_record_does_not_undo_an_approval(make: Make) -> None:
    """A double submit of the usual order's end, one after the other and at once."""
    for submits in (1, 2, 3):
        with make() as house:
            model = house.model(NUMBER)
            record = model.check_count(**PAIR)
            model.verification()
            model.add_count(record)
            assert model.verification_check(house.code_of(NUMBER)).status == "approved"
            assert [told(partial(model.delete_count, record.id))[0] for _ in range(submits)] == [Told()] * submits
            assert told(partial(house.model(phone(1)).delete_count, record.id))[0] == Told(403)
    with make() as house:
        model = house.model(NUMBER)
        record = model.check_count(**PAIR)
        outcomes = at_once([lambda: model.delete_count(record.id)] * PARTIES)
        assert outcomes == [None] * PARTIES


def errors_keep_their_meaning(make: Make) -> None:
    """A limit is 429, a wrong code is 403, and what nobody knows is 500; the reason is there, and no number."""
    with make() as house, heard() as lines:
        model = house.model(NUMBER)
        model.verification()
        right = house.code_of(NUMBER)
        wrong = f"{(int(right) + 1) % 10**6:06}"
        calls: list[tuple[Callable[[], Any], int]] = [
            (model.verification, 429),
            (lambda: model.verification_check(wrong), 403),
            (house.model("no number").verification, 500),
            (lambda: house.model("no number").verification_check(right), 500),
            (lambda: model.delete_count(7), 403),
        ]
        errors = [told(call) for call, _ in calls]
        house.fail()
        calls += [(lambda: model.verification_check(right), 500), (house.model(phone(1)).verification, 500)]
        errors += [told(call) for call, _ in calls[-2:]]
        assert [came.error for came, _, _ in errors] == [code for _, code in calls]
        assert errors[0][0].seconds == 120
        reasons = [str(error.__cause__) for _, _, error in errors if error is not None and error.__cause__]
        assert len(reasons) == len(set(reasons[:2])) + len(reasons) - 2 == len(calls)
        assert len(lines) == len(calls)
        assert all(reason in line for reason, line in zip(reasons, lines, strict=True))
        told_to_anybody = "\n".join([*lines, *(str(error) for _, _, error in errors)])
        assert not any(hidden in told_to_anybody for hidden in (NUMBER[1:], NUMBER[-6:], phone(1)[1:], right, wrong))


def no_number_needs_no_code(make: Make) -> None:
    """Whatever a default test number may have been: what was not sent is not right."""
    for number in (TEST_NUMBER, NUMBER, phone(23), "+15005550006", "+15005550000", "+10000000000"):
        with make() as house:
            model = house.model(number)
            assert told(partial(model.verification_check, "123456"))[0].status != "approved"
            told(model.verification)
            for code in ("123456", "000000", "111111"):
                assert told(partial(model.verification_check, code))[0].status != "approved"


def a_lock_is_a_limit(make: Make) -> None:
    """Ten wrong codes in a day: no code is sent until the first of them is a day old."""
    with make() as house:
        model, began = house.model(NUMBER), house.now
        for _ in range(2):
            model.verification()
            wrong = f"{(int(house.code_of(NUMBER)) + 1) % 10**6:06}"
            assert [told(partial(model.verification_check, wrong))[0] for _ in range(5)] == [Told(403)] * 5
            house.move(timedelta(minutes=10))
        left = int((began + DAY - house.now).total_seconds())
        assert told(model.verification)[0] == Told(429, left)
        house.move(timedelta(seconds=left))
        assert told(model.verification)[0] == Told(status="pending")


PROPERTIES: Final = (
    never_more_than_four_sends_in_a_day_without_a_success,
    check_and_add_are_one_decision,
    every_send_is_counted,
    one_pair_has_one_record,
    one_phone_has_one_budget,
    one_phone_has_one_spelling,
    a_wait_is_as_long_as_it_says,
    a_clock_that_is_set_back_makes_no_wait_longer,
    a_record_is_deleted_by_its_owner,
    a_missing_record_does_not_undo_an_approval,
    errors_keep_their_meaning,
    no_number_needs_no_code,
)
OWNED_BY_THE_CORE: Final = (
    never_more_than_four_sends_in_a_day_without_a_success,
    check_and_add_are_one_decision,
    one_phone_has_one_budget,
    one_phone_has_one_spelling,
    a_missing_record_does_not_undo_an_approval,
    no_number_needs_no_code,
)
EVEN_STRICT: Final = (
    never_more_than_four_sends_in_a_day_without_a_success,
    every_send_is_counted,
    one_pair_has_one_record,
    a_clock_that_is_set_back_makes_no_wait_longer,
    no_number_needs_no_code,
)


@pytest.mark.parametrize("property_", PROPERTIES, ids=lambda each: each.__name__)
def test_what_was_wrong_is_right(property_: Callable[[Make], None]) -> None:
    property_(House)


@pytest.mark.parametrize("property_", OWNED_BY_THE_CORE, ids=lambda each: each.__name__)
def test_it_is_right_with_codes_of_the_core(property_: Callable[[Make], None]) -> None:
    property_(core_owned)


@pytest.mark.parametrize("property_", EVEN_STRICT, ids=lambda each: each.__name__)
def test_the_letter_of_the_old_behaviour_does_not_bring_it_back(property_: Callable[[Make], None]) -> None:
    property_(strict)


@pytest.mark.parametrize("property_", PROPERTIES, ids=lambda each: each.__name__)
def test_it_would_be_seen_if_it_were_wrong(property_: Callable[[Make], None]) -> None:
    with pytest.raises(AssertionError):
        property_(OldHouse)


@pytest.mark.parametrize("make", [House, strict, core_owned], ids=lambda each: each.__name__)
def test_who_was_approved_waits_after_the_next_send(make: Make) -> None:
    an_approval_frees_no_later_wait(make)


@pytest.mark.parametrize("make", [House, core_owned], ids=lambda each: each.__name__)
def test_who_guesses_is_sent_nothing_for_a_day(make: Make) -> None:
    a_lock_is_a_limit(make)


def test_no_number_and_no_code_is_written_into_the_facade() -> None:
    """But what is reserved for fiction, and so is nobody's; it has no code either, see above."""
    fiction = re.compile(r"\+1[0-9]{3}55501[0-9]{2}")
    for module in Path(legacy.__file__).parent.glob("*.py"):
        written = [one.value for one in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(one, ast.Constant)]
        assert not [each for each in written if isinstance(each, str) and re.search("[0-9]{6}", fiction.sub("", each))]
