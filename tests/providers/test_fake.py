"""The fake: Twilio's behaviour in memory, scripts, magic numbers, both colours over one exchange."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from otpcore import Engine, Sent
from otpcore.ports import (
    Accepted,
    AsyncCancels,
    AsyncChecks,
    AsyncProvider,
    Cancels,
    CheckAnswer,
    CheckRequest,
    Checks,
    CheckVerdict,
    CodeOwner,
    DeliveryState,
    Failure,
    FailureKind,
    FailureScope,
    Provider,
    SendEffect,
    SendRequest,
)
from otpcore.providers.fake import (
    DELIVERIES,
    MAGIC_NUMBERS,
    AsyncFakeProvider,
    Exchange,
    FakeProvider,
    FakeSettings,
    Script,
    Vanished,
)
from otpcore.providers.fake_exchange import system_clock
from otpcore.providers.fake_magic import VARIANTS
from otpcore.receipts import Received
from otpcore.stores.memory import MemoryStore

PHONE = "+12025550123"
WRONG = "000000"


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def a_send(recipient: str = PHONE, *, code: str | None = None, send_id: str = "s1") -> SendRequest:
    return SendRequest(send_id, recipient, "sms", "login", code, None, datetime(2026, 11, 22, 13, tzinfo=UTC), 1.0)


def a_check(code: str, *, handle: str | None = None, recipient: str | None = PHONE) -> CheckRequest:
    return CheckRequest(handle, recipient, code, 1.0)


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def fake(clock: Hands) -> FakeProvider:
    return FakeProvider(seed=7, clock=clock)


def handle_of(outcome: Accepted | Failure) -> str:
    assert isinstance(outcome, Accepted), outcome
    assert outcome.handle is not None
    return outcome.handle


def test_both_colours_implement_the_protocols() -> None:
    blocking, awaited = FakeProvider(), AsyncFakeProvider()
    assert isinstance(blocking, Provider)
    assert isinstance(blocking, Checks)
    assert isinstance(blocking, Cancels)
    assert isinstance(awaited, AsyncProvider)
    assert isinstance(awaited, AsyncChecks)
    assert isinstance(awaited, AsyncCancels)
    assert blocking.capabilities == awaited.capabilities
    assert blocking.capabilities.simulated


def test_a_resend_in_the_window_keeps_handle_and_code(fake: FakeProvider, clock: Hands) -> None:
    first = handle_of(fake.send(a_send()))
    code = fake.code_for(PHONE)
    clock.now += timedelta(seconds=599)
    assert handle_of(fake.send(a_send())) == first
    assert fake.code_for(PHONE) == code
    assert [message.code for message in fake.outbox] == [code, code]


def test_a_send_after_the_window_opens_a_new_verification(fake: FakeProvider, clock: Hands) -> None:
    first = handle_of(fake.send(a_send()))
    clock.now += timedelta(seconds=600)
    assert fake.check(a_check(fake.outbox[0].code, handle=first)).verdict is CheckVerdict.GONE
    assert handle_of(fake.send(a_send())) != first


@pytest.mark.parametrize("by_handle", [True, False])
def test_the_right_code_approves_once_and_then_a_new_verification_starts(fake: FakeProvider, by_handle: bool) -> None:
    first = handle_of(fake.send(a_send()))
    asked = a_check(fake.code_for(PHONE), handle=first if by_handle else None)
    assert fake.check(asked) == CheckAnswer(CheckVerdict.APPROVED, first)
    assert fake.check(asked).verdict is CheckVerdict.GONE
    assert handle_of(fake.send(a_send())) != first


def test_five_wrong_codes_exhaust_the_verification_even_for_the_right_one(fake: FakeProvider) -> None:
    fake.send(a_send())
    wrong = [fake.check(a_check(WRONG)).verdict for _ in range(5)]
    assert wrong == [CheckVerdict.WRONG] * 5
    assert fake.check(a_check(fake.code_for(PHONE))).verdict is CheckVerdict.EXHAUSTED


def test_the_sixth_send_is_refused_until_the_window_is_over(fake: FakeProvider, clock: Hands) -> None:
    accepted = [fake.send(a_send()) for _ in range(5)]
    assert all(isinstance(outcome, Accepted) for outcome in accepted)
    clock.now += timedelta(seconds=100)
    refused = fake.send(a_send())
    assert isinstance(refused, Failure)
    assert (refused.kind, refused.scope) == (FailureKind.RATE_LIMITED, FailureScope.RECIPIENT)
    assert refused.retry_after == timedelta(seconds=500)
    assert len(fake.outbox) == 5


def test_a_cancel_ends_the_verification_once(fake: FakeProvider) -> None:
    first = handle_of(fake.send(a_send()))
    code = fake.code_for(PHONE)
    assert fake.cancel(first, 1.0)
    assert not fake.cancel(first, 1.0)
    assert fake.check(a_check(code, handle=first)).verdict is CheckVerdict.GONE
    with pytest.raises(LookupError):
        fake.code_for(PHONE)


def test_a_handle_of_an_ended_verification_does_not_reach_the_next_one(fake: FakeProvider) -> None:
    first = handle_of(fake.send(a_send()))
    fake.cancel(first, 1.0)
    fake.send(a_send())
    assert fake.check(a_check(fake.code_for(PHONE), handle=first)).verdict is CheckVerdict.GONE
    assert not fake.cancel(first, 1.0)


def test_a_core_owned_code_is_delivered_as_given() -> None:
    fake = FakeProvider(owner=CodeOwner.CORE)
    assert handle_of(fake.send(a_send(code="424242"))) == fake.outbox[0].handle
    assert fake.code_for(PHONE) == "424242"
    assert fake.capabilities.code_owners == {CodeOwner.CORE}


@pytest.mark.parametrize(("owner", "code"), [(CodeOwner.CORE, None), (CodeOwner.PROVIDER, "424242")])
def test_a_code_of_the_wrong_owner_is_not_sent(owner: CodeOwner, code: str | None) -> None:
    fake = FakeProvider(owner=owner)
    outcome = fake.send(a_send(code=code))
    assert isinstance(outcome, Failure)
    assert outcome.effect is SendEffect.NOT_SENT
    assert fake.outbox == ()


def test_a_seed_makes_codes_and_handles_the_same_in_every_run() -> None:
    one, two, other = FakeProvider(seed=3), FakeProvider(seed=3), FakeProvider(seed=4)
    assert handle_of(one.send(a_send())) == handle_of(two.send(a_send())) != handle_of(other.send(a_send()))
    assert one.code_for(PHONE) == two.code_for(PHONE)


def test_magic_numbers_name_every_kind_and_every_verdict() -> None:
    plain = {outcome for number, outcome in MAGIC_NUMBERS.items() if number not in VARIANTS}
    assert plain == {*FailureKind} | {*CheckVerdict}


@pytest.mark.parametrize("number", [n for n, o in MAGIC_NUMBERS.items() if isinstance(o, FailureKind)])
def test_a_magic_number_fails_a_send_with_its_kind(fake: FakeProvider, number: str) -> None:
    outcome = fake.send(a_send(number))
    assert isinstance(outcome, Failure)
    assert outcome.kind == MAGIC_NUMBERS[number]


@pytest.mark.parametrize("number", [n for n, o in MAGIC_NUMBERS.items() if isinstance(o, CheckVerdict)])
def test_a_magic_number_is_sent_to_and_its_checks_get_its_verdict(fake: FakeProvider, number: str) -> None:
    handle = handle_of(fake.send(a_send(number)))
    assert fake.check(a_check(WRONG, handle=handle, recipient=None)).verdict == MAGIC_NUMBERS[number]


@pytest.mark.parametrize(
    ("effect", "left"), [(SendEffect.NOT_SENT, 0), (SendEffect.UNKNOWN, 1)], ids=["not-sent", "unknown"]
)
def test_a_scripted_unknown_outcome_means_that_the_message_left(effect: SendEffect, left: int) -> None:
    failure = Failure(FailureKind.TIMEOUT, effect)
    fake = FakeProvider(script={PHONE: failure})
    assert fake.send(a_send()) == failure
    assert len(fake.outbox) == left


def test_after_a_lost_answer_a_check_by_recipient_adopts_the_handle() -> None:
    fake = FakeProvider(script=lambda request: FailureKind.TIMEOUT if isinstance(request, SendRequest) else None)
    fake.send(a_send())
    answer = fake.check(a_check(fake.code_for(PHONE)))
    assert answer.verdict is CheckVerdict.APPROVED
    assert answer.handle == fake.outbox[0].handle


def planned(_request: SendRequest | CheckRequest) -> Exception:
    return OSError("planned")


@pytest.mark.parametrize("script", [{PHONE: OSError("planned")}, planned], ids=["map", "function"])
def test_a_scripted_exception_is_raised_and_counted(script: Script) -> None:
    fake = FakeProvider(script=script)
    with pytest.raises(OSError, match="planned"):
        fake.send(a_send())
    assert fake.calls == {"send": 1}


def test_a_script_wins_over_a_magic_number() -> None:
    number = next(iter(MAGIC_NUMBERS))
    fake = FakeProvider(script={number: FailureKind.OPTED_OUT})
    outcome = fake.send(a_send(number))
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.OPTED_OUT


def test_both_colours_over_one_exchange_see_the_same_verification() -> None:
    exchange = Exchange(seed=1)
    blocking, awaited = FakeProvider(exchange=exchange), AsyncFakeProvider(exchange=exchange)

    async def from_the_other_side() -> CheckAnswer:
        return await awaited.check(a_check(awaited.code_for(PHONE)))

    handle = handle_of(blocking.send(a_send()))
    assert asyncio.run(from_the_other_side()) == CheckAnswer(CheckVerdict.APPROVED, handle)
    assert awaited.outbox == blocking.outbox
    assert blocking.calls == Counter(send=1, check=1)


def test_the_awaited_fake_asks_its_hook_before_anything_happens() -> None:
    fake = AsyncFakeProvider()
    seen: list[int] = []

    async def before(request: SendRequest) -> None:
        seen.append(len(fake.outbox))
        await asyncio.sleep(0)

    async def scenario() -> bool:
        fake.before_send = before
        handle = handle_of(await fake.send(a_send()))
        ended = await fake.cancel(handle, 1.0)
        await fake.close()
        return ended

    assert asyncio.run(scenario())
    assert seen == [0]


class Unlocked(contextlib.nullcontext[None]):
    """Planted defect: a lock that excludes nobody."""


def approvals_in_a_storm(*, locked: bool) -> int:
    """Eight threads try the right code at once; without the lock, all of them meet before each look-up."""
    rendezvous = threading.Barrier(8)

    def meeting() -> datetime:
        if threading.current_thread() is not threading.main_thread():
            rendezvous.wait(10)
        return system_clock()

    exchange = Exchange(clock=system_clock if locked else meeting)
    if not locked:
        exchange.__dict__["_lock"] = Unlocked()
    fake, gate = FakeProvider(exchange=exchange), threading.Barrier(8)
    handle = handle_of(fake.send(a_send()))
    code = fake.code_for(PHONE)
    verdicts: list[CheckVerdict] = []

    def attempt() -> None:
        gate.wait()
        verdicts.append(fake.check(a_check(code, handle=handle)).verdict)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(verdicts) == 8
    return verdicts.count(CheckVerdict.APPROVED)


def test_one_of_many_simultaneous_right_codes_is_approved() -> None:
    assert approvals_in_a_storm(locked=True) == 1


def test_without_its_lock_the_fake_would_approve_more_than_once() -> None:
    assert approvals_in_a_storm(locked=False) > 1


def test_no_repr_shows_a_code_or_a_number(fake: FakeProvider) -> None:
    fake.send(a_send())
    shown = repr((fake, fake.outbox, fake.exchange, fake.exchange.__dict__["_live"].values()))
    assert fake.code_for(PHONE) not in shown
    assert PHONE[1:] not in shown


def test_settings_build_the_fake_that_they_describe() -> None:
    settings = FakeSettings(owner=CodeOwner.CORE, seed=1, lifetime_s=60)
    assert settings.exchange().owner is CodeOwner.CORE
    assert FakeSettings(lifetime_s=60).exchange().capabilities.code_lifetime == timedelta(seconds=60)


@pytest.mark.parametrize(("number", "outcome"), VARIANTS.items())
def test_a_variant_says_effect_and_scope_and_whether_the_message_left(
    number: str, outcome: Failure | Vanished, fake: FakeProvider
) -> None:
    found = fake.send(a_send(number))
    assert isinstance(found, Failure)
    if isinstance(outcome, Vanished):
        assert (found.kind, found.effect) == (outcome.kind, SendEffect.UNKNOWN)
    else:
        assert found == outcome
    left = isinstance(outcome, Failure) and outcome.effect is SendEffect.UNKNOWN
    assert len(fake.outbox) == left


def test_every_effect_and_scope_has_a_number() -> None:
    failures = [each for each in VARIANTS.values() if isinstance(each, Failure)]
    assert {each.effect for each in failures} == {*SendEffect}
    assert {each.scope for each in failures if each.kind is FailureKind.RATE_LIMITED} == {*FailureScope}
    assert any(isinstance(each, Vanished) for each in VARIANTS.values())


@pytest.mark.parametrize(("number", "state"), DELIVERIES.items())
@pytest.mark.parametrize("owner", CodeOwner)
def test_the_vendor_tells_once_of_a_message_with_a_fate(number: str, state: DeliveryState, owner: CodeOwner) -> None:
    fake = FakeProvider(owner=owner, seed=7)
    handle = handle_of(fake.send(a_send(number, code="123456" if owner is CodeOwner.CORE else None)))
    (receipt,) = fake.due_receipts()
    (event,) = fake.parse_receipt(receipt)
    assert (event.handle, event.recipient, event.state) == (handle, number, state)
    assert fake.due_receipts() == ()


def test_other_messages_have_no_fate(fake: FakeProvider) -> None:
    handle_of(fake.send(a_send()))
    assert fake.due_receipts() == ()


def test_each_fate_has_a_number() -> None:
    assert {*DELIVERIES.values()} == {*DeliveryState}
    assert {*DELIVERIES}.isdisjoint(MAGIC_NUMBERS)


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.UNDELIVERED])
def test_an_engine_takes_the_fate_of_its_message_once(state: DeliveryState) -> None:
    number = next(number for number, each in DELIVERIES.items() if each is state)
    fake = FakeProvider(owner=CodeOwner.CORE)
    with Engine(MemoryStore(), fake) as engine:
        assert isinstance(engine.start(number), Sent)
        (receipt,) = fake.due_receipts()
        told = [engine.receipt(None, receipt) for _ in range(2)]
    assert told == [Received(1, 0), Received(0, 0, 1)]
