"""Proof 1 of the facade: it and a reference written from its documentation alone agree over any history.

Rules of this file: how many histories there are, and over what; the histories are in `machine`, what has to be
answered is in `reference`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from otpcore.contract import CodeOwner
from otpcore.legacy import legacy_settings
from otpcore.policy import DEFAULT, Profile
from otpcore.ports import Store
from otpcore.stores.tinydb import TinyDBStore
from tests.legacy.machine import Legacy
from tests.legacy.reference import Told
from tests.legacy.world import House, told
from tests.numbers import phone

pytestmark = pytest.mark.filterwarnings("ignore:OTP_Model is kept:DeprecationWarning")

LADDER: Final = ((1, 120), (2, 300), (3, 900), (4, 86_400), (1, 120), (2, 300), (3, 900), (4, 86_400), (1, 120))
"""Count and wait in seconds after each send; the fifth is the first of a new cycle."""


def histories(machine: type[Legacy], count: int, *, always_the_same: bool = False) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=count,
            stateful_step_count=50,
            deadline=None,
            database=None,
            suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]  # iterates its members
            derandomize=always_the_same,
            phases=(Phase.generate,) if always_the_same else (Phase.generate, Phase.shrink),
        ),
    )


def ladder(profile: Profile, sends: Sequence[tuple[int, int]]) -> None:
    """The table, send by send: by the resend record, and by what `verification` goes by itself."""
    with House(profile=profile, owner=CodeOwner.CORE) as house:
        model, began = house.model(phone(0)), house.now
        for count, wait_s in sends:
            record = model.check_count("hash", "user")
            assert model.verification().status == "pending"
            until = model.add_count(record)
            assert until is not None
            assert float(until) == (began + timedelta(seconds=wait_s)).timestamp()
            assert house.records.get(house.records.id == record.id).count == count
            for left in (wait_s, wait_s / 2, 1.5, 0.001, 0):
                house.move(began + timedelta(seconds=wait_s - left) - house.now)
                seconds = max(1, ceil(left))
                assert told(lambda: model.check_count("hash", "user"))[0] == Told(429, seconds)
                assert not left or told(model.verification)[0] == Told(429, seconds)
            house.move(timedelta(milliseconds=1))
            began = house.now


def some_histories() -> None:
    """For what is caught or not, and never by chance."""
    histories(Legacy, 100, always_the_same=True)


def required_ladder() -> None:
    ladder(DEFAULT, LADDER)


def test_facade_and_reference_agree_over_any_history(set_timezone: Callable[[str], None]) -> None:
    class Here(Legacy):
        def enter_zone(self, name: str) -> AbstractContextManager[None]:
            set_timezone(name)
            return nullcontext()

    histories(Here, max(500, settings().max_examples))


def test_they_agree_over_the_embedded_store(set_timezone: Callable[[str], None], tmp_path: Path) -> None:
    numbers = itertools.count()

    class Embedded(Legacy):
        def enter_zone(self, name: str) -> AbstractContextManager[None]:
            set_timezone(name)
            return nullcontext()

        def make_store(self) -> Store:
            return TinyDBStore(tmp_path / f"{next(numbers)}.otpdb", sync=False)

    histories(Embedded, max(50, settings().max_examples // 10))


def test_each_send_is_followed_by_its_wait_and_the_fifth_begins_again() -> None:
    required_ladder()


def test_waits_of_the_environment_are_those_of_record_and_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = {"FIRST": 60, "SECOND": 90, "THIRD": 45, "FOURTH": 7_200}
    for name, wait_s in waits.items():
        monkeypatch.setenv(f"{name}_RESEND_DURATION", str(1000 * wait_s))
    sends = [(place % 4 + 1, wait_s) for place, wait_s in enumerate([*waits.values()] * 2)]
    ladder(legacy_settings().policy(DEFAULT), sends)


def test_a_wait_that_is_not_set_is_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECOND_RESEND_DURATION", "1500")
    profile = legacy_settings().policy(DEFAULT)
    assert [wait.total_seconds() for wait in profile.ladder] == [120, 1.5, 900, 86_400]
