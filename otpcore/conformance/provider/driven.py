"""One provider of either colour, driven so that it cannot hang the run.

Rules of this file: a call runs on a thread of its own and is waited for with patience; what is not back by then
is freed by releasing the server, and counted as a failure. What a provider raises is turned into what the core
makes of it.
"""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Literal, Self

import pytest

from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    Failure,
    FailureKind,
    SendEffect,
    SendRequest,
)

__all__ = ["Colour", "Driven"]

Colour = Literal["blocking", "awaited"]


class Driven:
    """A provider under test; use as a context manager.

    Args:
        provider: of the given colour.
        colour: "blocking" or "awaited".
        patience_s: how long a call may stay away before it counts as hung.
        release: frees a hung call.

    Attributes:
        raised: what the provider raised so far, oldest first.
    """

    def __init__(self, provider: Any, colour: Colour, patience_s: float, release: Callable[[], None]) -> None:
        self.provider = provider
        self.raised: list[Exception] = []
        self._awaited = colour == "awaited"
        self._patience_s = patience_s
        self._release = release
        self._threads = ThreadPoolExecutor(1)
        self._loop = asyncio.new_event_loop() if self._awaited else None
        self._loop_thread = threading.Thread(target=self._loop.run_forever) if self._loop else None

    def send(self, request: SendRequest) -> Accepted | Failure:
        """`send`; an exception is INTERNAL and UNKNOWN, as in the core."""
        answer: Accepted | Failure = self.ask("send", request, lost=Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN))
        return answer

    def check(self, request: CheckRequest) -> CheckAnswer:
        """`check`; an exception is UNKNOWN, as in the core."""
        answer: CheckAnswer = self.ask("check", request, lost=CheckAnswer(CheckVerdict.UNKNOWN))
        return answer

    def ask(self, name: str, *arguments: object, lost: object) -> Any:
        """Call a method of the provider; where it raises, what the core takes that for."""
        try:
            return self.call(name, *arguments)
        except Exception as error:  # noqa: BLE001  # the contract allows any
            self.raised.append(error)
            return lost

    def call(self, name: str, *arguments: object) -> Any:
        """Call a method of the provider and wait for it."""
        return self.wait(self.begin(name, *arguments))

    def begin(self, name: str, *arguments: object) -> Future[Any]:
        """Call a method of the provider; cancelling the future cancels an awaited call."""
        method: Callable[..., Any] = getattr(self.provider, name)
        if self._loop is not None:
            coroutine: Coroutine[Any, Any, Any] = method(*arguments)
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return self._threads.submit(method, *arguments)

    def wait(self, call: Future[Any]) -> Any:
        """The result of a call, with patience."""
        try:
            return call.result(self._patience_s)
        except TimeoutError:
            if call.done():
                raise
            self._release()
            pytest.fail("the call did not return within its deadline")

    def tasks(self) -> int:
        """How many tasks of an awaited provider stay alive; 0 for a blocking one."""
        if self._loop is None:
            return 0

        async def count() -> int:
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            if not others:
                return 0
            _, alive = await asyncio.wait(others, timeout=self._patience_s / 8)  # one that was cancelled has to unwind
            return len(alive)

        return asyncio.run_coroutine_threadsafe(count(), self._loop).result(self._patience_s)

    def texts(self) -> str:
        """Everything that shows: of the provider and of what it raised, with causes."""
        return "\n".join(
            [repr(self.provider), str(self.provider)]
            + ["".join(traceback.format_exception(error)) + repr(error) for error in self.raised]
        )

    def __enter__(self) -> Self:
        if self._loop_thread is not None:
            self._loop_thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.call("close")
        finally:
            if self._loop is not None and self._loop_thread is not None:
                asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(self._patience_s)
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._loop_thread.join()
                self._loop.close()
            self._threads.shutdown()


async def _cancel_others() -> None:
    """End what a provider left running, so that one failed check does not spoil the next."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
