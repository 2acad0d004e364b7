"""The bodies of the storms over four processes: `python -m tests.storms.shared_child <defect> <place> <size> [body …]`.

What each body said is printed as JSON: empty, or how it failed. A defect is `none` or one of `DEFECTS`; `small` and
`full` are the sizes. The bodies are those of one process; they run in the order of `BODIES`, each as a tenant of its
own, and the first wants an empty store.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

from otpcore.conformance import yielding as slow_down
from otpcore.ledger import clock as record_clock
from otpcore.stores.tinydb import TinyDBStore
from otpcore_redis.aio import AsyncRedisStore
from otpcore_redis.store import RedisStore
from otpcore_sql.aio import AsyncSQLStore
from otpcore_sql.store import SQLStore
from tests.defects.planted import double_refund
from tests.defects.planting import Planter
from tests.places import Place
from tests.storms import bodies_checks as checks
from tests.storms import bodies_sends as sends
from tests.storms import bodies_time as times
from tests.storms.process_arena import ProcessArena

__all__ = ["BODIES", "DEFECTS"]

Body = tuple[Callable[..., None], dict[str, Any], dict[str, int], dict[str, int]]

REFUSES: Final = {"script": sends.always(sends.NOT_SENT)}

BODIES: Final[dict[str, Body]] = {
    "D10": (times.nothing_is_left, {}, {"days": 1, "flows": 24}, {"days": 50, "flows": 2000, "parties": 64}),
    "V5": (checks.resends_give_no_tries_back, {"profile": checks.QUICK}, {"resends": 20}, {"resends": 20}),
    "V5 old": (checks.old_codes_are_void, {"profile": checks.QUICK}, {"codes": 9}, {"codes": 1000}),
    "V6": (checks.failures_of_a_phone_are_bounded, {}, {"rounds": 1}, {"rounds": 40}),
    "V8": (times.codes_live_to_the_millisecond, {}, {}, {"parties": 64}),
    "D8": (times.jumps_revive_nothing, {}, {}, {"parties": 64}),
    "S2": (sends.windows_hold, {}, {"steps": 12, "seed": 1}, {"steps": 50, "seed": 1}),
    "S5": (sends.refunds_are_few, REFUSES, {}, {}),
    "S5 once": (sends.a_refusal_is_refunded_once, {}, {"parties": 16}, {"parties": 64}),
}
"""By its requirement: the body, what its arena is made with, and its sizes, in CI and in full."""

HISTORIES: Final = 100
"""Of S2, in full."""


def unswept() -> None:
    """No store sweeps."""

    def nothing(*_given: object, **_named: object) -> int:
        return 0

    async def awaited(*_given: object, **_named: object) -> int:
        return 0

    for kind in (TinyDBStore, SQLStore, RedisStore):
        setattr(kind, "sweep", nothing)  # noqa: B010  # a type checker would refuse the defect
    for other in (AsyncSQLStore, AsyncRedisStore):
        setattr(other, "sweep", awaited)  # noqa: B010  # likewise


DEFECTS: Final = ("naive", "stopped clocks", "unshifted", "double refund", "unswept")
"""`stopped clocks`: each process looks at its clock once. `unshifted`: an instant stays where a clock has put it."""


def planted(defect: str) -> dict[str, Any]:
    """Plant a defect, for good; what an arena is made with."""
    match defect:
        case "naive":
            slow_down.PAUSE_S = 0.02  # a busy machine wakes callers late; so they still meet
            return {"naive": True}
        case "stopped clocks":
            return {"stopped": True}
        case "unshifted":
            record_clock.CLOCK_TOLERANCE = timedelta(days=1000)  # type: ignore[misc]  # a defect
        case "double refund":
            double_refund(Planter())
        case "unswept":
            unswept()
        case _:
            assert defect == "none", defect
    return {}


def run(name: str, place: Place, size: str, **defect: Any) -> str:
    """How a body failed, or nothing."""
    body, given, small, full = BODIES[name]
    sized: dict[str, Any] = dict(small if size == "small" else full)
    if name == "D10":
        sized["lasting"] = partial(times.endless_keys, place)
    for history in range(HISTORIES if (name, size) == ("S2", "full") else 1):
        if name == "S2":
            sized["seed"] = history + 1
        with ProcessArena(place, tenant=f"{name} {history}".replace(" ", "-").lower(), **given, **defect) as arena:
            try:
                body(arena, **sized)
            except AssertionError:
                return traceback.format_exc()
    return ""


def main(defect: str, at: str, size: str, *names: str) -> None:
    """Run them."""
    given = planted(defect)
    place = Place.parse(at)
    place.open().close()
    print(json.dumps({name: run(name, place, size, **given) for name in names or BODIES}))


if __name__ == "__main__":
    main(*sys.argv[1:])
