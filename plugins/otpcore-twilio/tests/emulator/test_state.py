"""The state alone: instants, limits, seeds. No socket."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from otpcore_twilio.emulator import Options
from otpcore_twilio.emulator.access import Credentials
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.limiting import note_keys, note_request
from otpcore_twilio.emulator.magic import Magic, Operation
from otpcore_twilio.emulator.records import (
    Bucket,
    Entropy,
    Holdings,
    MessagingConfiguration,
    RateLimit,
    SafeNumber,
    Service,
    Verification,
)
from otpcore_twilio.emulator.state import Asked, World
from otpcore_twilio.emulator.texting import Draft, send

START = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
TO = "+12025550123"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def world_of(**options: Any) -> tuple[World, Service]:
    world = World(Options(**options), Entropy(7))
    return world, world.add_service("Shop", now=START)


def check(world: World, service: Service, code: str, seconds: float) -> Verification:
    return world.check(world.target(service, to=TO, now=at(seconds)), code, now=at(seconds))


@pytest.mark.parametrize("expiry_from", ["first_send", "last_send"])
@pytest.mark.parametrize("validity_s", [120, 600])
def test_a_code_lives_exactly_as_long_as_its_validity(expiry_from: str, validity_s: int) -> None:
    for seconds, alive in ((validity_s - 0.001, True), (validity_s, False)):
        world, service = world_of(expiry_from=expiry_from, validity_s=validity_s)
        code = world.send(service, TO, "sms", now=START).code
        if alive:
            assert check(world, service, code, seconds).status == "approved"
        else:
            with pytest.raises(Refusal) as refused:
                check(world, service, code, seconds)
            assert refused.value.code == 20404


@pytest.mark.parametrize(("expiry_from", "alive"), [("first_send", False), ("last_send", True)])
def test_a_resend_prolongs_the_code_only_where_expiry_runs_from_it(expiry_from: str, *, alive: bool) -> None:
    world, service = world_of(expiry_from=expiry_from)
    first = world.send(service, TO, "sms", now=START)
    world.send(service, TO, "sms", now=at(599))
    assert (world.send(service, TO, "sms", now=at(601)).sid == first.sid) is alive


def test_after_its_validity_a_send_starts_afresh() -> None:
    world, service = world_of()
    first = world.send(service, TO, "sms", now=START)
    again = world.send(service, TO, "sms", now=at(600))
    assert again.sid != first.sid
    assert len(again.sends) == 1


@pytest.mark.parametrize(("mode", "refused"), [("fresh", False), (60203, True)])
def test_used_up_sends_are_remembered_after_the_expiry_only_where_the_options_say_so(
    mode: Any, *, refused: bool
) -> None:
    world, service = world_of(create_when_expired=mode)
    for second in range(5):
        world.send(service, TO, "sms", now=at(second))
    if refused:
        for seconds in (600, 600 + 86_399):
            with pytest.raises(Refusal) as refusal:
                world.send(service, TO, "sms", now=at(seconds))
            assert (refusal.value.code, refusal.value.retry_after_s) == (60203, 600 + 86_400 - seconds)
        with pytest.raises(Refusal):
            world.fetch(service, to=TO, now=at(700))
        assert len(world.send(service, TO, "sms", now=at(600 + 86_400)).sends) == 1
    else:
        assert len(world.send(service, TO, "sms", now=at(600)).sends) == 1


def test_sends_that_were_not_used_up_are_never_remembered() -> None:
    world, service = world_of(create_when_expired=60203)
    world.send(service, TO, "sms", now=START)
    assert len(world.send(service, TO, "sms", now=at(600)).sends) == 1


def test_a_lock_ends_with_the_validity_and_says_how_long_it_lasts() -> None:
    world, service = world_of()
    code = world.send(service, TO, "sms", now=START).code
    for _ in range(5):
        check(world, service, "no" * 3, 1)
    with pytest.raises(Refusal) as refused:
        check(world, service, code, 100.5)
    assert (refused.value.code, refused.value.retry_after_s) == (60202, 500)
    with pytest.raises(Refusal) as refused:
        world.send(service, TO, "sms", now=at(599.9))
    assert (refused.value.code, refused.value.retry_after_s) == (60203, 1)
    assert world.send(service, TO, "sms", now=at(600)).status == "pending"


def test_the_fifth_check_may_still_be_right_and_the_sixth_may_not() -> None:
    for wrong, code in ((4, None), (5, 60202)):
        world, service = world_of()
        right = world.send(service, TO, "sms", now=START).code
        for _ in range(wrong):
            check(world, service, "wrong", 1)
        if code is None:
            assert check(world, service, right, 1).status == "approved"
        else:
            with pytest.raises(Refusal):
                check(world, service, right, 1)


def test_a_resend_gives_no_check_back() -> None:
    world, service = world_of()
    world.send(service, TO, "sms", now=START)
    for second in range(5):
        check(world, service, "wrong", second)
        if second < 4:
            world.send(service, TO, "sms", now=at(second))
    with pytest.raises(Refusal):
        check(world, service, "wrong", 6)


def test_an_approved_verification_makes_room_for_a_new_one() -> None:
    world, service = world_of()
    first = world.send(service, TO, "sms", now=START)
    check(world, service, first.code, 1)
    assert world.send(service, TO, "sms", now=at(2)).sid != first.sid


@pytest.mark.parametrize("status", ["approved", "canceled"])
def test_only_a_pending_verification_is_updated(status: str) -> None:
    world, service = world_of()
    sid = world.send(service, TO, "sms", now=START).sid
    world.update(service, status, sid=sid, now=at(1))
    with pytest.raises(Refusal):
        world.update(service, "canceled", sid=sid, now=at(2))


@pytest.mark.parametrize(("mode", "shown"), [("gone", None), ("expired", "expired")])
def test_an_expired_verification_is_shown_as_the_options_say(mode: str, shown: str | None) -> None:
    world, service = world_of(fetch_when_expired=mode)
    sid = world.send(service, TO, "sms", now=START).sid
    if shown is None:
        with pytest.raises(Refusal):
            world.fetch(service, sid=sid, now=at(600))
    else:
        assert world.fetch(service, sid=sid, now=at(600)).status == shown
        with pytest.raises(Refusal):
            world.fetch(service, sid=sid, now=at(600 + 86_400))


def test_fetches_are_limited_in_a_minute_an_hour_and_a_day() -> None:
    world, service = world_of(validity_s=86_400)
    sid = world.send(service, TO, "sms", now=START).sid
    granted: list[int] = []
    codes: set[int | None] = set()
    for second in [*range(200), *range(200, 86_000, 60)]:
        try:
            world.fetch(service, sid=sid, now=at(second))
        except Refusal as refusal:
            codes.add(refusal.code)
        else:
            granted.append(second)
    assert len([second for second in granted if second < 3600]) == 180
    assert len(granted) == 250
    assert codes == {20429}


def test_the_same_seed_makes_the_same_secrets_and_another_does_not() -> None:
    def made(seed: int | None) -> tuple[Credentials, str, str]:
        entropy = Entropy(seed)
        return Credentials.make(entropy), entropy.sid("VE"), entropy.code(10)

    assert made(1) == made(1)
    assert made(1) != made(2)
    assert made(None) != made(None)


@pytest.mark.parametrize("length", [4, 6, 10])
def test_a_code_keeps_its_leading_zeros(length: int) -> None:
    entropy = Entropy(3)
    codes = [entropy.code(length) for _ in range(500)]
    assert {len(code) for code in codes} == {length}
    assert any(code.startswith("0") for code in codes)


def test_what_is_over_is_forgotten() -> None:
    world, service = world_of(inbox_size=10)
    for second in range(3000):
        world.send(service, f"+1{200 + second // 100}55501{second % 100:02}", "sms", now=at(second))
    assert len(world.held.verifications) == 600
    assert len(world._newest) == 600  # pyright: ignore[reportPrivateUsage]  # the index has no other name
    assert len(world.held.attempts) == 10
    assert len(world.messages) == 10


def test_what_is_held_is_plain_data_and_goes_on_elsewhere() -> None:
    world, service = world_of()
    service.nested["push"] = {"include_date": True}
    code = world.send(service, TO, "sms", now=START, asked=Asked(payment=("1", "x"), tags={"a": "b"})).code
    world.send(service, TO, "sna", now=at(1), asked=Asked(client_token=True))
    world.fetch(service, to=TO, now=at(2))
    held = world.held
    held.rate_limits["RK0"] = RateLimit("RK0", service.sid, "ip", None, START, START, held.next_serial())
    held.buckets["BL0"] = Bucket("BL0", "RK0", 1, 60, START, START, held.next_serial())
    note_keys(held, service.sid, {"ip": "192.0.2.7"}, 20429, now=START)
    note_request(held, "SafeList", 20429, now=START)
    held.safe_numbers[TO] = SafeNumber("GN0", TO)
    held.configurations["VA0 CA"] = MessagingConfiguration("VA0", "CA", "MG0", START, START, held.next_serial())
    texts = Draft(to=TO, sender="ACME", service_sid=None, body="123456", feedback=True, callback=None)
    send(world, texts, now=at(2))
    assert all(getattr(held, field.name) for field in fields(Holdings))

    shape = TypeAdapter(Holdings)
    other = World(Options(), Entropy(8))
    other.held = shape.validate_json(shape.dump_json(held))
    other.index()
    assert other.held == held
    again = other.services[service.sid]
    target = other.target(again, to=TO, now=at(3))
    assert other.check(target, code, now=at(3), payment=("2", "x")).status == "pending"
    assert other.check(target, code, now=at(3), payment=("1", "x")).status == "approved"
    with pytest.raises(Refusal):
        note_keys(other.held, service.sid, {"ip": "192.0.2.7"}, 20429, now=at(1))


def test_nothing_that_is_printed_holds_a_code_or_a_token() -> None:
    world, service = world_of()
    verification = world.send(service, TO, "sms", now=START)
    credentials = Credentials.make(Entropy(8))
    printed = f"{verification!r}{world.messages[-1]!r}{credentials!r}"
    assert verification.code not in printed
    assert credentials.auth_token not in printed
    assert credentials.api_key_secret not in printed


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": frozenset({"rcs"})},
        {"validity_s": 0},
        {"max_sends": 0},
        {"max_rate_limits": 0},
        {"max_buckets": 0},
        {"poll_code": 429},
        {"http_statuses": {60410: 200}},
        {"http_statuses": {1: 403}},
        {"retry_after_codes": frozenset({20429, 1})},
        {"magic": {TO: Magic("+12025550124", Operation.CREATE, 60410)}},
        {"magic": {TO: Magic(TO, Operation.CREATE, 1)}},
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Options(**wrong)
