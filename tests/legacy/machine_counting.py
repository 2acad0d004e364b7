"""The half of the histories that is about resend records: who asks, what time it is, and each call of a record.

Rules of this file: a rule makes one call, or the few of the usual order, of both; every outcome is compared at once.
Where the clock ran backwards, what is possible is a range; whatever is then answered within it is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from otpcore.contract import CodeOwner
from otpcore.policy import DEFAULT, Profile
from otpcore.ports import Store
from tests.legacy.reference import Caller, Key, Pair, Reference
from tests.legacy.world import SEASONS, House, in_zone, local, told, utc
from tests.numbers import phone
from tests.properties.world import LossyStore

__all__ = ["KEYS", "MILLISECOND", "Counting", "picks"]

DOCUMENTED: Final = "+237671234567"
SPELLINGS: Final[tuple[Callable[[str], str], ...]] = (
    str,
    lambda number: f"{number[:2]} {number[2:5]} {number[5:8]} {number[8:]}",
    lambda number: f"{number[:2]} ({number[2:5]}) {number[5:8]}-{number[8:]}",
    lambda number: number[:2] + ".".join(number[2:]),
)
NO_NUMBERS: Final = (
    "",
    "671234567",
    "+1",
    "+1202555010",
    "mailto:+12025550100",
    "+12025550100 ext. 5",
    "+1 202  5550100",
)
NOT_SERVED: Final = "+19002345678"
KEYS: Final[tuple[Key, ...]] = tuple((unique, user) for unique in ("hash-1", "hash-2") for user in ("1", "2", "ü"))
NO_IDS: Final = (0, -1, 2**63, 2**63 - 1, 7, True, "7")
MILLISECOND: Final = timedelta(milliseconds=1)
STEPS: Final = (
    *(each * MILLISECOND for each in (1, 500, 1000, 59_999, 120_000, 120_001, 299_000, 300_001, 599_999, 600_000)),
    *(each * MILLISECOND for each in (900_001, 3_600_000, 86_399_999, 86_400_000, 86_400_001, 40 * 86_400_000)),
)
JUMPS: Final = tuple(-each * MILLISECOND for each in (1, 900, 4_900, 5_000, 5_100, 60_000, 3_600_000, 90_000_000))

picks = st.integers(0, 5)
losses = st.sampled_from([None, None, None, "before", "after"])


class Counting(RuleBasedStateMachine):
    """One process with the facade; several numbers, each in several spellings, several users and unique ids."""

    profile: ClassVar[Profile] = DEFAULT
    house: House

    def enter_zone(self, name: str) -> AbstractContextManager[None]:
        return in_zone(name)

    def make_store(self) -> Store:
        return LossyStore()

    @initialize(season=st.sampled_from(SEASONS), owner=st.sampled_from(CodeOwner), strict=st.booleans())
    def open(self, season: tuple[str, datetime], owner: CodeOwner, strict: bool) -> None:
        self.zone, begin = season
        self.moved = self.enter_zone(self.zone)
        self.moved.__enter__()
        self.house = House(owner=owner, store=self.make_store(), profile=self.profile, strict=strict, begin=begin)
        self.world = Reference(self.profile, vendor_owns=owner is CodeOwner.PROVIDER, now=begin)
        self.always_strict = strict
        self.generation = 0
        self.held: list[Any] = []
        self.ids: dict[Key, int] = {}
        self.messages: dict[str, list[str]] = {}
        self.marks: dict[str, list[tuple[timedelta, int, bool]]] = {}
        self.successes: dict[str, int] = {}
        self.callers: list[tuple[Any, Caller]] = []
        for number in range(3):
            self._new_caller(number)

    def teardown(self) -> None:
        if not hasattr(self, "house"):
            return
        try:
            self._every_pair_agrees()
        finally:
            self.house.close()
            self.moved.__exit__(None, None, None)

    # --- who and what ---------------------------------------------------------------------------

    @rule(number=st.integers(0, 2), spelling=st.integers(0, 3), strict=st.booleans())
    def new_caller(self, number: int, spelling: int, strict: bool) -> None:
        self._new_caller(number, spelling, strict=strict)

    def _new_caller(self, number: int, spelling: int = 0, *, strict: bool = False) -> None:
        e164 = DOCUMENTED if self.generation == number == 0 else phone(3 * self.generation + number)
        model = self.house.model(SPELLINGS[spelling](e164), strict=strict or None)
        self.callers[7:] = []
        self.callers.insert(0, (model, Caller(e164, strict=strict or self.always_strict)))

    @rule(text=st.sampled_from((*NO_NUMBERS, NOT_SERVED)), really=st.integers(0, 3))
    def new_caller_of_no_number(self, text: str, really: int) -> None:
        if really:
            return
        number = NOT_SERVED if text == NOT_SERVED else ""
        self.callers.insert(0, (self.house.model(text), Caller(number, served=False, strict=self.always_strict)))
        assert self.house.model(text).phone_number == text

    def _key(self, pick: int) -> Key:
        """A pair; one that is in doubt is looked at first."""
        key = KEYS[pick]
        self._settle([key])
        return key

    def _settle(self, keys: list[Key]) -> None:
        records = self.house.records
        for key in keys:
            pair = self.world.pairs.get(key)
            if pair is not None and pair.doubted:
                which = (records.uniqueId == key[0]) & (records.userId == key[1])
                assert records.update(count=pair.count).where(which).execute() == 1
                found = records.get(which)
                self.world.settle(key, found.count, found.expires and utc(found.expires, self.zone))

    def _agrees(self, record: Any, key: Key, among: list[Pair] | None = None) -> None:
        """The record that was handed out is the pair's, or one of those that it may be; then it is."""
        told_at: Any = record.expires
        at = None if told_at is None else utc(told_at, self.zone)
        self.world.take(key, record.count, at, among or [self.world.pairs[key]])
        pair = self.world.pairs[key]
        made_at = local(pair.made_at, self.zone)
        assert (record.uniqueId, record.userId) == key
        assert (record.createdAt, record.createdAt.fold) == (made_at, made_at.fold)
        assert self.ids.setdefault(key, record.id) == record.id
        assert 0 < record.id < 2**63
        if pair.expires is not None:
            expires = local(pair.expires, self.zone)
            assert told_at is not None
            assert (told_at, told_at.fold, told_at.tzinfo) == (expires, expires.fold, None)
        self.held[7:] = []
        self.held.insert(0, record)

    def _every_pair_agrees(self) -> None:
        records = self.house.records
        self._settle(list(KEYS))
        found = {key: records.get_or_none(records.uniqueId == key[0], records.userId == key[1]) for key in KEYS}
        for key, record in found.items():
            assert (record is None) is (key not in self.world.pairs)
            if record is not None:
                self._agrees(record, key)
        assert len(set(self.ids.values())) == len(self.ids)
        there = [record.id for record in found.values() if record is not None]
        assert len([key for key, _ in self.house.store.scan("", 500) if "/c/" in key]) == len(there)

    # --- resend records --------------------------------------------------------------------------

    @rule(who=picks, pick=picks, lose=losses)
    def check_count(self, who: int, pick: int, lose: str | None) -> None:
        self._is_free(who, pick, lose)

    def _is_free(self, who: int, pick: int, lose: str | None = None) -> bool:
        model, caller = self._who(who)
        key = self._key(pick)
        may_be = self.world.check_count(caller, key)
        self._lose(lose)
        user_id = int(key[1]) if who % 2 and key[1].isascii() else key[1]
        came, record, _ = told(lambda: model.check_count(unique_id=key[0], user_id=user_id))
        self._lose(None)
        assert came.error in {one.error for one in may_be}
        seconds = [one.seconds or 1 for one in may_be]  # one that may be free may also be about to be
        assert (came.seconds is not None) == (came.error == 429)
        assert came.seconds is None or min(seconds) <= came.seconds <= max(seconds)
        if not came.error:
            self.world.let_through(caller, key)
            self._agrees(record, key)
        return not came.error

    @rule(who=picks, which=picks, lose=losses)
    def add_count(self, who: int, which: int, lose: str | None) -> None:
        if self.held:
            self._add(who, self.held[which % len(self.held)], lose)

    def _add(self, who: int, record: Any, lose: str | None = None) -> None:
        model, caller = self._who(who)
        key = (record.uniqueId, record.userId)
        self._settle([key])
        may_be = self.world.add_count(caller, key)
        self._lose(lose)
        until: Any = model.add_count(record)
        self._lose(None)
        found = self.house.records.get(self.house.records.id == record.id)
        self._agrees(found, key, may_be)
        expires = self.world.pairs[key].expires
        assert expires is not None
        assert abs(float(until) - expires.timestamp()) < 0.0005
        assert abs(round(until) - expires.timestamp()) <= 0.5
        assert isinstance(until, str)

    @rule(who=picks, pick=picks)
    def delete_count(self, who: int, pick: int) -> None:
        key = KEYS[pick]
        self._delete(who, key if key in self.ids else None, self.ids.get(key, 12345))

    @rule(who=picks, which=picks)
    def delete_a_held_record(self, who: int, which: int) -> None:
        """Perhaps it is gone meanwhile, or was deleted by this very object."""
        if self.held:
            record = self.held[which % len(self.held)]
            self._delete(who, (record.uniqueId, record.userId), record.id)

    @rule(who=picks, identity=st.sampled_from(NO_IDS))
    def delete_what_is_no_record(self, who: int, identity: Any) -> None:
        self._delete(who, None, identity)

    def _delete(self, who: int, key: Key | None, identity: Any) -> None:
        model, caller = self._who(who)
        expected = self.world.delete_count(caller, key)
        alias = bool(who % 2)
        came, _, _ = told(lambda: model.delete_count(otp_counter=identity) if alias else model.delete_count(identity))
        assert came == expected

    @rule(unique=st.sampled_from([None, "hash-1", "hash-2"]), user=st.sampled_from([None, "1", "ü", "nobody"]))
    def get(self, unique: str | None, user: str | None) -> None:
        records = self.house.records
        if unique is None and user is None:
            return
        self._settle([key for key in KEYS if unique in {None, key[0]} and user in {None, key[1]}])
        matching = [key for key in self.world.pairs if unique in {None, key[0]} and user in {None, key[1]}]
        which = [records.uniqueId == unique] if unique is not None else []
        which += [records.userId == user] if user is not None else []
        found = records.get_or_none(*which)
        assert (found is not None) is bool(matching)
        if found is None:
            with pytest.raises(records.DoesNotExist):
                records.get(*which)
            return
        key = (found.uniqueId, found.userId)
        assert key in matching
        self._agrees(found, key)
        assert records.get(records.id == found.id) == found

    @rule(
        pick=picks,
        count=st.one_of(st.none(), st.integers(0, 6)),
        by=st.one_of(st.none(), st.sampled_from((*STEPS, *JUMPS))),
        how=st.sampled_from(["create", "pair", "id", "user"]),
        lose=losses,
    )
    def write(self, pick: int, count: int | None, by: timedelta | None, how: str, lose: str | None) -> None:
        self._write(pick, count, by, how, lose)

    @rule(pick=picks, count=st.integers(0, 6), by=st.sampled_from(STEPS), who=picks)
    def add_before_a_wait_is_over(self, pick: int, count: int, by: timedelta, who: int) -> None:
        self._write(pick, count, by, "create")
        self._add(who, self.held[0])

    def _write(self, pick: int, count: int | None, by: timedelta | None, how: str, lose: str | None = None) -> None:
        records = self.house.records
        key = self._key(pick)
        expires = None if by is None else self.world.now + by + timedelta(microseconds=250)
        given: dict[str, Any] = {} if count is None else {"count": count}
        if by is not None or count is None:
            given["expires"] = expires and local(expires, self.zone)
        kept = expires and expires - timedelta(microseconds=250)
        keys = [one for one in self.world.pairs if one[1] == key[1]] if how == "user" else [key]
        self._settle(keys)
        self._lose(lose if how != "user" else None)
        if how == "create":
            made = records.create(uniqueId=key[0], userId=key[1], **given)
            self._lose(None)
            if key in self.world.pairs:
                self._agrees(made, key)  # as it stands
                return
            may_be = self.world.written(key, count=count or 0, expires=kept, sets_expires=True)
            self._agrees(made, key, may_be)
            return
        which = {
            "id": records.id == self.ids.get(key, 12345),
            "user": records.userId == key[1],
            "pair": (records.userId == key[1]) & (records.uniqueId == key[0]),
        }[how]
        changed = records.update(**given).where(which).execute()
        self._lose(None)
        there = [one for one in keys if one in self.world.pairs]
        assert changed == len(there)
        for one in there:
            may_be = self.world.written(one, count=count, expires=kept, sets_expires="expires" in given)
            self._agrees(records.get(records.uniqueId == one[0], records.userId == one[1]), one, may_be)

    @rule(which=picks, lose=losses)
    def delete_instance(self, which: int, lose: str | None) -> None:
        if self.held:
            record = self.held[which % len(self.held)]
            self._lose(lose)
            there = self.world.pairs.pop((record.uniqueId, record.userId), None) is not None
            assert record.delete_instance() == there
            self._lose(None)

    # --- time -------------------------------------------------------------------------------------

    @rule(by=st.sampled_from(STEPS))
    def wait(self, by: timedelta) -> None:
        self._wait(by)

    def _wait(self, by: timedelta) -> None:
        self.house.move(by)
        self.world.move(by)

    @rule(pick=picks, more=st.sampled_from([-MILLISECOND, timedelta(0), MILLISECOND]))
    def wait_out(self, pick: int, more: timedelta) -> None:
        self._free_at_the_end(pick, more)

    @rule(who=picks, pick=picks, times=st.integers(2, 6))
    def climb(self, who: int, pick: int, times: int) -> None:
        for _ in range(times):
            self._settle([KEYS[pick]])
            if self._free_at_the_end(pick, MILLISECOND):
                self._add(who, self.held[0])

    def _free_at_the_end(self, pick: int, more: timedelta) -> bool:
        pair = self.world.pairs.get(KEYS[pick])
        if pair is not None and pair.expires is not None and pair.expires + more > self.world.now:
            self._wait(pair.expires + more - self.world.now)
        return self._is_free(pick, pick)

    @rule(by=st.sampled_from(JUMPS), really=st.integers(0, 5))
    def set_back(self, by: timedelta, really: int) -> None:
        """Of numbers that were known before only the bounds can be told; there are new ones."""
        if really:
            return
        self.house.move(by)
        self.world.move(by)
        self.generation += 1
        for number in range(3):
            self._new_caller(number)

    # --- what rules share ---------------------------------------------------------------------------

    def _who(self, pick: int) -> tuple[Any, Caller]:
        return self.callers[pick % len(self.callers)]

    def _lose(self, how: str | None) -> None:
        """The answer to the next commit is lost; whether or not it was applied, the outcome is the same."""
        if isinstance(self.house.store, LossyStore):
            self.house.store.lose = how
