"""Input that cannot be right: refused with a reason and the next actions, masked, at no cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otpcore.engine import AsyncEngine, Engine
from otpcore.errors import ConfigurationError, InvalidIdempotencyKey, PepperError, StoreUnavailable, UnknownPurpose
from otpcore.providers.fake import FakeProvider
from otpcore.results import Approved, ByRecipient, NotFound, Refusal, Refused, Sent, Status
from otpcore.stores.memory import MemoryStore
from otpcore.stores.tinydb import TinyDBStore
from tests.defects.bodies import MALFORMED_CODES
from tests.storms.arena import PEPPER, Arena, Call, checking, phone, resending, starting, token_of

Make = Callable[..., Arena]

NUMBERS: list[tuple[Any, Any]] = [
    ("", None),
    ("12025550123", None),
    ("2025550123", None),
    ("tel:+12025550123", None),
    ("+1 202 555 0123 ext. 5", None),
    ("+1202555012E", None),
    ("+12025550123\x00", None),
    ("+12025550123\n", None),
    ("\u202e+12025550123", None),
    ("+\u0661\u0662\u0660\u0662\u0665\u0665\u0665\u0660\u0661\u0662\u0663", None),
    ("00 1 202 555 0123", None),
    ("+0 202 555 0123", None),
    ("+1" * 40, None),
    ("call +12025550123 now", None),
    ("202-555-0123", "UK"),
    (12025550123, None),
    (None, None),
    (b"+12025550123", None),
]
DENIED = ["+18005550199x", "+19005550123", "+881612345678", "+8835100012345"]
LONG_DIGITS = re.compile(r"\d{4,}")


def of(arena: Arena) -> tuple[int, int]:
    """Calls of the provider, and messages."""
    return arena.exchange.calls["send"], len(arena.exchange.outbox)


@pytest.mark.parametrize(("number", "region"), NUMBERS)
def test_what_is_not_plainly_a_number_is_refused_everywhere(arena_with: Make, number: Any, region: str | None) -> None:
    arena = arena_with()
    token = token_of(arena.started(phone(0)))
    before = of(arena)
    answers = [
        arena.start(number, region=region),
        arena.run(lambda engine: engine.resend(token, number, region=region)),
        arena.run(lambda engine: engine.check(token, "123456", recipient=number or "", region=region)),
        arena.run(lambda engine: engine.forget(number, region=region)),
        arena.run(lambda engine: engine.unlock(number, region=region)),
    ]
    for answer in answers:
        assert isinstance(answer, Refused), answer
        assert answer.kind in (Refusal.INVALID_RECIPIENT, Refusal.RECIPIENT_NEEDED)
        assert answer.detail, "a refusal says what to do"
        assert not LONG_DIGITS.search(repr(answer)), answer
    assert of(arena) == before


@pytest.mark.parametrize("number", DENIED)
def test_a_destination_that_is_not_served_costs_nothing(arena_with: Make, number: str) -> None:
    arena = arena_with()
    answer = arena.start(number)
    assert isinstance(answer, Refused)
    assert answer.kind in (Refusal.DESTINATION_DENIED, Refusal.INVALID_RECIPIENT)
    assert answer.detail
    assert not LONG_DIGITS.search(repr(answer))
    assert of(arena) == (0, 0)


def test_an_unknown_purpose_is_named_with_the_known_ones(arena_with: Make) -> None:
    arena = arena_with()
    unknown = ByRecipient(phone(0), "refund")
    calls: list[Call] = [
        starting(phone(0), purpose="refund"),
        lambda engine: engine.check(unknown, "123456"),
        lambda engine: engine.resend(unknown),
        lambda engine: engine.cancel(unknown),
        lambda engine: engine.status(unknown),
    ]
    for call in calls:
        with pytest.raises(UnknownPurpose, match=r"refund.*login, payment"):
            arena.run(call)
    assert of(arena) == (0, 0)


def test_a_channel_that_nobody_serves_is_named_with_the_served_ones(arena_with: Make) -> None:
    answer = arena_with().start(phone(0), channel="pigeon")
    assert isinstance(answer, Refused)
    assert answer.kind is Refusal.CHANNEL_UNSUPPORTED
    assert "sms" in answer.detail


@pytest.mark.parametrize("key", ["", "order-17", "a" * 64, "f" * 32, "kéy" * 20, "x\ny" * 20, "0123456789abcdef" * 20])
def test_an_idempotency_key_that_can_be_guessed_is_refused(arena_with: Make, key: str) -> None:
    arena = arena_with()
    with pytest.raises(InvalidIdempotencyKey):
        arena.start(phone(0), idempotency_key=key)
    assert of(arena) == (0, 0)


def ending(token: Any) -> Call:
    return lambda engine: engine.cancel(token)


def asking(token: Any) -> Call:
    return lambda engine: engine.status(token)


def malformed(token: str) -> list[Any]:
    return [
        *("", "otps_", "nonsense", token[:-1], token + "A", token.lower(), token[5:], f" {token}", f"{token}\n"),
        *(token.replace("otps_", "otps-"), token[:-1] + "=", token[:30] + "!" + token[31:], None, 17, token.encode()),
        *(token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB"), "otps_" + "A" * 67, "é" * 72, "1" * 10**5),
    ]


def test_malformed_and_foreign_tokens_find_nothing_and_cost_no_try(arena_with: Make) -> None:
    arena = arena_with()
    token = token_of(arena.started(phone(0)))
    right = arena.right_code(phone(0))
    for bad in malformed(token):
        assert arena.run(checking(bad, right)) == NotFound()
        assert isinstance(arena.run(resending(bad, phone(0))), NotFound)
        assert isinstance(arena.run(ending(bad)), NotFound)
        assert isinstance(arena.run(asking(bad)), NotFound)
    status = arena.run(asking(token))
    assert isinstance(status, Status)
    assert status.next.checks_left == arena.profile.checks_per_session
    assert of(arena) == (1, 1)


def test_malformed_codes_cost_no_try_and_reach_nobody(arena_with: Make) -> None:
    arena = arena_with()
    token = token_of(arena.started(phone(0)))
    for code in MALFORMED_CODES:
        answer = arena.run(checking(token, code))
        assert isinstance(answer, Refused), code
        assert answer.kind is Refusal.INVALID_CODE
        assert "6" in answer.detail
    assert arena.exchange.calls["check"] == 0
    status = arena.run(asking(token))
    assert status.next.checks_left == arena.profile.checks_per_session


def test_the_number_of_another_session_is_no_key(arena_with: Make) -> None:
    arena = arena_with()
    token = token_of(arena.started(phone(0)))
    answer = arena.run(resending(token, phone(1)))
    assert isinstance(answer, Refused)
    assert answer.kind is Refusal.RECIPIENT_MISMATCH
    assert isinstance(arena.run(resending(token, None)), Refused)  # type: ignore[arg-type]  # no number at all
    assert of(arena) == (1, 1)


# --- configuration ---------------------------------------------------------------------------

each_engine = pytest.mark.parametrize("engine", [Engine, AsyncEngine])


@each_engine
@pytest.mark.parametrize("size", [0, 1, 31])
def test_a_short_pepper_is_refused_with_its_length(engine: type[Engine | AsyncEngine], size: int) -> None:
    with pytest.raises(PepperError, match=f"{size} bytes.*32"):
        engine(MemoryStore(), FakeProvider(), pepper=b"p" * size)
    with pytest.raises(PepperError):
        engine(MemoryStore(), FakeProvider(), pepper=PEPPER, previous_peppers=[b"p" * size])


@each_engine
def test_a_store_that_keeps_records_needs_a_pepper(engine: type[Engine | AsyncEngine], tmp_path: Path) -> None:
    with pytest.raises(PepperError, match="OTPCORE_PEPPER"):
        engine(TinyDBStore(tmp_path / "records.otpdb"), FakeProvider())


def test_another_pepper_finds_no_session_and_no_budget_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "records.otpdb"
    sent = Engine(TinyDBStore(path), FakeProvider(), pepper=PEPPER).start(phone(0))
    assert isinstance(sent, Sent)
    other = Engine(TinyDBStore(path), FakeProvider(), pepper=b"another pepper of thirty-two bytes")
    assert not isinstance(other.check(token_of(sent), "123456"), Approved)
    again = Engine(TinyDBStore(path), FakeProvider(), pepper=PEPPER).start(phone(0))
    assert type(again).__name__ == "Wait"


@each_engine
@pytest.mark.parametrize(
    "given", [{"timeout_s": 0}, {"timeout_s": 10.1}, {"tenant": ""}, {"purposes": ()}, {"purposes": ("a\nb",)}], ids=str
)
def test_a_setting_that_cannot_be_is_refused(engine: type[Engine | AsyncEngine], given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        engine(MemoryStore(), FakeProvider(), **given)


def test_a_store_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    with pytest.raises(StoreUnavailable, match="file"):
        TinyDBStore(in_the_way / "records.otpdb")
    with pytest.raises(ConfigurationError, match=str(tmp_path)):
        TinyDBStore(tmp_path)
