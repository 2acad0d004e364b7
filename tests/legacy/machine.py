"""Histories of the facade and of a reference written from its documentation alone, which have to agree.

Rules of this file: a rule makes one call, or the few of the usual order, of both; every outcome is compared at once.
Where the clock ran backwards, what is possible is a range; whatever is then answered within it is believed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from otpcore.policy import DAY
from tests.legacy.machine_counting import KEYS, MILLISECOND, Counting, picks
from tests.legacy.reference import Caller, Told
from tests.legacy.reference_codes import REFUSALS
from tests.legacy.world import told
from tests.properties.world import wrong

__all__ = ["Legacy"]

MALFORMED: Final = ("", "12345", "1234567", " 123456", "123456\n", "12345a", "١٢٣٤٥٦")


class Legacy(Counting):
    """Resend records, codes, and the usual order of both."""

    @rule(who=picks, order=st.sampled_from(["", "", "", "lost", *REFUSALS]))
    def verification(self, who: int, order: str) -> None:
        self._sends(who, order)

    def _sends(self, who: int, order: str = "") -> bool:
        model, caller = self._who(who)
        number = self.world.phone(caller.number) if caller.number else None
        self.house.order = order
        caller.approved = False
        before = len(self.house.sent)
        came, returned, error = told(model.verification)
        self.house.order = ""
        left = self.house.vendor.outbox[before:]
        code = left[0].code if left else ""
        doubted = number is not None and number.doubted
        if not doubted:
            assert came == self.world.verification(caller, order, code)
        assert [message.recipient for message in left] == ([caller.number] if left else [])
        assert len(left) == (
            came.error == 0 or (came.error == 500 and order == "lost" and caller.served) or bool(left and doubted)
        )
        if returned is not None:
            assert (returned.status, returned.to) == ("pending", caller.number)
        if came.error == 429 and doubted:
            assert came.seconds is None or 1 <= came.seconds <= DAY.total_seconds() + 5
        assert error is None or error.__cause__ is not None
        if left:
            self.messages.setdefault(caller.number, []).append(code)
            mark = (self.house.passed, self.successes.get(caller.number, 0), caller.strict)
            self.marks.setdefault(caller.number, []).append(mark)
            self._no_more_than_may_be(self.marks[caller.number])
        return not came.error

    def _no_more_than_may_be(self, marks: list[tuple[timedelta, int, bool]]) -> None:
        """Whatever the clock did: by the time that has passed."""
        last, success, _ = marks[-1]
        day = [mark for mark in marks if mark[0] > last - DAY]
        assert len(day) <= self.profile.daily_cap
        assert sum(not strict for _, one, strict in day if one == success) <= len(self.profile.ladder)

    @rule(who=picks, kind=st.sampled_from(["right", "right", "old", "wrong", "wrong", "malformed"]), pick=picks)
    def verification_check(self, who: int, kind: str, pick: int) -> None:
        model, caller = self._who(who)
        codes = self.messages.get(caller.number, ["000000"])
        code = {"right": codes[-1], "old": codes[-2:][0], "wrong": self._never_sent(codes)}.get(kind, MALFORMED[pick])
        self._try(model, caller, code)

    @rule(who=picks, times=st.integers(2, 6), rounds=st.integers(0, 3))
    def guess(self, who: int, times: int, rounds: int) -> None:
        for one in range(1 + rounds):
            if one:
                self._send_at_the_end(who, timedelta(0))
            model, caller = self._who(who)
            for _ in range(times):
                self._try(model, caller, self._never_sent(self.messages.get(caller.number, ["000000"])))

    def _never_sent(self, codes: list[str]) -> str:
        guess = wrong(codes[-1])
        while guess in codes:
            guess = wrong(guess)
        return guess

    def _try(self, model: Any, caller: Caller, code: str) -> None:
        number = self.world.phone(caller.number) if caller.number else None
        came, returned, error = told(lambda: model.verification_check(code))
        if number is None or not number.doubted:
            assert came == self.world.verification_check(caller, code)
        elif came == Told(status="approved"):
            assert code in self.messages[caller.number]
            caller.approved = True
        else:
            assert came.error == 403 or (caller.strict and came == Told(status="pending"))
        assert error is None or error.__cause__ is not None
        if came.status == "approved":
            assert returned.to == caller.number
            self.successes[caller.number] = self.successes.get(caller.number, 0) + 1

    @rule(who=picks, pick=picks, right=st.booleans())
    def usual_order(self, who: int, pick: int, right: bool) -> None:
        """check_count, verification, add_count; verification_check, delete_count."""
        model, caller = self._who(who)
        key = KEYS[pick]
        if not self._is_free(who, pick):
            return
        record = self.held[0]
        if self._sends(who):
            self._add(who, record)
        if right and self.messages.get(caller.number):
            self._try(model, caller, self.messages[caller.number][-1])
            if caller.approved:
                self._settle([key])
                self._is_free(who, pick)
                self._delete(who, key, record.id)

    @rule(who=picks, more=st.sampled_from([-MILLISECOND, timedelta(0), MILLISECOND]))
    def wait_out_number(self, who: int, more: timedelta) -> None:
        self._send_at_the_end(who, more)

    @rule(who=picks, times=st.integers(2, 6))
    def send_as_soon_as_may_be(self, who: int, times: int) -> None:
        for _ in range(times):
            self._send_at_the_end(who, timedelta(0))

    @rule(who=picks, times=st.integers(2, 12))
    def confirm_again_and_again(self, who: int, times: int) -> None:
        for _ in range(times):
            if not self._sends(who):
                break
            model, caller = self._who(who)
            self._try(model, caller, self.messages[caller.number][-1])

    def _send_at_the_end(self, who: int, more: timedelta) -> None:
        _, caller = self._who(who)
        closed = self.world.free_at(self.world.phone(caller.number), strict=caller.strict) if caller.number else None
        if closed is not None and closed[0].year < 9999 and closed[0] + more > self.world.now:
            self._wait(closed[0] + more - self.world.now)
        self._sends(who)
