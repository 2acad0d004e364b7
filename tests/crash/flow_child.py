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
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from otpcore.contract import CodeOwner, Conflict, Durability, StoreCapabilities, Version, Versioned
from otpcore.engine import AsyncEngine, Engine
from otpcore.errors import OtpcoreError
from otpcore.model import RecipientRecord
from otpcore.phone import canonicalise
from otpcore.results import SendResult, Sent, Wait
from otpcore.stores.tinydb import TinyDBStore
from tests.crash.flow_torn import World, tries_stay_spent
from tests.crash.log_child import die_before_call
from tests.crash.openers import OPENERS
from tests.storms.arena import PEPPER, MovedClock, phone
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
"""Records for a sweep to delete: two of its batches."""


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class DeadlyStore:
    """The embedded store, whose user dies before or after its n-th commit.

    Args:
        store: does the work.
        before, after: which commit of this process kills; 0 for none.
        lazy: the mutant: a first commit is only kept in memory, and written with the second.
    """

    def __init__(self, store: TinyDBStore, *, before: int = 0, after: int = 0, lazy: bool = False) -> None:
        self._store = store
        self._before = before
        self._after = after
        self._lazy = lazy
        self._commits = 0
        self._kept: Version | None = None

    @property
    def capabilities(self) -> StoreCapabilities:
        return self._store.capabilities

    def load(self, key: str) -> Versioned | None:
        return self._store.load(key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        self._commits += 1
        if self._commits == self._before:
            die()
        answer = self._committed(key, data, expect, gc_at)
        if isinstance(answer, Conflict):
            self._commits -= 1  # a lost race writes nothing: the next one is the same step of the flow
        elif self._commits == self._after:
            die()
        return answer

    def _committed(self, key: str, data: bytes | None, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if not self._lazy:
            return self._store.commit(key, data, expect=expect, gc_at=gc_at)
        stands = self._store.load(key)
        version = stands.version if stands is not None else None
        if self._kept is None:
            if version != expect:
                return Conflict(stands)
            self._kept = Version("only in memory")
            return self._kept
        self._kept = None
        return self._store.commit(key, data, expect=version, gc_at=gc_at)

    def sweep(self, before: datetime, *, limit: int) -> int:
        return self._store.sweep(before, limit=limit)

    def close(self) -> None:
        self._store.close()


def in_fork(action: Callable[[], object]) -> bool:
    """Run it in a fork; whether the fork came to its end."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except BaseException as error:  # noqa: BLE001  # a fork must never return to the caller's loop
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    ended = os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) == 0 if ended else os.WTERMSIG(status) == signal.SIGKILL, status
    return ended


def attempt(folder: str, colour: str, at: datetime, numbers: Sequence[str], point: str = "", mutant: str = "") -> None:
    """Start each number once, and write down what was confirmed; killed at `point` if one is given."""
    clock = MovedClock()
    clock.now = at
    store = DeadlyStore(
        TinyDBStore(f"{folder}/records.otpdb"),
        before={"before reserve": 1, "after result": 2, "before refund": 2}.get(point, 0),
        after={"after reserve": 1, "after settle": 2, "after refund": 2}.get(point, 0),
        lazy=mutant == "send-then-count",
    )
    provider = LoggedProvider(
        f"{folder}/sent",
        clock,
        refuses="refund" in point,
        handed_off=die if point == "after hand-off" else lambda: None,
    )
    if point == "in sweep":
        die_in_write(2)
        store.sweep(at, limit=GARBAGE)
        raise AssertionError("the sweep was to be killed")

    def confirm(number: str, result: SendResult) -> None:
        if isinstance(result, Sent):
            append(f"{folder}/confirmed", recipient=number, code="", at=at.isoformat())
        else:
            assert isinstance(result, Wait), result

    if colour == "tasks":

        async def run() -> None:
            engine = AsyncEngine(store, provider, pepper=PEPPER, clock=clock)
            for number in numbers:
                confirm(number, await engine.start(number))

        asyncio.run(run())
    else:
        engine = Engine(store, provider, pepper=PEPPER, clock=clock)
        for number in numbers:
            confirm(number, engine.start(number))


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


def judged(folder: str) -> dict[str, int]:
    """What the files say: phones over quota, and confirmed or sent messages that no record counts."""
    sent, confirmed = Counter[str](), Counter[str]()
    times: dict[str, list[datetime]] = {}
    for line in read_log(f"{folder}/sent"):
        sent[line.recipient] += 1
        times.setdefault(line.recipient, []).append(line.at)
    for line in read_log(f"{folder}/confirmed"):
        confirmed[line.recipient] += 1
    store = TinyDBStore(f"{folder}/records.otpdb")
    records = [RecipientRecord.decode(found.data) for key, found in store.scan("", 10**6) if "/r/" in key]
    assert store.capabilities.durability is Durability.DISK
    store.close()
    counted = sum(not send.refunded for record in records for send in record.sends)
    return {
        "over": sum(most_in_a_day(each) > QUOTA for each in times.values()),
        "missing": max(0, sent.total() - counted),
        "unlogged": (confirmed - sent).total(),
        "sent": sent.total(),
        "confirmed": confirmed.total(),
    }


def fill_garbage(folder: str, at: datetime) -> None:
    """Records whose time is over, for a sweep to find."""
    store = TinyDBStore(f"{folder}/records.otpdb", sync=False)
    for number in range(GARBAGE):
        store.commit(f"t/x/{at:%d%H%M%S}/{number}", b'{"v":1}', expect=None, gc_at=at - timedelta(days=1))
    store.close()


def fail_point(point: str, colour: str, mutant: str, folder: str, phones: int) -> dict[str, int]:
    """Every attempt of a day dies at the point but the last, in turn for each phone, which has a store of its own."""
    total, killed = Counter[str](), 0
    for number in range(phones):
        place = f"{folder}/{number}"
        Path(place).mkdir()
        at = MovedClock()()
        for gap in GAPS_S:
            at += timedelta(seconds=gap)
            die_there = partial(attempt, place, colour, at, [phone(number)], point, mutant)
            live = partial(attempt, place, colour, at, [phone(number)], "", mutant)
            if point == "in sweep":
                fill_garbage(place, at)
            killed += not in_fork(die_there)
            if point in ("before reserve", "before refund", "after refund", "in sweep"):
                # nothing was sent, so a start that lives may be; of the others every step is taken already
                in_fork(live)
        total.update(judged(place))
    return {**total, "killed": killed}


def random_kills(colour: str, mutant: str, folder: str, kills: int, seed: int) -> dict[str, int]:
    """A process that starts many phones is killed before a system call drawn by lot, again and again.

    Between two system calls nothing changes that outlives the process, so this is any moment.
    """
    drawn, at, killed = random.Random(seed), MovedClock()(), 0
    pace = min(1.0, 200 / kills)  # all within 24 hours: records forget the sends of the day before
    for _ in range(kills):
        at += pace * timedelta(seconds=drawn.choice((1, 121, 301, 901)))
        numbers = [phone(each) for each in drawn.sample(range(max(60, kills)), 20)]

        def work(numbers: list[str] = numbers, now: datetime = at, call: int = drawn.randrange(200)) -> None:
            die_before_call(call)
            attempt(folder, colour, now, numbers, "", mutant)

        killed += not in_fork(work)
    return {**judged(folder), "killed": killed}


class KilledWorld(World):
    """A blocking engine over the embedded store whose torn calls are forks that die."""

    def torn(self, point: str, name: str, *args: Any) -> None:
        """See `World.torn`."""
        self.point = point
        assert not in_fork(lambda: self.made(name, *args)), f"nothing happened at: {point}"
        self.point = ""

    def tear(self) -> None:
        """See `World.tear`."""
        die()


def kill_checks(owner: str, point: str, folder: str, sessions: int) -> dict[str, int]:
    """The body of V3, with processes that are killed; it fails as everywhere, by its assertions."""
    store = partial(TinyDBStore, f"{folder}/records.otpdb")
    tries_stay_spent(partial(KilledWorld, "raised", CodeOwner(owner), store), point, sessions=sessions)
    return {"sessions": sessions}


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
    canonicalise(phone(0))  # loads its metadata once, not in every fork
    match scenario, *args:
        case "point", point, colour, mutant, folder, phones:
            result = fail_point(point, colour, mutant, folder, int(phones))
        case "random", colour, mutant, folder, kills, seed:
            result = random_kills(colour, mutant, folder, int(kills), int(seed))
        case "checks", owner, point, folder, sessions:
            result = kill_checks(owner, point, folder, int(sessions))
        case "bytes", kind, folder, offsets:
            result = kill_at_bytes(kind, folder, int(offsets))
        case _:
            raise SystemExit(f"no scenario {scenario} {args}")
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
