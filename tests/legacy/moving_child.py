"""An import in a process that kills itself: `python -m tests.legacy.moving_child once FOLDER POINT NUMBER [MUTANT]`.

It dies before, after or within its commit of that number, or when it has read so many rows; `everywhere` for `once`
tries every number. The mutant lets the old ids lead on before the record is there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from otpcore.codes import Entropy, counter_id
from otpcore.contract import Version
from otpcore.flows.counting import lead_to_counter
from otpcore.flows.setup import Flow, Setup
from otpcore.flows.transact import Snapshot
from otpcore.legacy import moving
from otpcore.legacy.moving import Outcome
from otpcore.legacy.rows import Row
from otpcore.legacy.tables import open_table
from otpcore.stores.tinydb import TinyDBStore
from tests.legacy.moved import EPOCH, MONTH, MovedClock, desk_over, move, stands

POINTS: Final = ("before a commit", "after a commit", "in a commit", "after rows")


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class DeadlyStore(TinyDBStore):
    """The embedded store, whose user dies at its n-th commit."""

    def __init__(self, path: Path, point: str, number: int) -> None:
        super().__init__(path)
        self.point, self.left = point, number

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Any:
        self.left -= 1
        if self.left == 0 and self.point == "before a commit":
            die()
        if self.left == 0 and self.point == "in a commit":
            os.write = half
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if self.left == 0 and self.point == "after a commit":
            die()
        return answer


WRITE: Final = os.write


def half(descriptor: int, data: Any) -> int:
    WRITE(descriptor, data[: len(data) // 2])
    die()


def counted(rows: Iterable[Sequence[object]], number: int) -> Iterator[Sequence[object]]:
    for read, values in enumerate(rows):
        if read == number:
            die()
        yield values


MOVING: Final = cast("Any", moving)
REAL: Final = cast("Callable[..., Flow[Outcome]]", MOVING._written)


def ids_first(setup: Setup, entropy: Entropy, seen: Snapshot | None, rows: Sequence[Row]) -> Flow[Outcome]:
    """The mutant: the old ids lead on, and then the record is made."""
    for row in rows:
        yield from lead_to_counter(setup, row.id, counter_id(*row.pair), EPOCH + MONTH)
    return (yield from REAL(setup, entropy, seen, rows))


def once(folder: str, point: str = "", number: int = 0, mutant: str = "") -> None:
    """Import the table `svretries` of `old.db` into `new.otpdb`, both in the folder."""
    MOVING._written = ids_first if mutant else REAL
    store = DeadlyStore(Path(folder, "new.otpdb"), point, number)
    with open_table(f"sqlite:///{folder}/old.db", "svretries") as rows:
        move(desk_over(MovedClock(), store), counted(rows, number) if point == "after rows" else rows)
    store.close()


def held(folder: str) -> dict[str, Any]:
    store = TinyDBStore(Path(folder, "new.otpdb"))
    try:
        return stands(store)
    finally:
        store.close()


def killed(folder: str, point: str, number: int, mutant: str) -> dict[str, Any]:
    """What is there after one process was killed and the next came to its end."""
    for name in ("new.otpdb", "new.otpdb.lock"):
        Path(folder, name).unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        try:
            once(folder, point, number, mutant)
        finally:
            os._exit(3)  # a fork never returns into its parent's loop
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), (point, number)
    assert os.WTERMSIG(status) == signal.SIGKILL
    once(folder)
    return held(folder)


def everywhere(folder: str, point: str, last: int, mutant: str) -> list[int]:
    """The numbers at which a kill leaves other records than an import that nobody disturbs."""
    once(folder)
    whole = held(folder)
    return [number for number in range(1, last + 1) if killed(folder, point, number, mutant) != whole]


def main(task: str, folder: str, point: str = "", number: str = "0", mutant: str = "") -> None:
    """`once`, or `everywhere` up to this number, which prints what it found."""
    if task == "once":
        once(folder, point, int(number), mutant)
    else:
        print(json.dumps(everywhere(folder, point, int(number), mutant)))


if __name__ == "__main__":
    main(*sys.argv[1:])
