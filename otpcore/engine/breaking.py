"""Breakers: which provider is spared for a while, because of what it answered.

One for each provider, channel and region, and wider ones where a failure says more. An open breaker puts the legs that
it is for at the end of a route and takes them off none: were every provider open and none tried, a vendor's hiccup
would be an outage of one's own, for as long as our own clock says and whatever the vendor says meanwhile.

What is learned is of one process, and of one engine: nothing of it is written down.

Rules of this file: no I/O; time is monotonic and given. What failure opens what is a table. No failure that one person
can bring about opens anything: with a number of their own they would switch a provider off for a whole region.
"""

from __future__ import annotations

import os
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from threading import Lock
from time import monotonic
from types import MappingProxyType
from typing import Final, TypeAlias

from otpcore.contract import Accepted, CheckAnswer, CheckVerdict, Failure, FailureKind, FailureScope
from otpcore.routing import Leg

__all__ = ["RULES", "Breakers", "Change", "Probe", "Rule", "Scope", "rule_of"]

Key: TypeAlias = tuple[str, str, str]
"""Provider, channel, region; "*" is all."""

ALL: Final = "*"

LONGEST_S: Final = 3600.0
"""A vendor that asks for more is tried again all the same: one call in an hour harms nobody."""

LONGEST_LIMIT_S: Final = 60.0
"""The same for a limit of the account: somebody alone can meet it, by asking often, and would hold up everybody."""

UNKNOWNS: Final = 5
RECENT: Final = 10
WINDOW_S: Final = 120.0
"""So many of the most recent answers, if no older than this, open a breaker where a single one does not: half of them.
A person whose send is unknown waits for the whole deadline, so it is few."""

LATE_S: Final = 1.0
"""An answer so long after its deadline is none: nobody may wait for the next one."""

PROBE_S: Final = 30.0
"""Longer than an operation takes. A probe that is still out hangs, and another may be made."""

MOST: Final = 4096
"""Breakers that are kept: some providers, channels and regions; there are 250 regions."""


class Scope(Enum):
    """What a failure says something of."""

    PROVIDER = 1
    CHANNEL = 2
    REGION = 3

    def key(self, provider: str, channel: str, region: str) -> Key:
        """The breaker that is meant: of the provider, of it on this channel, or of that in this region, where told."""
        match self:
            case Scope.PROVIDER:
                return provider, ALL, ALL
            case Scope.CHANNEL:
                return provider, channel, ALL
            case Scope.REGION:
                return provider, channel, region or ALL


@dataclass(frozen=True, slots=True)
class Rule:
    """What a kind of failure does.

    Attributes:
        opens_s: for how many seconds, where the vendor does not say.
        scope: of what.
        at_once: the first one opens; else `UNKNOWNS` of the `RECENT` do. Where the region is not told, a failure of
            the region never opens at once: it would be for all regions.
        longest_s: most seconds that a vendor can ask for.
    """

    opens_s: float
    scope: Scope
    at_once: bool = True
    longest_s: float = LONGEST_S

    def opens_at_once(self, region: str) -> bool:
        """Whether the first failure in this region opens."""
        return self.at_once and (self.scope is not Scope.REGION or bool(region))


RULES: Final = MappingProxyType(
    {
        FailureKind.DESTINATION_BLOCKED: Rule(900.0, Scope.REGION),
        FailureKind.RATE_LIMITED: Rule(5.0, Scope.PROVIDER, longest_s=LONGEST_LIMIT_S),
        FailureKind.TRANSIENT: Rule(5.0, Scope.REGION),
        FailureKind.MISCONFIGURED: Rule(60.0, Scope.CHANNEL),
        # senders and texts are registered country by country; one alone may be the doing of who wrote `extra`
        FailureKind.CONTENT_REJECTED: Rule(60.0, Scope.REGION, at_once=False),
        FailureKind.QUOTA_EXHAUSTED: Rule(900.0, Scope.PROVIDER),
        FailureKind.TIMEOUT: Rule(30.0, Scope.REGION, at_once=False),
        FailureKind.INTERNAL: Rule(30.0, Scope.REGION, at_once=False),
    }
)
"""The kinds that open a breaker where they are the account's; those that are left out are always one recipient's.

The scopes are as narrow as the failure allows, because somebody chooses the number, and often the channel, of a start.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A breaker has opened or closed.

    Attributes:
        opened: or else closed.
        provider: its name.
        channel, region: "*" for all of them.
        kind: the failure that has opened it.
        seconds: for so long, at least; 0 when closed.
    """

    opened: bool
    provider: str
    channel: str
    region: str
    kind: FailureKind
    seconds: float = 0.0


def rule_of(kind: FailureKind, scope: FailureScope) -> Rule | None:
    """What a failure does; None where it opens nothing.

    What is of one recipient is met by whoever has such a number, or asks often enough, and shall harm nobody else.
    """
    return None if scope is FailureScope.RECIPIENT else RULES.get(kind)


class _Breaker:
    """Closed while `kind` is None, open until `until`, half-open from then on."""

    __slots__ = ("key", "kind", "opened_at", "probe", "probe_at", "recent", "until")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.kind: FailureKind | None = None
        self.opened_at = self.until = self.probe_at = 0.0
        self.probe: Probe | None = None
        self.recent: deque[tuple[float, bool]] = deque(maxlen=RECENT)

    def unknown_at(self, now: float) -> int:
        """How many of the recent answers were unknown."""
        return sum(bad for at, bad in self.recent if now - at <= WINDOW_S)

    def is_stale(self, began: float) -> bool:
        """Whether a call that began then can say nothing new."""
        return self.kind is not None and began < self.opened_at

    def may_probe(self, now: float) -> bool:
        """Whether it is half-open and nobody tries the provider out."""
        return now >= self.until and (self.probe is None or now - self.probe_at > PROBE_S)


class Probe:
    """The right to try one provider out, while the breakers that it holds are half-open."""

    __slots__ = ("held",)

    def __init__(self, held: Sequence[_Breaker]) -> None:
        self.held = held


class Breakers:
    """The breakers of one engine. Safe to share between threads.

    Args:
        clock: seconds of a clock that nobody sets.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self.reset()
        _made.add(self)

    def reset(self) -> None:
        """Nothing is known: at first, and in a forked child, for which no probe of its parent returns."""
        self._lock = Lock()
        self._known: dict[Key, _Breaker] = {}

    def order(self, route: Sequence[Leg], region: str, probes: list[Probe]) -> Sequence[Leg]:
        """The route with the legs that are spared at its end, the one that is spared least long first.

        A provider whose time is over is half-open: one caller at a time finds its leg in its place, as a probe, and
        all others at the end, until an answer has closed or opened it.

        Args:
            route: legs, best first; each is judged on its own channel.
            region: of the number.
            probes: what the caller was lent is put there; to be given to `release` when its operation is over.
        """
        if len(route) < 2 or not self._known:  # noqa: PLR2004  # one has no order
            return route
        first: list[Leg] = []
        spared: list[tuple[float, Leg]] = []
        with self._lock:
            now = self.clock()
            lent: Probe | None = None
            for leg in route:
                held = [each for each in self._of(leg.provider, leg.channel, region) if each.kind is not None]
                if not held or (lent is not None and all(each.probe is lent for each in held)):
                    first.append(leg)
                elif lent is None and all(each.may_probe(now) for each in held):
                    lent = self._lend(held, now)
                    first.append(leg)
                    probes.append(lent)
                else:
                    spared.append((max(each.until for each in held), leg))
        spared.sort(key=lambda each: each[0])
        return (*first, *(leg for _, leg in spared))

    def release(self, probes: Iterable[Probe]) -> None:
        """The operations that held these are over; whatever they did not find out, the next one may."""
        with self._lock:
            for probe in probes:
                for each in probe.held:
                    if each.probe is probe:
                        each.probe = None

    def heard(
        self, provider: str, channel: str, region: str, answer: Accepted | Failure, *, began: float, timeout_s: float
    ) -> Sequence[Change]:
        """Learn from the answer to a send.

        Args:
            provider: its name.
            channel: of the send.
            region: of the number.
            answer: what it said, or was taken to have said.
            began: when it was called, on `clock`; what began before a breaker opened changes nothing of it.
            timeout_s: the deadline it was given.

        Returns:
            What has opened or closed.
        """
        if isinstance(answer, Accepted) and not self._known and self.clock() - began <= timeout_s + LATE_S:
            return ()
        with self._lock:
            now = self.clock()
            if isinstance(answer, Accepted) and now - began <= timeout_s + LATE_S:
                told = [self._well(each, now, began) for each in self._of(provider, channel, region)]
                return tuple(change for change in told if change is not None)
            kind = FailureKind.TIMEOUT if isinstance(answer, Accepted) else answer.kind
            rule = rule_of(kind, FailureScope.ACCOUNT if isinstance(answer, Accepted) else answer.scope)
            if rule is None:
                return ()
            seconds, at_once = rule.opens_s, rule.opens_at_once(region)
            if isinstance(answer, Failure) and answer.retry_after is not None and at_once:
                seconds = min(max(answer.retry_after.total_seconds(), 0.0), rule.longest_s)
            each = self._at(rule.scope.key(provider, channel, region))
            return self._ill(each, kind, now, began, seconds, at_once=at_once)

    def checked(self, provider: str, answer: CheckAnswer, *, began: float, timeout_s: float) -> Sequence[Change]:
        """Learn from the answer to a check: who cannot check makes codes that nobody can use.

        A check knows neither channel nor region. One that was answered closes nothing: checks may go well where
        every send is refused. The arguments are those of `heard`.
        """
        now = self.clock()
        bad = answer.verdict is CheckVerdict.UNKNOWN or now - began > timeout_s + LATE_S
        if not bad and not self._known:
            return ()
        key, rule = Scope.PROVIDER.key(provider, "", ""), RULES[FailureKind.TIMEOUT]
        with self._lock:
            if bad:
                return self._ill(self._at(key), FailureKind.TIMEOUT, now, began, rule.opens_s, at_once=rule.at_once)
            if (found := self._known.get(key)) is not None and found.kind is None:
                self._well(found, now, began)
            return ()

    # --- with the lock held --------------------------------------------------------------------

    def _of(self, provider: str, channel: str, region: str) -> list[_Breaker]:
        """Those that a send would meet."""
        keys = (scope.key(provider, channel, region) for scope in Scope)
        return [found for key in dict.fromkeys(keys) if (found := self._known.get(key)) is not None]

    def _at(self, key: Key) -> _Breaker:
        found = self._known.get(key)
        if found is None:
            while len(self._known) >= MOST:  # what is over first is missed least
                del self._known[min(self._known.values(), key=lambda each: each.until).key]
            found = self._known[key] = _Breaker(key)
        return found

    def _lend(self, held: Sequence[_Breaker], now: float) -> Probe:
        probe = Probe(held)
        for each in held:
            each.probe, each.probe_at = probe, now
        return probe

    def _well(self, each: _Breaker, now: float, began: float) -> Change | None:
        if each.is_stale(began):
            return None
        each.recent.append((now, False))
        if each.kind is None and each.unknown_at(now):
            return None
        del self._known[each.key]
        return _change(each, each.kind, opened=False) if each.kind is not None else None

    def _ill(
        self, each: _Breaker, kind: FailureKind, now: float, began: float, seconds: float, *, at_once: bool
    ) -> Sequence[Change]:
        if each.is_stale(began):
            return ()
        if not at_once:
            each.recent.append((now, True))
            half_open = each.kind is not None and now >= each.until
            if not half_open and each.unknown_at(now) < UNKNOWNS:
                return ()
        is_news = each.kind is not kind
        each.kind, each.opened_at, each.probe = kind, now, None
        each.until = max(each.until, now + seconds)
        return (_change(each, kind, opened=True, seconds=seconds),) if is_news else ()


def _change(each: _Breaker, kind: FailureKind, *, opened: bool, seconds: float = 0.0) -> Change:
    provider, channel, region = each.key
    return Change(opened, provider, channel, region, kind, seconds)


_made: weakref.WeakSet[Breakers] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for each in list(_made):
        each.reset()


os.register_at_fork(after_in_child=_after_fork_in_child)
