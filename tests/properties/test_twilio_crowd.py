"""Several people at once, with Twilio Verify in the emulator: each is told what they would be told alone.

Everybody has a second life: an engine, a store and a service at Twilio of their own, which are asked the same at the
same instant. A hundred crowds run here, ten thousand with the profile "nightly".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from pydantic import SecretStr

from otpcore import Engine, Sent
from otpcore.ports import Conflict, Version, Versioned
from otpcore.stores.memory import MemoryStore
from otpcore_twilio import TwilioProvider, TwilioSettings
from otpcore_twilio.emulator import Emulator, Fault, Options, Scenario, serve
from tests.numbers import phone
from tests.properties.places import STORES, File, Memory
from tests.properties.world import PEPPER

BEGIN: Final = datetime(2026, 11, 1, 5, 50, tzinfo=UTC)
PEOPLE: Final = tuple(phone(number) for number in (7, 8, 107))
PURPOSES: Final = ("login", "payment")
STEPS: Final = 30
TOLD: Final = ("status", "kind", "reason", "state", "until", "next")

someone = st.sampled_from(PEOPLE)
picks = st.integers(0, len(PEOPLE) - 1)
"""Somebody who has a session."""


class Side:
    """An engine, its store, and a service of its own."""

    def __init__(self, emulator: Emulator, place: Memory | File) -> None:
        self._emulator = emulator
        self._place = place
        with emulator.account.lock:
            service_sid = emulator.account.world.add_service("otpcore", now=emulator.account.now()).sid
        self._provider = TwilioProvider(
            TwilioSettings(
                account_sid=emulator.account_sid,
                auth_token=SecretStr(emulator.auth_token),
                service_sid=service_sid,
                origin=emulator.url,
            )
        )
        self.tokens: dict[str, str] = {}
        self.codes: dict[str, str] = {}
        self.engine = self._open()

    def _open(self) -> Engine:
        return Engine(
            self._place.reopened(), self._provider, pepper=PEPPER, purposes=PURPOSES, clock=self._emulator.clock.now
        )

    def restart(self) -> None:
        self.engine = self._open()

    def send(self, person: str, ask: Callable[[], Any]) -> dict[str, object]:
        """Ask, and keep what the person has of it: the token, and the code of the message."""
        before = len(self._emulator.inbox())
        result = ask()
        for message in self._emulator.inbox()[before:]:
            assert message.to == person
            self.codes[person] = message.code
        if isinstance(result, Sent) and result.session.token is not None:
            self.tokens[person] = result.session.token
        return told(result)

    def records(self) -> dict[str, bytes]:
        return {key: entry.data for key, entry in self._place.store.scan("", 100) if "/r/" in key}

    def close(self) -> None:
        self._provider.close()
        self._place.close()


def told(result: object) -> dict[str, object]:
    """What a person learns, without the ids that nobody shares."""
    known: dict[str, object] = {name: getattr(result, name) for name in TOLD if hasattr(result, name)}
    return {"result": type(result).__name__} | known


class Confused(Memory):
    """The planted defect: a store that takes everybody for the same person."""

    class Store(MemoryStore):
        def _everybody(self, key: str) -> str:
            return re.sub("/r/.*", "/r/everybody", key)

        def load(self, key: str) -> Versioned | None:
            return super().load(self._everybody(key))

        def commit(
            self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
        ) -> Version | Conflict:
            return super().commit(self._everybody(key), data, expect=expect, gc_at=gc_at)

    def __init__(self) -> None:
        self.store = self.Store()


PLACES: Final = {**STORES, "confused": Confused}


class Crowd(RuleBasedStateMachine):
    """Every history of several people.

    Attributes:
        store: that they share, one of `PLACES`.
    """

    store: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.emulator = self.open.enter_context(serve(Options(), clock=lambda: BEGIN))
        self.together = Side(self.emulator, PLACES[self.store]())
        self.alone = {person: Side(self.emulator, Memory()) for person in PEOPLE}
        for side in (self.together, *self.alone.values()):
            self.open.callback(side.close)
        self.answers: list[tuple[dict[str, object], dict[str, object]]] = []
        self.touched: set[str] = set()

    def teardown(self) -> None:
        self.open.close()

    def _pick(self, pick: int) -> str:
        return sorted(self.together.tokens)[pick % len(self.together.tokens)]

    def _both(self, person: str, ask: Callable[[Side], dict[str, object]]) -> None:
        """Ask in the crowd, and in the person's own world."""
        before = self.together.records()
        first = ask(self.together)
        after = self.together.records()
        self.touched = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        self.answers.append((first, ask(self.alone[person])))

    @rule(person=someone, purpose=st.sampled_from(PURPOSES), channel=st.sampled_from(["sms", "call", "whatsapp"]))
    def start(self, person: str, purpose: str, channel: str) -> None:
        def ask(side: Side) -> dict[str, object]:
            return side.send(person, lambda: side.engine.start(person, purpose=purpose, channel=channel))

        self._both(person, ask)

    @precondition(lambda self: self.together.tokens)
    @rule(pick=picks)
    def resend(self, pick: int) -> None:
        person = self._pick(pick)
        self._both(person, lambda side: side.send(person, lambda: side.engine.resend(side.tokens[person], person)))

    @precondition(lambda self: self.together.tokens)
    @rule(pick=picks)
    def check_the_right_code(self, pick: int) -> None:
        person = self._pick(pick)
        self._check(person, lambda side: side.codes.get(person, "0000"))

    @precondition(lambda self: self.together.tokens)
    @rule(pick=picks, times=st.sampled_from([1, 1, 2, 6]))
    def check_a_wrong_code(self, pick: int, times: int) -> None:
        for _ in range(times):
            self._check(self._pick(pick), lambda _side: "0000")

    @precondition(lambda self: self.together.tokens)
    @rule(pick=picks, neighbour=someone)
    def check_the_code_of_somebody_else(self, pick: int, neighbour: str) -> None:
        person = self._pick(pick)
        code = self.together.codes.get(neighbour, "0000")
        if code not in {side.codes.get(person) for side in (self.together, self.alone[person])}:
            self._check(person, lambda _side: code)

    def _check(self, person: str, code: Callable[[Side], str]) -> None:
        self._both(person, lambda side: told(side.engine.check(side.tokens[person], code(side), recipient=person)))

    @precondition(lambda self: self.together.tokens)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        person = self._pick(pick)
        self._both(person, lambda side: told(side.engine.cancel(side.tokens[person])))

    @rule(
        person=someone,
        outcome=st.sampled_from([Fault.RESET, Fault.GARBAGE, 503, 20429, 60410]),
        operation=st.sampled_from(["create_verification", "create_check"]),
        processed=st.booleans(),
    )
    def trouble_comes(self, person: str, outcome: Fault | int, operation: str, processed: bool) -> None:
        """To this person in both lives, and to nobody else."""
        late = processed and outcome in {*Fault, 503}
        self.emulator.faults.add(Scenario(outcome=outcome, operation=operation, to=person, processed=late, times=2))

    @rule(seconds=st.sampled_from([1, 61, 121, 301, 600, 901, 86_400]))
    def wait(self, seconds: int) -> None:
        self.emulator.advance(seconds)

    @rule()
    def restart(self) -> None:
        self.together.restart()

    @invariant()
    def everybody_is_told_what_they_would_be_told_alone(self) -> None:
        assert [pair for pair in self.answers if pair[0] != pair[1]] == []

    @invariant()
    def an_operation_writes_no_record_but_that_of_its_person(self) -> None:
        assert len(self.touched) <= 1


def crowds(store: str, *phases: Phase) -> None:
    machine: Any = type("These", (Crowd,), {"store": store})
    profile = settings.default
    assert profile is not None
    run_state_machine_as_test(
        seed(1)(machine) if phases else machine,
        settings=settings(
            max_examples=profile.max_examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]  # iterates its members
            report_multiple_bugs=False,
            phases=phases or tuple(Phase),
        ),
    )


@pytest.mark.parametrize("store", STORES)
def test_nobody_is_told_anything_because_of_somebody_else(store: str) -> None:
    """Random people; invariants 8 and 10: a code and a record are one person's."""
    crowds(store)


def test_a_store_that_takes_people_for_one_another_is_noticed() -> None:
    with pytest.raises(AssertionError, match="'result': "):
        crowds("confused", Phase.generate)
