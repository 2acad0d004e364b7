"""Rows 1 and 2: what the policy and the canonicaliser cost, over the memory store.

`limits` counts and forgets in a thread of its own, which looks at every key it knows. That thread's work is part of
a decision: it is waited for within the time of the share that caused it, and is over before the other side works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from limits import RateLimitItemPerDay
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter
from phonenumbers import is_valid_number, parse

from otpcore.engine import Engine
from otpcore.phone import PhoneNumber, canonicalise
from otpcore.stores.memory import MemoryStore
from tests.benchmarks.cycle import Instant, cycles, fictional, numbers
from tests.benchmarks.measuring import Figure, Side, Sizes, cpu, figure, in_turn

__all__ = ["ROWS", "measure"]

ROWS: Final = ("1", "2")

SENDS: Final = RateLimitItemPerDay(10, namespace="send")
CHECKS: Final = RateLimitItemPerDay(10, namespace="check")
STRATEGIES: Final[dict[str, type[RateLimiter]]] = {"fixed": FixedWindowRateLimiter, "moving": MovingWindowRateLimiter}


class Limiter:
    """Two decisions for each recipient: may it be sent a code, may it try one."""

    def __init__(self, strategy: str) -> None:
        self.storage = MemoryStorage()
        self.limiter = STRATEGIES[strategy](self.storage)

    def settle(self) -> None:
        """Wait until the thread that forgets has looked at every key."""
        self.storage.timer.join()

    def decide(self, recipients: list[PhoneNumber]) -> None:
        """Decide for all of them, and settle."""
        hit = self.limiter.hit
        for recipient in recipients:
            assert hit(SENDS, recipient.e164)
            assert hit(CHECKS, recipient.e164)
        self.settle()


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure both rows."""
    for known in sizes.known:
        say(f"decisions with {known:,} recipients known")
        yield from _policy(sizes, known)
    say("canonicalising")
    yield from _canonical(sizes)


def _policy(sizes: Sizes, known: int) -> list[Figure]:
    provider, limiters = Instant(), {name: Limiter(name) for name in STRATEGIES}
    engine = Engine(MemoryStore(), provider)
    people = numbers(range(known))
    cycles(engine, provider, people)
    for limiter in limiters.values():
        limiter.decide(people)
    share = known // sizes.pairs
    figures: list[Figure] = []
    for kind, first in (("a new recipient", known), ("a recipient who verified once before", 0)):

        def batch(pair: int, first: int = first) -> list[PhoneNumber]:
            return numbers(range(first + pair * share, first + (pair + 1) * share))

        def ours(pair: int, batch: Callable[[int], list[PhoneNumber]] = batch) -> float:
            people = batch(pair)
            return cpu(lambda: cycles(engine, provider, people), share)

        def theirs(limiter: Limiter, batch: Callable[[int], list[PhoneNumber]] = batch) -> Side:
            def side(pair: int) -> float:
                people = batch(pair)
                return cpu(lambda: limiter.decide(people), share)

            return side

        answered = in_turn(sizes.pairs, ours, *(theirs(limiter) for limiter in limiters.values()))
        for name, times in zip(limiters, answered[1:], strict=True):
            what = f"start+check over two decisions of `limits`, {name} window, {known:,} known, {kind}"
            figures.append(figure("1", what, answered[0], times, ("≤", 6.0)))
    return figures


def _canonical(sizes: Sizes) -> list[Figure]:
    provider = Instant()
    engine = Engine(MemoryStore(), provider)
    share, total = sizes.texts, sizes.texts * sizes.pairs
    texts = fictional()[: 2 * total]
    given, judged = iter(texts[:total]), iter([canonicalise(text) for text in texts[total:]])

    def cycle(people: Iterator[PhoneNumber] | Iterator[str]) -> Side:
        def side(_pair: int) -> float:
            batch: list[PhoneNumber | str] = list(islice(people, share))
            return cpu(lambda: cycles(engine, provider, batch), share)

        return side

    def bare(texts: list[str]) -> Side:
        return lambda _pair: cpu(lambda: [is_valid_number(parse(text)) for text in texts], share)

    with_it, without, library = in_turn(sizes.pairs, cycle(given), cycle(judged), bare(texts[:share]))
    extra = [one - other for one, other in zip(with_it, without, strict=True)]
    what = "what canonicalising adds to start+check, over bare `parse` + `is_valid_number`: +1 555-01xx"
    figures = [figure("2", what, extra, library, ("≤", 1.3))]
    for code, text in (("+237", "+237671234567"), ("+61", "+61491570156")):  # the latter of the range for drama
        again = [text] * share
        alone, library = in_turn(sizes.pairs, _canonicaliser(again), bare(again))
        what = f"the canonicaliser alone, over the same: a number of {code}"
        figures.append(figure("2", what, alone, library, ("≤", 1.3)))
    return figures


def _canonicaliser(texts: list[str]) -> Side:
    return lambda _pair: cpu(lambda: [canonicalise(text) for text in texts], len(texts))
