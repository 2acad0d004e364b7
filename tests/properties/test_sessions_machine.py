"""A model of whole services: any sequence of operations, clocks and failures keeps every promise."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from otpcore import ByRecipient, Ended, Sent, Wait
from otpcore.contract import CheckVerdict, Failure, FailureKind, SendEffect
from otpcore.model import SendState
from otpcore.policy import DAY
from tests.properties.notes import Notes
from tests.properties.world import NUMBER

REFUSED = Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)
KEY = "0b9d7a52-5c1e-4f7a-9b3e-{:012x}"
JUMPS = [timedelta(hours=sign * hours) for hours in (1, 24) for sign in (1, -1)]
STEPS = [timedelta(seconds=each) for each in (-4, -1, 1, 20, 61, 121, 301, 599, 600, 901, 7201)]
LOST_CHECKS = [CheckVerdict.UNKNOWN, CheckVerdict.THROTTLED, CheckVerdict.GONE, CheckVerdict.EXPIRED]
picks = st.integers(0, 7)
sources = st.sampled_from([None, None, "192.0.2.1", "192.0.2.2"])


class Service(Notes):
    """Promises are kept over every history."""

    # --- rules ---------------------------------------------------------------------------------

    @rule(purpose=st.sampled_from(["login", "payment"]), source=sources, keyed=st.booleans(), addressed=st.booleans())
    def start(self, purpose: str, source: str | None, keyed: bool, addressed: bool) -> None:
        self.keys += keyed
        self.addressed = self.addressed or addressed
        key = KEY.format(0xA5A5_5A5A_0000 + self.keys) if keyed else None
        asked: dict[str, Any] = {
            "purpose": purpose,
            "source": source,
            "idempotency_key": key,
            "by_recipient": addressed,
        }
        if key is not None:
            self.last_key = asked
        self._sent(self.world.engine.start(NUMBER, **asked))

    @precondition(lambda self: self.last_key is not None)
    @rule()
    def repeat(self) -> None:
        assert self.last_key is not None
        before = len(self.world.vendor.outbox)
        known = any(key.send for key in self.world.record().keys)
        result = self.world.engine.start(NUMBER, **self.last_key)
        if isinstance(result, Sent) and result.replayed:
            assert known
            assert len(self.world.vendor.outbox) == before
        self._sent(result)

    @precondition(lambda self: self.tokens)
    @rule(pick=picks, source=sources, channel=st.sampled_from([None, "call"]))
    def resend(self, pick: int, source: str | None, channel: str | None) -> None:
        self._sent(self.world.engine.resend(self._pick(pick)[1], NUMBER, source=source, channel=channel))

    @precondition(lambda self: self.addressed)
    @rule(purpose=st.sampled_from(["login", "payment"]))
    def resend_to_recipient(self, purpose: str) -> None:
        self._sent(self.world.engine.resend(ByRecipient(NUMBER, purpose)))

    @precondition(lambda self: self.tokens)
    @rule(pick=picks, source=sources)
    def check_right(self, pick: int, source: str | None) -> None:
        codes = self.codes.get(self._pick(pick)[0])
        self._check(pick, codes[-1] if codes else "000000", source)

    @precondition(lambda self: self.tokens)
    @rule(pick=picks)
    def check_old(self, pick: int) -> None:
        codes = self.codes.get(self._pick(pick)[0])
        self._check(pick, codes[0] if codes else "000000", None)

    @precondition(lambda self: self.tokens)
    @rule(pick=picks, source=sources, times=st.integers(1, 6))
    def check_wrong(self, pick: int, source: str | None, times: int) -> None:
        session, _ = self._pick(pick)
        right = set(self.codes.get(session, ()))
        for _ in range(times):
            self._check(pick, next(code for code in ("111111", "222222", "333333") if code not in right), source)

    @precondition(lambda self: len(self.tokens) > 1)
    @rule(pick=picks, other=picks)
    def check_code_of_another(self, pick: int, other: int) -> None:
        codes = self.codes.get(self._pick(other)[0])
        self._check(pick, codes[-1] if codes else "000000", None)

    @precondition(lambda self: self.addressed)
    @rule(purpose=st.sampled_from(["login", "payment"]), right=st.booleans())
    def check_by_recipient(self, purpose: str, right: bool) -> None:
        session = self._addressed(purpose)
        codes = self.codes.get(session)
        self._try(session, ByRecipient(NUMBER, purpose), codes[-1] if codes and right else "000000", None)

    @precondition(lambda self: self.tokens)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        session, token = self._pick(pick)
        if isinstance(self._told(self.world.engine.cancel(token)), Ended):
            self.over.add(session)

    @precondition(lambda self: self.tokens)
    @rule(pick=picks)
    def status(self, pick: int) -> None:
        before = self.world.dump()
        self._told(self.world.engine.status(self._pick(pick)[1]))
        assert len(self.world.dump()) <= len(before) + 200

    @rule()
    def forget(self) -> None:
        live = {session.id for session in self.world.record().sessions}
        sends = len(self.world.record().sends)
        self._told(self.world.engine.forget(NUMBER))
        self.over |= live
        assert not self.world.record().sessions
        assert len(self.world.record().sends) <= sends

    @rule(really=st.integers(0, 3))
    def unlock(self, really: int) -> None:
        if really:
            return
        self._told(self.world.engine.unlock(NUMBER))
        self.failures, self.in_a_row = [], 0

    @rule(by=st.sampled_from(STEPS))
    def wait(self, by: timedelta) -> None:
        self.world.move(by)

    @rule(purpose=st.sampled_from(["login", "payment"]))
    def wait_out_and_start(self, purpose: str) -> None:
        result = self.world.engine.start(NUMBER, purpose=purpose)
        self._sent(result)
        if isinstance(result, Wait):
            self.world.move(max(timedelta(0), result.until - self.world.now))
            again = self.world.engine.start(NUMBER, purpose=purpose)
            assert not isinstance(again, Wait) or again.until > result.until
            self._sent(again)

    @precondition(lambda self: self.tokens)
    @rule()
    def wait_out_and_resend(self) -> None:
        result = self.world.engine.resend(self.tokens[-1][1], NUMBER)
        self._sent(result)
        if isinstance(result, Wait):
            self.world.move(max(timedelta(0), result.until - self.world.now))
            self._sent(self.world.engine.resend(self.tokens[-1][1], NUMBER))

    @rule(times=st.integers(1, 12))
    def log_in_again_and_again(self, times: int) -> None:
        for _ in range(times):
            result = self.world.engine.start(NUMBER)
            self._sent(result)
            if not isinstance(result, Sent):
                break
            code = self.codes.get(result.session.id, ["000000"])[-1]
            self._try(result.session.id, result.session.token or "", code, None)

    @rule(by=st.sampled_from(JUMPS))
    def jump(self, by: timedelta) -> None:
        self.world.move(by)

    @rule(order=st.sampled_from([REFUSED, FailureKind.TIMEOUT, RuntimeError("vendor")]))
    def send_fails_next(self, order: Any) -> None:
        self.world.orders[:] = [order]

    @rule(order=st.sampled_from(LOST_CHECKS))
    def check_fails_next(self, order: CheckVerdict) -> None:
        self.world.orders[:] = [order]

    @rule(how=st.sampled_from(["before", "after"]))
    def lose_next_answer(self, how: str) -> None:
        self.world.store.lose = how

    # --- promises ------------------------------------------------------------------------------

    @invariant()
    def no_more_sends_than_the_ladder_without_a_success(self) -> None:
        """Invariant 2, S2: the newest window of 24 h, whose sends had no success between them."""
        if self.sends:
            at, epoch = self.sends[-1]
            assert sum(when > at - DAY and e == epoch for when, e in self.sends) <= len(self.profile.ladder)

    @invariant()
    def no_more_sends_than_the_daily_cap_whatever_happens(self) -> None:
        """Invariants 2 and 6, S2, S14: neither a success nor any other end lifts the cap."""
        if self.sends:
            assert sum(when > self.sends[-1][0] - DAY for when, _ in self.sends) <= self.profile.daily_cap

    @invariant()
    def no_more_answers_than_tries_of_a_session(self) -> None:
        """Invariants 3 and 5."""
        assert all(count <= self.profile.checks_per_session for count in self.revealed.values())

    @invariant()
    def one_success_of_a_session(self) -> None:
        """Invariant 4."""
        assert all(count <= 1 for count in self.successes.values())

    @invariant()
    def no_more_failures_than_the_day_and_the_row_allow(self) -> None:
        """Invariant 5, V6."""
        if self.failures:
            assert sum(when > self.failures[-1] - DAY for when in self.failures) <= self.profile.failures_per_day
        assert self.in_a_row <= self.profile.failures_in_a_row

    @invariant()
    def nothing_readable_is_stored(self) -> None:
        """Invariants 9 and 10, V13, L2."""
        if not hasattr(self, "world"):
            return
        dump = self.world.dump()
        assert NUMBER[1:].encode() not in dump
        assert not any(f'"{code}"'.encode() in dump for codes in self.codes.values() for code in codes)
        assert not any(token[-24:].encode() in dump for _, token in self.tokens)

    @invariant()
    def the_record_stays_within_its_bounds(self) -> None:
        """Trap 1 (live sessions), trap 6 (two generations), trap 4 (refunds)."""
        if not hasattr(self, "world"):
            return
        record = self.world.record()
        assert sum(session.is_live for session in record.sessions) <= self.profile.live_sessions
        assert all(len(session.codes) <= 2 for session in record.sessions)
        assert record.ladder.count <= len(self.profile.ladder)
        back = [send.at for send in record.sends if send.refunded]
        for at in back:
            assert sum(at - timedelta(hours=1) < one <= at for one in back) <= self.profile.refunds_per_hour
        assert all(send.state is SendState.REFUSED for send in record.sends if send.refunded)

    @invariant()
    def a_verification_serves_one_purpose(self) -> None:
        """Invariant 8, trap 1: a code of the provider never comes for two purposes."""
        if not hasattr(self, "world"):
            return
        purposes: dict[str, set[str]] = {}
        for message in self.world.vendor.outbox:
            purposes.setdefault(message.handle, set()).add(message.purpose)
        assert all(len(each) == 1 for each in purposes.values())


def histories(machine: type[Service], count: int, *, shrink: bool = True) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=count,
            stateful_step_count=50,
            deadline=None,
            database=None,
            suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]  # iterates its members
            print_blob=False,
            phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        ),
    )


def test_every_promise_is_kept_over_any_history() -> None:
    """T5, S2: 50 steps each; invariants 2, 3, 4, 5, 6, 8, 9, 10 and 15, traps 1, 2, 4 and 6."""
    histories(Service, int(os.environ.get("OTPCORE_HISTORIES", "500")))


@pytest.mark.nightly
def test_every_promise_is_kept_over_ten_thousand_histories() -> None:
    histories(Service, 10_000)
