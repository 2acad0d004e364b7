"""Twilio's refusals and a broken wire, met by both engines through the real SDK and the emulator's magic numbers.

What is refused costs nothing and says why; what is lost is counted, is never asked for again and approves nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from pydantic import SecretStr

from otpcore import Approved, AsyncEngine, Ended, Engine, Refused, SendState, Sent, Undecided, Wait, Wrong
from otpcore.results import Refusal, Status
from otpcore.stores.memory import MemoryStore
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, TwilioSettings
from otpcore_twilio.emulator import Emulator, serve

PEPPER = b"a pepper of at least thirty-two bytes"
TRIES = 5
HASTY_S = 0.4
"""The deadline of calls that meet a server which never answers; every other call has time enough."""

Call: TypeAlias = Callable[[Any], Any]

REFUSED_SENDS = {
    20003: Refusal.MISCONFIGURED,
    20404: Refusal.MISCONFIGURED,
    20429: Refusal.RATE_LIMITED,
    21408: Refusal.DESTINATION_BLOCKED,
    21610: Refusal.OPTED_OUT,
    21614: Refusal.CHANNEL_UNREACHABLE,
    60200: Refusal.INVALID_RECIPIENT,
    60203: Refusal.RATE_LIMITED,
    60205: Refusal.CHANNEL_UNREACHABLE,
    60410: Refusal.FRAUD_SUSPECTED,
    60605: Refusal.DESTINATION_BLOCKED,
}
"""By the last four digits of the number: the emulator answers the send with the error."""

LOST_BEFORE = ("7001", "7002", "7003", "7004", "0500")
LOST_AFTER = ("7101", "7102", "7103", "7104")
"""Hang, reset, a proxy's 503, a truncated body, before and after the send took effect; and Twilio's own 500."""

REFUSED_CHECKS = {"9003": Refusal.MISCONFIGURED, "9429": Refusal.RATE_LIMITED}
ENDING_CHECKS = ("9404", "9202")
LOST_CHECKS = ("8001", "8002", "8003", "8004", "9500")
LOST_ANSWERS = ("8101", "8102", "8103", "8104")
"""The same faults, once the check has taken effect."""


def number(last: str) -> str:
    """One of the emulator's magic numbers."""
    return f"+1500555{last}"


class Bench:
    """An engine of one colour in front of an emulator."""

    def __init__(
        self, emulator: Emulator, *, awaiting: bool, timeout_s: float = 8.0, store: MemoryStore | None = None
    ) -> None:
        self.emulator = emulator
        self._awaiting = awaiting
        self._store = store or MemoryStore()
        self._others: list[Bench] = []
        self._earlier = len(emulator.inbox())
        settings = TwilioSettings(
            account_sid=emulator.account_sid,
            auth_token=SecretStr(emulator.auth_token),
            service_sid=emulator.service_sid,
            origin=emulator.url,
        )
        self._runner = asyncio.Runner() if awaiting else None
        self._engine: Any = (
            AsyncEngine(self._store, AsyncTwilioProvider(settings), pepper=PEPPER, timeout_s=timeout_s)
            if awaiting
            else Engine(self._store, TwilioProvider(settings), pepper=PEPPER, timeout_s=timeout_s)
        )

    def facing(self, last: str) -> Bench:
        """This bench, or for a number that hangs one over the same store that does not wait long."""
        if not last.endswith("01"):
            return self
        self.start("+12025550199")  # the SDK is loaded at first use, and that is no part of the deadline
        hasty = Bench(self.emulator, awaiting=self._awaiting, timeout_s=HASTY_S, store=self._store)
        self._others.append(hasty)
        return hasty

    def run(self, call: Call) -> Any:
        if self._runner is None:
            return call(self._engine)

        async def one() -> Any:
            return await call(self._engine)

        return self._runner.run(one())

    def start(self, to: str) -> Any:
        return self.run(lambda engine: engine.start(to))

    def started(self, to: str) -> str:
        sent = self.start(to)
        assert isinstance(sent, Sent)
        assert sent.state is SendState.ACCEPTED
        assert sent.session.token is not None
        return sent.session.token

    def messages(self, to: str) -> list[str]:
        """The codes that were sent to a number during this test."""
        return [message.code for message in self.emulator.inbox()[self._earlier :] if message.to == to]

    def check(self, token: str, code: str, **more: Any) -> Any:
        return self.run(lambda engine: engine.check(token, code, **more))

    def left(self, token: str) -> int | None:
        status = self.run(lambda engine: engine.status(token))
        assert isinstance(status, Status)
        return status.next.checks_left

    def close(self) -> None:
        for other in self._others:
            other.close()
        self.run(lambda engine: engine.close())
        if self._runner is not None:
            self._runner.close()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve() as running:
        yield running


@pytest.fixture(params=["blocking", "awaiting"])
def bench(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[Bench]:
    emulator.advance(700)  # whatever another test left there has expired
    made = Bench(emulator, awaiting=request.param == "awaiting")
    yield made
    made.close()


@pytest.mark.parametrize("code", REFUSED_SENDS)
def test_a_refused_send_says_why_and_gives_its_step_back(bench: Bench, code: int) -> None:
    to = number(f"{code % 10_000:04}")
    for _ in range(2):
        answer = bench.start(to)
        assert isinstance(answer, Refused), answer
        assert answer.kind is REFUSED_SENDS[code]
        assert answer.detail
        assert to[-7:] not in repr(answer)
        assert answer.next.resend_at is not None
    assert not bench.messages(to)


@pytest.mark.parametrize("last", [*LOST_BEFORE, *LOST_AFTER])
def test_a_lost_send_is_counted_and_not_sent_again(bench: Bench, last: str) -> None:
    to = number(last)
    sent = bench.facing(last).start(to)
    assert isinstance(sent, Sent), sent
    assert sent.state is SendState.UNKNOWN
    assert isinstance(bench.start(to), Wait)
    codes = bench.messages(to)
    assert len(codes) == (last in LOST_AFTER)
    token = sent.session.token
    assert token is not None
    assert isinstance(bench.check(token, "123456"), Refused), "without a handle the number is needed"
    answer = bench.check(token, codes[0] if codes else "123456", recipient=to)
    assert isinstance(answer, Approved if codes else Ended | Undecided), answer


@pytest.mark.parametrize("last", REFUSED_CHECKS)
def test_a_refused_check_costs_no_try(bench: Bench, last: str) -> None:
    token = bench.started(number(last))
    answer = bench.check(token, bench.emulator.latest_code(number(last)))
    assert isinstance(answer, Refused), answer
    assert answer.kind is REFUSED_CHECKS[last]
    assert answer.detail
    assert number(last)[-7:] not in repr(answer)
    assert answer.next.checks_left == bench.left(token) == TRIES


@pytest.mark.parametrize("last", ENDING_CHECKS)
def test_a_verification_that_is_over_ends_the_session(bench: Bench, last: str) -> None:
    token = bench.started(number(last))
    answer = bench.check(token, bench.emulator.latest_code(number(last)))
    assert isinstance(answer, Ended), answer
    assert answer.next.resend_at is not None


@pytest.mark.parametrize("last", LOST_ANSWERS)
def test_a_check_whose_answer_was_lost_is_approved_where_twilios_log_says_so(bench: Bench, last: str) -> None:
    token = bench.started(number(last))
    facing = bench.facing(last)
    code = bench.emulator.latest_code(number(last))
    answer = facing.check(token, code)
    assert isinstance(answer, Approved), answer
    assert isinstance(bench.check(token, code), Ended), "once"


@pytest.mark.parametrize("last", LOST_ANSWERS)
def test_a_lost_answer_after_another_one_approves_nobody(bench: Bench, last: str) -> None:
    token = bench.started(number(last))
    facing = bench.facing(last)
    code = bench.emulator.latest_code(number(last))
    wrong = facing.check(token, f"{(int(code) + 1) % 10**6:06}")
    assert isinstance(wrong, Undecided), wrong
    assert wrong.next.checks_left == bench.left(token) == TRIES - 1
    assert isinstance(facing.check(token, code), Undecided), "whose try Twilio's log tells of, nobody can say"


@pytest.mark.parametrize("last", LOST_CHECKS)
def test_a_lost_check_costs_its_try_and_approves_nobody(bench: Bench, last: str) -> None:
    token = bench.started(number(last))
    answer = bench.facing(last).check(token, bench.emulator.latest_code(number(last)))
    assert isinstance(answer, Undecided), answer
    assert number(last)[-7:] not in repr(answer)
    assert answer.next.checks_left == bench.left(token) == TRIES - 1


def test_a_dead_server_is_a_definite_refusal(bench: Bench) -> None:
    with serve() as other:
        dead = Bench(other, awaiting=False)
    answer = dead.start("+12025550123")
    assert isinstance(answer, Refused), answer
    assert answer.next.resend_at is not None
    dead.close()


def test_the_ordinary_case_still_works(bench: Bench) -> None:
    token = bench.started("+12025550123")
    code = bench.emulator.latest_code("+12025550123")
    assert isinstance(bench.check(token, f"{(int(code) + 1) % 10**6:06}"), Wrong)
    assert isinstance(bench.check(token, code), Approved)
