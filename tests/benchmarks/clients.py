"""Clients at work at the same time: threads for a blocking engine, tasks for an awaiting one.

Rules of this file: who works and when it begins and ends; what is worked is given.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TypeVar

from otpcore.contract import Accepted, CodeOwner, Failure, ProviderCapabilities, SendRequest
from otpcore.engine import AsyncEngine, Engine
from otpcore.phone import PhoneNumber
from otpcore.results import Approved, Sent

__all__ = ["AsyncDesk", "Desk", "awaited_cycles", "cycles_by_threads", "dealt", "tasks", "threads"]

T = TypeVar("T")


class Desk:
    """Takes every send at once, and remembers the newest code of each recipient. Safe to share."""

    capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms"}))
    accepted = Accepted("message")

    def __init__(self) -> None:
        self.codes: dict[str, str] = {}

    def send(self, request: SendRequest) -> Accepted | Failure:
        """Take it."""
        self.codes[request.recipient] = request.code or ""
        return self.accepted

    def close(self) -> None:
        """Nothing is open."""


class AsyncDesk:
    """`Desk`, awaited."""

    capabilities = Desk.capabilities

    def __init__(self) -> None:
        self.desk = Desk()

    @property
    def codes(self) -> dict[str, str]:
        """The newest code of each recipient."""
        return self.desk.codes

    async def send(self, request: SendRequest) -> Accepted | Failure:
        """Take it."""
        return self.desk.send(request)

    async def close(self) -> None:
        """Nothing is open."""


def dealt(items: Sequence[T], hands: int) -> list[Sequence[T]]:
    """The items, shared out evenly."""
    return [items[hand::hands] for hand in range(hands)]


def threads(pool: ThreadPoolExecutor, work: Callable[[Sequence[T]], object], hands: Sequence[Sequence[T]]) -> float:
    """Seconds until every thread has done its hand; all begin together. Raises what the first of them raised."""
    instants: list[float] = []  # the first is read before anyone goes, not when this thread gets its turn again
    gate = threading.Barrier(len(hands), action=lambda: instants.append(perf_counter()))

    def one(hand: Sequence[T]) -> float:
        gate.wait()
        work(hand)
        return perf_counter()

    instants += [done.result() for done in [pool.submit(one, hand) for hand in hands]]
    return max(instants) - min(instants)


async def tasks(work: Callable[[Sequence[T]], Awaitable[object]], hands: Sequence[Sequence[T]]) -> float:
    """Seconds until every task has done its hand."""
    began = perf_counter()
    async with asyncio.TaskGroup() as group:
        for hand in hands:
            group.create_task(_done(work, hand))
    return perf_counter() - began


async def _done(work: Callable[[Sequence[T]], Awaitable[object]], hand: Sequence[T]) -> None:
    await work(hand)


def cycles_by_threads(
    pool: ThreadPoolExecutor, engine: Engine, desk: Desk, people: Sequence[PhoneNumber | str], clients: int
) -> float:
    """Seconds of one start and its right check, among so many clients; people are dealt to them."""

    def work(hand: Sequence[PhoneNumber | str]) -> None:
        for one in hand:
            sent = engine.start(one)
            assert isinstance(sent, Sent), sent
            approved = engine.check(sent.session.token or "", desk.codes.pop(_e164(one)))
            assert isinstance(approved, Approved), approved

    if clients == 1:
        began = perf_counter()
        work(people)
        return (perf_counter() - began) / len(people)
    return threads(pool, work, dealt(people, clients)) / len(people)


async def awaited_cycles(engine: AsyncEngine, desk: AsyncDesk, people: Sequence[PhoneNumber], clients: int) -> float:
    """`cycles_by_threads` with tasks."""

    async def work(hand: Sequence[PhoneNumber]) -> None:
        for one in hand:
            sent = await engine.start(one)
            assert isinstance(sent, Sent), sent
            approved = await engine.check(sent.session.token or "", desk.codes.pop(one.e164))
            assert isinstance(approved, Approved), approved

    return await tasks(work, dealt(people, clients)) / len(people)


def _e164(recipient: PhoneNumber | str) -> str:
    return recipient if isinstance(recipient, str) else recipient.e164
