"""What must hold when many check at once: V1, V2, V5, V6 of the requirements.

Rules of this file: each body takes an arena and fails by `AssertionError`; the same body is run green by the
tests, and red over a planted defect by the controls and by `tests/defects`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

from otpcore.model import SessionStatus
from otpcore.policy import DAY, Profile
from otpcore.results import Approved, Ended, Refusal, Refused, Sent, Wrong
from tests.storms.arena import Arena, checking, outcomes_of, phone, resending, token_of

__all__ = [
    "QUICK",
    "failures_of_a_phone_are_bounded",
    "no_more_answers_than_tries",
    "old_codes_are_void",
    "one_success_a_session",
    "resends_give_no_tries_back",
]

QUICK = Profile(
    name="quick",
    source="twenty resends inside one session",
    ladder=(timedelta(seconds=20),) * 25,
    daily_cap=30,
    checks_per_session=10,
)

ENOUGH_DAYS = 15
"""One day in two is worth ten failures and the others five (the ladder's last wait), so the hundredth falls before."""


def no_more_answers_than_tries(arena: Arena, *, sessions: int, parties: int = 64) -> None:
    """V1: of `parties` wrong checks at once, as many are answered as the session has tries, in every session."""
    calls = 0
    for number in range(sessions):
        token = token_of(arena.started(phone(number)))
        wrong = arena.wrong_code(phone(number))
        results = arena.at_once([checking(token, wrong)] * parties)
        outcomes = outcomes_of(results)
        calls += outcomes.total()
        assert outcomes["Wrong"] == arena.profile.checks_per_session, outcomes
        assert outcomes["Wrong"] + outcomes["Ended"] == parties, outcomes
        spent = {result.status for result in results if isinstance(result, Ended)}
        assert spent <= {SessionStatus.MAX_ATTEMPTS_REACHED}, spent
        # V4: the right code after the last try fails, and looks like a wrong one
        right = arena.right_code(phone(number))
        assert outcomes_of([arena.run(checking(token, right))]) == {"Ended": 1}
    assert calls == sessions * parties


def one_success_a_session(arena: Arena, *, sessions: int, parties: int = 32) -> None:
    """V2: of `parties` right codes at once exactly one is told that it is right, in every session."""
    approved = 0
    for number in range(sessions):
        token = token_of(arena.started(phone(number)))
        right = arena.right_code(phone(number))
        outcomes = outcomes_of(arena.at_once([checking(token, right)] * parties))
        assert outcomes["Approved"] == 1, outcomes
        assert outcomes["Wrong"] == 0, outcomes
        assert outcomes["Approved"] + outcomes["Ended"] + outcomes["Undecided"] == parties, outcomes
        approved += outcomes["Approved"]
    assert approved == sessions


def resends_give_no_tries_back(arena: Arena, *, resends: int, parties: int = 8) -> None:
    """V5: however often it is resent, amid checks, a session answers no more than its tries. Needs `QUICK`.

    All tries but one are spread over the resends, so that the session lives through each of them; for the last try
    `parties` come at once.
    """
    number = phone(0)
    token = token_of(arena.started(number))
    tries = arena.profile.checks_per_session
    revealed = sent = 0
    for resend in range(resends):
        arena.clock.advance(arena.profile.ladder[0])
        checks = (resend + 1) * (tries - 1) // resends - resend * (tries - 1) // resends
        wrong = checking(token, arena.wrong_code(number))
        first, *others = arena.at_once([resending(token, number), *[wrong] * checks])
        sent += isinstance(first, Sent)
        revealed += outcomes_of(others)["Wrong"]
    outcomes = outcomes_of(arena.at_once([checking(token, arena.wrong_code(number))] * parties))
    assert outcomes["Wrong"] + outcomes["Ended"] == parties, outcomes
    assert sent == resends, f"{sent} of {resends} resends were sent"
    assert revealed + outcomes["Wrong"] == tries, f"{revealed} answers, then {outcomes}"


def old_codes_are_void(arena: Arena, *, codes: int, parties: int = 8) -> None:
    """V5: once the provider has accepted the new code, the old one is a wrong one. Needs `QUICK`.

    Of each phone as many old codes are tried as leave it one try, until there were `codes` of them.
    """
    void = 0
    for number in map(phone, itertools.count()):
        if void >= codes:
            return
        token = token_of(arena.started(number))
        for _ in range(arena.profile.checks_per_session - 1):
            old = arena.right_code(number)
            arena.clock.advance(arena.profile.ladder[0])
            results = arena.at_once([resending(token, number)] * parties)
            assert outcomes_of(results) == {"Sent": 1, "Wait": parties - 1}
            if old != arena.right_code(number):
                assert isinstance(arena.run(checking(token, old)), Wrong)
                void += 1
        right = arena.right_code(number)
        assert isinstance(arena.run(checking(token, right)), Approved)


def failures_of_a_phone_are_bounded(arena: Arena, *, rounds: int, parties: int = 64) -> None:
    """V6: over all sessions of a phone at most 10 answers in any 24 h, and never a 101st failure in a row.

    A round is a day: up to three sessions are opened as the ladder allows, and each is checked by `parties`.
    """
    number, answered, locked = phone(0), list[datetime](), 0
    for _ in range(rounds):
        began, tokens = arena.clock.now, list[str]()
        for pause_s in (0, 121, 301):
            arena.clock.advance(seconds=pause_s)
            result = arena.start(number)
            if isinstance(result, Sent):
                tokens.append(token_of(result))
            else:
                locked += isinstance(result, Refused) and result.kind is Refusal.LOCKED
        wrong = arena.wrong_code(number)
        results = arena.at_once([checking(token, wrong) for token in tokens for _ in range(parties)]) if tokens else []
        outcomes = outcomes_of(results)
        assert outcomes["Wrong"] + outcomes["Refused"] + outcomes["Ended"] == len(tokens) * parties, outcomes
        answered += [arena.clock.now] * outcomes["Wrong"]
        arena.clock.now = began + DAY
    assert most_in_a_day(answered) <= arena.profile.failures_per_day, "too many answers in 24 h"
    assert len(answered) <= arena.profile.failures_in_a_row, "too many failures in a row"
    if rounds >= ENOUGH_DAYS:
        assert len(answered) == arena.profile.failures_in_a_row
        assert locked, "the hundredth failure locks every further start"


def most_in_a_day(instants: Sequence[datetime]) -> int:
    """The most of them in any 24 hours, half-open."""
    ordered = sorted(instants)
    return max((sum(first <= one < first + DAY for one in ordered) for first in ordered), default=0)
