"""Row 7: the same start and check by django-phone-verify on the same database; django-otp and `limits` beside it.

The peers are in an environment of their own, which `make bench` makes (one of them brings a package under the name of
one that the core needs), and so in a process of their own. Both sides do the work of the same clients in turn.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from limits import RateLimitItemPerDay
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from otpcore.engine import Engine
from tests.benchmarks.backends import BACKENDS, Backend
from tests.benchmarks.clients import Desk, cycles_by_threads
from tests.benchmarks.cycle import PEPPER, ROOT, fictional, folder, numbers
from tests.benchmarks.measuring import Absent, Bound, Figure, Found, Side, Sizes, figure, in_turn, wall
from tests.benchmarks.sampling import Profile
from tests.benchmarks.servers import Missing

__all__ = ["MATCHES", "ROWS", "Match", "Peers", "measure"]

ROWS: Final = ("7",)
PYTHON: Final = ROOT / ".benchmarks" / "peers" / "bin" / "python"

PEERS: Final = ("django-phone-verify", "django-otp")

SENDS: Final = RateLimitItemPerDay(10, namespace="send")
CHECKS: Final = RateLimitItemPerDay(10, namespace="check")


@dataclass(frozen=True)
class Match:
    """Two sides on one kind of database.

    Attributes:
        backend: ours.
        database: theirs, as Django describes it; may depend on the folder of its file, or on the backend's server.
        terms: how the database is used, for the page.
        goals: by the number of clients; None for information.
    """

    backend: str
    database: Callable[[Path, Backend], dict[str, Any]]
    terms: str
    goals: dict[int, Bound | None]


def _sqlite(place: Path, pragmas: str) -> dict[str, Any]:
    options = {"init_command": pragmas} if pragmas else {}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(place / "peers.db"), "OPTIONS": options}


def _postgresql(_place: Path, backend: Backend) -> dict[str, Any]:
    url = sa.make_url(backend.url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.database,
        "USER": url.username,
        "PASSWORD": url.password or "",
        "HOST": url.host,
        "PORT": url.port or 5432,
    }


WAL: Final = "PRAGMA journal_mode = WAL; PRAGMA synchronous = {}"

MATCHES: Final = (
    Match("tinydb", lambda place, _: _sqlite(place, ""), "each side's default: TinyDB, SQLite", {1: ("≥", 10.0)}),
    Match(
        "sqlite-normal",
        lambda place, _: _sqlite(place, WAL.format("NORMAL")),
        "SQLite, WAL, synchronous NORMAL",
        {1: ("≥", 20.0)},
    ),
    Match(
        "sqlite-full", lambda place, _: _sqlite(place, WAL.format("FULL")), "SQLite, WAL, synchronous FULL", {1: None}
    ),
    Match("postgresql", _postgresql, "PostgreSQL", {1: ("≥", 3.5), 8: ("≥", 6.0)}),
)


class Peers:
    """The process of the peers, on one database."""

    def __init__(self, database: dict[str, Any]) -> None:
        if not PYTHON.exists():
            raise Missing("the peers are not installed (`make bench` does it)")
        command = [str(PYTHON), "-m", "tests.benchmarks.peer_child", json.dumps(database)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self._answer()

    def cycles(self, peer: str, people: list[str], clients: int) -> float:
        """Seconds of one cycle."""
        return float(self._ask(peer, people, clients))

    def profile(self, peer: str, people: list[str]) -> Profile:
        """Where the time of one cycle goes, with one client."""
        told: Profile = self._ask(peer, people, 0)
        return told

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=30)

    def _ask(self, peer: str, people: list[str], clients: int) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"peer": peer, "numbers": people, "clients": clients}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process of the peers has ended"
        return json.loads(line)


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Found]:
    """Measure each pair of databases that is here, then `limits` on Redis."""
    for match in MATCHES:
        say(f"django-phone-verify and django-otp: {match.terms}")
        try:
            with BACKENDS[match.backend]() as backend, folder() as place, _peers(match, place, backend) as peers:
                yield from _against(sizes, match, backend, peers)
        except Missing as missing:
            yield Absent("7", f"against django-phone-verify, {match.terms}", str(missing))
    say("two decisions of `limits`")
    for name in ("memory", "redis"):
        try:
            with BACKENDS[name]() as backend:
                yield _limits(sizes, backend)
        except Missing as missing:
            yield Absent("7", f"against `limits` on {name}", str(missing))


@contextmanager
def _peers(match: Match, place: Path, backend: Backend) -> Generator[Peers]:
    peers = Peers(match.database(place, backend))
    try:
        yield peers
    finally:
        peers.close()


def _against(sizes: Sizes, match: Match, backend: Backend, peers: Peers) -> Iterator[Figure]:
    desk = Desk()
    engine = Engine(backend.build(), desk, pepper=PEPPER)
    texts = fictional()
    people = {side: iter(cycle(texts)) for side in ("ours", *PEERS)}
    share = max(8, sizes.cycles // 2)
    with ThreadPoolExecutor(max(match.goals)) as pool:
        try:
            for clients, goal in match.goals.items():

                def ours(_pair: int, clients: int = clients) -> float:
                    batch = list(islice(people["ours"], share))
                    return cycles_by_threads(pool, engine, desk, batch, clients)

                def theirs(peer: str, clients: int = clients) -> Side:
                    return lambda _pair: peers.cycles(peer, list(islice(people[peer], share)), clients)

                sides = (ours, *(theirs(peer) for peer in PEERS))
                for side in sides:
                    side(0)  # connections, imports, caches
                ours_s, *others = in_turn(sizes.pairs, *sides)
                for peer, peer_s, bound in zip(PEERS, others, (goal, None), strict=True):
                    yield _figure(match.terms, clients, peer, peer_s, ours_s, bound)
        finally:
            engine.close()


def _figure(terms: str, clients: int, peer: str, theirs: list[float], ours: list[float], bound: Bound | None) -> Figure:
    who = "1 client" if clients == 1 else f"{clients} clients"
    what = f"start+check a second over {peer}'s, {terms}, {who}{'' if bound else ' (information)'}"
    return figure("7", what, theirs, ours, bound, names=(peer, "ours"))


def _limits(sizes: Sizes, backend: Backend) -> Figure:
    storage: Storage = RedisStorage(backend.url) if backend.url else MemoryStorage()
    limiter, desk = FixedWindowRateLimiter(storage), Desk()
    engine = Engine(backend.build(), desk, pepper=PEPPER)
    share = sizes.cycles

    def ours(pair: int) -> float:
        people = numbers(range(pair * share, (pair + 1) * share))
        return wall(lambda: cycles_by_threads(pool, engine, desk, people, 1), share)

    def theirs(pair: int) -> float:
        keys = [f"{which:09}" for which in range(pair * share, (pair + 1) * share)]
        return wall(lambda: [limiter.hit(what, key) for key in keys for what in (SENDS, CHECKS)], share)

    with ThreadPoolExecutor(1) as pool:
        ours_s, theirs_s = in_turn(sizes.pairs, ours, theirs)
    engine.close()
    what = f"start+check over two decisions of `limits`, fixed window, {backend.name}, 1 client (information)"
    return figure("7", what, ours_s, theirs_s, None)
