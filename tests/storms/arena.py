"""Where storms take place: an engine of either colour over a store and a fake vendor, and a latch.

`at_once` starts every call at one latch (a barrier of threads, an event of tasks) and gives each outcome back, an
exception as itself, so that outcomes can be counted exactly. Over the memory store the yielding stores make the
callers change places between load and commit; over the others they wait for a disk or a server there.

Rules of this file: no sleep, no repetition; what is expected of a storm is in the `bodies_…` modules.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from operator import methodcaller
from typing import Any, Final, Self, TypeAlias, TypeVar, cast

from otpcore.conformance.yielding import AsyncYieldingStore, YieldingStore
from otpcore.contract import CodeOwner
from otpcore.engine import AsyncEngine, Engine
from otpcore.engine.terms import is_awaiting
from otpcore.model import RecipientRecord
from otpcore.phone import RegionPolicy
from otpcore.policy import DEFAULT, Profile
from otpcore.ports import Store
from otpcore.providers.fake import AsyncFakeProvider, FakeProvider
from otpcore.providers.fake_exchange import Exchange, Message, Script
from otpcore.results import SendResult, Sent
from tests.numbers import phone
from tests.places import Place
from tests.storms.naive import without_guard

__all__ = [
    "PEPPER",
    "Arena",
    "Call",
    "MovedClock",
    "TaskArena",
    "ThreadArena",
    "arena_for",
    "cancelling",
    "checking",
    "keys_of",
    "outcomes_of",
    "phone",
    "resending",
    "starting",
    "token_of",
    "yielding",
]

T = TypeVar("T")
Call: TypeAlias = Callable[[Any], Any]
"""Given the engine of either colour; returns a result, or an awaitable of one. Those made here can be pickled."""

PEPPER: Final = b"storm pepper of thirty-two bytes" * 2

LATCH_TIMEOUT_S: Final = 60.0


class MovedClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, step: timedelta | None = None, **duration: float) -> None:
        self.now += step if step is not None else timedelta(**duration)


class Arena(ABC):
    """An engine, its store, its vendor and their clock. Use as a context."""

    kind: str

    def __init__(
        self,
        store: Any,
        *,
        owner: CodeOwner = CodeOwner.CORE,
        profile: Profile = DEFAULT,
        script: Script | None = None,
        tenant: str = "default",
        seed: int = 7,
    ) -> None:
        self.before_storm: Callable[[], object] = lambda: None
        self.clock = MovedClock()
        self.entropy: Callable[[int], bytes] = os.urandom
        self.store = store
        self.profile = profile
        self.exchange = Exchange(owner=owner, script=script, clock=self.clock, seed=seed)
        self.settings: dict[str, Any] = {
            "pepper": PEPPER,
            "profile": profile,
            "clock": self.clock,
            "purposes": ("login", "payment"),
            "destinations": RegionPolicy(),
            "timeout_s": 8.0,
            "entropy": self._draw,
            "tenant": tenant,
        }

    def _draw(self, size: int) -> bytes:
        return self.entropy(size)

    @abstractmethod
    def run(self, call: Call) -> Any:
        """Make one call."""

    @abstractmethod
    def at_once(self, calls: Sequence[Call]) -> list[Any]:
        """Make all calls from one latch; their outcomes in order, an exception as itself."""

    @abstractmethod
    def close(self) -> None:
        """Release threads, tasks, files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_store(self, name: str, *given: Any, **named: Any) -> Any:
        """One call of the store."""
        return self.run(lambda _engine: getattr(self.store, name)(*given, **named))

    def records(self) -> list[RecipientRecord]:
        """Of every recipient, in the order of their keys."""
        page = self.on_store("scan", "", 10**6)
        return [RecipientRecord.decode(found.data) for key, found in page if "/r/" in key]

    def sweep(self) -> None:
        """Drop what is over by the clock."""
        self.on_store("sweep", self.clock.now, limit=10**6)

    # --- what bodies say often ---------------------------------------------------------------

    def start(self, number: str, **asked: Any) -> SendResult:
        """One start."""
        return cast("SendResult", self.run(starting(number, **asked)))

    def started(self, number: str, **asked: Any) -> Sent:
        """One start that sends."""
        result = self.start(number, **asked)
        assert isinstance(result, Sent), result
        return result

    def messages(self, number: str) -> list[Message]:
        """What this person received, oldest first."""
        return [message for message in self.exchange.outbox if message.recipient == number]

    def right_code(self, number: str) -> str:
        """The code that this person holds."""
        return self.exchange.code_for(number)

    def wrong_code(self, number: str) -> str:
        """A code that this person was never sent."""
        sent = {message.code for message in self.messages(number)}
        return next(code for code in (f"{each:06}" for each in range(10**6)) if code not in sent)


class ThreadArena(Arena):
    """`Engine`, driven by threads."""

    kind = "threads"

    def __init__(self, store: Store, **given: Any) -> None:
        super().__init__(store, **given)
        self.provider = FakeProvider(exchange=self.exchange)
        self.engine = Engine(store, self.provider, **self.settings)

    def run(self, call: Call) -> Any:
        return call(self.engine)

    def at_once(self, calls: Sequence[Call]) -> list[Any]:
        outcomes: list[Any] = [None] * len(calls)
        latch = threading.Barrier(len(calls))
        self.before_storm()

        def party(place: int, call: Call) -> None:
            latch.wait(LATCH_TIMEOUT_S)
            try:
                outcomes[place] = call(self.engine)
            except Exception as error:  # noqa: BLE001  # counted by the body
                outcomes[place] = error

        threads = [threading.Thread(target=party, args=each) for each in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return outcomes

    def close(self) -> None:
        self.engine.close()


class TaskArena(Arena):
    """`AsyncEngine`, driven by tasks of one loop."""

    kind = "tasks"

    def __init__(self, store: Any, **given: Any) -> None:
        super().__init__(store, **given)
        self.provider = AsyncFakeProvider(exchange=self.exchange)
        waits = is_awaiting(store, "commit") or store.capabilities.blocking_io
        self.engine = AsyncEngine(store if waits else yielding(store), self.provider, **self.settings)
        self._runner = asyncio.Runner()

    def run(self, call: Call) -> Any:
        async def one() -> Any:
            answer = call(self.engine)
            return await answer if inspect.isawaitable(answer) else answer

        return self._runner.run(one())

    def at_once(self, calls: Sequence[Call]) -> list[Any]:
        async def storm() -> list[Any]:
            latch = asyncio.Event()
            self.before_storm()

            async def party(call: Call) -> Any:
                await latch.wait()
                answer: Awaitable[Any] = call(self.engine)
                return await answer

            tasks = [asyncio.create_task(party(call)) for call in calls]
            latch.set()
            return list(await asyncio.gather(*tasks, return_exceptions=True))

        return self._runner.run(storm())

    def close(self) -> None:
        self._runner.run(self.engine.close())
        self._runner.close()


def arena_for(place: Place, colour: str, *, naive: bool = False, meets: bool = False, **given: Any) -> Arena:
    """An arena over a place.

    Args:
        place: where its records are.
        colour: of `tests.places.COLOURS`.
        naive: over the control instead, which has no guard.
        meets: of the control: two of those who begin a storm have loaded before any commits.
        given: as for `Arena`.
    """
    store = place.opened(colour)
    control = store = without_guard(store) if naive else store
    if naive or place.store == "memory":
        store = yielding(store) if colour == "tasks" else YieldingStore(store)
    arena = TaskArena(store, **given) if colour == "tasks" else ThreadArena(store, **given)
    if meets:
        arena.before_storm = control.meeting.ask
    return arena


def yielding(store: Any) -> Any:
    """The store, which gives way before each operation, for the awaiting engine."""
    awaits = is_awaiting(store, "commit") or not store.capabilities.blocking_io
    return AsyncYieldingStore(store) if awaits else YieldingStore(store)


def starting(number: str, **asked: Any) -> Call:
    """A start."""
    return methodcaller("start", number, **asked)


def resending(token: str, number: str, **asked: Any) -> Call:
    """A resend."""
    return methodcaller("resend", token, number, **asked)


def checking(token: str, code: str, **asked: Any) -> Call:
    """A check."""
    return methodcaller("check", token, code, **asked)


def cancelling(token: str) -> Call:
    """A cancel."""
    return methodcaller("cancel", token)


def keys_of(engine: Any) -> str:
    """What the keys of the recipients of an engine's tenant begin with."""
    return f"{engine._setup.tenant_id}/r/"


def outcomes_of(results: Sequence[object]) -> Counter[str]:
    """How often each outcome came, by the name of its type."""
    return Counter(type(result).__name__ for result in results)


def token_of(sent: Sent) -> str:
    """The token of a session that was opened."""
    assert sent.session.token is not None
    return sent.session.token
