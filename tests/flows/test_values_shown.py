"""Invariants 9 and 10: what a flow holds while a provider is called shows neither code nor number."""

from __future__ import annotations

from otpcore.flows.asking import Claimed
from otpcore.flows.reserving import Reserved
from otpcore.model import Session
from tests.flows.script import NOW, NUMBER

SESSION = Session(id="s", purpose="login", provider="a", expires_at=NOW)


def test_a_reservation_shows_no_code() -> None:
    assert repr(Reserved(SESSION, None, "314159")) == "Reserved(session='s', provider='a')"


def test_a_claimed_try_shows_no_number() -> None:
    assert repr(Claimed(SESSION, NUMBER)) == "Claimed(session='s', provider='a')"
