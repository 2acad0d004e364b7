"""Calls of several threads as one: who comes while another is on the wire goes with the next trip.

Who comes alone goes at once, on its own thread; nobody waits for company, and there is no thread of ours.

Rules of this file: it knows commands and answers, and nothing of records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

from otpcore_redis.wire import Answer, Command

__all__ = ["Combiner"]


class _Call:
    """One caller's command, and what became of it."""

    __slots__ = ("answer", "command", "error", "leads", "ready")

    def __init__(self, command: Command) -> None:
        self.command = command
        self.answer: Answer = None
        self.error: BaseException | None = None
        self.leads = False
        self.ready = Lock()
        self.ready.acquire()


class Combiner:
    """Sends commands together when they come together.

    Args:
        exchange: sends some commands and gives their answers, in order.
        largest: commands of one trip.
    """

    def __init__(self, exchange: Callable[[Sequence[Command]], list[Answer]], *, largest: int = 128) -> None:
        self._exchange = exchange
        self._largest = largest
        self._lock = Lock()
        self._waiting: list[_Call] = []
        self._busy = False

    def call(self, command: Command) -> Answer:
        """The answer to one command; raises what its trip raised."""
        with self._lock:
            if not self._busy:
                self._busy = True
                mine: _Call | None = None
            else:
                mine = _Call(command)
                self._waiting.append(mine)
        if mine is None:
            try:
                (answer,) = self._exchange((command,))
            finally:
                self._hand_over()
            return answer
        mine.ready.acquire()
        if mine.leads:
            self._lead(mine)
        if mine.error is not None:
            raise mine.error
        return mine.answer

    def _lead(self, mine: _Call) -> None:
        """Take all who wait, this caller first, on one trip."""
        with self._lock:
            batch = [mine, *self._waiting[: self._largest - 1]]
            del self._waiting[: self._largest - 1]
        try:
            for call, answer in zip(batch, self._exchange([each.command for each in batch]), strict=True):
                call.answer = answer
        except BaseException as error:
            for call in batch:
                call.error = error
            raise
        finally:
            self._hand_over()
            for call in batch[1:]:
                call.ready.release()

    def _hand_over(self) -> None:
        """The next who waits leads the next trip."""
        with self._lock:
            if not self._waiting:
                self._busy = False
                return
            following = self._waiting.pop(0)
        following.leads = True
        following.ready.release()
