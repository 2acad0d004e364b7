"""Each limit by its figure, over a whole engine; and each shown to fail with a limit that is one too many.

Rules of this file: a body takes the world and the numbers that are promised; the planted defect runs the same body
over an engine whose policy lets one more through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otpcore import Approved, Ended, NotFound, Refusal, Refused, Sent, Wait, WaitReason, Wrong, outward
from otpcore.contract import CodeOwner, Failure, FailureKind, SendEffect
from otpcore.policy import DAY, DEFAULT, Profile
from tests.properties.world import NUMBER, World, begin, wrong

CORE, PROVIDER = CodeOwner.CORE, CodeOwner.PROVIDER
OWNERS = pytest.mark.parametrize("owner", [CORE, PROVIDER])
REFUSED = Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)
MINUTE = timedelta(minutes=1)
WIDE = replace(DEFAULT, ladder=(timedelta(seconds=1),) * 50, daily_cap=50, failures_per_day=100)
"""Nothing stands in the way of what a test is about."""


# --- bodies ------------------------------------------------------------------------------------


def ladder_lets_its_steps_through(profile: Profile, promised: Profile) -> None:
    """S3: 20 cycles; every wait is the documented one, every send has a real expiry."""
    world = World(profile=replace(profile, daily_cap=1000, live_sessions=1000))
    for _ in range(20):
        for step in promised.ladder:
            sent = world.engine.start(NUMBER)
            assert isinstance(sent, Sent)
            assert sent.next.resend_at == world.now + step
            assert sent.next.expires_at == world.now + profile.code_lifetime
            world.move(step - timedelta(milliseconds=1))
            held = world.engine.start(NUMBER)
            assert isinstance(held, Wait)
            assert held.retry_after_s == pytest.approx(0.001)
            world.move(timedelta(milliseconds=1))


def successes_do_not_lift_the_daily_cap(profile: Profile, promised: Profile) -> None:
    """S8, invariant 6: 100 loops of start and right code in 24 hours: exactly ten sends."""
    world = World(profile=profile)
    for _ in range(100):
        result = world.engine.start(NUMBER)
        if isinstance(result, Sent):
            code = world.vendor.code_for(NUMBER)
            assert isinstance(world.engine.check(result.session.token or "", code), Approved)
        else:
            assert isinstance(result, Wait)
            assert result.reason is WaitReason.DAILY_CAP
        world.move(timedelta(minutes=14))
    assert len(world.vendor.outbox) == promised.daily_cap


def tries_of_a_session(profile: Profile, promised: Profile) -> None:
    """V4, S10: exactly so many answers, and then the right code is refused like a wrong one."""
    for seed in range(1000 if promised is DEFAULT else 50):
        world = World(profile=profile, seed=seed)
        token, code = begin(world)
        told = [world.engine.check(token, wrong(code)) for _ in range(promised.checks_per_session + 2)]
        assert sum(isinstance(each, Wrong) for each in told) == promised.checks_per_session
        right = world.engine.check(token, code)
        assert isinstance(right, Ended)
        assert outward(right, of="check") == outward(told[0], of="check") == outward(NotFound(), of="check")


def failures_in_a_day(profile: Profile, promised: Profile) -> None:
    """Invariant 5, V6: over however many sessions, and the next one when the first leaves its window."""
    world = World(profile=replace(profile, ladder=WIDE.ladder, daily_cap=50))
    count = 0
    for _ in range(6):
        result = world.engine.start(NUMBER)
        if not isinstance(result, Sent):
            break
        code = world.vendor.code_for(NUMBER)
        told = [world.engine.check(result.session.token or "", wrong(code)) for _ in range(5)]
        count += sum(isinstance(each, Wrong) for each in told)
        world.move(11 * MINUTE)
    assert count == promised.failures_per_day
    assert isinstance(world.engine.start(NUMBER), Refused)
    world.move(DAY - 22 * MINUTE)
    assert isinstance(world.engine.start(NUMBER), Sent)


def failures_in_a_row(profile: Profile, promised: Profile) -> None:
    """Invariant 5: ten a day for ten days; the 101st is impossible until an operator unlocks."""
    world = World(profile=replace(profile, ladder=WIDE.ladder, daily_cap=50))
    count = 0
    for _ in range(15):
        for _ in range(2):
            result = world.engine.start(NUMBER)
            if isinstance(result, Sent):
                code = world.vendor.code_for(NUMBER)
                told = [world.engine.check(result.session.token or "", wrong(code)) for _ in range(5)]
                count += sum(isinstance(each, Wrong) for each in told)
            world.move(11 * MINUTE)
        world.move(DAY)
    assert count == promised.failures_in_a_row
    locked = world.engine.start(NUMBER)
    assert isinstance(locked, Refused)
    assert (locked.kind, locked.next.resend_at) == (Refusal.LOCKED, None)
    world.engine.unlock(NUMBER)
    assert isinstance(world.engine.start(NUMBER), Sent)


def live_sessions_at_once(profile: Profile, promised: Profile) -> None:
    """Trap 1: the next one waits, and the first ones are all still there."""
    world = World(profile=replace(profile, ladder=WIDE.ladder))
    tokens: list[str] = []
    for _ in range(promised.live_sessions):
        tokens.append(begin(world)[0])
        world.move(timedelta(seconds=1))
    assert isinstance(world.engine.start(NUMBER), Wait)
    assert all(world.engine.status(token).next.expires_at is not None for token in tokens)


def refunds_in_an_hour(profile: Profile, promised: Profile) -> None:
    """Trap 4, S5."""
    world = World(profile=replace(profile, daily_cap=50))
    for _ in range(promised.refunds_per_hour):
        world.orders[:] = [REFUSED]
        assert isinstance(world.engine.start(NUMBER), Refused)
    world.orders[:] = [REFUSED]
    assert isinstance(world.engine.start(NUMBER), Refused)
    assert isinstance(world.engine.start(NUMBER), Wait)


def a_source_leaves_room_for_others(profile: Profile, promised: Profile) -> None:
    """Trap 5: all but one step of the ladder; half of the failures."""
    world = World(profile=profile)
    for _ in range(200):
        world.engine.start(NUMBER, source="192.0.2.1")
        world.move(5 * MINUTE)
    assert len(world.vendor.outbox) == len(promised.ladder) - 1
    token, code = begin(world, source="192.0.2.2")
    for _ in range(5):
        world.engine.check(token, wrong(code), source="192.0.2.1")
    world.move(timedelta(hours=25))
    token, code = begin(world)
    assert isinstance(world.engine.check(token, code, source="192.0.2.1"), Approved)


def code_lives_as_long_as_it_says(profile: Profile, promised: Profile) -> None:
    """V8, invariant 8: right a millisecond before its end; at the end and after it is over."""
    for early, kind in ((-1, Approved), (0, Ended), (1, Ended)):
        world = World(profile=profile)
        token, code = begin(world)
        world.move(promised.code_lifetime + timedelta(milliseconds=early))
        assert isinstance(world.engine.check(token, code), kind)


Body = Callable[[Profile, Profile], None]
SHORT = replace(DEFAULT, name="short", code_lifetime=timedelta(seconds=300))
LIMITS: list[tuple[Body, Profile, dict[str, Any]]] = [
    (ladder_lets_its_steps_through, DEFAULT, {"ladder": (*DEFAULT.ladder[:-1], timedelta(hours=23))}),
    (successes_do_not_lift_the_daily_cap, DEFAULT, {"daily_cap": 11}),
    (tries_of_a_session, DEFAULT, {"checks_per_session": 6}),
    (failures_in_a_day, DEFAULT, {"failures_per_day": 11}),
    (failures_in_a_row, DEFAULT, {"failures_in_a_row": 101}),
    (live_sessions_at_once, DEFAULT, {"live_sessions": 4}),
    (refunds_in_an_hour, DEFAULT, {"refunds_per_hour": 4}),
    (a_source_leaves_room_for_others, DEFAULT, {"ladder": (*DEFAULT.ladder, timedelta(hours=24))}),
    (code_lives_as_long_as_it_says, SHORT, {"code_lifetime": timedelta(milliseconds=300_001)}),
]
NAMES = [body.__name__ for body, _, _ in LIMITS]


@pytest.mark.parametrize(("body", "promised", "more"), LIMITS, ids=NAMES)
def test_a_limit_is_what_it_says(body: Body, promised: Profile, more: dict[str, Any]) -> None:
    """Invariants 2, 3, 5, 6 and 8; traps 1, 4 and 5."""
    body(promised, promised)


@pytest.mark.parametrize(("body", "promised", "more"), LIMITS, ids=NAMES)
def test_one_more_than_the_limit_is_found(body: Body, promised: Profile, more: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        body(replace(promised, **more), promised)


# --- one by one --------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", range(1, 11))
def test_a_limit_counts_the_allowed_number_and_not_one_more(limit: int) -> None:
    """S10: for L in 1..10, exactly L of sends, checks and live sessions."""
    profile = replace(WIDE, daily_cap=limit, checks_per_session=limit, live_sessions=limit)
    world = World(profile=profile)
    for _ in range(limit + 2):
        world.engine.start(NUMBER)
        world.move(timedelta(seconds=1))
    assert len(world.vendor.outbox) == limit
    tries = World(profile=profile)
    token, code = begin(tries)
    told = [tries.engine.check(token, wrong(code)) for _ in range(limit + 2)]
    assert sum(isinstance(each, Wrong) for each in told) == limit


def test_a_resend_gives_no_tries_back() -> None:
    """V5, invariant 5: 20 resends with a try at each: five answers in all, the code of before never accepted."""
    profile = replace(WIDE, ladder=(timedelta(seconds=20),) * 30)
    world = World(profile=profile)
    token, first = begin(world)
    told: list[Any] = []
    for _ in range(20):
        world.move(timedelta(seconds=20))
        old = world.vendor.code_for(NUMBER)
        world.engine.resend(token, NUMBER)
        told.append(world.engine.check(token, old if old != world.vendor.code_for(NUMBER) else wrong(old)))
    assert sum(isinstance(each, Wrong) for each in told) == 5
    assert not any(isinstance(each, Approved) for each in told)
    assert isinstance(world.engine.check(token, first), Ended)


@OWNERS
def test_nothing_that_was_sent_is_given_back_by_an_end(owner: CodeOwner) -> None:
    """S14, L5: cancel, expiry and forget leave the ladder and the cap as they are."""
    for finish in ("cancel", "expire", "forget"):
        world = World(owner=owner)
        token, _ = begin(world)
        before = world.record()
        match finish:
            case "cancel":
                world.engine.cancel(token)
            case "forget":
                world.engine.forget(NUMBER)
            case _:
                world.move(10 * MINUTE)
                world.engine.status(token)
        after = world.record()
        assert (after.ladder, len(after.sends)) == (before.ladder, len(before.sends))
        assert NUMBER[1:].encode() not in world.dump()


def test_a_refusal_of_every_kind_tells_what_to_do_next() -> None:
    """Invariant 15: and a provider's refusal keeps its name."""
    for kind in FailureKind:
        world = World()
        world.orders[:] = [Failure(kind, SendEffect.NOT_SENT, retry_after=3 * MINUTE)]
        result = world.engine.start(NUMBER)
        assert isinstance(result, Refused)
        assert (result.kind.value, result.next.resend_at) == (kind.value, world.now + 3 * MINUTE)
