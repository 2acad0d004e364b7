"""Histories of four processes: `python -m tests.histories.process_child <place> <histories> <operations>`.

Each process is a fork of its own, with a store of its own; the histories are of threads, then as many of tasks.
What the judges say of each history is printed as JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from functools import partial
from multiprocessing.queues import SimpleQueue
from typing import Any, Final

from otpcore.conformance.store.flow import Flow, later, run
from tests.histories.recording import CALLERS, Plan, Seen, crowd, is_true, plan_of, swept_in_all
from tests.places import COLOURS, Place

PROCESSES: Final = 4


def history_of(place: Place, colour: str, asked: Plan) -> list[Seen]:
    """What the callers of all processes saw."""
    context = multiprocessing.get_context("fork")
    latch, told = context.Barrier(PROCESSES), SimpleQueue[list[Seen]](ctx=context)

    def party(number: int, store: Any) -> Flow[list[Seen]]:
        latch.wait(60)
        return (yield from crowd(asked, CALLERS // PROCESSES, 1, store, number))

    def work(number: int) -> None:
        opener = place.awaited if colour == "tasks" else place.open
        try:
            told.put(run(opener, partial(party, number), awaited=colour == "tasks"))
        except BaseException:
            told.put([])  # nobody waits for who is gone
            raise

    workers = [context.Process(target=work, args=(number,)) for number in range(PROCESSES)]
    for worker in workers:
        worker.start()
    seen = [one for _ in workers for one in told.get()]
    for worker in workers:
        worker.join()
    return seen


def judged(place: Place, colour: str, asked: Plan) -> dict[str, Any]:
    """One history, and what it is."""
    history = history_of(place, colour, asked)
    store = place.open()
    left = sum(store.load(key) is not None for key in asked.keys)
    store.sweep(later(), limit=10**6)  # what is due is not the next history's
    store.close()
    return {
        "operations": len(history),
        "linearizable": is_true(history),
        "swept": swept_in_all(history, left),
    }


def takes_batches(store: Any) -> bool:
    """Whether it takes them as a call of its own; behind workers it makes them of the calls that come together."""
    return bool(store.capabilities.batch) and hasattr(store, "load_many")


def main(at: str, histories: str, operations: str) -> None:
    """Run some histories of each colour."""
    place = Place.parse(at)
    batches = {colour: takes_batches(place.awaited() if colour == "tasks" else place.open()) for colour in COLOURS}
    found = [
        judged(place, colour, plan_of(number, int(operations), batches=batches[colour]))
        for colour in COLOURS
        for number in range(1, int(histories) + 1)
    ]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
