"""An arena over several processes: each has an engine, a store and a provider of its own, on one place and one clock.

Calls that are made at once are dealt to all of them, start at one latch, and their outcomes come back in order. A call
alone goes to each process in turn. What each provider was asked and sent is told with the outcomes; the clock, the
script and the entropy are the arena's and go with the calls.

Rules of this file: the processes are forked before anything is opened, by a process that has one thread; a worker that
dies fails the call that waits for it.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import cycle
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any, Final

from otpcore.providers.fake_exchange import Exchange, Message, Script
from tests.places import COLOURS, Place
from tests.storms.arena import LATCH_TIMEOUT_S, Arena, Call, arena_for

__all__ = ["PROCESSES", "ProcessArena"]

PROCESSES: Final = 4


class _Heard(Exchange):
    """What the providers of all processes tell, together."""

    def hear(self, messages: Iterable[Message], calls: Mapping[str, int]) -> None:
        """One process tells what is new."""
        with self._lock:
            self._outbox.extend(messages)
            self._calls.update(calls)


class ProcessArena(Arena):
    """Engines of `PROCESSES` processes, of both colours in turn. The codes are the core's.

    Args:
        place: where the records are.
        naive: over the control instead, which has no guard.
        stopped: each process looks at its clock once, which is a defect.
        script: as for `Arena`; given here it need not be picklable.
        given: as for `Arena`.
    """

    kind = "processes"

    def __init__(
        self,
        place: Place,
        *,
        naive: bool = False,
        stopped: bool = False,
        script: Script | None = None,
        **given: Any,
    ) -> None:
        super().__init__(None, **given)
        self.exchange: _Heard = _Heard(owner=self.exchange.owner, clock=self.clock)
        context = multiprocessing.get_context("fork")
        latch = context.Barrier(PROCESSES)
        self._workers: list[tuple[Any, Any]] = []
        for number in range(PROCESSES):
            ours, theirs = context.Pipe()
            opened = partial(arena_for, place, COLOURS[number % 2], naive=naive, script=script, seed=number, **given)
            made = _Worker(opened, stopped=stopped)
            worker = context.Process(target=made.serve, args=(theirs, latch), daemon=True)
            worker.start()
            theirs.close()
            self._workers.append((worker, ours))
        self._turns = cycle(range(PROCESSES))

    def run(self, call: Call) -> Any:
        answer = self._one("run", call)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def at_once(self, calls: Sequence[Call]) -> list[Any]:
        hands = [calls[number::PROCESSES] for number in range(PROCESSES)]
        for number, hand in enumerate(hands):
            self._ask(number, "at_once", hand)
        outcomes: list[Any] = [None] * len(calls)
        for number in range(PROCESSES):
            outcomes[number::PROCESSES] = self._told(number)
        return outcomes

    def on_store(self, name: str, *given: Any, **named: Any) -> Any:
        return self._one("on_store", name, given, named)

    def sweep(self) -> None:
        """Every process sweeps, and they do it together."""
        for number in range(PROCESSES):
            self._ask(number, "sweep")
        for number in range(PROCESSES):
            self._told(number)

    def close(self) -> None:
        for _, pipe in self._workers:
            pipe.send(None)
        for worker, pipe in self._workers:
            worker.join()
            pipe.close()

    def _one(self, verb: str, *given: Any) -> Any:
        number = next(self._turns)
        self._ask(number, verb, *given)
        return self._told(number)

    def _ask(self, number: int, verb: str, *given: Any) -> None:
        self._workers[number][1].send((self.clock.now, self.exchange.script, self.entropy, verb, given))

    def _told(self, number: int) -> Any:
        answer, messages, calls = self._workers[number][1].recv()
        self.exchange.hear(messages, calls)
        return answer


class _Worker:
    """One process, over an arena of its own.

    Args:
        opened: makes the arena, in the process.
        stopped: its clock is looked at once.
    """

    def __init__(self, opened: Callable[[], Arena], *, stopped: bool) -> None:
        self._opened = opened
        self._stopped = stopped

    def serve(self, pipe: Connection, latch: Barrier) -> None:
        """Answer until there is nothing more to do."""
        with self._opened() as arena:
            script, told, counted = arena.exchange.script, 0, Counter[str]()
            while (asked := pipe.recv()) is not None:
                now, ordered, arena.entropy, verb, given = asked
                if not self._stopped:
                    arena.clock.now = now
                arena.exchange.script = ordered or script
                answer = self._answer(arena, latch, verb, given)
                outbox, calls = arena.exchange.outbox, Counter(arena.exchange.calls)
                pipe.send((answer, outbox[told:], calls - counted))
                told, counted = len(outbox), calls
        os._exit(0)  # what the parent was doing is not to be finished here

    def _answer(self, arena: Arena, latch: Barrier, verb: str, given: Any) -> Any:
        match verb:
            case "at_once":
                latch.wait(LATCH_TIMEOUT_S)
                return arena.at_once(given[0]) if given[0] else []
            case "sweep":
                latch.wait(LATCH_TIMEOUT_S)
                return arena.sweep()
            case "on_store":
                name, parts, named = given
                return arena.on_store(name, *parts, **named)
            case _:
                try:
                    return arena.run(given[0])
                except Exception as error:  # noqa: BLE001  # raised again where it was asked
                    return error
