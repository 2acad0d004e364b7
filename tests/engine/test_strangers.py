"""Invariant 12, V12: what became of a call is one answer to a stranger, whatever it was; the calls are real ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import phonenumbers

from otpcore import Approved, CodeOwner, Sent, outward
from otpcore.contract import CheckVerdict, FailureKind
from tests.properties.world import NUMBER, World

FORGED = "otps_" + "A" * 72
WRONG = "314159"
SATELLITE = phonenumbers.format_number(
    cast("phonenumbers.PhoneNumber", phonenumbers.example_number_for_non_geo_entity(881)),
    phonenumbers.PhoneNumberFormat.E164,
)


class Scene:
    """A world with one session."""

    def __init__(self) -> None:
        self.world = World(owner=CodeOwner.PROVIDER)
        self.engine = self.world.engine
        sent = self.engine.start(NUMBER)
        assert isinstance(sent, Sent)
        self.token = sent.session.token or ""
        self.right = self.world.vendor.code_for(NUMBER)

    def check(self, code: str = WRONG, *, token: str = "", ordered: CheckVerdict | None = None) -> Any:
        self.world.orders[:] = [ordered] if ordered is not None else []
        return self.engine.check(token or self.token, code)

    def after(self, *acts: Callable[[], object]) -> Any:
        """The right code, after these."""
        for act in acts:
            act()
        return self.check(self.right)

    def later(self, **duration: float) -> None:
        self.world.move(timedelta(**duration))


CHECKS: dict[str, Callable[[Scene], Any]] = {
    "wrong": lambda s: s.check(),
    "expired": lambda s: s.after(lambda: s.later(minutes=10)),
    "used": lambda s: s.after(lambda: s.check(s.right)),
    "cancelled": lambda s: s.after(lambda: s.engine.cancel(s.token)),
    "tries spent": lambda s: s.after(*[s.check] * 5),
    "locked": lambda s: s.after(*[s.check] * 5, lambda: s.later(minutes=11), lambda: s.engine.start(NUMBER)),
    "unknown": lambda s: s.check(token=FORGED),
    "malformed": lambda s: s.check("12 456"),
    "answer lost": lambda s: s.check(ordered=CheckVerdict.UNKNOWN),
    "throttled": lambda s: s.check(ordered=CheckVerdict.THROTTLED),
}


def started(ordered: FailureKind | None = None, number: str = NUMBER) -> Any:
    return World(orders=[ordered] if ordered is not None else []).engine.start(number)


SENDS: dict[str, Callable[[], Any]] = {
    "sent": started,
    "answer lost": lambda: started(FailureKind.TIMEOUT),
    "opted out": lambda: started(FailureKind.OPTED_OUT),
    "fraud": lambda: started(FailureKind.FRAUD_SUSPECTED),
    "too early": lambda: Scene().engine.start(NUMBER),
    "no number": lambda: started(number="garbage"),
    "not served": lambda: started(number=SATELLITE),
    "unknown session": lambda: Scene().engine.resend(FORGED, NUMBER),
}


def a_strangers_answers_are_one() -> None:
    checks = {name: outward(act(Scene()), of="check") for name, act in CHECKS.items()}
    assert len(set(map(repr, checks.values()))) == 1, checks
    sends = {name: outward(act(), of="send") for name, act in SENDS.items()}
    assert len(set(map(repr, sends.values()))) == 1, sends


def test_whatever_became_of_a_call_a_stranger_sees_one_answer() -> None:
    """Invariant 12, V12: ten ways for a check to fail, eight for a send to end."""
    a_strangers_answers_are_one()


def test_the_ways_are_different_ones_to_the_holder() -> None:
    """The control: only `outward` makes them alike."""
    assert len({repr(act(Scene())) for act in CHECKS.values()}) == len(CHECKS)
    assert isinstance(Scene().after(), Approved)
    assert outward(Scene().after(), of="check") != outward(Scene().check(), of="check")
