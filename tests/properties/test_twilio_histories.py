"""The policy over whole histories with Twilio Verify: recorded answers below the real SDK, and the running emulator.

A hundred histories of each run here, ten thousand with the profile "nightly".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import INVARIANT_MARKER, RULE_MARKER, run_state_machine_as_test

from otpcore_twilio.emulator import Options, serve
from tests.cassettes.stories import STORIES, Send
from tests.defects.histories import PROMISES
from tests.properties.places import STORES
from tests.properties.recorded import outcomes, recordings
from tests.properties.twilio_machine import Histories
from tests.properties.twilio_wire import Emulated, Recorded, Vendor

STEPS: Final = 30
LIES: Final = ("approved", "wrong", "gone, 20404", "exhausted, 60202")
"""What the recorded Twilio may also answer to a check, whatever the code is."""

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)


def histories(vendor: Callable[[int], Vendor], store: str, lies: tuple[str, ...] = ()) -> None:
    machine: Any = type("These", (Histories,), {"vendor": staticmethod(vendor), "store": store, "lies": lies})
    profile = settings.default
    assert profile is not None
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=profile.max_examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]  # iterates its members
            report_multiple_bugs=False,
        ),
    )


@pytest.fixture(scope="module")
def emulated() -> Iterator[Callable[[int], Vendor]]:
    with serve(Options(inbox_size=50), clock=lambda: BEGIN) as emulator:
        yield lambda _seed: Emulated(emulator)


@pytest.mark.parametrize("store", STORES)
def test_every_promise_is_kept_with_recorded_answers(store: str, set_timezone: Callable[[str], None]) -> None:
    """T5, S2, D7; invariants 1 to 10, 12 and 14 to 16. A history begins before the clocks of the zone change."""
    set_timezone("America/New_York")
    histories(Recorded, store, LIES)


@pytest.mark.parametrize("store", STORES)
def test_every_promise_is_kept_with_the_emulator(
    store: str, emulated: Callable[[int], Vendor], set_timezone: Callable[[str], None]
) -> None:
    """The same, over a socket."""
    set_timezone("America/New_York")
    histories(emulated, store)


def test_there_are_rules_and_promises_enough_and_each_promise_has_been_broken() -> None:
    """T1, T5: twelve rules, eight invariants, and a planted defect that each of these finds (`tests.defects`)."""
    members = vars(Histories).items()
    assert len([name for name, member in members if hasattr(member, RULE_MARKER)]) >= 12
    promises = {name for name, member in members if hasattr(member, INVARIANT_MARKER)}
    assert len(promises) >= 8
    assert promises == PROMISES


def test_answers_are_drawn_from_every_recording() -> None:
    """Whatever a story heard can be drawn by its words."""
    said = {step.expect for story in STORIES for step in story.steps if isinstance(step, Send)}
    assert said == set(outcomes("create"))
    assert sum(len(each) for each in recordings().values()) >= sum(len(story.steps) for story in STORIES) - 1
