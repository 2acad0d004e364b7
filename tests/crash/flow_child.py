"""What the crash tests of the engines run in a process of their own: `python -m tests.crash.flow_child <scenario> …`.

Each attempt is a fork that is killed at a fail point of a flow, or at a random moment. The file that the provider
double writes is the truth about what was sent; the file `confirmed` is what callers were told.

The mutant `send-then-count` takes the step only when the provider has answered: with it the same scenarios are red.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NoReturn

from otpcore.contract import Durability, StoreCapabilities
from otpcore.engine import AsyncEngine, Engine
from otpcore.errors import OtpcoreError
from otpcore.model import RecipientRecord
from otpcore.phone import canonicalise
from otpcore.results import SendResult, Sent, Wait
from tests.crash.deadly import Deaths, deadly, die
from tests.crash.flow_checks import kill_checks
from tests.crash.flow_ends import flow_dies
from tests.crash.forks import die_in_time, in_fork
from tests.crash.log_child import die_before_call
from tests.crash.openers import OPENERS
from tests.places import COLOURS, Place
from tests.storms.arena import PEPPER, MovedClock, keys_of, phone
from tests.storms.bodies_checks import most_in_a_day
from tests.storms.sent_log import LoggedProvider, append, read_log

GAPS_S: Final = (0, 121, 301, 901, *(3600,) * 3)
"""Between the attempts of one phone: as the ladder allows, then each hour; all within 24 hours."""

QUOTA: Final = 4
POINTS: Final = (
    *("before reserve", "after reserve", "after hand-off", "after result", "after settle"),
    *("before refund", "after refund", "in sweep"),
)
SPAN: Final = 1600
"""Bytes that a start writes: the record, the line of the message, the record again."""

GARBAGE: Final = 300
"""Records for a sweep to delete: two batches of the embedded store's."""

FEWER: Final = 40
"""As many for a server."""

SWEEP_S: Final = 0.01
"""About as long as a sweep of a server takes."""

LIVING: Final = 3
"""Runs that live, by the last of which the first that may die is timed."""

ATTEMPTS: Final = 6
"""At the most so many for each random kill: a moment may fall behind the end of the work."""


def attempt(
    at_place: Place, log: str, colour: str, at: datetime, numbers: Sequence[str], point: str = "", mutant: str = ""
) -> None:
    """Start each number once, and write down what was confirmed; killed at `point` if one is given.

    The colour `turns` is one or the other, by the second of `at`.
    """
    if colour == "turns":
        colour = COLOURS[int(at.timestamp()) % 2]
    clock = MovedClock()
    clock.now = at
    deaths = Deaths(
        before={"before reserve": 1, "after result": 2, "before refund": 2}.get(point, 0),
        after={"after reserve": 1, "after settle": 2, "after refund": 2}.get(point, 0),
        lazy=mutant == "send-then-count",
    )
    if point == "in sweep":
        sweep_and_die(at_place, at)
    store = deadly(at_place.opened(colour), deaths)
    provider = LoggedProvider(
        f"{log}.sent",
        clock,
        refuses="refund" in point,
        handed_off=die if point == "after hand-off" else lambda: None,
    )

    def confirm(number: str, result: SendResult) -> None:
        if isinstance(result, Sent):
            append(f"{log}.confirmed", recipient=number, code="", at=at.isoformat())
        else:
            assert isinstance(result, Wait), result

    if colour == "tasks":

        async def run() -> None:
            engine = AsyncEngine(store, provider, pepper=PEPPER, clock=clock, tenant=log)
            for number in numbers:
                confirm(number, await engine.start(number))

        asyncio.run(run())
    else:
        engine = Engine(store, provider, pepper=PEPPER, clock=clock, tenant=log)
        for number in numbers:
            confirm(number, engine.start(number))


def sweep_and_die(place: Place, at: datetime) -> NoReturn:
    """A sweep of the embedded store dies in its second batch; another one at some moment, or at its end."""
    store = place.open()
    if place.store == "tinydb":
        die_in_write(2)
    else:
        die_in_time(random.Random(at.timestamp()).random() * SWEEP_S)
    store.sweep(at, limit=GARBAGE)
    die()


def die_in_write(number: int) -> None:
    """The write with this number puts half of its bytes into the file and kills."""
    real, count = os.write, 0

    def half(fd: int, data: Any) -> int:
        nonlocal count
        count += 1
        if count == number:
            real(fd, data[: len(data) // 2])
            die()
        return real(fd, data)

    os.write = half


def judged(place: Place, log: str) -> dict[str, int]:
    """What the files say: phones over quota, and confirmed or sent messages that no record counts."""
    sent, confirmed = Counter[str](), Counter[str]()
    times: dict[str, list[datetime]] = {}
    for line in read_log(f"{log}.sent"):
        sent[line.recipient] += 1
        times.setdefault(line.recipient, []).append(line.at)
    for line in read_log(f"{log}.confirmed"):
        confirmed[line.recipient] += 1
    store = place.open()
    engine = Engine(store, LoggedProvider(f"{log}.sent", MovedClock()), pepper=PEPPER, tenant=log)
    mine = keys_of(engine)
    records = [RecipientRecord.decode(found.data) for key, found in store.scan("", 10**6) if key.startswith(mine)]
    assert store.capabilities.durability is not Durability.VOLATILE
    store.close()
    counted = sum(not send.refunded for record in records for send in record.sends)
    return {
        "over": sum(most_in_a_day(each) > QUOTA for each in times.values()),
        "missing": max(0, sent.total() - counted),
        "unlogged": (confirmed - sent).total(),
        "sent": sent.total(),
        "confirmed": confirmed.total(),
    }


def fill_garbage(place: Place, at: datetime) -> None:
    """Records whose time is over, for a sweep to find."""
    store = place.open()
    for number in range(GARBAGE if place.store == "tinydb" else FEWER):
        store.commit(f"t/x/{at:%d%H%M%S}/{number}", b'{"v":1}', expect=None, gc_at=at - timedelta(days=1))
    store.close()


def fail_point(point: str, colour: str, mutant: str, place: Place, log: str, phones: int) -> dict[str, int]:
    """Every attempt of a day dies at the point but the last, in turn for each phone."""
    killed = 0
    for number in range(phones):
        at = MovedClock()()
        for gap in GAPS_S:
            at += timedelta(seconds=gap)
            die_there = partial(attempt, place, log, colour, at, [phone(number)], point, mutant)
            live = partial(attempt, place, log, colour, at, [phone(number)], "", mutant)
            if point == "in sweep":
                fill_garbage(place, at)
            killed += not in_fork(die_there)
            if point in ("before reserve", "before refund", "after refund", "in sweep"):
                # nothing was sent, so a start that lives may be; of the others every step is taken already
                in_fork(live)
    return {**judged(place, log), "killed": killed}


def fail_points(
    points: Sequence[str], colour: str, mutant: str, place: Place, log: str, phones: int
) -> dict[str, dict[str, int]]:
    """One fail point after the other, each of a tenant of its own."""
    return {
        point: fail_point(point, colour, mutant, place, f"{log}.{point.replace(' ', '-')}", phones) for point in points
    }


def random_kills(colour: str, mutant: str, place: Place, log: str, kills: int, seed: int) -> dict[str, int]:
    """A process that starts many phones is killed at a moment drawn by lot, until so many have died of it.

    With the embedded store that is before one of its system calls: between two nothing changes that outlives the
    process, so this is any moment. With the others a timer of the kernel kills within the time that the work took when
    it last came to its end: the machine may have become slower or faster since.
    """
    drawn, at, killed = random.Random(seed), MovedClock()(), 0
    pace = min(1.0, 200 / (ATTEMPTS * kills))  # all within 24 hours: records forget the sends of the day before
    took = float("inf")
    for turn in range(ATTEMPTS * kills + LIVING):
        if killed == kills:
            break
        at += pace * timedelta(seconds=drawn.choice((1, 121, 301, 901)))
        numbers = [phone(each) for each in drawn.sample(range(max(60, kills)), 20)]

        def work(numbers: list[str] = numbers, now: datetime = at, turn: int = turn, took: float = took) -> None:
            call, moment = drawn.randrange(200), drawn.random()
            if turn >= LIVING:
                if place.store == "tinydb":
                    die_before_call(call)
                else:
                    die_in_time(moment * took)
            attempt(place, log, colour, now, numbers, "", mutant)

        began = time.perf_counter()
        lived = in_fork(work)
        killed += not lived
        drawn.random()  # a fork draws from a copy
        if lived:
            took = time.perf_counter() - began
    return {**judged(place, log), "killed": killed}


def kill_at_bytes(kind: str, folder: str, offsets: int) -> dict[str, int]:
    """Kill a start at so many places among the bytes that it writes; the next one must read all and count the send."""
    outcomes = Counter[str]()
    opener = OPENERS[kind]
    for offset in range(0, SPAN, SPAN // offsets):
        path, clock = f"{folder}/{offset}.db", MovedClock()
        provider = LoggedProvider(f"{path}.sent", clock)

        def start(number: str, opener: Any = opener, path: str = path, provider: Any = provider) -> SendResult:
            store = _with_capabilities(opener(path))
            return Engine(store, provider, pepper=PEPPER, clock=MovedClock()).start(number)

        start(phone(1))

        def torn(left: int = offset, start: Callable[[str], SendResult] = start) -> None:
            real = os.write

            def some(fd: int, data: Any) -> int:
                nonlocal left
                if len(data) > left:
                    real(fd, data[:left])
                    die()
                left -= len(data)
                return real(fd, data)

            os.write = some
            start(phone(0))

        in_fork(torn)
        try:
            other, again = start(phone(1)), start(phone(0))
        except (OtpcoreError, ValueError):
            outcomes["unreadable"] += 1
            continue
        sent = [line.recipient for line in read_log(f"{path}.sent")]
        if not isinstance(other, Wait):
            outcomes["another record is lost"] += 1
        elif sent.count(phone(0)) > 1:
            outcomes["sent twice"] += 1
        else:
            outcomes["new" if isinstance(again, Wait) else "old"] += 1
    return outcomes


def _with_capabilities(store: Any) -> Any:
    """The stock double says nothing of itself; it claims what the embedded store promises."""
    if not hasattr(store, "capabilities"):
        store.capabilities = StoreCapabilities(Durability.DISK, multi_process=True)
    return store


def main(scenario: str, *args: str) -> None:
    """Run one scenario and print what was found."""
    result: Any
    canonicalise(phone(0))  # loads its metadata once, not in every fork
    for told in (Place.parse(arg) for arg in args if arg.startswith("[")):  # and a driver, and the tables are made
        told.open_awaited()
        store = told.open()
        store.load("warm")
        store.close()
    match scenario, *args:
        case "points", points, colour, mutant, place, log, phones:
            result = fail_points(points.split(","), colour, mutant, Place.parse(place), log, int(phones))
        case "random", colour, mutant, place, log, kills, seed:
            result = random_kills(colour, mutant, Place.parse(place), log, int(kills), int(seed))
        case "checks", colour, mutant, place, sessions:
            result = kill_checks(Place.parse(place), colour, int(sessions), uncommitted=bool(mutant))
        case "flows", only, colour, mutant, place, log, kills:
            killed = flow_dies(Place.parse(place), colour, log, mutant=mutant, kills=int(kills), only=only)
            result = {"killed": killed}
        case "bytes", kind, folder, offsets:
            result = kill_at_bytes(kind, folder, int(offsets))
        case _:
            raise SystemExit(f"no scenario {scenario} {args}")
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
