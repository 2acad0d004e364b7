"""Invariant 14, D8: whoever waits by the clock on the wall never waits longer than the step that was taken."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otpcore import CodeOwner, Sent, Wait
from otpcore.policy import DEFAULT
from tests.properties.world import NUMBER, World

TOLERANCE = timedelta(seconds=5)
"""Clocks of several machines differ by so much without anybody having set one; then the record's counts."""

BACK = [timedelta(seconds=1), timedelta(seconds=6), timedelta(hours=1), timedelta(hours=24), timedelta(days=30)]


def wait_is_no_longer_than_its_step(owner: CodeOwner, steps: int, back: timedelta) -> None:
    """Send as often as `steps`, set the clock back, and ask when the next send may be."""
    world = World(owner=owner)
    for wait in (timedelta(0), *DEFAULT.ladder[: steps - 1]):
        world.move(wait)
        assert isinstance(world.engine.start(NUMBER), Sent)
    world.move(-back)
    held = world.engine.start(NUMBER)
    assert isinstance(held, Wait)
    step = DEFAULT.ladder[steps - 1]
    assert held.retry_after_s <= step.total_seconds()
    assert held.until - world.now <= step + (back if back <= TOLERANCE else timedelta(0))
    world.move(held.until - world.now)
    assert isinstance(world.engine.start(NUMBER), Sent)


@pytest.mark.parametrize("back", BACK, ids=str)
@pytest.mark.parametrize("steps", range(1, 5))
@pytest.mark.parametrize("owner", list(CodeOwner))
def test_a_clock_set_back_makes_no_wait_longer_than_its_step(owner: CodeOwner, steps: int, back: timedelta) -> None:
    """Invariant 14, D8: measured on the clock that the person looks at, and then the send is possible."""
    wait_is_no_longer_than_its_step(owner, steps, back)


def waits() -> None:
    for owner in CodeOwner:
        for steps in range(1, 5):
            for back in BACK:
                wait_is_no_longer_than_its_step(owner, steps, back)
