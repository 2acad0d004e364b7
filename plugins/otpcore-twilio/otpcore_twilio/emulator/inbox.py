"""The messages as a test and the page read them: those to a recipient, those after a message, the next one.

Rule of this file: reading and waiting; what is sent is decided in `state`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from time import monotonic
from typing import TYPE_CHECKING

from otpcore_twilio.emulator.faults import until_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from starlette.types import Receive

    from otpcore_twilio.emulator.app import Account
    from otpcore_twilio.emulator.records import Message

__all__ = ["Bell", "messages", "next_messages", "wait_for_messages"]


class Bell:
    """Wakes those who wait for a message, in threads and in event loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: list[Callable[[], object]] = []

    def ring(self) -> None:
        """Wake everybody; it blocks on none of them."""
        if self._heard:
            with self._lock:
                heard = tuple(self._heard)
            for wake in heard:
                wake()

    @contextlib.contextmanager
    def hearing(self, wake: Callable[[], object]) -> Generator[None]:
        """Call `wake` at each ring until the block ends; in whichever thread rings."""
        with self._lock:
            self._heard.append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._heard.remove(wake)


def messages(account: Account, to: str | None = None, after: int = 0) -> tuple[Message, ...]:
    """The messages that the inbox holds, oldest first.

    Args:
        account: whose inbox.
        to: only those to this recipient.
        after: only those with a greater number.
    """
    found: list[Message] = []
    with account.lock:
        for message in reversed(account.world.messages):
            if message.number <= after:
                break
            if to is None or message.to == to:
                found.append(message)
    return tuple(reversed(found))


def wait_for_messages(account: Account, to: str | None, after: int, timeout_s: float) -> tuple[Message, ...]:
    """As `messages`, but wait until there is one; empty when the time is over."""
    rung = threading.Event()
    ends = monotonic() + timeout_s
    with account.bell.hearing(rung.set):
        while not (found := messages(account, to, after)) and rung.wait(max(0, ends - monotonic())):
            rung.clear()
    return found


async def next_messages(
    account: Account, to: str | None, after: int, timeout_s: float, receive: Receive
) -> tuple[Message, ...]:
    """As `wait_for_messages`, on an event loop, and no longer than the client waits."""
    rung = asyncio.Event()
    loop = asyncio.get_running_loop()
    gone = loop.create_task(until_gone(receive, timeout_s))
    gone.add_done_callback(lambda _: rung.set())
    with account.bell.hearing(lambda: loop.call_soon_threadsafe(rung.set)):
        try:
            while not (found := messages(account, to, after)) and not gone.done():
                await rung.wait()
                rung.clear()
        finally:
            gone.cancel()
    return found
