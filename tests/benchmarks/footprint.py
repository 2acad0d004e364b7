"""Row 9: what sessions weigh: in the memory store, as a record, and in Redis.

Run as a module it holds so many live sessions in a fresh process and prints how much that process grew.
"""

from __future__ import annotations

import gc
import json
import resource
import secrets
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from otpcore.contract import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    ProviderCapabilities,
    SendRequest,
)
from otpcore.engine import Engine
from otpcore.results import Sent
from otpcore.stores.memory import MemoryStore
from tests.benchmarks.backends import BACKENDS
from tests.benchmarks.cycle import PEPPER, ROOT, Instant, number
from tests.benchmarks.measuring import Absent, Figure, Found, Sizes, Spread, spread
from tests.benchmarks.servers import Missing, redis_client

__all__ = ["ROWS", "measure"]

ROWS: Final = ("9",)
MEGABYTE: Final = 10**6


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Found]:
    """Weigh."""
    say("weight of sessions")
    scale = 10_000 / sizes.sessions / MEGABYTE
    traced = [_fresh("traced", sizes.sessions) * scale]
    grown = [_fresh("resident", sizes.sessions) * scale for _ in range(min(sizes.pairs, 5))]
    live, ended, again = _record(Instant())
    held, let_go, _ = _record(Owning())
    what = "memory store, 10,000 live sessions"
    yield Figure("9", f"{what}: traced by Python", spread(traced), "MB", ("≤", 10.0))
    yield Figure("9", f"{what}: growth of the resident set", spread(grown), "MB", ("≤", 10.0))
    yield Figure("9", "record of a live session (information)", _exact(live), "bytes")
    yield Figure("9", "the same after the right code (information)", _exact(ended), "bytes")
    yield Figure("9", "the same after the fourth verification of a day (information)", _exact(again), "bytes")
    owned = f"where the provider owns the code, and its id has {len(Owning.handle())} characters (information)"
    yield Figure("9", f"record of a live session {owned}", _exact(held), "bytes")
    yield Figure("9", f"the same after the right code {owned}", _exact(let_go), "bytes")
    try:
        yield from _redis()
    except Missing as missing:
        yield Absent("9", "bytes of a session in Redis", str(missing))


def _redis() -> Iterator[Figure]:
    provider = Instant()
    with (
        BACKENDS["redis"]() as backend,
        redis_client(backend.url) as client,
        Engine(backend.build(), provider, pepper=PEPPER) as engine,
    ):
        sent = engine.start(number(1))
        assert isinstance(sent, Sent), sent
        yield from _weighed(client, "a live session", 600.0)
        engine.check(sent.session.token or "", provider.code)
        yield from _weighed(client, "a session after its end", 250.0)


def _weighed(client: Any, what: str, most: float) -> list[Figure]:
    (key,) = client.keys("*")
    value, used = len(client.get(key)), client.memory_usage(key)
    return [
        Figure("9", f"Redis: value of {what}", _exact(value), "bytes", ("≤", most)),
        Figure("9", f"Redis: memory of {what}, key and all (information)", _exact(used), "bytes"),
    ]


def _exact(size: int) -> Spread:
    return Spread(size, size, size)


def _fresh(how: str, sessions: int) -> int:
    command = [sys.executable, "-m", "tests.benchmarks.footprint", how, str(sessions)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(json.loads(ended.stdout))


class Owning(Instant):
    """It makes the codes itself, and its ids are as long as those of Twilio's verifications."""

    capabilities = ProviderCapabilities(
        frozenset({CodeOwner.PROVIDER}), frozenset({"sms"}), code_lifetime=timedelta(seconds=600)
    )
    approved = CheckAnswer(CheckVerdict.APPROVED)

    @staticmethod
    def handle() -> str:
        """A new one."""
        return f"VE{secrets.token_hex(16)}"

    def send(self, request: SendRequest) -> Accepted:  # the base's signature
        """Take it."""
        self.code = "123456"
        return Accepted(self.handle())

    def check(self, _request: CheckRequest) -> CheckAnswer:
        """Every code is right."""
        return self.approved


def _record(provider: Instant) -> tuple[int, int, int]:
    """Bytes of a record with a live session, once that was approved, and after four approvals in one day."""
    store = MemoryStore()
    engine = Engine(store, provider)
    sizes: list[int] = []
    for _ in range(4):
        sent = engine.start(number(1))
        assert isinstance(sent, Sent)
        sizes.append(_stored(store))
        engine.check(sent.session.token or "", provider.code)
        sizes.append(_stored(store))
    return sizes[0], sizes[1], sizes[-1]


def _stored(store: MemoryStore) -> int:
    return sum(len(found.data) for _key, found in store.scan("", 10))


def hold(how: str, sessions: str) -> None:
    """Hold live sessions, and say how many bytes they took."""
    provider, store = Instant(), MemoryStore()
    engine = Engine(store, provider)
    engine.start(number(10**6))
    gc.collect()
    if how == "traced":
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
    else:
        before = _resident()
    for which in range(int(sessions)):
        engine.start(number(which))
    gc.collect()
    print(json.dumps((tracemalloc.get_traced_memory()[0] if how == "traced" else _resident()) - before))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    hold(*sys.argv[1:])
