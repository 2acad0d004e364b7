"""64 requests for one phone at once, through the example application: one SMS, one record, one count.

Over threads and over processes, forked or started one by one, on one embedded store. With the gate, every request has
looked at its counter before any of them sends, which is where the old class let all of them through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from otpcore.policy import DEFAULT
from otpcore_twilio.emulator import Emulator, Options, serve
from tests.legacy.flask_child import WARMED, Orders
from tests.legacy.serving import at_once, counters, environment_of, gate, served
from tests.numbers import phone

PARTIES: Final = 64
NUMBER: Final = phone(100)
ANNA: Final = ("anna",) * PARTIES
MANY: Final = tuple(f"user {number}" for number in range(PARTIES))
STRICT: Final = {"OTPCORE_LEGACY_STRICT": "1"}

SHAPES: Final[dict[str, dict[str, Any]]] = {
    "threads": {},
    "forked": {"forks": 4},
    "forked-in-use": {"forks": 4, "used": True},
    "started": {"starts": 4},
}
SOME: Final = ("threads", "forked-in-use")
"""In CI the storm of the requirement and its control have every shape, and the others these two: one process, and the
forks of one that had sent. Nightly all have every shape."""

each_shape = pytest.mark.parametrize("shape", SHAPES)
some_shapes = pytest.mark.parametrize(
    "shape", [*SOME, *(pytest.param(shape, marks=pytest.mark.nightly) for shape in SHAPES if shape not in SOME)]
)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """It sends as often as it is asked, so what limits is ours."""
    with serve(Options(max_sends=1000)) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a storm.

    Attributes:
        answers: by HTTP's status.
        sent: messages in the inbox of the phone.
        counts: of each of its records.
    """

    answers: dict[int, int]
    sent: int
    counts: list[int]


RIGHT: Final = Outcome({201: 1, 429: PARTIES - 1}, 1, [1])


@pytest.fixture
def storm(emulator: Emulator, tmp_path: Path) -> Callable[..., Outcome]:
    def break_out(
        shape: str, *, model: str = "facade", gated: bool = True, users: Sequence[str] = ANNA, **more: str
    ) -> Outcome:
        given = dict(SHAPES[shape])
        starts = given.pop("starts", 1)
        with gate(PARTIES) if gated else nullcontext(0) as port:
            orders = Orders(model=model, gate=port, **given)
            environment = environment_of(emulator.environment, tmp_path, **more)
            with served(environment, tmp_path, orders, starts) as app:
                assert len(app.ports) == max(orders.forks, starts)
                answers = at_once(app.ports, "/otp", [{"phone_number": NUMBER, "user_id": user} for user in users])
        assert len(emulator.inbox(WARMED)) == orders.used
        kept = [each for each in counters(tmp_path) if each.counter is not None and each.counter.user_id in users]
        return Outcome(
            dict(Counter(answer.status for answer in answers)),
            len(emulator.inbox(NUMBER)),
            sorted(record.ladder.count for record in kept),
        )

    return break_out


@each_shape
def test_of_many_requests_for_one_phone_one_sends(storm: Callable[..., Outcome], shape: str) -> None:
    assert storm(shape) == RIGHT


@some_shapes
def test_of_many_requests_that_come_as_they_may_one_sends(storm: Callable[..., Outcome], shape: str) -> None:
    assert storm(shape, gated=False) == RIGHT


@each_shape
def test_a_check_before_an_act_is_caught(storm: Callable[..., Outcome], shape: str) -> None:
    """All of them are told to go, all send, and the count is 1, as it was with the old class."""
    assert storm(shape, model="check-then-act") == Outcome({201: PARTIES}, PARTIES, [1])


@some_shapes
def test_the_waits_of_a_phone_are_what_holds(storm: Callable[..., Outcome], shape: str) -> None:
    """Without them, which is the letter of the old behaviour, the cap of a day is the first limit that many meet."""
    found = storm(shape, **STRICT)
    assert 1 < found.sent <= DEFAULT.daily_cap
    assert found.answers == {201: found.sent, 429: PARTIES - found.sent}
    assert found.counts == [min(found.sent, 4)]


@some_shapes
def test_another_user_for_each_request_is_no_way_round(storm: Callable[..., Outcome], shape: str) -> None:
    assert storm(shape, users=MANY) == Outcome({201: 1, 429: PARTIES - 1}, 1, [0] * (PARTIES - 1) + [1])


def test_a_budget_of_each_user_is_caught(storm: Callable[..., Outcome]) -> None:
    assert storm("threads", users=MANY, model="check-then-act").sent == PARTIES


@some_shapes
def test_an_id_that_is_drawn_is_caught(storm: Callable[..., Outcome], shape: str) -> None:
    found = storm(shape, model="drawn-ids", gated=False)
    assert found.sent == 1
    assert len(found.counts) > 1


@pytest.mark.parametrize("shape", ["threads", "started"])
def test_of_many_right_codes_one_approves_and_its_record_is_gone(
    emulator: Emulator, tmp_path: Path, shape: str
) -> None:
    starts = SHAPES[shape].get("starts", 1)
    with served(environment_of(emulator.environment, tmp_path), tmp_path, starts=starts) as app:
        body = {"phone_number": NUMBER, "user_id": "anna"}
        assert app.ask("/otp", body).status == 201
        body["code"] = emulator.latest_code(NUMBER)
        answers = at_once(app.ports, "/otp/confirm", [body] * PARTIES)
    assert Counter(answer.status for answer in answers) == {200: 1, 403: PARTIES - 1}
    assert counters(tmp_path) == []
