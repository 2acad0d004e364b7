"""D5: what a server has acknowledged is there when it was killed and started again: kill -9 among 500 writes, 20 times.

The servers have the settings that `otpcore doctor` asks for: PostgreSQL and MariaDB as they come, Redis with
`appendonly yes` and `appendfsync always`. With settings that write later the same body is red. A CI run kills twice
among 120 writes. The embedded stores, whose process is the writer's own, are in `tests/crash`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from otpcore.conformance.store.flow import later
from otpcore.contract import Conflict
from otpcore.errors import StoreError
from tests.outages.trouble import Served
from tests.places import SERVED, Place

KEYS = 7
SIZES = [pytest.param(2, 120, id="small"), pytest.param(20, 500, id="full", marks=pytest.mark.nightly)]
"""Kills, and writes among which each comes."""

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

    def writes(self, first: int, count: int, *, at: int, then: Callable[[], None]) -> None:
        """Write until the server is gone; when so many are acknowledged, it is `then` killed by another thread."""
        store = self._place.open()
        killer = threading.Thread(target=then)
        for number in range(first, first + count):
            try:
                self._write(store, f"tenant/r/{number % KEYS}", number)
            except StoreError:
                break
            if number == first + at:
                killer.start()
        killer.join()
        store.close()

    def _write(self, store: Any, key: str, number: int) -> None:
        found = store.load(key)
        data = b'{"n":%d,"pad":"%s"}' % (number, b"p" * (number * 37 % 900))
        answer = store.commit(key, data, expect=found.version if found else None, gc_at=later(hours=1))
        assert not isinstance(answer, Conflict)
        self.acknowledged[key] = number

    def lost(self) -> int:
        """How many acknowledged numbers are not there, nor a later one."""
        store = self._place.open()
        found = {key: store.load(key) for key in self.acknowledged}
        store.close()
        stands = {key: -1 if one is None else int(json.loads(one.data)["n"]) for key, one in found.items()}
        return sum(stands[key] < number for key, number in self.acknowledged.items())


def nothing_is_lost(served: Served, kills: int, writes: int) -> None:
    writer = Writer(served.place)
    for turn in range(kills):
        writer.writes(turn * writes, writes, at=(turn + 1) * writes // (kills + 1), then=served.server.kill)
        served.server.start()
        assert writer.lost() == 0, f"{writer.lost()} acknowledged writes were lost in kill {turn + 1}"


@pytest.mark.parametrize("store", SERVED)
@pytest.mark.parametrize(("kills", "writes"), SIZES)
def test_no_acknowledged_write_is_lost_when_the_server_is_killed(
    served_by: ServedBy, store: str, kills: int, writes: int
) -> None:
    nothing_is_lost(served_by(store), kills, writes)


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
