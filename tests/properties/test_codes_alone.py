"""A code opens its own session while it is the live one, and nothing else; what is no code costs nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otpcore import Approved, NotFound, Refusal, Refused, Sent
from otpcore.codes import Token
from otpcore.contract import CodeOwner, Failure, FailureKind, SendEffect
from otpcore.policy import DEFAULT
from tests.numbers import phone
from tests.properties.world import NUMBER, PEPPER, World, begin

CORE, PROVIDER = CodeOwner.CORE, CodeOwner.PROVIDER
OWNERS = pytest.mark.parametrize("owner", [CORE, PROVIDER])
REFUSED = Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)
MINUTE = timedelta(minutes=1)
WIDE = replace(DEFAULT, ladder=(timedelta(seconds=1),) * 50, daily_cap=50, failures_per_day=100)
"""Nothing stands in the way of what a test is about."""


def test_a_voided_code_is_never_accepted() -> None:
    """V5, invariant 7: 1,000 sessions."""
    accepted = 0
    for seed in range(1000):
        world = World(seed=seed)
        token, old = begin(world)
        world.move(2 * MINUTE)
        world.engine.resend(token, NUMBER)
        new = world.vendor.code_for(NUMBER)
        accepted += old != new and isinstance(world.engine.check(token, old), Approved)
    assert accepted == 0


def cross(world: World, pairs: int) -> int:
    """How many codes open a session that they were not made for."""
    draw, accepted = random.Random(7), 0
    made: list[tuple[str, str]] = []
    for n in range(150):
        number = phone(n % 50)
        sent = world.engine.start(number, purpose="login" if n % 2 else "payment")
        world.move(timedelta(seconds=1))
        assert isinstance(sent, Sent)
        made.append((sent.session.token or "", world.vendor.code_for(number)))
    for _ in range(pairs):
        (token, own), (other, code) = draw.sample(made, 2)
        one, two = Token.parse(token), Token.parse(other)
        assert one is not None
        assert two is not None
        forged = str(Token(one.key, one.session, two.secret))
        target = draw.choice([token, forged, str(Token(two.key, one.session, one.secret))])
        accepted += code != own and isinstance(world.engine.check(target, code), Approved)
    return accepted


@pytest.mark.parametrize("pairs", [10_000])
def test_a_code_opens_nothing_but_its_own_session(pairs: int) -> None:
    """V7, invariant 8: random pairs over recipients, purposes, sessions and secrets; 0 accepted."""
    assert cross(World(profile=replace(WIDE, checks_per_session=10, failures_per_day=100)), pairs) == 0


def test_a_tenants_token_is_nothing_to_another_tenant() -> None:
    """V7, invariant 8."""
    from otpcore.engine.sync import Engine

    world = World()
    token, code = begin(world)
    other = Engine(world.store, world.vendor, pepper=PEPPER, tenant="another", clock=lambda: world.now)
    assert isinstance(other.check(token, code), NotFound)
    assert isinstance(world.engine.check(token, code), Approved)


class Counted(World):
    """Counts the calls that reach the store."""

    calls = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("load", "commit"):
            setattr(self.store, name, self._counting(getattr(self.store, name)))

    def _counting(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self.calls += 1
            return inner(*given, **named)

        return call


def mutations(code: str, count: int) -> list[object]:
    draw = random.Random(11)
    odd = [" ", "\u00a0", "\u0661", "\uff11", "\u00b2", "\0", "\n", "-", "a", "\u200b", "\U0001d7ce"]
    fixed: list[object] = [
        int(code),
        float(code),
        [code],
        {code: 1},
        None,
        b"1" * 6,
        code * 1700,
        code[:5],
        code + "0",
        "",
    ]
    made: list[object] = []
    for n in range(count):
        at, piece = draw.randrange(7), draw.choice(odd)
        made.append(fixed[n % len(fixed)] if n % 3 == 0 else code[:at] + piece + code[at + n % 2 :])
    return [each for each in made if each != code]


@pytest.mark.parametrize("owner", [CORE, PROVIDER])
@pytest.mark.parametrize("count", [100_000])
def test_what_is_no_code_costs_no_try_and_reaches_no_store(owner: CodeOwner, count: int) -> None:
    """V11: 0 accepted, 0 tries, 0 store calls, 0 provider calls."""
    world = Counted(owner=owner)
    token, code = begin(world)
    before = world.calls
    for text in mutations(code, count):
        result = world.engine.check(token, text)  # type: ignore[arg-type]  # what a careless caller hands over
        assert isinstance(result, Refused)
        assert result.kind is Refusal.INVALID_CODE
    assert (world.calls, world.vendor.calls["check"]) == (before, 0)
    assert isinstance(world.engine.check(token, code), Approved)
