"""Storms of processes over one place: `python -m tests.storms.process_child <kind> <colour> <place> <log> <rounds>`.

Four processes, with sixteen callers each, start every round at one latch; there are four storms, each of a tenant of
its own. What they were answered and what was sent is printed as JSON. The colour `threads` is one blocking engine that
has worked and is then forked; `tasks` is an awaiting engine in each process. The kind `naive` is the control: it
writes whatever stands.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import threading
import uuid
from collections import Counter
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import Any, Final

from otpcore.conformance import yielding as slow_down
from otpcore.conformance.yielding import YieldingStore
from otpcore.engine import AsyncEngine, Engine
from otpcore.results import Sent
from tests.places import Place
from tests.storms.arena import PEPPER, Call, MovedClock, checking, phone, starting, token_of, yielding
from tests.storms.naive import without_guard
from tests.storms.sent_log import LoggedProvider, read_log

PROCESSES: Final = 4
PARTIES: Final = {"checks": 16, "rights": 16, "starts": 16, "keys": 4}
"""What each storm is of, and how many make it in each process."""

Answers = list[tuple[str, str]]
"""The type of each outcome, and the token that it carried."""


def calls_of(what: str, engine: Engine, log: str, rounds: int) -> list[Call]:
    """What every party does in each round."""
    if what == "starts":
        return [starting(phone(number)) for number in range(rounds)]
    if what == "keys":
        return [starting(phone(number), idempotency_key=str(uuid.uuid4())) for number in range(rounds)]
    tokens: list[str] = []
    for number in range(rounds):
        sent = engine.start(phone(number))
        assert isinstance(sent, Sent)
        tokens.append(token_of(sent))
    codes = {sent.recipient: sent.code for sent in read_log(log)}
    return [
        checking(token, code if what == "rights" else f"{(int(code) + 1) % 10**6:06}")
        for token, code in zip(tokens, codes.values(), strict=True)
    ]


def heard(result: Any) -> tuple[str, str]:
    """What is told of an outcome."""
    return type(result).__name__, (result.session.token or "") if isinstance(result, Sent) else ""


def in_threads(engine: Engine, calls: list[Call], threads: int, latch: Barrier) -> list[Answers]:
    """One process: its threads make every call at the common latch."""
    rounds: list[Answers] = [[] for _ in calls]

    def party() -> None:
        for answers, call in zip(rounds, calls, strict=True):
            latch.wait(60)
            try:
                result = call(engine)
            except Exception as error:  # noqa: BLE001  # counted by the test
                result = error
            answers.append(heard(result))

    parties = [threading.Thread(target=party) for _ in range(threads)]
    for one in parties:
        one.start()
    for one in parties:
        one.join()
    return rounds


def in_tasks(engine: AsyncEngine, calls: list[Call], tasks: int, latch: Barrier) -> list[Answers]:
    """One process: its tasks make every call at the common latch."""

    async def storm() -> list[Answers]:
        rounds: list[Answers] = []
        for call in calls:
            latch.wait(60)
            results = await asyncio.gather(*(call(engine) for _ in range(tasks)), return_exceptions=True)
            rounds.append([heard(result) for result in results])
        await engine.close()
        return rounds

    return asyncio.run(storm())


def storm(what: str, kind: str, colour: str, place: Place, log: str, rounds: int) -> dict[str, Any]:
    """One storm."""
    clock, parties = MovedClock(), PARTIES[what]

    def given(store: Any) -> Any:
        return without_guard(store) if kind == "naive" else store

    provider = LoggedProvider(log, clock)
    settings: dict[str, Any] = {"pepper": PEPPER, "clock": clock, "tenant": what}
    engine = Engine(YieldingStore(given(place.open())), provider, **settings)
    calls = calls_of(what, engine, log, rounds)
    context = multiprocessing.get_context("fork")
    latch = context.Barrier(PROCESSES * (parties if colour == "threads" else 1))
    told: SimpleQueue[list[Answers]] = context.SimpleQueue()

    def work() -> None:
        if colour == "threads":
            told.put(in_threads(engine, calls, parties, latch))
        else:
            awaited = AsyncEngine(yielding(given(place.open_awaited())), provider, **settings)
            told.put(in_tasks(awaited, calls, parties, latch))

    workers = [context.Process(target=work) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    answers: list[list[Answers]] = [told.get() for _ in workers]
    for worker in workers:
        worker.join()
    engine.close()
    by_round = [[answer for rounds_of in answers for answer in rounds_of[number]] for number in range(len(calls))]
    return {
        "outcomes": [Counter(name for name, _ in one) for one in by_round],
        "tokens": [len({token for _, token in one if token}) for one in by_round],
        "sent": Counter(sent.recipient for sent in read_log(log)),
    }


def main(kind: str, colour: str, at: str, log: str, rounds: str) -> None:
    """Run every storm."""
    place = Place.parse(at)
    if kind == "naive":
        slow_down.PAUSE_S = 0.02  # a busy machine wakes callers late; so they still meet
    print(json.dumps({what: storm(what, kind, colour, place, f"{log}.{what}", int(rounds)) for what in PARTIES}))


if __name__ == "__main__":
    main(*sys.argv[1:])
