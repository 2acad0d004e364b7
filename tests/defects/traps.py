"""Defects planted against the traps of the design: what attacks on the flows had found.

Rules of this file: T with the number of the trap; a body is a test of it, with all its parameters.
"""

from __future__ import annotations

from typing import Final

from otpcore import policy
from otpcore.contract import CodeOwner
from otpcore.flows import asking, checking
from otpcore.ledger import clock, sessions
from otpcore.results import Approved, Wrong
from tests.defects.planting import Defect, reworded
from tests.flows import test_checking
from tests.flows import test_unsettled_tries as unsettled
from tests.flows.script import NEW, OLD
from tests.flows.test_peppers_apart import test_a_code_counts_only_under_the_pepper_that_its_record_names as by_pepper
from tests.unit import test_policy_shares as shares

__all__ = ["DEFECTS"]

HALF_OF_THE_DAY: Final = "limits.append((WaitReason.SOURCE, own, max(1, profile.daily_cap // 2 - messages + 1)))"
UNSETTLED: Final = "if lost or claims_open(record, session):"


def peppers_apart() -> None:
    for pepper, kind in ((NEW, Approved), (OLD, Wrong)):
        by_pepper(pepper, kind)


def halves_of_the_cap() -> None:
    for cap in range(1, 13):
        shares.test_a_source_uses_at_most_half_of_the_daily_cap(cap)


def halves_of_the_failures() -> None:
    for budget in range(5, 13):
        shares.test_a_source_uses_at_most_half_of_the_budget_of_failures(budget)


def expiries_are_written_first() -> None:
    for owner in CodeOwner:
        test_checking.test_an_expiry_is_committed_before_it_is_first_answered(owner)


DEFECTS: Final = (
    Defect(
        "T2a",
        "an expiry is told before it is written",
        reworded((clock.catch_up, "must_write = True", "must_write = set_back")),
        expiries_are_written_first,
    ),
    Defect(
        "T2b",
        "an expiry told amid an open try is not marked",
        reworded((clock.catch_up, "must_write = must_write or before < session.expires_at", "pass")),
        unsettled.test_an_expiry_that_is_answered_while_a_try_is_on_its_way_is_marked_first,
    ),
    Defect(
        "T5a",
        "a source may use the whole daily cap",
        reworded((policy.decide_send, HALF_OF_THE_DAY, "pass")),
        halves_of_the_cap,
    ),
    Defect(
        "T5b",
        "the same, through an engine",
        reworded((policy.decide_send, HALF_OF_THE_DAY, "pass")),
        shares.test_who_types_the_codes_of_a_number_leaves_half_of_its_day_to_another_source,
    ),
    Defect(
        "T5c",
        "a source may use the whole budget of failures",
        reworded((policy.decide_check, "if room_at is None and source:", "if False:")),
        halves_of_the_failures,
    ),
    Defect(
        "T7a",
        "gone ends a session whose other try is on its way",
        reworded((vars(asking)["_end_by"], UNSETTLED, "if lost:")),
        unsettled.test_gone_while_anothers_try_is_on_its_way_leaves_the_success_to_it,
    ),
    Defect(
        "T7b",
        "gone ends a session whose sibling's try is on its way",
        reworded((sessions.claims_open, "or any(one.id in claims for one in siblings(record, session))", "")),
        unsettled.test_gone_while_a_try_of_a_session_on_the_same_verification_is_on_its_way_ends_neither,
    ),
    Defect(
        "T7c",
        "gone ends a session although a try's answer was lost",
        reworded(
            (vars(asking)["_end_by"], "if lost or claims_open(record, session):", "if claims_open(record, session):")
        ),
        unsettled.test_gone_after_a_try_whose_answer_was_lost_is_undecided_until_the_session_expires,
    ),
    Defect(
        "T7d",
        "gone ends a session although a try's process died",
        reworded(
            (vars(asking)["_end_by"], "if lost or claims_open(record, session):", "if claims_open(record, session):")
        ),
        unsettled.test_gone_after_a_try_whose_process_died_is_undecided,
    ),
    Defect(
        "T7e",
        "gone never ends a session that anything was tried on",
        reworded((vars(asking)["_end_by"], "and one.state is CheckState.UNKNOWN and one.id != operation", "")),
        unsettled.test_gone_with_no_other_try_ends_the_session,
    ),
    Defect(
        "T10",
        "a code counts under another pepper than its own",
        reworded((vars(checking)["_compare"], "one.kid == kid and ", "")),
        peppers_apart,
    ),
)
