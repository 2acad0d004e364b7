"""V3: a try that was claimed stays spent, whatever becomes of the caller after the claim.

The figure of the requirement runs under `nightly`; a CI run uses the smaller one that stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from otpcore.contract import CodeOwner
from tests.crash.flow_torn import CORE_POINTS, MODES, POINTS, RollsBack, World, tries_stay_spent
from tests.places import DURABLE, Place

SESSIONS = [3, pytest.param(25, marks=pytest.mark.nightly)]
PLACES = [(CodeOwner.PROVIDER, point) for point in POINTS] + [(CodeOwner.CORE, point) for point in CORE_POINTS]
CONTROLS = [(CodeOwner.PROVIDER, point) for point in POINTS]

each_mode = pytest.mark.parametrize("mode", MODES)


@each_mode
@pytest.mark.parametrize(("owner", "point"), PLACES)
@pytest.mark.parametrize("sessions", SESSIONS)
def test_a_claimed_try_stays_spent(mode: str, owner: CodeOwner, point: str, sessions: int) -> None:
    tries_stay_spent(partial(World, mode, owner), point, sessions=sessions)


@each_mode
@pytest.mark.parametrize("store", DURABLE)
@pytest.mark.parametrize("sessions", [1, pytest.param(25, marks=pytest.mark.nightly)])
def test_a_claimed_try_stays_spent_in_every_store(
    place_of: Callable[[str], Place], mode: str, store: str, sessions: int
) -> None:
    place = place_of(store)
    opener = place.awaited if mode == "cancelled" else place.open
    for owner, point in PLACES:
        tries_stay_spent(partial(World, mode, owner, opener, f"{owner} {point}"), point, sessions=sessions)


@each_mode
@pytest.mark.parametrize(("owner", "point"), CONTROLS)
def test_a_claim_in_the_callers_transaction_is_caught(mode: str, owner: CodeOwner, point: str) -> None:
    with pytest.raises(AssertionError):
        tries_stay_spent(partial(World, mode, owner, RollsBack), point, sessions=1)
