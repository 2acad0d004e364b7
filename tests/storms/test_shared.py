"""V5, V6, V8, D8, D10, S2, S5 over four processes on every store that several share, two of each colour.

The bodies are those that run in one process (`bodies_checks`, `bodies_sends`, `bodies_time`); what they ask for at once
is dealt to engines of four processes. Nightly runs have the figures of the requirements: 20 resends and 1,000 old codes
(V5), 40 days (V6), 64 callers at each millisecond and jump (V8, D8), 10^5 flows (D10), 100 histories of 50 steps (S2),
64 refusals (S5). A CI run has 20 resends, 9 old codes, one day, 4 callers, 24 flows, one history of 12 steps, 64
refusals and 16 copies of one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from tests import warm
from tests.places import DURABLE, Place
from tests.storms.bodies_time import endless_keys
from tests.storms.shared_child import BODIES, DEFECTS

PlaceOf = Callable[[str], Place]
SIZES = ["small", pytest.param("full", marks=pytest.mark.nightly)]

RACES = ("V5", "V6", "S2", "S5")
"""What a store without a guard fails."""

GUARDED = ("tinydb", "redis")
"""In CI these stores lose their guard: a file's and a server's. What the bodies see then is the same over any; nightly
all lose it."""

CAUGHT = [
    *((store, "naive", RACES) for store in GUARDED),
    ("sqlite", "stopped clocks", ("V8",)),
    ("tinydb", "unshifted", ("D8",)),
    ("tinydb", "double refund", ("S5 once",)),
    ("redis", "unswept", ("D10",)),
]
"""A store, a defect of the store, of a process, or of the core, and the bodies that catch it."""

FULL = [pytest.param(store, "naive", RACES, marks=pytest.mark.nightly) for store in DURABLE if store not in GUARDED]


def over_processes(place: Place, size: str, defect: str = "none", *names: str) -> dict[str, str]:
    """What each body said, in a process that forks."""
    ended = warm.run("tests.storms.shared_child", defect, place.text, size, *names)
    assert ended.returncode == 0, ended.stderr
    said: dict[str, str] = json.loads(ended.stdout)
    return said


@pytest.mark.parametrize("store", DURABLE)
@pytest.mark.parametrize("size", SIZES)
def test_what_holds_in_one_process_holds_over_processes_of_both_colours(
    place_of: PlaceOf, store: str, size: str
) -> None:
    said = over_processes(place_of(store), size)
    assert set(said) == set(BODIES)
    assert not any(said.values()), "\n".join(said.values())


@pytest.mark.parametrize(
    ("store", "defect", "bodies"), [*CAUGHT, *FULL], ids=lambda each: each if isinstance(each, str) else ""
)
def test_a_defect_is_caught_over_processes(place_of: PlaceOf, store: str, defect: str, bodies: tuple[str, ...]) -> None:
    """T1."""
    said = over_processes(place_of(store), "small", defect, *bodies)
    assert [name for name in bodies if "AssertionError" in said[name]] == list(bodies), said


def test_every_defect_is_planted() -> None:
    assert {defect for _, defect, _ in CAUGHT} == set(DEFECTS)


def test_a_key_without_a_lifetime_is_seen(place_of: PlaceOf) -> None:
    """T1, of D10."""
    place = place_of("redis")
    store = place.open()
    store.commit("a", b"{}", expect=None, gc_at=datetime.now(UTC) + timedelta(hours=1))
    store.close()
    assert endless_keys(place) == 0
    kind: Any = redis.Redis  # whose methods have no types
    client: Any = kind.from_url(place.address)
    with client:
        client.persist(f"{place.own}a")
    assert endless_keys(place) == 1
