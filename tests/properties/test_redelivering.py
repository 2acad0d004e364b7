"""Histories with vendors that say that messages did not arrive: the invariants hold, and no limit is passed by.

Rules of this file: a history is drawn from a seed; what a person and the vendors saw is kept beside it, and judged.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from otpcore import Approved, Received, Refused, SendState, Sent, Wrong
from otpcore.contract import Failure, FailureKind, SendEffect
from otpcore.policy import DAY, DEFAULT
from otpcore.ports import DeliveryState
from tests.properties.several import WITHIN, Several

NUMBER = "+12025550123"
BAD = (DeliveryState.UNDELIVERED, DeliveryState.FAILED, DeliveryState.EXPIRED)
HISTORIES, TURNS = 150, 40


def in_any_day(instants: list[datetime]) -> int:
    """The most of them in any 24 hours."""
    return max((sum(first <= at < first + DAY for at in instants) for first in instants), default=0)


class History:
    """One life: what was asked, and what was seen."""

    def __init__(self, seed: int) -> None:
        self.world = Several(seed)
        self.draw = random.Random(seed)
        self.token = ""
        self.asked: list[datetime] = []
        self.wrong: list[datetime] = []
        self.revealed = Counter[str]()
        self.approved = Counter[str]()
        self.replays: list[Any] = []
        self.followed = 0

    def turn(self) -> None:
        world, draw = self.world, self.draw
        if draw.random() < 0.3:
            effect = draw.choice(list(SendEffect))
            world.orders.append(Failure(draw.choice([FailureKind.TRANSIENT, FailureKind.FRAUD_SUSPECTED]), effect))
        what = draw.choices(["start", "resend", "check", "cancel", "receipt", "replay"], (4, 3, 5, 1, 9, 3))[0]
        getattr(self, what)()
        world.orders.clear()
        world.now += timedelta(seconds=draw.choice([0, 0, 1, 1, 35, 130, 330, 1000, 90_000]))

    def sent(self, result: object) -> None:
        if isinstance(result, Sent):
            self.token = result.session.token or self.token
            self.asked.append(self.world.now)

    def start(self) -> None:
        self.sent(self.world.engine.start(NUMBER))

    def resend(self) -> None:
        self.sent(self.world.engine.resend(self.token, NUMBER))

    def cancel(self) -> None:
        self.world.engine.cancel(self.token)

    def check(self) -> None:
        codes = [message.code for _, message in self.world.messages()][-4:]
        code = self.draw.choice([*codes, *["000000"] * 4])
        result = self.world.engine.check(self.token, code)
        self.revealed[self.token] += isinstance(result, Approved | Wrong)
        self.approved[self.token] += isinstance(result, Approved)
        if isinstance(result, Wrong):
            self.wrong.append(self.world.now)
        if isinstance(result, Approved):
            self.asked.clear()  # a success clears the ladder

    def receipt(self) -> None:
        messages = self.world.messages()
        if messages:
            name, message = self.draw.choice(messages[-2:])
            state = self.draw.choice([*BAD, *BAD, *DeliveryState])
            self.replays.append(self.world.told(name, message, state))
            result: Any = self.world.engine.receipt(*self.replays[-1])
            assert isinstance(result, Received)
            self.followed += result.failed_over

    def replay(self) -> None:
        if self.replays:
            before = len(self.world.messages())
            result: Any = self.world.engine.receipt(*self.draw.choice(self.replays))
            assert isinstance(result, Received)
            assert result.failed_over == 0 or result.applied
            if result.replayed:
                assert len(self.world.messages()) == before

    def judge(self) -> None:
        world = self.world
        assert in_any_day([message.at for _, message in world.messages()]) <= DEFAULT.daily_cap  # 2
        assert in_any_day(self.asked) <= len(DEFAULT.ladder)  # 2
        assert all(count <= DEFAULT.checks_per_session for count in self.revealed.values())  # 3
        assert all(count <= 1 for count in self.approved.values())  # 4
        assert in_any_day(self.wrong) <= DEFAULT.failures_per_day  # 5
        assert NUMBER.encode()[1:] not in world.dump()  # 10
        for record in world.records():
            assert not [session for session in record.sessions if not session.is_live and session.sealed]
            assert record.ladder.count <= len(DEFAULT.ladder)
            chains = [send for send in record.sends if send.epoch < 0]
            assert all(len(send.attempts) <= 3 for send in record.sends)
            assert all(not send.refunded or send.state is SendState.REFUSED for send in chains)

    def newest_code_matches(self) -> None:
        """7: what the last accepting provider was given is what the session takes."""
        status: Any = self.world.engine.status(self.token)
        following = getattr(status, "next", None)
        if following is None or not following.checks_left or not self.world.messages():
            return
        live = [one for record in self.world.records() for one in record.sessions if one.is_live]
        handles = {(one.provider, one.handle) for one in live if self.token[-36:-24] == one.id}
        mine = [message for name, message in self.world.messages() if (name, message.handle) in handles]
        result = self.world.engine.check(self.token, mine[-1].code) if mine else None
        assert result is None or isinstance(result, Approved | Refused), result


def histories_hold(count: int = HISTORIES) -> int:
    followed = 0
    for seed in range(count):
        history = History(seed)
        for _ in range(TURNS):
            history.turn()
            history.judge()
        history.newest_code_matches()
        followed += history.followed
    return followed


def test_the_invariants_hold_whatever_vendors_say() -> None:
    """2, 3, 4, 5, 7 and 10; there is a send that was followed for every third history or more."""
    assert histories_hold() > HISTORIES // 3


# --- any order -----------------------------------------------------------------------------------

RULES: dict[str, dict[str, Any]] = {
    "moved": {"failover_on_unknown": True},
    "followed": {"failover_on_unknown": True, "failover_on_undelivered": WITHIN},
}


def any_order(rule: str, permutations: int) -> None:
    """A send that moved from one provider to another, a resend, and receipts of both vendors in any order."""
    world = Several(15, RULES[rule])
    lost = Failure(FailureKind.TIMEOUT, SendEffect.UNKNOWN)
    world.orders = [lost]
    sent: Any = world.engine.start(NUMBER)
    world.now += timedelta(minutes=2)
    world.orders = [Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)]
    world.engine.resend(sent.session.token, NUMBER)
    world.orders = []
    clean = {key: entry.data for key, entry in world.store.scan("", 10)}
    own = world.messages()
    (before,) = world.records()
    draw, seen = random.Random(15), set[SendState]()
    states = list(DeliveryState)
    while permutations:
        told = [world.told(name, message, state) for name, message in own for state in draw.sample(states, 5)]
        ends: list[SendState] | None = None
        for _ in range(min(permutations, 50)):
            permutations -= 1
            for key, entry in list(world.store.scan("", 10)):
                world.store.commit(key, clean[key], expect=entry.version, gc_at=world.now)
            out = len(world.messages())
            heard = [*told, *draw.choices(told, k=4)]
            draw.shuffle(heard)
            for name, request in heard:
                assert isinstance(world.engine.receipt(name, request), Received)
            (record,) = world.records()
            found = [send.state for send in record.sends[: len(before.sends)]]
            ends = ends or found
            assert found == ends
            assert record.ladder == before.ladder
            assert sum(send.refunded for send in record.sends) <= 1
            assert len(world.messages()) - out <= (2 if rule == "followed" else 0)
        assert ends is not None
        seen |= set(ends)
    assert seen >= {SendState.DELIVERED, SendState.UNDELIVERED}


@pytest.mark.parametrize("permutations", [500, pytest.param(5_000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("rule", RULES)
def test_receipts_of_two_providers_in_any_order_end_in_one_state(rule: str, permutations: int) -> None:
    """S15 over several providers, with duplicates, whether or not a send is followed: 10^4 permutations nightly.

    Those of one provider, whose 10^4 are always run, are in `test_receipts`.
    """
    any_order(rule, permutations)
