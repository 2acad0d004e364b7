"""Defects planted in routing and failover: where a send goes on, what it costs, and what is written before.

Rules of this file: F with a number; a body is a test of it, with all its parameters.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from otpcore import ledger, policy
from otpcore.contract import CodeOwner
from otpcore.engine import Engine, terms
from otpcore.errors import CommitUnknown, StoreError, StoreUnavailable
from otpcore.flows import delivering, moving, redelivering, reserving, sending, setup, transact
from otpcore.ledger import sends as ledger_sends
from otpcore.model import RecipientRecord, Send
from tests.defects.planting import Defect, Planter, reworded
from tests.flows import test_attempts as attempts
from tests.flows import test_extra_messages as extra
from tests.flows import test_failing_over as legs
from tests.flows import test_left_handles as handles
from tests.flows import test_stops as stops
from tests.flows.legs import LOST
from tests.flows.script import CORE
from tests.properties import test_failing_over as lives
from tests.properties import test_stops as stops_lives
from tests.unit import test_routes_refused as windows

__all__ = ["DEFECTS"]

PAIRS: Final = tuple((first, second) for first in CodeOwner for second in CodeOwner)


# --- patches that no change of words makes ---------------------------------------------------------


def uncommitted(plant: Planter) -> None:
    """What is decided is done at once, and written with the settlement."""

    def planted(_setup: Any, decide: Any, _entropy: Any, *, known: Any) -> Generator[Any, Any, Any]:
        _, outcome = decide(known.record, known.now, known.key)
        yield from ()
        return outcome, known

    plant.put("otpcore.flows.moving.transact", planted)


def taken_or_not(plant: Planter) -> None:
    """A store that fails is passed over."""
    real = transact.transact

    def planted(given: Any, decide: Any, entropy: Any, *, known: Any) -> Generator[Any, Any, Any]:
        try:
            return (yield from real(given, decide, entropy, known=known))
        except StoreError:
            _, outcome = decide(known.record, known.now, known.key)
            return outcome, known

    plant.put("otpcore.flows.moving.transact", planted)


def second_step(plant: Planter) -> None:
    hand_over = ledger.hand_over

    def planted(record: RecipientRecord, send: Send, session: Any, **more: Any) -> RecipientRecord:
        moved = hand_over(record, send, session, **more)
        return moved.but(ladder=policy.climb(moved.ladder, policy.DEFAULT, now=send.at))

    plant.swap(hand_over, planted)


def second_place(plant: Planter) -> None:
    hand_over = ledger.hand_over

    def planted(record: RecipientRecord, send: Send, session: Any, **more: Any) -> RecipientRecord:
        moved = hand_over(record, send, session, **more)
        return moved.but(sends=(*moved.sends, Send(at=send.at)))

    plant.swap(hand_over, planted)


def nobody_holds(plant: Planter) -> None:
    def held_by(*_: Any, **__: Any) -> dict[str, Any]:
        return {}

    plant.swap(setup.held_by, held_by)


def another_code(plant: Planter) -> None:
    moved = reserving.moved

    def planted(given: Any, entropy: Any, *more: Any) -> Any:
        there = moved(given, entropy, *more)
        other = None if there.code is None else there.code[::-1]
        return reserving.Reserved(there.session, there.token, other)

    plant.swap(moved, planted)


def same_key(plant: Planter) -> None:
    plant.reword(
        delivering.carry, 'f"{entropy.operation}-{len(tried)}" if tried else entropy.operation', "entropy.operation"
    )


# --- bodies with their parameters ------------------------------------------------------------------


def forbidden_legs() -> None:
    for failure in [one for one in lives.FAILURES if lives.forbids(one)]:
        lives.test_what_forbids_it_reaches_no_second_provider(failure, CORE)


def one_send() -> None:
    for owners in PAIRS:
        legs.test_a_refused_send_goes_to_the_next_provider_as_one_send(owners)


def written_before() -> None:
    for owners in PAIRS:
        legs.test_the_move_is_in_the_store_before_the_second_provider_is_called(owners)


def unwritten_moves() -> None:
    for owners in PAIRS:
        for error in (StoreUnavailable, CommitUnknown):
            legs.test_a_move_that_is_not_written_is_not_made(owners, error)


def cancelled_meanwhile() -> None:
    for owners in PAIRS:
        legs.test_a_session_that_was_cancelled_meanwhile_goes_nowhere(owners)


def lost_answers() -> None:
    for owners in PAIRS:
        legs.test_a_lost_answer_reaches_no_second_provider(owners)


def late_legs() -> None:
    legs.test_a_send_whose_lease_could_be_over_before_the_answer_goes_nowhere(12)


def days() -> None:
    extra.test_a_day_holds_as_many_sends_as_their_messages_fit(2, 3)


def recorded() -> None:
    for owner in CodeOwner:
        attempts.test_one_leg_is_recorded_where_its_answer_says_more_than_yes(owner, attempts.PRICED, attempts.SAID)


def judged_without_rules() -> None:
    windows.test_the_ladder_is_judged_with_rules_or_without(Engine, None)


def troubled_resends() -> None:
    legs.test_a_resend_takes_another_way_when_the_last_one_may_not_have_arrived(LOST, "b")


def started_again() -> None:
    stops.test_the_next_start_goes_to_the_provider_that_stopped_the_last(stops.FRAUD, 24 * stops.HOUR)


def refused_resends() -> None:
    handles.test_a_refused_resend_leaves_the_session_where_its_message_is(("b",), 1)


def lives_around_stops() -> None:
    stops_lives.test_no_send_goes_around_a_stop_that_is_in_force()


def never_in_force(plant: Planter) -> None:
    def planted(_record: RecipientRecord, **_: Any) -> None:
        """Nothing is."""

    plant.swap(ledger.stop_of, planted)


def lifted_by_anybody(plant: Planter) -> None:
    def planted(record: RecipientRecord, **_: Any) -> RecipientRecord:
        return record.but(stop=None)

    plant.swap(ledger.lifted, planted)


LEADS_ON: Final = vars(moving)["_leads_on"]
MAY_FOLLOW: Final = vars(moving)["_may_follow"]
NEXT_LEG: Final = vars(moving)["_next_leg"]

DEFECTS: Final = (
    Defect(
        "F1",
        "fraud, opt-outs and limits fail over",
        reworded((LEADS_ON, "return False", "return True")),
        forbidden_legs,
    ),
    Defect("F2", "a lost answer fails over by default", reworded((LEADS_ON, "on_unknown and ", "")), lost_answers),
    Defect(
        "F3",
        "a refusal after a lost answer gives the step back",
        reworded((vars(delivering)["_settle"], "elif lost is None:", "elif answer.effect is SendEffect.NOT_SENT:")),
        legs.test_a_refusal_after_a_lost_answer_gives_nothing_back,
    ),
    Defect("F4", "a second provider is called before the move is written", uncommitted, written_before),
    Defect("F5", "a failover takes a second step", second_step, one_send),
    Defect("F6", "a failover takes a second place under the cap", second_place, one_send),
    Defect("F8", "a move is made although the store did not take it", taken_or_not, unwritten_moves),
    Defect(
        "F9",
        "a cancelled session goes on",
        reworded((moving.go_on, "or not session.is_live ", "")),
        cancelled_meanwhile,
    ),
    Defect(
        "F10",
        "a second verification is opened beside a live one",
        nobody_holds,
        legs.test_a_second_session_stays_with_the_provider_that_has_the_verification,
    ),
    Defect(
        "F11",
        "a provider's lost verification fails over where a rule says so",
        reworded(
            (LEADS_ON, " and session.owner is CodeOwner.CORE", ""),
            (MAY_FOLLOW, "if any(one.unknown for one in attempts):", "if False:"),
        ),
        legs.test_a_verification_whose_answer_was_lost_stays_alone_even_if_the_rule_says_otherwise,
    ),
    Defect(
        "F12",
        "after a lost answer a provider makes a second code",
        reworded((MAY_FOLLOW, "if any(one.unknown for one in attempts):", "if False:")),
        legs.test_after_a_lost_answer_no_provider_makes_a_code_of_its_own,
    ),
    Defect(
        "F13",
        "a live verification is left for another provider",
        reworded((MAY_FOLLOW, "if not alone or session.handle is not None:", "if False:")),
        legs.test_a_live_verification_that_is_addressed_by_its_recipient_stays_too,
    ),
    Defect(
        "F14",
        "the next provider is given another code",
        another_code,
        legs.test_a_code_of_the_core_is_the_same_one_on_the_next_provider,
    ),
    Defect(
        "F15",
        "two legs have one idempotency key",
        same_key,
        legs.test_a_code_of_the_core_is_the_same_one_on_the_next_provider,
    ),
    Defect(
        "F16",
        "a leg that outlives the lease",
        reworded((NEXT_LEG, "if now + setup.deadline + LEASE_MARGIN > send.at + setup.lease:", "if False:")),
        late_legs,
    ),
    Defect(
        "F17",
        "a rule's bound on legs is not kept",
        reworded((moving.go_on, "or len(tried) + 1 >= wish.max_legs", "")),
        legs.test_no_more_legs_than_the_rule_says,
    ),
    Defect(
        "F18",
        "a channel that does not reach is tried again",
        reworded((moving.left_of, "leg.channel not in unreachable and ", "")),
        legs.test_a_landline_is_called_instead,
    ),
    Defect(
        "F19",
        "messages that a provider adds are not counted",
        reworded((policy.decide_send, "range(1 + send.extra)", "range(1)")),
        days,
    ),
    Defect(
        "F20",
        "a move takes no places for what the next provider adds",
        reworded((NEXT_LEG, "out + terms.capabilities.extra_sends", "out")),
        extra.test_a_move_takes_the_places_that_the_next_provider_needs,
    ),
    Defect(
        "F28",
        "a source passes its half of the cap by failing over",
        reworded((NEXT_LEG, ", now=now, source=send.source):", ", now=now):")),
        extra.test_a_source_has_its_half_of_a_day_of_lost_answers,
    ),
    Defect(
        "F29",
        "what an only provider answered is not recorded",
        reworded((vars(delivering)["_answers"], "if tried or last.kind or last.cost else", "if tried else")),
        recorded,
    ),
    Defect(
        "F30",
        "a ladder that a provider does not accept is judged with rules alone",
        reworded(
            (terms.make_setup, "check_windows(terms, profile)", "routing is None or check_windows(terms, profile)")
        ),
        judged_without_rules,
    ),
    Defect(
        "F21",
        "a resend goes the way that may have lost the last one",
        reworded((vars(sending)["_legs_of"], "if others and is_troubled(known.record, session)", "if False")),
        troubled_resends,
    ),
    Defect(
        "F26",
        "who is asked next is taken for who has the message",
        reworded((vars(ledger_sends)["_kept"], "if before.provider == session.provider:", "if True:")),
        refused_resends,
    ),
    Defect(
        "F27",
        "an undelivered message is followed around a stop",
        reworded((vars(redelivering)["_against"], "if stop_of(record, now=now) is not None:", "if False:")),
        stops.test_nothing_follows_an_undelivered_message_while_it_holds,
    ),
    Defect("F22", "what stopped a send does not stop the next start", never_in_force, started_again),
    Defect(
        "F23",
        "a stopped send fails over from its provider",
        reworded((NEXT_LEG, "if stop is not None and leg.provider != stop.provider:", "if False:")),
        lives_around_stops,
    ),
    Defect(
        "F24",
        "a success that was under way lifts a stop",
        lifted_by_anybody,
        stops.test_a_success_that_was_under_way_before_lifts_nothing,
    ),
    Defect(
        "F25",
        "a stop whose message may be out is not written",
        reworded(
            (
                vars(delivering)["_judged"],
                "if until is None or",
                "if answer.effect is SendEffect.UNKNOWN or until is None or",
            )
        ),
        lives_around_stops,
    ),
)
