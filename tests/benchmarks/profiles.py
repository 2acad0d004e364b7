"""Where the time of a cycle goes, on each store and at django-phone-verify: why rows 1, 3 and 7 are what they are.

Rules of this file: one client, in the main thread, because only that one can be looked at; see `sampling`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Final

from otpcore.engine import Engine
from tests.benchmarks.backends import BACKENDS, Backend
from tests.benchmarks.cycle import PEPPER, Instant, cycles, fictional, folder, numbers
from tests.benchmarks.measuring import Absent, Found, Rates, Sizes
from tests.benchmarks.peers import MATCHES, Match, Peers
from tests.benchmarks.sampling import Profile, profiled
from tests.benchmarks.servers import Missing

__all__ = ["ROWS", "measure"]

ROWS: Final = ("",)

PARTS: Final[Mapping[str, Sequence[str]]] = {
    "the store and its driver, waiting included": ("/otpcore/stores/", "/otpcore_sql/", "/otpcore_redis/"),
    "codes, digests, pseudonyms, entropy": ("/otpcore/codes.py", "/engine/sync.py:_draw"),
    "words of the message": ("/otpcore/messages/", "/flows/wording.py"),
    "record from and to bytes": ("/otpcore/model.py:encode", "/otpcore/model.py:decode", "/otpcore/stored.py"),
    "policy, ledger, state machine": ("/otpcore/policy.py", "/otpcore/machine.py", "/otpcore/ledger/", "/model.py"),
    "flows and results": ("/otpcore/flows/", "/otpcore/results.py", "/otpcore/routing.py", "/otpcore/recipients.py"),
    "engine": ("/otpcore/engine/",),
}
REST: Final = "the benchmark itself"

STORES: Final = ("memory", "tinydb", "sqlite-normal", "sqlite-full", "redis", "postgresql")

THEIRS: Final = ("the database driver, waiting included", "Django's ORM and models", "django-phone-verify")
"""The parts that `peer_child` tells apart."""

PEER: Final = "django-phone-verify"
BATCH: Final = 50


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Found]:
    """Profile the engine on each store that is here, then the peer on its databases."""
    ours: dict[str, Profile] = {}
    for name in STORES:
        say(f"profile of a cycle on {name}")
        try:
            with BACKENDS[name]() as backend:
                ours[backend.name] = _engine(sizes, backend)
        except Missing as missing:
            yield Absent("", f"profile of a cycle on {name}", str(missing))
    yield from _table("Where the time of a cycle goes", ours, (*PARTS, REST))
    theirs: dict[str, Profile] = {}
    for match in MATCHES:
        say(f"profile of {PEER}: {match.terms}")
        try:
            theirs[match.terms] = _peer(sizes, match)
        except Missing as missing:
            yield Absent("", f"profile of {PEER}, {match.terms}", str(missing))
    yield from _table(f"Where the time of {PEER}'s cycle goes", theirs, THEIRS)


def _engine(sizes: Sizes, backend: Backend) -> Profile:
    provider = Instant()
    engine = Engine(backend.build(), provider, pepper=PEPPER)

    def work() -> int:
        done, until = 0, perf_counter() + sizes.seconds
        while perf_counter() < until:
            cycles(engine, provider, numbers(range(done, done + BATCH)))
            done += BATCH
        return done

    try:
        cycles(engine, provider, numbers(range(10**8, 10**8 + BATCH)))  # connections, imports, caches
        return profiled(work, PARTS, REST)
    finally:
        engine.close()


def _peer(sizes: Sizes, match: Match) -> Profile:
    with BACKENDS[match.backend]() as backend, folder() as place:
        peers = Peers(match.database(place, backend))
        try:
            return peers.profile(PEER, fictional()[: max(4, sizes.cycles * 4)])
        finally:
            peers.close()


def _table(name: str, found: Mapping[str, Profile], parts: Sequence[str]) -> Iterator[Rates]:
    """A line for each part, and two for the whole; a column for each profile."""
    columns = ("µs of a cycle", *found)
    for part in (*parts, "CPU", "wall"):
        title = {"CPU": "**of all this, CPU of the process**", "wall": "**together**"}.get(part, part)
        cells = (f"{one[part] * 1e6:.0f} · {100 * one[part] / one['wall']:.0f} %" for one in found.values())
        if found:
            yield Rates(name, columns, (title, *cells))
