"""A class with the old surface and the old faults, made from their description: the control of the nine properties.

Rules of this file: each fault is one that LEGACY.md tells of, and nothing here is used but to be caught.
"""

from __future__ import annotations

import itertools
import os
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace, TracebackType
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from werkzeug.exceptions import Forbidden, InternalServerError, TooManyRequests

from tests.legacy.world import EPOCH, LATCH_TIMEOUT_S

__all__ = ["OldHouse"]

WAITS: Final = (timedelta(minutes=2), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=24))
TEST_NUMBER: Final = "+237671234567"


@dataclass(eq=False)
class Row:
    """A row of the old table."""

    id: int
    uniqueId: str  # noqa: N815  # the old column's name
    userId: str  # noqa: N815  # the old column's name
    count: int = 0
    expires: datetime | None = None


@dataclass
class Rows:
    """The old table: nothing in it is unique but the id."""

    rows: list[Row] = field(default_factory=list[Row])
    ids: Any = field(default_factory=lambda: itertools.count(1))

    def find(self, unique_id: str, user_id: str) -> list[Row]:
        return [row for row in self.rows if (row.uniqueId, row.userId) == (unique_id, user_id)]

    def create(self, *, uniqueId: str, userId: str, count: int = 0) -> Row:  # noqa: N803  # the old names
        row = Row(next(self.ids), uniqueId, userId, count)
        self.rows.append(row)
        return row


class OldModel:
    """The old class as it behaved."""

    def __init__(self, house: OldHouse, number: str) -> None:
        self.house, self.phone_number = house, number

    def verification(self) -> Any:
        """To the number as typed; every error is a 500, and says nothing."""
        self.house.sent.append(self.phone_number)
        if self.house.fails:
            raise InternalServerError
        return SimpleNamespace(status="pending", to=self.phone_number)

    def verification_check(self, code: str) -> Any:
        """Every error is a 403, and says nothing; one number needs no code."""
        right = code == "123456" if self.phone_number == TEST_NUMBER else code == self.house.code_of(self.phone_number)
        if self.house.fails or not right:
            raise Forbidden
        return SimpleNamespace(status="approved", to=self.phone_number)

    def check_count(self, unique_id: str, user_id: str) -> Row:
        """Look, then make; and nobody else is kept from doing so meanwhile."""
        found = self.house.rows.find(unique_id, user_id)
        self.house.give_way()
        row = found[0] if found else self.house.rows.create(uniqueId=unique_id, userId=user_id)
        if row.expires is not None and self.house.wall_clock() <= row.expires:
            raise TooManyRequests
        return row

    def add_count(self, counter: Row) -> str | None:
        """Read, then write; the fifth send falls out of the ladder, and after it the row is out of any."""
        count = counter.count
        self.house.give_way()
        if count > len(WAITS):
            return None
        if count == len(WAITS):
            counter.count, counter.expires = 0, None
            return None
        counter.count, counter.expires = count + 1, self.house.wall_clock() + WAITS[count]
        return str(counter.expires.timestamp())

    def delete_count(self, counter_id: int) -> None:
        """Whoever asks."""
        found = [row for row in self.house.rows.rows if row.id == counter_id]
        if not found:
            raise Forbidden
        self.house.rows.rows.remove(found[0])


class OldHouse:
    """As `tests.legacy.world.House`, around the old class."""

    def __init__(self, *, begin: datetime = EPOCH) -> None:
        self.now = begin
        self.sent: list[str] = []
        self.rows = Rows()
        self.fails = False
        self._latch: threading.Barrier | None = None
        self._seen = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def wall_clock(self) -> datetime:
        """Naive local time."""
        zone = ZoneInfo(os.environ["TZ"]) if "TZ" in os.environ else UTC
        return self.now.astimezone(zone).replace(tzinfo=None, fold=0)

    def move(self, by: timedelta) -> None:
        self.now += by

    def model(self, number: str) -> Any:
        return OldModel(self, number)

    def make_record(self, count: int) -> Any:
        return self.rows.create(uniqueId="hash", userId="user", count=count)

    def find_records(self) -> list[Any]:
        return [*self.rows.find("hash", "user")]

    def code_of(self, number: str) -> str:
        return f"{sum(map(ord, number)):06}"

    def fail(self) -> None:
        self.fails = True

    def meet(self, parties: int) -> None:
        self._latch, self._seen = threading.Barrier(parties, action=self._met), threading.local()

    def _met(self) -> None:
        self._latch = None

    def give_way(self) -> None:
        latch = self._latch
        if latch is not None and not hasattr(self._seen, "done"):
            self._seen.done = True
            latch.wait(LATCH_TIMEOUT_S)
