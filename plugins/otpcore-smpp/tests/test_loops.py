"""One awaited provider on several event loops: a link for each, and all of them ended by one `close`."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from otpcore import Received
from otpcore.ports import Accepted
from otpcore_smpp import AsyncSmppProvider
from otpcore_smpp.link import CLOSED, Link
from otpcore_smpp.sending import Sender
from tests.smpp_lines import PATIENCE_S, PHONE, request_of, settings_of
from tests.smsc import Smsc, receipt_body

T = TypeVar("T")


class Running:
    """An event loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)

    def tasks(self) -> int:
        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return self(count())

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


@contextmanager
def running(number: int) -> Generator[list[Running]]:
    loops = [Running() for _ in range(number)]
    try:
        yield loops
    finally:
        for each in loops:
            each.stop()
            each.loop.close()


def two_loops_that_alternate_have_a_link_each(smsc: Smsc, loops: list[Running]) -> None:
    """The property: SMSCs bound the number of binds, so each loop makes one, and one close ends all."""
    provider = AsyncSmppProvider(settings_of(smsc.port))
    for number in range(10):
        assert isinstance(loops[number % 2](provider.send(request_of())), Accepted)
    loops[0](provider.close())
    assert len(smsc.binds) == 2
    assert smsc.wait_for(lambda: not smsc.peers), "no link is left"
    assert smsc.commands.count(0x06) == 2, "each is unbound"
    assert [each.tasks() for each in loops] == [0, 0]
    assert [each(provider.send(request_of())) for each in loops] == [CLOSED, CLOSED]
    loops[1](provider.close())


def test_two_loops_that_alternate_have_a_link_each(smsc: Smsc) -> None:
    with running(2) as loops:
        two_loops_that_alternate_have_a_link_each(smsc, loops)


def test_a_link_that_is_dropped_for_another_loop_would_be_seen(smsc: Smsc, monkeypatch: pytest.MonkeyPatch) -> None:
    here: Any = vars(Sender)["_here"]
    dropped: list[Link] = []

    def only_one(sender: Any) -> Link:
        loop = asyncio.get_running_loop()
        dropped.extend(sender._links.pop(each) for each in list(sender._links) if each is not loop)
        found: Link = here(sender)
        return found

    monkeypatch.setattr(Sender, "_here", only_one)
    with running(2) as loops:
        with pytest.raises(AssertionError, match="10 == 2"):
            two_loops_that_alternate_have_a_link_each(smsc, loops)
        for link in dropped:
            loops[0](link.close())


def test_a_link_that_is_opened_while_another_loop_closes_is_ended(smsc: Smsc, monkeypatch: pytest.MonkeyPatch) -> None:
    here: Any = vars(Sender)["_here"]

    def late(sender: Sender) -> Link:
        loops[1](sender.close())
        found: Link = here(sender)
        return found

    monkeypatch.setattr(Sender, "_here", late)
    with running(2) as loops:
        provider = AsyncSmppProvider(settings_of(smsc.port))
        assert loops[0](provider.send(request_of())) is CLOSED
        assert loops[0].tasks() == 0
    assert not smsc.binds


def test_receipts_that_came_too_early_are_let_go_on_their_own_loop(smsc: Smsc) -> None:
    async def unknown(_request: object) -> object:
        came.set()
        return Received(0, 0, early=1)

    came = threading.Event()
    with running(2) as loops:
        provider = AsyncSmppProvider(settings_of(smsc.port))
        provider.deliver_to(unknown)
        for each in loops:
            assert isinstance(each(provider.send(request_of())), Accepted)
        smsc.deliver(receipt_body("6699", "DELIVRD", PHONE))
        assert came.wait(PATIENCE_S)
        loops[0](provider.close())
        assert [each.tasks() for each in loops] == [0, 0]


def test_the_link_of_a_loop_that_stands_still_is_ended(smsc: Smsc) -> None:
    """What is left of it goes when the loop runs again."""
    provider = AsyncSmppProvider(settings_of(smsc.port))
    loop = asyncio.new_event_loop()
    assert isinstance(loop.run_until_complete(provider.send(request_of())), Accepted)
    asyncio.run(provider.close())
    assert smsc.wait_for(lambda: not smsc.peers)

    async def rest() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)

    loop.run_until_complete(rest())
    loop.close()


# --- a loop that is closed over a link: asyncio complains of the tasks and the socket that were left on it ---


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_link_of_a_closed_loop_is_ended(smsc: Smsc) -> None:
    provider = AsyncSmppProvider(settings_of(smsc.port))
    held = closed_over_a_link(provider)
    asyncio.run(provider.close())
    assert smsc.wait_for(lambda: not smsc.peers)
    assert held.is_closed()
    del held
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_link_of_a_closed_loop_is_ended_when_another_is_opened(smsc: Smsc) -> None:
    provider = AsyncSmppProvider(settings_of(smsc.port))
    held = closed_over_a_link(provider)

    async def use() -> None:
        assert isinstance(await provider.send(request_of()), Accepted)
        assert await asyncio.to_thread(smsc.wait_for, lambda: len(smsc.peers) == 1)
        assert isinstance(await provider.send(request_of()), Accepted)
        await provider.close()

    asyncio.run(use())
    assert smsc.wait_for(lambda: not smsc.peers)
    assert len(smsc.binds) == 2
    assert held.is_closed()
    del held
    gc.collect()


def closed_over_a_link(provider: AsyncSmppProvider) -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    assert isinstance(loop.run_until_complete(provider.send(request_of())), Accepted)
    loop.close()
    return loop
