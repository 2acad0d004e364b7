"""Requirements that need no storm, as bodies that a planted defect turns red.

Rules of this file: each body takes nothing, is green as it stands, and fails by `AssertionError`.
"""

from __future__ import annotations

import hmac
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest import mock

from otpcore.codes import digest_of
from otpcore.engine import Engine
from otpcore.policy import DEFAULT, Profile
from otpcore.providers.fake import FakeProvider
from otpcore.results import Approved, Ended, Refusal, Refused, Sent, Status, Wait, Wrong
from otpcore.stores.memory import MemoryStore
from tests.crash import test_flow_kills as kills
from tests.places import memory, tinydb
from tests.storms.arena import Arena, arena_for, checking, phone, token_of

__all__ = [
    "KIND",
    "MALFORMED_CODES",
    "MUTANT",
    "answers_hold_no_code",
    "code_parts_do_not_collide",
    "comparisons_take_constant_time",
    "counted_before_sent",
    "cycles_follow_the_ladder",
    "failures_count_across_sessions",
    "limits_are_exact",
    "malformed_codes_cost_nothing",
    "no_code_is_built_in",
    "successes_leave_the_daily_cap",
    "times_are_utc",
    "unknown_sessions_cost_the_same_work",
    "within",
    "writes_leave_old_or_new",
]

MUTANT = ""
"""Of `tests.crash.flow_child`; planted."""

KIND = "ours"
"""Which store is killed at every byte; planted."""

MALFORMED_CODES: Final[tuple[Any, ...]] = (
    *("", "12345", "1234567", " 12345", "12345 ", "12 456", "12\u00a0456", "12345\n", "+12345", "-12345", "1e4567"),
    *("١٢٣٤٥٦", "\uff11\uff12\uff13\uff14\uff15\uff16", "१२३४५६", "12345²", "①②③④⑤⑥", "\uff1123456"),
    *("12345\x00", "0x1234", "1_2345", "\u202e123456"),
    *(123456, 123456.0, b"123456", ["1", "2", "3", "4", "5", "6"], None, True, "1" * 10_000),
)


@contextmanager
def within(**given: Any) -> Generator[Arena]:
    """An arena of threads over the memory store."""
    with arena_for(memory(), "threads", **given) as arena:
        yield arena


def counted_before_sent() -> None:
    """S4: killed when the message has left, a start is counted all the same."""
    with tempfile.TemporaryDirectory() as folder:
        kills.killed_at(["after hand-off"], "threads", tinydb(folder), Path(folder) / "log", 1, MUTANT)


def writes_leave_old_or_new() -> None:
    """D4: killed at any byte, a write leaves the old record or the new one."""
    with tempfile.TemporaryDirectory() as folder:
        kills.killed_at_every_byte(KIND, Path(folder), 20)


def failures_count_across_sessions() -> None:
    """V6: the third session of a phone on a day answers nothing when two have spent ten tries."""
    with within() as arena:
        answered = 0
        for pause in (0, 120, 300):
            arena.clock.advance(seconds=pause)
            result = arena.start(phone(0))
            if not isinstance(result, Sent):
                continue
            token = token_of(result)
            for _ in range(6):
                wrong = arena.wrong_code(phone(0))
                answered += isinstance(arena.run(checking(token, wrong)), Wrong)
        assert answered == arena.profile.failures_per_day, answered


def limits_are_exact() -> None:
    """S10: a limit of L lets L through and no more, for L from 1 to 10."""
    second = timedelta(seconds=1)
    for limit in range(1, 11):
        profile = replace(
            DEFAULT, name="exact", ladder=(second,) * 20, daily_cap=limit, checks_per_session=limit, live_sessions=20
        )
        with within(profile=replace(profile, failures_per_day=10)) as arena:
            token = token_of(arena.started(phone(0)))
            wrong = arena.wrong_code(phone(0))
            answers = [arena.run(checking(token, wrong)) for _ in range(12)]
            assert sum(isinstance(answer, Wrong) for answer in answers) == limit
            for _ in range(12):
                arena.clock.advance(second)
                arena.start(phone(1))
            assert len(arena.messages(phone(1))) == limit


def successes_leave_the_daily_cap() -> None:
    """S8: a hundred times start and verify in a day: ten sends."""
    with within() as arena:
        for _ in range(100):
            result = arena.start(phone(0))
            if isinstance(result, Sent):
                token, right = token_of(result), arena.right_code(phone(0))
                assert isinstance(arena.run(checking(token, right)), Approved)
            arena.clock.advance(minutes=10)
        assert len(arena.exchange.outbox) == arena.profile.daily_cap


def malformed_codes_cost_nothing() -> None:
    """V11: what is not six ASCII digits is refused, costs no try and is never right."""
    with within() as arena:
        token = token_of(arena.started(phone(0)))
        right = arena.right_code(phone(0))
        for code in (*MALFORMED_CODES, f" {right}", f"{right} ", f"{right}\n", f"\ufeff{right}"):
            answer = arena.run(checking(token, code))
            assert isinstance(answer, Refused), answer
            assert answer.kind is Refusal.INVALID_CODE
        status = arena.run(lambda engine: engine.status(token))
        assert isinstance(status, Status)
        assert status.next.checks_left == arena.profile.checks_per_session
        assert isinstance(arena.run(checking(token, right)), Approved)


def _calls_of(owner: object, name: str, act: Callable[[], object]) -> int:
    """How often a function of `hmac`, or a method of one of its classes, is called."""
    with mock.patch.object(owner, name, autospec=True, side_effect=getattr(owner, name)) as counted:
        act()
        return counted.call_count


def _checks(arena: Arena) -> dict[str, Callable[[], object]]:
    """A wrong check of a live, an ended and an unknown session."""
    tokens = {"live": token_of(arena.started(phone(0))), "ended": token_of(arena.started(phone(1)))}
    arena.run(lambda engine: engine.cancel(tokens["ended"]))
    tokens["unknown"] = tokens["live"][:-6] + ("AAAAAA" if tokens["live"][-6:] != "AAAAAA" else "BBBBBB")
    tokens["nonsense"] = "otps_nonsense"
    wrong = arena.wrong_code(phone(0))
    return {name: partial(arena.run, checking(token, wrong)) for name, token in tokens.items()}


def comparisons_take_constant_time() -> None:
    """V10: digests are compared by `hmac.compare_digest`, and by nothing else."""
    with within() as arena:
        counts = {name: _calls_of(hmac, "compare_digest", act) for name, act in _checks(arena).items()}
        assert counts["live"] >= 3, counts  # the token's proof and two codes
        assert counts["ended"] == counts["unknown"] == counts["live"], counts


def unknown_sessions_cost_the_same_work() -> None:
    """V10: unknown, ended and live sessions cost the same MACs."""
    with within() as arena:
        counts = {name: _calls_of(hmac.HMAC, "digest", act) for name, act in _checks(arena).items()}
        assert len(set(counts.values())) == 1, counts
        assert counts["live"] >= 1, counts


def times_are_utc() -> None:
    """D7: wherever the machine stands, instants are UTC."""
    before = os.environ.get("TZ")
    try:
        for zone in ("Asia/Kolkata", "America/New_York", "Pacific/Apia", "UTC"):
            os.environ["TZ"] = zone
            time.tzset()
            sent = Engine(MemoryStore(), FakeProvider()).start(phone(0))
            assert isinstance(sent, Sent)
            assert sent.next.expires_at is not None
            left = sent.next.expires_at - datetime.fromtimestamp(time.time(), UTC)
            assert timedelta(seconds=500) < left <= timedelta(seconds=600), f"{left} in {zone}"
    finally:
        if before is None:
            os.environ.pop("TZ")
        else:
            os.environ["TZ"] = before
        time.tzset()


def cycles_follow_the_ladder() -> None:
    """S3: over cycles of ladders of any length, each send says when the next may be, and so it is."""
    for length in (6, 5, 4, 3, 2, 1):
        ladder = tuple(timedelta(hours=3 + step) for step in range(length))
        with within(profile=Profile(name="cycles", source="a test", ladder=ladder)) as arena:
            for wait in itertools.islice(itertools.cycle(ladder), 3 * length):
                sent = arena.started(phone(0))
                assert sent.next.resend_at == arena.clock.now + wait
                arena.clock.advance(wait - timedelta(seconds=1))
                held = arena.start(phone(0))
                assert isinstance(held, Wait)
                assert held.until == held.next.resend_at == arena.clock.now + timedelta(seconds=1)
                arena.clock.advance(seconds=1)


def code_parts_do_not_collide() -> None:
    """D12: parts that hold separators are not other parts."""
    texts = ["", ":", "/", "\x00", "\n", "a", "b", "a:b", "a:", ":b", "a/b", '","', "é", "a\x00b", "[", "\\"]
    digests: dict[tuple[str, ...], str] = {parts: digest_of(*parts) for parts in itertools.product(texts, texts)}
    digests |= {parts: digest_of(*parts) for parts in itertools.product(texts[:6], texts[:6], texts[:6])}
    assert len(set(digests.values())) == len(digests)


def answers_hold_no_code() -> None:
    """L1, H1: no answer shows a code, right, wrong or malformed, in its text."""
    with within() as arena:
        token = token_of(arena.started(phone(0)))
        right, wrong = arena.right_code(phone(0)), arena.wrong_code(phone(0))
        for code in (wrong, f" {right}", right, right):
            answer = arena.run(checking(token, code))
            assert code.strip() not in f"{answer!r}{answer}", answer
            assert right not in repr(answer), answer


def no_code_is_built_in() -> None:
    """H9: no number is served without a message, and no code is right but the one that was sent."""
    numbers = [phone(0), "+15005550006", "+12025550123", "+237671234567"]
    with within() as arena:
        for number in numbers:
            token = token_of(arena.started(number))
            assert len(arena.messages(number)) == 1
            dummies = {"000000", "111111", "123456", "654321", "999999"} - {arena.right_code(number)}
            for code in sorted(dummies):
                answer = arena.run(checking(token, code))
                assert isinstance(answer, Wrong | Ended), answer
