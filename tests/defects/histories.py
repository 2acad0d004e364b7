"""Defects planted against the promises of the histories with Twilio Verify: each promise, alone, finds its own.

Rules of this file: H with the number of the invariant; a body runs the machine over recorded answers with one promise
and the rules that matter to it, always from the same seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from otpcore import ledger, results
from otpcore.flows import asking, setup
from otpcore.flows.setup import view
from otpcore.ledger import sends, sessions
from otpcore.machine import SendEvent, SessionEvent
from otpcore.model import Ladder, RecipientRecord, Send
from otpcore.policy import Profile
from otpcore.results import Approved, NextActions
from tests.defects import invariants, planted
from tests.defects.planting import Defect, Planter, reworded
from tests.properties.notes import TIGHT
from tests.properties.test_sessions_mutants import LOOSE as WITH_WAITS
from tests.properties.twilio_machine import Histories
from tests.properties.twilio_wire import Recorded

__all__ = ["DEFECTS", "PROMISES"]

HISTORIES: Final = 40
STEPS: Final = 40
SHORT: Final = 12

START: Final = ("start", "start_as_soon_as_it_may_be", "wait")
CHECK: Final = ("check_the_right_code", "check_wrong_codes")
TROUBLE: Final = ("trouble_comes",)
AGAIN: Final = "resend_as_soon_as_it_may_be"

LOOSE: Final = replace(WITH_WAITS, simulated_only=True)
"""For demonstrations, whose ladder is not judged against the window of a provider."""


def promise(
    name: str, *rules: str, profile: Profile = TIGHT, lies: tuple[str, ...] = (), often: int = 1
) -> Callable[[], None]:
    """A body: histories of these rules keep this promise; `often` takes more of them, and shorter ones."""

    def hidden(original: Any) -> Any:
        def plain(self: Any, *args: Any, **more: Any) -> Any:
            return original(self, *args, **more)

        return plain

    kept = {name, *rules, "open"}
    changes: dict[str, Any] = {
        "vendor": staticmethod(Recorded),
        "store": "memory",
        "lies": lies,
        "profiles": (profile,),
    }
    for each, member in vars(Histories).items():
        if callable(member) and not each.startswith("_") and each not in kept | {"teardown"}:
            changes[each] = hidden(member)
    missing = kept - set(vars(Histories))
    assert not missing, missing
    machine: Any = seed(1)(type("Focused", (Histories,), changes))

    def body() -> None:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=HISTORIES * often,
                stateful_step_count=STEPS if often == 1 else SHORT,
                deadline=None,
                database=None,
                suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]  # iterates its members
                phases=(Phase.generate,),
                report_multiple_bugs=False,
            ),
        )

    body.__name__ = name
    return body


# --- patches ---------------------------------------------------------------------------------------


def told_anyway(_setup: Any, _record: Any, session: Any, token: Any, **_: Any) -> Approved:
    return Approved(view(session, token), NextActions())


def success_is_not_written(plant: Planter) -> None:
    def unguarded(record: RecipientRecord, *_: Any, **__: Any) -> RecipientRecord:
        return record.but(consecutive=0, ladder=Ladder())

    plant.swap(ledger.approve, unguarded)
    plant.swap(asking.told, told_anyway)


def refused_sends_end_the_session(plant: Planter) -> None:
    settle_send = sends.settle_send

    def planted_send(record: RecipientRecord, profile: Any, send: Send, event: SendEvent, **more: Any) -> Any:
        record = settle_send(record, profile, send, event, **more)
        session = record.session(send.session)
        if event is not SendEvent.DEFINITELY_REFUSED or session is None:
            return record
        return sessions.end(record, session, SessionEvent.CANCEL, by=send.id, now=more["now"])

    plant.swap(settle_send, planted_send)


def no_gate(*_: Any, **__: Any) -> None:
    """Nothing stands against a send of another purpose."""


def tries_are_given_back(before: RecipientRecord, _session: Any, after: RecipientRecord) -> RecipientRecord:
    return after.but(checks=(), handles=tuple(one.but(checks=0) for one in before.handles))


RESERVED: Final = "a_send_is_reserved_and_a_try_is_spent_before_twilio_is_asked"
ALLOWED: Final = "every_answer_is_one_that_the_book_and_twilio_allow"
COUNTED: Final = "the_record_counts_what_the_book_counts"

DEFECTS: Final = (
    Defect(
        "H1a",
        "the step is taken after the send",
        planted.reserving(lambda before, _, after: after.but(ladder=before.ladder)),
        promise(RESERVED, *START),
    ),
    Defect(
        "H1b",
        "a send whose answer was lost is given back",
        reworded((ledger.settle_send, "event is SendEvent.DEFINITELY_REFUSED and _is_ref", "_is_ref")),
        promise(COUNTED, *START, *TROUBLE),
    ),
    Defect(
        "H2",
        "one send more than the daily cap",
        planted.off_by_one,
        promise("no_more_sends_than_the_ladder_and_the_daily_cap", *START, "log_in_again_and_again"),
    ),
    Defect(
        "H3",
        "a resend gives the tries back",
        planted.reserving(tries_are_given_back),
        promise("no_more_answers_than_tries", "start", AGAIN, "check_wrong_codes", profile=LOOSE, often=6),
    ),
    Defect(
        "H4",
        "a success is told and not written",
        success_is_not_written,
        promise("one_success_of_a_session", "start", *CHECK, *TROUBLE, profile=LOOSE, lies=("approved",) * 30, often=3),
    ),
    Defect(
        "H5",
        "a new session gives the failures back",
        planted.reserving(
            lambda before, session, after: (
                after if before.session(session.id) is not None else after.but(checks=(), consecutive=0)
            )
        ),
        promise("no_more_failures_than_the_day_and_the_row_allow", "start_as_soon_as_it_may_be", "check_wrong_codes"),
    ),
    Defect(
        "H6a",
        "a success clears the day's sends",
        planted.success_clears_quota,
        promise(COUNTED, *START, *CHECK),
    ),
    Defect(
        "H6b",
        "a success leaves the ladder",
        reworded((ledger.approve, "ladder = Ladder(epoch=record.ladder.epoch + 1)", "ladder = record.ladder")),
        promise(ALLOWED, *START, *CHECK),
    ),
    Defect(
        "H7",
        "a refused resend ends the code that is held",
        refused_sends_end_the_session,
        promise(ALLOWED, "start", AGAIN, "check_the_right_code", *TROUBLE, profile=LOOSE, often=12),
    ),
    Defect(
        "H8",
        "two purposes share a verification",
        lambda p: p.swap(setup.gate, no_gate),
        promise("a_verification_serves_one_purpose_and_ten_minutes", *START),
    ),
    Defect(
        "H9",
        "the code is in the answer",
        planted.code_in_the_answer,
        promise(
            "codes_are_nowhere_but_in_the_message", "start", "check_the_right_code", *TROUBLE, profile=LOOSE, often=4
        ),
    ),
    Defect(
        "H10",
        "the number is the record's key",
        invariants.plain_text_key,
        promise("the_number_is_nowhere_but_in_the_call", *START),
    ),
    Defect(
        "H12",
        "a stranger is told why",
        reworded((results.outward, '"not_approved"', "type(result).__name__")),
        promise("a_stranger_sees_one_answer", *START, *CHECK),
    ),
    Defect(
        "H14",
        "a clock set back makes waits longer",
        lambda p: p.put("otpcore.ledger.clock.CLOCK_TOLERANCE", timedelta(days=1000)),
        promise("no_wait_is_longer_than_its_step", *START, "jump"),
    ),
    Defect(
        "H15",
        "an answer does not say when a send is possible",
        reworded((sessions.next_actions, "resend_at: datetime | None = now", "resend_at: datetime | None = None")),
        promise("every_answer_says_what_comes_next", *START, *CHECK),
    ),
    Defect(
        "H16",
        "a send whose answer was lost is made again",
        invariants.lost_sends_are_repeated,
        promise("twilio_is_asked_once", *START, *TROUBLE),
    ),
)

PROMISES: Final = frozenset(defect.body.__name__ for defect in DEFECTS)
"""Those of the machine that a defect was planted against."""
