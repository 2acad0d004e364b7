"""Histories of one recipient with Twilio Verify, and the promises that every step of them keeps.

Rules of this file: a rule asks, a promise is looked at after every step; the judgement of single answers is in
`twilio_world`, the oracle in `book`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from otpcore import Approved, ByRecipient, Ended, NotFound, Refused, Sent, Undecided, Wait, Wrong
from otpcore.policy import DEFAULT, TWILIO, Profile
from otpcore.results import Refusal, outward
from tests.numbers import phone
from tests.properties.answered import longest_wait_is_kept, next_is_told
from tests.properties.notes import TIGHT
from tests.properties.places import STORES
from tests.properties.recorded import DROPPED, Order, outcomes
from tests.properties.twilio_wire import Vendor
from tests.properties.twilio_world import LIFE, PURPOSES, SIXES, Note, World

__all__ = ["Histories"]

BEGINNINGS: Final = (
    datetime(2026, 3, 8, 6, 50, tzinfo=UTC),  # New York springs forward at 07:00
    datetime(2026, 11, 1, 5, 50, tzinfo=UTC),  # and falls back at 06:00
)
STEPS: Final = [timedelta(seconds=each) for each in (1, 20, 61, 121, 301, 599, 600, 601, 901, 7201, 86_399, 86_400)]
JUMPS: Final = [timedelta(seconds=each) for each in (-1, -4, -6, -600, -3600, -86_400, 3600, 86_400)]
MALFORMED: Final[tuple[Any, ...]] = (
    *("", "123", " 123456", "123456\n", "12 456", "1e4567", "١٢٣٤٥٦", "\uff11\uff12\uff13456", "12345678901"),
    *(None, 123456, b"123456", ["1"] * 6),
)
LOST: Final = {"internal, unknown", "internal, unknown, 20500", "unknown", "unknown, 20500"}
"""Outcomes of which nobody knows whether the request took effect."""

FAULTY: Final = {
    "create": [each for each in outcomes("create") if not each.startswith("accepted")] + [DROPPED],
    "check": [each for each in outcomes("check") if each.startswith(("unknown", "throttled", "denied"))] + [DROPPED],
}
picks = st.sampled_from([0, 0, 0, 1, 2, 5])
"""Sessions, the newest first."""
purposes = st.sampled_from(PURPOSES)
people = st.integers(0, 1_999).map(phone)


class Histories(RuleBasedStateMachine):
    """Every history of one recipient, who is another one in each.

    Attributes:
        vendor: makes the Twilio of a history, from a seed.
        store: one of `STORES`.
        lies: outcomes of a check that this Twilio may answer with whatever the code is.
        profiles: the policies.
    """

    vendor: ClassVar[Callable[[int], Vendor]]
    store: ClassVar[str]
    lies: ClassVar[tuple[str, ...]] = ()
    profiles: ClassVar[tuple[Profile, ...]] = (DEFAULT, TIGHT, TWILIO)

    @initialize(data=st.data(), number=people, seed=st.integers(0, 999), begin=st.sampled_from(BEGINNINGS))
    def open(self, data: st.DataObject, number: str, seed: int, begin: datetime) -> None:
        profile = data.draw(st.sampled_from(self.profiles))
        self.world = World(type(self).vendor(seed), STORES[self.store](), profile, begin, number, seed)
        self.codes: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.engine.close()
            self.world.place.close()

    def _pick(self, pick: int) -> Note:
        return self.world.sessions[-1 - pick % len(self.world.sessions)]

    # --- sends -------------------------------------------------------------------------------------

    @rule(purpose=purposes, channel=st.sampled_from(["sms", "sms", "call", "whatsapp"]))
    def start(self, purpose: str, channel: str) -> None:
        self.world.send(lambda engine: engine.start(self.world.number, purpose=purpose, channel=channel), purpose)

    @rule(purpose=purposes)
    def start_without_a_token(self, purpose: str) -> None:
        self._addressed(lambda engine: engine.start(self.world.number, purpose=purpose, by_recipient=True), purpose)

    @precondition(lambda self: any(one.token is None for one in self.world.sessions))
    @rule(purpose=purposes)
    def resend_to_the_recipient(self, purpose: str) -> None:
        self._addressed(lambda engine: engine.resend(ByRecipient(self.world.number, purpose)), purpose)

    def _addressed(self, ask: Callable[[Any], Any], purpose: str) -> None:
        self.world.send(ask, purpose, self.world.addressed(purpose), addressed=True)

    @precondition(lambda self: self.world.sessions)
    @rule(pick=picks, channel=st.sampled_from([None, None, "call"]))
    def resend(self, pick: int, channel: str | None) -> None:
        note = self._pick(pick)
        if note.token is not None:
            token = note.token
            self.world.send(lambda engine: engine.resend(token, self.world.number, channel=channel), note.purpose, note)

    @rule(purpose=purposes)
    def start_as_soon_as_it_may_be(self, purpose: str) -> None:
        result = self.world.send(lambda engine: engine.start(self.world.number, purpose=purpose), purpose)
        if isinstance(result, Wait):
            self.world.move(max(timedelta(0), result.until - self.world.now))
            again = self.world.send(lambda engine: engine.start(self.world.number, purpose=purpose), purpose)
            assert not isinstance(again, Wait) or again.until > result.until

    @precondition(lambda self: any(one.token is not None for one in self.world.sessions))
    @rule()
    def resend_as_soon_as_it_may_be(self) -> None:
        note = next(one for one in reversed(self.world.sessions) if one.token is not None)
        token = note.token or ""
        result = self.world.send(lambda engine: engine.resend(token, self.world.number), note.purpose, note)
        if isinstance(result, Wait):
            self.world.move(max(timedelta(0), result.until - self.world.now))
            self.world.send(lambda engine: engine.resend(token, self.world.number), note.purpose, note)

    # --- checks ------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.sessions)
    @rule(pick=picks)
    def check_the_right_code(self, pick: int) -> None:
        note = self._pick(pick)
        self.world.check(note, self.world.code_of(note))

    @precondition(lambda self: self.world.sessions)
    @rule(pick=picks, times=st.sampled_from([1, 1, 2, 5, 6]))
    def check_wrong_codes(self, pick: int, times: int) -> None:
        note = self._pick(pick)
        got = {one.code for one in self.world.vendor.messages()}
        for code in [code for code in (f"{each:06}" for each in range(20)) if code not in got][:times]:
            if isinstance(self.world.check(note, code), Ended | NotFound):
                break

    @precondition(lambda self: self.world.sessions)
    @rule(pick=picks, late=st.sampled_from([0, 1, 3600]))
    def check_too_late(self, pick: int, late: int) -> None:
        note = self._pick(pick)
        self.world.move(max(timedelta(0), note.expires_at - self.world.now) + timedelta(seconds=late))
        self.world.check(note, self.world.code_of(note))

    @precondition(lambda self: self.world.sessions)
    @rule(pick=picks, code=st.sampled_from(MALFORMED))
    def check_what_is_no_code(self, pick: int, code: Any) -> None:
        result = self.world.check(self._pick(pick), code)
        assert isinstance(result, Refused)
        assert result.kind is Refusal.INVALID_CODE
        assert not self.world.answers[-1].calls

    @precondition(lambda self: self.world.sessions)
    @rule(times=st.integers(1, 11), purpose=purposes)
    def log_in_again_and_again(self, times: int, purpose: str) -> None:
        for _ in range(times):
            result = self.world.send(lambda engine: engine.start(self.world.number, purpose=purpose), purpose)
            if not isinstance(result, Sent):
                break
            self.check_the_right_code(0)

    # --- ends --------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.sessions)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        note = self._pick(pick)
        address = note.token if note.token is not None else ByRecipient(self.world.number, note.purpose)
        self.world.over(self.world.act(lambda engine: engine.cancel(address)), self.world.meant(note))

    @precondition(lambda self: self.world.sessions)
    @rule(pick=picks)
    def status(self, pick: int) -> None:
        note = self._pick(pick)
        if note.token is not None:
            token = note.token
            self.world.act(lambda engine: engine.status(token))

    @rule(really=st.integers(0, 3))
    def forget(self, really: int) -> None:
        if not really:
            self.world.over(self.world.act(lambda engine: engine.forget(self.world.number)), *self.world.sessions)

    @rule(really=st.integers(0, 3))
    def unlock(self, really: int) -> None:
        if not really:
            self.world.over(self.world.act(lambda engine: engine.unlock(self.world.number)))

    # --- what happens ------------------------------------------------------------------------------

    @rule(by=st.sampled_from(STEPS))
    def wait(self, by: timedelta) -> None:
        self.world.move(by)

    @rule(by=st.sampled_from(JUMPS), really=st.integers(0, 2))
    def jump(self, by: timedelta, really: int) -> None:
        if not really:
            self.world.move(by)

    @rule(data=st.data(), operation=st.sampled_from(["create", "check"]), processed=st.booleans(), variant=picks)
    def trouble_comes(self, data: st.DataObject, operation: str, processed: bool, variant: int) -> None:
        outcome = data.draw(st.sampled_from([*FAULTY[operation], *(self.lies if operation == "check" else ())]))
        self.world.lied |= outcome in self.lies and operation == "check"
        self.world.vendor.order(Order(operation, outcome, processed and outcome in {*LOST, DROPPED}, variant))

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @rule(when=st.sampled_from(["before", "after"]))
    def die_in_the_next_call(self, when: str) -> None:
        self.world.vendor.wire.dies = when

    # --- promises ----------------------------------------------------------------------------------

    @invariant()
    def a_send_is_reserved_and_a_try_is_spent_before_twilio_is_asked(self) -> None:
        """Invariant 1."""
        assert not self.world.hasty, self.world.hasty

    @invariant()
    def every_answer_is_one_that_the_book_and_twilio_allow(self) -> None:
        """Invariants 2, 5, 6, 7: exact waits, locks, and that what was held before a failed send is still good."""
        assert not self.world.wrong, self.world.wrong

    @invariant()
    def the_record_counts_what_the_book_counts(self) -> None:
        """Invariants 1, 5 and 6: refunds once, failures over all sessions, what a success clears and what not."""
        world, record, now = self.world, self.world.record(), self.world.now
        if not world.straight:
            return
        length = len(world.profile.ladder)
        assert record.ladder.count % length == world.book.steps % length  # at its end it starts again
        today = [one.at for one in record.sends if not one.refunded and one.at > now - timedelta(days=1)]
        assert today == world.book.of_the_day(now)
        failures = [one.at for one in record.checks if not one.forgiven and one.at > now - timedelta(days=1)]
        assert failures == world.book.failures_of_the_day(now)
        assert record.consecutive == world.book.in_a_row

    @invariant()
    def no_more_sends_than_the_ladder_and_the_daily_cap(self) -> None:
        """Invariants 2 and 6, in any 24 hours, whatever the clock and the processes do."""
        assert self.world.book.newest_cycle() <= len(self.world.profile.ladder)
        assert self.world.book.newest_day() <= self.world.profile.daily_cap

    @invariant()
    def no_more_answers_than_tries(self) -> None:
        """Invariant 3, for a session and for a verification that several share."""
        limit = self.world.profile.checks_per_session
        asked: dict[str, int] = {}
        for one in self.world.sessions:
            assert one.revealed <= limit
            if one.sid is not None:
                asked[one.sid] = asked.get(one.sid, 0) + one.revealed
        assert all(count <= limit for count in asked.values())

    @invariant()
    def one_success_of_a_session(self) -> None:
        """Invariant 4."""
        assert all(one.successes <= 1 for one in self.world.sessions)

    @invariant()
    def no_more_failures_than_the_day_and_the_row_allow(self) -> None:
        """Invariant 5: a resend or a new session gives no tries back."""
        assert self.world.book.newest_failures() <= self.world.profile.failures_per_day
        assert self.world.book.in_a_row <= self.world.profile.failures_in_a_row

    @invariant()
    def a_verification_serves_one_purpose_and_ten_minutes(self) -> None:
        """Invariant 8."""
        assert all(len(each) == 1 for each in self.world.served.values())
        for one in self.world.sessions:
            if one.id and one.sid in self.world.began and self.world.straight:  # else nobody was told its end
                age = self.world.passed - self.world.began[one.sid]
                assert one.over or one.expires_at - self.world.now <= LIFE - age

    @invariant()
    def codes_are_nowhere_but_in_the_message(self) -> None:
        """Invariant 9: not in the store, in an answer, in a URL."""
        codes = {one.code for one in self.world.vendor.messages()}
        assert not codes & set(SIXES.findall(self.world.dump().decode()))
        told = repr([answer.result for answer in self.world.answers])
        assert not any(code in told for code in codes)
        assert not any(code in call.url for code in codes for call in self.world.vendor.wire.calls)

    @invariant()
    def the_number_is_nowhere_but_in_the_call(self) -> None:
        """Invariant 10: not in the store, in an answer, in a URL."""
        assert self.world.number[1:].encode() not in self.world.dump()
        assert self.world.number[1:] not in repr([answer.result for answer in self.world.answers])
        assert not any(self.world.number[1:] in call.url for call in self.world.vendor.wire.calls)

    @invariant()
    def a_stranger_sees_one_answer(self) -> None:
        """Invariant 12."""
        for one in (answer.result for answer in self.world.answers):
            if isinstance(one, Wrong | Undecided | Ended | NotFound):
                assert outward(one, of="check").status == "not_approved"
            if isinstance(one, Approved):
                assert outward(one, of="check").status == "approved"

    @invariant()
    def no_wait_is_longer_than_its_step(self) -> None:
        """Invariant 14."""
        assert longest_wait_is_kept(self.world.answers, self.world.profile), self.world.answers

    @invariant()
    def every_answer_says_what_comes_next(self) -> None:
        """Invariant 15."""
        assert next_is_told(self.world.answers, locked_for_good=self.world.book.locked_once), self.world.answers

    @invariant()
    def twilio_is_asked_once(self) -> None:
        """Invariant 16: one request and one message for each operation, whatever goes wrong."""
        for answer in self.world.answers:
            names = [call.operation for call in answer.calls]
            assert all(names.count(name) <= 1 for name in ("create", "check", "list"))
            assert answer.messages <= names.count("create")
