"""V3: a claimed try stays spent when the caller's request dies after the claim, wherever and however it dies.

A check is torn at one of the fail points behind its claim: an exception that no flow expects is thrown there, or
the task is cancelled there. Kills of the process are in `flow_checks`.

Rules of this file: worlds that tear, and the body that judges them; the same body is red over `RollsBack`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, cast

from otpcore.contract import (
    CheckAnswer,
    CheckRequest,
    CodeOwner,
    Conflict,
    Version,
    Versioned,
)
from otpcore.engine import AsyncEngine, Engine
from otpcore.providers.fake import AsyncFakeProvider, Exchange, FakeProvider
from otpcore.results import Approved, Sent, Status
from otpcore.stores.memory import MemoryStore
from tests.storms.arena import PEPPER, MovedClock, phone, token_of

__all__ = ["CORE_POINTS", "MODES", "POINTS", "RollsBack", "World", "tries_stay_spent"]

POINTS: Final = (
    *("claim committed", "before the provider", "in the provider", "before the settlement"),
    *("settlement committed", "being told"),
)
"""Of a check whose code is the provider's."""

CORE_POINTS: Final = ("claim committed", "being told")
"""Of one whose code is the core's: the claim is the answer."""

MODES: Final = ("raised", "cancelled")


class Torn(BaseException):
    """What no flow and no engine expects: an exit, an interrupt, a worker that is shot."""


class RollsBack(MemoryStore):
    """The control: it commits inside the caller's transaction, which rolls back when the caller dies."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Any] = {}

    def begin(self) -> None:
        self.before = dict(self._records)

    def roll_back(self) -> None:
        self._records = self.before


class World:
    """An engine of either colour that can be torn.

    Args:
        mode: one of `MODES`; "cancelled" needs the awaiting engine, "raised" uses the blocking one.
        owner: of the code.
        opener: of another store than the memory store, or of a broken one; of the engine's colour, or one that
            does not wait.
        tenant: whose recipients these are.
    """

    def __init__(
        self, mode: str, owner: CodeOwner, opener: Callable[[], Any] | None = None, tenant: str = "default"
    ) -> None:
        self.point = ""
        self.clock = MovedClock()
        self._exchange = Exchange(owner=owner, clock=self.clock)
        self._mode = mode
        self._opener = opener
        self._tenant = tenant
        self._commits = 0
        self.open()

    def open(self) -> None:
        """Make the engine, on a store that is opened for it."""
        self.records: Any = (self._opener or MemoryStore)()
        settings: dict[str, Any] = {
            "pepper": PEPPER,
            "clock": self.clock,
            "plugins": cast("Any", _Observer(self)),
            "tenant": self._tenant,
        }
        if self._mode == "cancelled":
            self.provider: Any = _AwaitedVendor(self, self._exchange)
            self._engine: Any = AsyncEngine(_AwaitedStore(self), self.provider, **settings)
            self._runner: asyncio.Runner | None = asyncio.Runner()
        else:
            self.provider = _Vendor(self, self._exchange)
            self._engine = Engine(_Store(self), self.provider, **settings)
            self._runner = None

    def call(self, name: str, *args: Any) -> Any:
        """One call that lives."""
        self.point = ""
        return self.made(name, *args)

    def torn(self, point: str, name: str, *args: Any) -> None:
        """One call that dies at the point."""
        self.point = point
        if isinstance(self.records, RollsBack):
            self.records.begin()
        try:
            self.made(name, *args)
        except (Torn, asyncio.CancelledError):
            if isinstance(self.records, RollsBack):
                self.records.roll_back()
        else:
            raise AssertionError(f"nothing happened at: {point}")
        finally:
            self.point = ""

    def made(self, name: str, *args: Any) -> Any:
        """The call, of either colour."""
        method = getattr(self._engine, name)
        self._commits = 0
        if self._runner is None:
            return method(*args)

        async def one() -> Any:
            return await method(*args)

        return self._runner.run(one())

    def close(self) -> None:
        """End the engine, its store and its loop."""
        if self._runner is None:
            self._engine.close()
        else:
            self._runner.run(self._engine.close())
            self._runner.close()

    # --- tearing -----------------------------------------------------------------------------

    def dies_at(self, point: str) -> bool:
        """Whether the call is to die here."""
        return point == self.point

    def committed(self) -> str:
        """The name of the commit that was just made."""
        self._commits += 1
        return "claim committed" if self._commits == 1 else "settlement committed"

    def committing(self) -> str:
        """The name of the moment before the next commit."""
        return "before the settlement" if self._commits == 1 else ""

    def tear(self) -> None:
        """Throw what nobody expects."""
        raise Torn

    async def tear_awaited(self) -> None:
        """Cancel the task that runs."""
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)


class _Store:
    def __init__(self, world: World) -> None:
        self._world = world
        self.capabilities = replace(world.records.capabilities, batch=False)

    def load(self, key: str) -> Versioned | None:
        found: Versioned | None = self._world.records.load(key)
        return found

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        world = self._world
        if world.dies_at(world.committing()) and world.point:
            world.tear()
        answer: Version | Conflict = world.records.commit(key, data, expect=expect, gc_at=gc_at)
        if world.dies_at(world.committed()):
            world.tear()
        return answer

    def sweep(self, before: datetime, *, limit: int) -> int:
        gone: int = self._world.records.sweep(before, limit=limit)
        return gone

    def close(self) -> None:
        self._world.records.close()


class _AwaitedStore:
    def __init__(self, world: World) -> None:
        self._world = world
        self.capabilities = replace(world.records.capabilities, batch=False)

    async def load(self, key: str) -> Versioned | None:
        found: Versioned | None = await _answer(self._world.records.load(key))
        return found

    async def commit(
        self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        world = self._world
        if world.dies_at(world.committing()) and world.point:
            await world.tear_awaited()
        answer: Version | Conflict = await _answer(world.records.commit(key, data, expect=expect, gc_at=gc_at))
        if world.dies_at(world.committed()):
            await world.tear_awaited()
        return answer

    async def sweep(self, before: datetime, *, limit: int) -> int:
        gone: int = await _answer(self._world.records.sweep(before, limit=limit))
        return gone

    async def close(self) -> None:
        await _answer(self._world.records.close())


async def _answer(told: Any) -> Any:
    """Of a store of either colour."""
    return await told if inspect.isawaitable(told) else told


class _Vendor(FakeProvider):
    def __init__(self, world: World, exchange: Exchange) -> None:
        super().__init__(exchange=exchange)
        self._world = world

    def check(self, request: CheckRequest) -> CheckAnswer:
        if self._world.dies_at("before the provider"):
            self._world.tear()
        answer = super().check(request)
        if self._world.dies_at("in the provider"):
            self._world.tear()
        return answer


class _AwaitedVendor(AsyncFakeProvider):
    def __init__(self, world: World, exchange: Exchange) -> None:
        super().__init__(exchange=exchange)
        self._world = world

    async def check(self, request: CheckRequest) -> CheckAnswer:
        if self._world.dies_at("before the provider"):
            await self._world.tear_awaited()
        answer = await super().check(request)
        if self._world.dies_at("in the provider"):
            await self._world.tear_awaited()
        return answer


class _Observer:
    """In the place of the plugins: no guard, no route; dies when it is told."""

    def __init__(self, world: World) -> None:
        self._world = world

    def guard_send(self, intent: object) -> None:
        return None

    def route(self, intent: object, candidates: Any) -> Any:
        return candidates

    def observe(self, event: object) -> None:
        if self._world.dies_at("being told"):
            self._world.tear()


# --- the body ------------------------------------------------------------------------------------


def tries_stay_spent(make: Callable[[], World], point: str, *, sessions: int) -> None:
    """V3: each torn try counts, and with the last of them spent the right code is worth nothing."""
    world = make()
    try:
        for number in range(sessions):
            sent = world.call("start", phone(number))
            assert isinstance(sent, Sent)
            token, left = token_of(sent), 5
            right = world.provider.code_for(phone(number))
            wrong = f"{(int(right) + 1) % 10**6:06}"
            while left:
                world.torn(point, "check", token, wrong)
                left -= 1
                status = world.call("status", token)
                assert isinstance(status, Status)
                assert status.next.checks_left == left, f"{status.next.checks_left} tries left instead of {left}"
            world.clock.advance(timedelta(seconds=20))  # past the lease of what was torn
            assert not isinstance(world.call("check", token, right), Approved)
    finally:
        world.close()
