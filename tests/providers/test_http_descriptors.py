"""A call under a REST provider that ends without an answer leaves no descriptor open, however it ends."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

from otpcore.conformance.provider import HttpVendor
from otpcore.conformance.provider.driven import Colour, Driven
from otpcore.ports import Accepted, Failure
from otpcore.providers.http import AsyncHttpProvider, awaited, blocking
from tests.providers.test_http_kit import Messages
from tests.providers.test_http_wire import a_send, good, trusting

OPEN_FILES = Path("/dev/fd")
PATIENCE_S = 60


def open_files() -> int:
    return sum(1 for _ in OPEN_FILES.iterdir())


def closes_all_but(count: int) -> bool:
    """Whether no more are open soon: the vendor, in this process too, closes its ends in threads of its own."""
    ends = time.monotonic() + PATIENCE_S
    while open_files() > count and time.monotonic() < ends:
        time.sleep(0.01)
    return open_files() <= count


class CancelledAt:
    """A call whose task is cancelled when it waits for the n-th time; awaited, it says whether it was.

    A step of the program, not of the clock: each place where a call may be cancelled is met once.
    """

    def __init__(self, call: Coroutine[Any, Any, object], n: int) -> None:
        self._call = call
        self._left = n

    def __await__(self) -> Generator[Any, Any, bool]:
        steps = self._call.__await__()
        try:
            waits = next(steps)
            while True:
                self._left -= 1
                task = asyncio.current_task()
                if self._left == 0 and task is not None:
                    task.cancel()
                try:
                    told = yield waits
                except BaseException as error:  # noqa: BLE001  # whatever it is, the call is told
                    waits = steps.throw(error)
                else:
                    waits = steps.send(told)
        except StopIteration:
            return False
        except asyncio.CancelledError:
            return True


async def is_cancelled(call: CancelledAt) -> bool:
    return await call


@pytest.mark.parametrize("trusted", [True, False])
def test_a_call_cancelled_at_any_step_leaves_nothing_open(trusted: bool) -> None:
    steps = 0

    async def go(provider: AsyncHttpProvider) -> None:
        nonlocal steps
        before = open_files()
        cancelled = True
        while cancelled:
            steps += 1
            cancelled = await asyncio.create_task(is_cancelled(CancelledAt(provider.send(a_send()), steps)))
            await provider.close()
            assert await asyncio.to_thread(closes_all_but, before), f"cancelled at step {steps}"

    with HttpVendor(good, tls=True) as vendor:
        asyncio.run(go(awaited(Messages(vendor.origin), tls=trusting() if trusted else None)))
    assert steps > 3, "the control: it waited, and was cancelled there"


COLOURS = pytest.mark.parametrize("colour", ["blocking", "awaited"])


def driven(colour: Colour, origin: str, release: Callable[[], None]) -> Driven:
    api = Messages(origin)
    provider = blocking(api, tls=trusting()) if colour == "blocking" else awaited(api, tls=trusting())
    return Driven(provider, colour, PATIENCE_S, release)


@COLOURS
def test_a_handshake_that_never_ends_leaves_nothing_open(colour: Colour) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with driven(colour, f"https://127.0.0.1:{silent.getsockname()[1]}", silent.close) as provider:
            before = open_files()
            for _ in range(3):
                assert isinstance(provider.send(a_send(0.2)), Failure)
            assert closes_all_but(before)


@pytest.mark.parametrize("scenario", ["stall", "drip-headers", "drip-body", "cut", "cut-mid-body"])
@COLOURS
def test_an_answer_that_never_ends_leaves_nothing_open(colour: Colour, scenario: str) -> None:
    with HttpVendor(good, tls=True) as vendor, driven(colour, vendor.origin, vendor.release) as provider:
        before = open_files()
        assert isinstance(provider.send(a_send()), Accepted)
        vendor.play(scenario)
        for _ in range(3):
            assert isinstance(provider.send(a_send(0.3)), Failure)
        assert closes_all_but(before)
