"""The engine beside what a person writes in an afternoon: a code, its digest, a try at it, and a count of each.

Both are honest and short: a code from `secrets`, kept as an HMAC, compared in constant time, with a limit of sends and
of tries. They know no crash, no lost answer, no resend and no clock that is set back; the one in a dictionary knows no
second process; and of two who come at the same time both may get through where one should.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Final

from otpcore.engine import Engine
from tests.benchmarks.backends import BACKENDS, Backend
from tests.benchmarks.cycle import PEPPER, Instant, cycles, number
from tests.benchmarks.measuring import Absent, Figure, Found, Sizes, figure, in_turn, wall
from tests.benchmarks.servers import Missing, redis_client

__all__ = ["ROWS", "InDictionary", "InRedis", "measure"]

ROWS: Final = ("",)
LIFETIME_S: Final = 600
DAY_S: Final = 86_400
MOST: Final = 5


class InDictionary:
    """One process, and nothing that outlives it."""

    def __init__(self) -> None:
        self.codes: dict[str, tuple[bytes, float, int]] = {}
        self.sends: dict[str, list[float]] = {}

    def close(self) -> None:
        """Nothing is open."""

    def send(self, recipient: str) -> str | None:
        """The code that is to be sent; None: too many."""
        now = time.time()
        recent = [at for at in self.sends.get(recipient, ()) if at > now - DAY_S]
        if len(recent) >= MOST:
            return None
        self.sends[recipient] = [*recent, now]
        code = f"{secrets.randbelow(10**6):06}"
        self.codes[recipient] = (_digest(recipient, code), now + LIFETIME_S, MOST)
        return code

    def check(self, recipient: str, code: str) -> bool:
        """Whether it is right, once."""
        kept, expires, tries = self.codes.get(recipient, (b"", 0.0, 0))
        if not tries or time.time() >= expires:
            return False
        self.codes[recipient] = (kept, expires, tries - 1)
        if not hmac.compare_digest(kept, _digest(recipient, code)):
            return False
        del self.codes[recipient]
        return True


class InRedis:
    """Counters by INCR and EXPIRE, the code in a key of its own."""

    def __init__(self, url: str) -> None:
        self.client = redis_client(url)

    def close(self) -> None:
        """Close."""
        self.client.close()

    def send(self, recipient: str) -> str | None:
        """See `InDictionary.send`."""
        sends = f"hand:sends:{recipient}"
        if self.client.incr(sends) == 1:
            self.client.expire(sends, DAY_S)
        elif int(self.client.get(sends)) > MOST:
            return None
        code = f"{secrets.randbelow(10**6):06}"
        self.client.set(f"hand:code:{recipient}", _digest(recipient, code), ex=LIFETIME_S)
        return code

    def check(self, recipient: str, code: str) -> bool:
        """See `InDictionary.check`."""
        tries = f"hand:tries:{recipient}"
        used = self.client.incr(tries)
        if used == 1:
            self.client.expire(tries, LIFETIME_S)
        kept = self.client.get(f"hand:code:{recipient}")
        if used > MOST or kept is None or not hmac.compare_digest(kept, _digest(recipient, code)):
            return False
        self.client.delete(f"hand:code:{recipient}", tries)
        return True


def _digest(recipient: str, code: str) -> bytes:
    return hmac.digest(PEPPER, f"{recipient}:{code}".encode(), hashlib.sha256)


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Found]:
    """Measure over memory and over Redis."""
    for name in ("memory", "redis"):
        what = f"start+check over a function written by hand, {name}, 1 client (information)"
        say(what)
        try:
            with BACKENDS[name]() as backend:
                hand = InRedis(backend.url) if backend.url else InDictionary()
                yield _beside(sizes, backend, hand, what)
        except Missing as missing:
            yield Absent("", what, str(missing))


def _beside(sizes: Sizes, backend: Backend, hand: InDictionary | InRedis, what: str) -> Figure:
    provider = Instant()
    engine = Engine(backend.build(), provider, pepper=PEPPER)
    share = sizes.cycles

    def ours(pair: int) -> float:
        people = [number(which) for which in range(pair * share, (pair + 1) * share)]
        return wall(lambda: cycles(engine, provider, people), share)

    def theirs(pair: int) -> float:
        people = [f"+999{which:09}" for which in range(pair * share, (pair + 1) * share)]
        return wall(lambda: _cycles(hand, people), share)

    try:
        ours_s, theirs_s = in_turn(sizes.pairs, ours, theirs)
    finally:
        engine.close()
        hand.close()
    return figure("", what, ours_s, theirs_s, None, names=("engine", "by hand"))


def _cycles(hand: InDictionary | InRedis, recipients: list[str]) -> None:
    for recipient in recipients:
        code = hand.send(recipient)
        assert code is not None
        assert hand.check(recipient, code)
