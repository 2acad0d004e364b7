"""The facade in a world of its own: one desk over one store and one fake vendor, with a clock that a test moves.

Rules of this file: it drives and looks, and expects nothing. The vendor's clock never runs backwards: a vendor has a
clock of its own.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from werkzeug.exceptions import HTTPException

from otpcore.contract import (
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    Failure,
    FailureKind,
    SendEffect,
    SendRequest,
    Versioned,
)
from otpcore.legacy import Desk, LegacySettings, OTP_Model, use
from otpcore.policy import DEFAULT, Profile
from otpcore.ports import Store
from otpcore.providers.fake import FakeProvider, Outcome
from otpcore.stores.memory import MemoryStore
from tests.legacy.reference import Told

__all__ = [
    "EPOCH",
    "LATCH_TIMEOUT_S",
    "ORDERS",
    "SEASONS",
    "House",
    "MeetingStore",
    "at_once",
    "heard",
    "in_zone",
    "local",
    "told",
    "utc",
]

EPOCH: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PEPPER: Final = bytes(range(32))
LATCH_TIMEOUT_S: Final = 20.0

SEASONS: Final = (
    ("America/New_York", datetime(2026, 3, 8, 6, 30, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 3, 29, 0, 30, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 14, 30, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 0, tzinfo=UTC)),
)
"""Half an hour before the clocks change, there and back; Lord Howe's change by half an hour."""

ORDERS: Final[dict[str, Outcome]] = {
    "lost": FailureKind.TIMEOUT,
    "transient": Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT),
    "rate_limited": Failure(FailureKind.RATE_LIMITED, SendEffect.NOT_SENT, retry_after=timedelta(seconds=30)),
    "invalid_recipient": Failure(FailureKind.INVALID_RECIPIENT, SendEffect.NOT_SENT),
}


class MeetingStore(MemoryStore):
    """A memory store whose callers meet after a load: none goes on before all have seen the same."""

    def __init__(self) -> None:
        super().__init__()
        self._latch: threading.Barrier | None = None
        self._seen = threading.local()

    def meet(self, parties: int) -> None:
        """The next load of each of so many threads waits for those of the others."""
        self._latch, self._seen = threading.Barrier(parties, action=self._met), threading.local()

    def _met(self) -> None:
        self._latch = None

    def load(self, key: str) -> Versioned | None:
        found = super().load(key)
        latch = self._latch
        if latch is not None and not hasattr(self._seen, "done"):
            self._seen.done = True
            latch.wait(LATCH_TIMEOUT_S)
        return found


class House:
    """The facade, and whatever is behind it. Use as a context.

    Attributes:
        now: what the clock shows.
        passed: how much time has gone by: jumps backwards do not count.
        order: what the vendor makes of the next send, one of `ORDERS`; "": nothing odd.
        script: what the vendor answers else; None: the ordinary.
    """

    def __init__(
        self,
        *,
        owner: CodeOwner = CodeOwner.PROVIDER,
        store: Store | None = None,
        profile: Profile = DEFAULT,
        strict: bool = False,
        begin: datetime = EPOCH,
    ) -> None:
        self.now, self.begin, self.passed = begin, begin, timedelta(0)
        self.order = ""
        self.script: Callable[[SendRequest | CheckRequest], Outcome | None] | None = None
        self.store: Any = MeetingStore() if store is None else store
        self.vendor = FakeProvider(owner=owner, script=self._script, seed=1, clock=lambda: self.begin + self.passed)
        self._random = random.Random(1)
        self.desk = Desk(
            self.store,
            self.vendor,
            settings=LegacySettings(strict=strict),
            profile=profile,
            pepper=PEPPER,
            clock=lambda: self.now,
            entropy=self._random.randbytes,
        )
        use(lambda: self.desk)

    def _script(self, request: SendRequest | CheckRequest) -> Outcome | None:
        if isinstance(request, SendRequest) and self.order:
            return ORDERS[self.order]
        return None if self.script is None else self.script(request)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The process is without a desk again."""
        use(None)

    def move(self, by: timedelta) -> None:
        """Time goes by, or the clock is set back."""
        self.now += by
        self.passed += max(by, timedelta(0))

    def model(self, number: str, *, strict: bool | None = None) -> Any:
        """An `OTP_Model` of this number."""
        return OTP_Model(number) if strict is None else OTP_Model(phone_number=number, strict_legacy=strict)

    @property
    def records(self) -> Any:
        """`Svretries`."""
        return OTP_Model.Svretries

    def make_record(self, count: int) -> Any:
        """The resend record of the pair ("hash", "user"), with this count."""
        return self.records.create(uniqueId="hash", userId="user", count=count)

    def find_records(self) -> list[Any]:
        """What is kept of the pair ("hash", "user"), by a walk through the store."""
        walked = [self._record_at(key) for key, _ in self.store.scan("", 500) if "/c/" in key]
        return [one for one in walked if one is not None and (one.uniqueId, one.userId) == ("hash", "user")]

    def _record_at(self, key: str) -> Any:
        return self.records.get_or_none(self.records.id == int(key.rpartition("/")[2]))

    def fail(self) -> None:
        """From now on the vendor's answers are lost."""
        self.order = "lost"
        self.script = lambda request: CheckVerdict.UNKNOWN if isinstance(request, CheckRequest) else None

    @property
    def sent(self) -> list[str]:
        """To whom messages went, oldest first."""
        return [message.recipient for message in self.vendor.outbox]

    def code_of(self, number: str) -> str:
        """The code of the newest message to this number."""
        return self.vendor.code_for(number)

    def meet(self, parties: int) -> None:
        """The next call of each of so many threads decides on what all of them have seen."""
        self.store.meet(parties)


def told(call: Callable[[], Any]) -> tuple[Told, Any, Exception | None]:
    """What a call came to, what it returned, and what it raised of werkzeug's."""
    try:
        returned = call()
    except HTTPException as error:
        return Told(error.code or 0, getattr(error, "retry_after", None)), None, error
    return Told(status=getattr(returned, "status", "")), returned, None


def local(at: datetime, zone: str) -> datetime:
    """The naive wall clock of the zone at that instant, with its `fold`."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def utc(naive: datetime, zone: str) -> datetime:
    """The instant of a naive local time of the zone."""
    return naive.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@contextmanager
def in_zone(name: str) -> Generator[None]:
    """Move this process to a time zone, and back; for where no fixture is."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Make all calls from one latch; their outcomes in order, an exception as itself."""
    outcomes: list[Any] = [None] * len(calls)
    latch = threading.Barrier(len(calls))

    def party(place: int, call: Callable[[], Any]) -> None:
        latch.wait(LATCH_TIMEOUT_S)
        try:
            outcomes[place] = call()
        except Exception as error:  # noqa: BLE001  # counted by the body
            outcomes[place] = error

    threads = [threading.Thread(target=party, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@contextmanager
def heard() -> Generator[list[str]]:
    """What the facade's log says."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("otpcore.legacy")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
