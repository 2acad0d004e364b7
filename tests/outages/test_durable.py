"""D5: what a server has acknowledged is there when it was killed and started again: kill -9 among 500 writes, 20 times.

The servers have the settings that `otpcore doctor` asks for: PostgreSQL and MariaDB as they come, Redis with
`appendonly yes` and `appendfsync always`. With settings that write later the same body is red. A CI run kills a
blocking writer and an awaiting one, each among 120 writes. The embedded stores, whose process is the writer's own, are
in `tests/crash`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from otpcore.conformance.store.flow import Flow, load, put, run
from otpcore.errors import StoreError
from tests.outages.trouble import Served
from tests.places import COLOURS, SERVED, Place

KEYS = 7
SIZES = [
    pytest.param(2, 120, COLOURS, id="small"),
    *(pytest.param(20, 500, (colour,), id=f"{colour}-full", marks=pytest.mark.nightly) for colour in COLOURS),
]
"""Kills, writes among which each comes, and in which colours they are made in turn."""

LATER = {
    "postgresql": ("-c", "synchronous_commit=off", "-c", "wal_writer_delay=10000"),
    "mariadb": ("--innodb-flush-log-at-trx-commit=0",),
    "redis": ("--appendonly", "no"),
}
"""Settings that acknowledge before anything is written."""

KILLS = 10
"""At the most, until something is lost: MariaDB writes by itself once a second, and may have done so just before."""

ServedBy = Callable[[str], Served]


class Writer:
    """One caller, who writes numbers to seven keys in turn and remembers what was acknowledged.

    Attributes:
        acknowledged: the last number of each key.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self.acknowledged: dict[str, int] = {}

    def writes(self, first: int, count: int, *, at: int, then: Callable[[], None], colour: str) -> None:
        """Write until the server is gone; when so many are acknowledged, it is `then` killed by another thread."""
        killer, awaited = threading.Thread(target=then), colour == "tasks"
        flow = partial(self._writes, range(first, first + count), first + at, killer)
        run(self._place.awaited if awaited else self._place.open, flow, awaited=awaited)
        killer.join()

    def _writes(self, numbers: range, last: int, killer: threading.Thread, store: Any) -> Flow[None]:
        for number in numbers:
            key, data = f"tenant/r/{number % KEYS}", b'{"n":%d,"pad":"%s"}' % (number, b"p" * (number * 37 % 900))
            try:
                found = yield from load(store, key)
                yield from put(store, key, data, found.version if found else None)
            except StoreError:
                return
            self.acknowledged[key] = number
            if number == last:
                killer.start()

    def lost(self) -> int:
        """How many acknowledged numbers are not there, nor a later one."""
        store = self._place.open()
        found = {key: store.load(key) for key in self.acknowledged}
        store.close()
        stands = {key: -1 if one is None else int(json.loads(one.data)["n"]) for key, one in found.items()}
        return sum(stands[key] < number for key, number in self.acknowledged.items())


def nothing_is_lost(served: Served, kills: int, writes: int, colours: Sequence[str] = COLOURS) -> None:
    """The writers have these colours in turn."""
    writer = Writer(served.place)
    for turn in range(kills):
        at, colour = (turn + 1) * writes // (kills + 1), colours[turn % len(colours)]
        writer.writes(turn * writes, writes, at=at, then=served.server.kill, colour=colour)
        served.server.start()
        assert writer.lost() == 0, f"{writer.lost()} acknowledged writes were lost in kill {turn + 1}"


@pytest.mark.parametrize("store", SERVED)
@pytest.mark.parametrize(("kills", "writes", "colours"), SIZES)
def test_no_acknowledged_write_is_lost_when_the_server_is_killed(
    served_by: ServedBy, store: str, kills: int, writes: int, colours: Sequence[str]
) -> None:
    nothing_is_lost(served_by(store), kills, writes, colours)


@pytest.mark.parametrize("store", LATER)
def test_a_server_that_writes_later_loses_what_it_acknowledged(served_by: ServedBy, store: str) -> None:
    """T1."""
    served = served_by(store)
    lasting, served.server._options = served.server._options, LATER[store]
    try:
        served.server.stop()
        served.server.start()
        with pytest.raises(AssertionError, match="acknowledged writes were lost"):
            nothing_is_lost(served, KILLS, 120)
    finally:
        served.server._options = lasting
        served.server.stop()
        served.server.start()
