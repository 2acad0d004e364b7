"""Storms of processes over the embedded store: `python -m tests.storms.process_child <what> <store> <folder> <rounds>`.

Four forks of one engine, with sixteen threads each, start every round at one latch. What they were answered and
what was sent is printed as JSON. The store `naive` is the control: it writes whatever stands.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import Any, Final

from otpcore.conformance.yielding import YieldingStore
from otpcore.contract import Conflict, Version
from otpcore.engine import Engine
from otpcore.results import Sent
from otpcore.stores.tinydb import TinyDBStore
from tests.storms.arena import PEPPER, MovedClock, phone, token_of
from tests.storms.sent_log import LoggedProvider, read_log

PROCESSES: Final = 4
THREADS: Final = {"keys": 4}
"""In each process; 16 where nothing is said."""

Answers = list[tuple[str, str]]
"""The type of each outcome, and the token that it carried."""


class NaiveTinyDB(TinyDBStore):
    """The control: check, then increment."""

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        while isinstance(answer, Conflict):
            stands = answer.current
            answer = super().commit(key, data, expect=stands.version if stands else None, gc_at=gc_at)
        return answer


def calls_of(what: str, engine: Engine, log: str, rounds: int) -> list[Callable[[], Any]]:
    """What every party does in each round."""
    if what == "starts":
        return [_start(engine, number) for number in range(rounds)]
    if what == "keys":
        return [_start(engine, number, idempotency_key=str(uuid.uuid4())) for number in range(rounds)]
    tokens: list[str] = []
    for number in range(rounds):
        sent = engine.start(phone(number))
        assert isinstance(sent, Sent)
        tokens.append(token_of(sent))
    codes = {sent.recipient: sent.code for sent in read_log(log)}
    return [
        _check(engine, token, code if what == "rights" else f"{(int(code) + 1) % 10**6:06}")
        for token, code in zip(tokens, codes.values(), strict=True)
    ]


def _start(engine: Engine, number: int, **asked: Any) -> Callable[[], Any]:
    return lambda: engine.start(phone(number), **asked)


def _check(engine: Engine, token: str, code: str) -> Callable[[], Any]:
    return lambda: engine.check(token, code)


def work(calls: list[Callable[[], Any]], threads: int, latch: Barrier, told: SimpleQueue[list[Answers]]) -> None:
    """One process: its threads make every call at the common latch."""
    rounds: list[Answers] = [[] for _ in calls]

    def party() -> None:
        for answers, call in zip(rounds, calls, strict=True):
            latch.wait(60)
            try:
                result = call()
            except Exception as error:  # noqa: BLE001  # counted by the test
                result = error
            answers.append((type(result).__name__, (result.session.token or "") if isinstance(result, Sent) else ""))

    parties = [threading.Thread(target=party) for _ in range(threads)]
    for one in parties:
        one.start()
    for one in parties:
        one.join()
    told.put(rounds)


def main(what: str, kind: str, folder: str, rounds: str) -> None:
    """Run one storm."""
    log, clock = f"{folder}/sent", MovedClock()
    store = (NaiveTinyDB if kind == "naive" else TinyDBStore)(f"{folder}/records.otpdb", sync=False)
    engine = Engine(YieldingStore(store), LoggedProvider(log, clock), pepper=PEPPER, clock=clock)
    calls = calls_of(what, engine, log, int(rounds))
    threads = THREADS.get(what, 16)
    context = multiprocessing.get_context("fork")
    latch, told = context.Barrier(PROCESSES * threads), context.SimpleQueue()
    workers = [context.Process(target=work, args=(calls, threads, latch, told)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    heard: list[list[Answers]] = [told.get() for _ in workers]
    for worker in workers:
        worker.join()
    answered = [[answer for rounds_of in heard for answer in rounds_of[number]] for number in range(len(calls))]
    result = {
        "outcomes": [Counter(name for name, _ in answers) for answers in answered],
        "tokens": [len({token for _, token in answers if token}) for answers in answered],
        "sent": Counter(sent.recipient for sent in read_log(log)),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
