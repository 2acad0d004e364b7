"""What the legacy facade has to answer, by its documentation alone: plain values, and one method for each call.

    Pair        a resend record: its count, and when its wait ends
    Phone       one number: its steps, its messages, its failed tries, and the codes that it holds
    Caller      one `OTP_Model`: whose number it has, what it loaded and deleted, whether it was just told "approved"

Rules of this file: nothing of the library but the numbers of a profile; no I/O, no clock of its own. After a clock ran
backwards nobody can know from outside what a record makes of it: what is then possible is said as a range.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from otpcore.policy import Profile
from tests.legacy.reference_codes import FORBIDDEN, FREE, LONG_AGO, ZERO, Caller, Codes, Key, Phone, Told

__all__ = ["Caller", "Key", "Pair", "Phone", "Reference", "Told"]

LEEWAY: Final = timedelta(seconds=5)
"""So much a record's clock may be ahead of one that ran backwards."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A resend record.

    Attributes:
        count: steps taken.
        expires: no send up to and including this instant; None: never counted.
        made_at: when it was made.
        number: whom it was made for, E.164; "" when nobody said.
        length: what the wait was when it began.
        ends_no_sooner: in time that has passed; for after a clock that ran backwards.
        ahead: up to this instant its clock may be ahead.
        doubted: the clock ran backwards since it was last looked at.
    """

    made_at: datetime
    count: int = 0
    expires: datetime | None = None
    number: str = ""
    length: timedelta = ZERO
    ends_no_sooner: timedelta = ZERO
    ahead: datetime = LONG_AGO
    doubted: bool = False


class Reference(Codes):
    """What there is, and what each call makes of it."""

    def __init__(self, profile: Profile, *, vendor_owns: bool, now: datetime) -> None:
        super().__init__(profile, vendor_owns=vendor_owns, now=now)
        self.pairs: dict[Key, Pair] = {}

    def move(self, by: timedelta) -> None:
        """The clock goes forward, or runs backwards."""
        before = self.now
        self.now += by
        if by >= ZERO:
            self.passed += by
            return
        for phone in self.phones.values():
            phone.doubted = True
        for key, pair in self.pairs.items():
            sooner = pair.ends_no_sooner
            if pair.expires is not None and not pair.doubted:
                ahead = min(LEEWAY, max(ZERO, pair.ahead - before))
                sooner = self.passed + (pair.expires - before - ahead)
            self.pairs[key] = replace(pair, doubted=True, ahead=max(pair.ahead, before), ends_no_sooner=sooner)

    # --- resend records ------------------------------------------------------------------------

    def presents(self, key: Key) -> tuple[datetime, ...]:
        """The earliest and the latest that a record's clock may show, and where the answer turns; most often one."""
        pair = self.pairs.get(key)
        ahead = min(LEEWAY, max(ZERO, pair.ahead - self.now)) if pair is not None else ZERO
        if pair is None or not ahead:
            return (self.now,)
        over = (pair.expires or self.now) + timedelta(milliseconds=1)  # from then on it is answered otherwise
        return (self.now, min(max(self.now, over), self.now + ahead), self.now + ahead)

    def settle(self, key: Key, count: int, expires: datetime | None) -> None:
        """A record that was in doubt is looked at: it has lost no count, and its wait is not shorter, nor void."""
        pair = self.pairs[key]
        assert count == pair.count
        assert (expires is None) is (pair.expires is None)
        if expires is not None and pair.expires is not None:
            assert expires <= pair.expires
            left = pair.ends_no_sooner - self.passed
            assert left < ZERO or expires >= self.now + left
            assert expires <= self.now + pair.length + LEEWAY
        self.pairs[key] = replace(pair, expires=expires, doubted=False)

    def check_count(self, caller: Caller, key: Key) -> list[Told]:
        """What may be told; where it is free, the record is the pair's."""
        pair = self.pairs.get(key) or Pair(made_at=self.now, number=caller.number)
        self.pairs[key] = pair
        until = pair.expires
        return [
            FREE
            if until is None or now > until or (caller.approved and self.pairs[key].number == caller.number)
            else Told(429, max(1, ceil((until - now).total_seconds())))
            for now in self.presents(key)
        ]

    def let_through(self, caller: Caller, key: Key) -> None:
        """It was handed the record."""
        caller.loaded.add(key)
        caller.deleted.discard(key)
        self._named(caller, key)

    def _named(self, caller: Caller, key: Key) -> None:
        """A record that nobody was named for is this number's from now on."""
        if not self.pairs[key].number:
            self.pairs[key] = replace(self.pairs[key], number=caller.number)

    def add_count(self, caller: Caller, key: Key) -> list[Pair]:
        """What the record may be after one more send."""
        caller.approved = False
        caller.loaded.add(key)
        self.pairs.setdefault(key, Pair(made_at=self.now))
        self._named(caller, key)
        return [self._counted(self.pairs[key], now) for now in self.presents(key)]

    def _counted(self, pair: Pair, now: datetime) -> Pair:
        waits = self.profile.ladder
        running = pair.expires if pair.expires is not None and now <= pair.expires else None
        again = len(waits) if running is not None else 1
        count = pair.count + 1 if pair.count < len(waits) else again
        until = now + waits[count - 1]
        if running is not None:
            until = max(until, running)
        return replace(pair, count=count, expires=until, length=until - self.now)

    def take(self, key: Key, count: int, expires: datetime | None, among: list[Pair]) -> None:
        """What was observed is one of what may be; then it is."""
        like = [one for one in among if one.count == count]
        assert like
        ends = [one.expires for one in among]
        if expires is None or None in ends:
            assert expires in ends
        else:
            known = [end for end in ends if end is not None]
            assert min(known) <= expires <= max(known)
        self.pairs[key] = replace(like[-1], expires=expires)

    def written(self, key: Key, *, count: int | None, expires: datetime | None, sets_expires: bool) -> list[Pair]:
        """The record after `create` or `update`."""
        pair = self.pairs.get(key) or Pair(made_at=self.now)
        if count is not None:
            pair = replace(pair, count=count)
        if sets_expires:
            length = ZERO if expires is None else max(ZERO, expires - self.now)
            pair = replace(pair, expires=expires, length=length)
        return [pair]

    def delete_count(self, caller: Caller, key: Key | None) -> Told:
        """None: an id that no pair has."""
        pair = self.pairs.get(key) if key is not None else None
        if key is None or pair is None:
            return FREE if key in caller.deleted else FORBIDDEN
        mine = pair.number == caller.number if pair.number else caller.approved
        if not caller.strict and key not in caller.loaded and not (caller.number and mine):
            return FORBIDDEN
        del self.pairs[key]
        caller.deleted.add(key)
        return FREE
