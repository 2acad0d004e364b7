"""What is measured: a person starts a verification and enters the right code.

Rules of this file: the provider answers at once, so that only the core and its store are measured.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import phonenumbers

from otpcore.contract import (
    Accepted,
    CodeOwner,
    Conflict,
    Failure,
    ProviderCapabilities,
    SendRequest,
    StoreCapabilities,
    Version,
    Versioned,
)
from otpcore.engine import Engine
from otpcore.phone import LineType, PhoneNumber
from otpcore.ports import Store
from otpcore.results import Approved, Sent
from otpcore.stores.memory import MemoryStore

__all__ = [
    "GC_AT",
    "PEPPER",
    "ROOT",
    "CountingStore",
    "Instant",
    "cycles",
    "fictional",
    "folder",
    "live_record",
    "number",
    "numbers",
]

PEPPER: Final = b"the pepper of benchmarks, 32 bytes"

GC_AT: Final = datetime.now(UTC) + timedelta(days=400)

ROOT: Final = Path(__file__).parents[2]


class Instant:
    """A provider that takes every send at once, and remembers the last code. The core owns the codes."""

    capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms"}))
    accepted = Accepted("message")

    def __init__(self) -> None:
        self.code = ""

    def send(self, request: SendRequest) -> Accepted | Failure:
        """Take it."""
        self.code = request.code or ""
        return self.accepted

    def close(self) -> None:
        """Nothing is open."""


class CountingStore:
    """A store that counts its round trips, and takes no batches."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.trips: Counter[str] = Counter()

    @property
    def capabilities(self) -> StoreCapabilities:
        """Those of the inner store, but for `batch`."""
        return replace(self._inner.capabilities, batch=False)

    def load(self, key: str) -> Versioned | None:
        """Count and pass on."""
        self.trips["load"] += 1
        return self._inner.load(key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """Count and pass on."""
        self.trips["commit"] += 1
        return self._inner.commit(key, data, expect=expect, gc_at=gc_at)

    def sweep(self, before: datetime, *, limit: int) -> int:
        """Count and pass on."""
        self.trips["sweep"] += 1
        return self._inner.sweep(before, limit=limit)

    def close(self) -> None:
        """Pass on."""
        self._inner.close()


def number(which: int) -> PhoneNumber:
    """A canonical number under +999, which no country has."""
    return PhoneNumber(f"+999{which:09}", "US", LineType.MOBILE)


def numbers(which: Iterable[int]) -> list[PhoneNumber]:
    """Canonical numbers."""
    return [number(one) for one in which]


def fictional() -> list[str]:
    """Some 35,000 valid numbers that belong to nobody: 555-0100 to 555-0199 of the area codes of +1."""
    ordinary = phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE
    parsed = {area: phonenumbers.parse(f"+1{area}5550100") for area in range(200, 1000)}
    areas = [area for area, one in parsed.items() if phonenumbers.number_type(one) == ordinary]
    return [f"+1{area}55501{line:02}" for line in range(100) for area in areas]


def cycles(engine: Engine, provider: Instant, recipients: Iterable[PhoneNumber | str]) -> None:
    """A start and the right check for each recipient."""
    for recipient in recipients:
        sent = engine.start(recipient)
        assert isinstance(sent, Sent), sent
        approved = engine.check(sent.session.token or "", provider.code)
        assert isinstance(approved, Approved), approved


def live_record() -> bytes:
    """A record with a live session."""
    store = MemoryStore()
    Engine(store, Instant()).start(number(1))
    ((_key, found),) = store.scan("", 1)
    return found.data


@contextmanager
def folder() -> Generator[Path]:
    """A folder on the file system of the repository: that of temporary files may be in memory, where a sync is free."""
    place = ROOT / ".benchmarks"
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as path:
        yield Path(path)
