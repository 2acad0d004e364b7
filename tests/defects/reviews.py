"""What reviews of the whole found, planted again: each test that holds one of their findings turns red.

Rules of this file: the bodies are the tests themselves, with all their parameters; every test of the two modules has
a row, which `test_defects` counts.
"""

from __future__ import annotations

from typing import Any, Final

from otpcore import phone, policy
from otpcore.engine import answers, sync, terms
from otpcore.errors import StoreError
from otpcore.flows import checking, delivering, finding, planning, repeating, sending, setup, transact
from otpcore.ledger import sends
from otpcore.model import Handle
from otpcore.results import NOTHING_NEXT
from tests.defects.planting import Defect, Planter, reworded
from tests.engine import test_guards_and_holders as holders
from tests.engine import test_legs as legs
from tests.engine import test_purposes_apart as purposes

__all__ = ["DEFECTS"]

REFUSES_ANOTHERS: Final = "if known.purpose != session.purpose or expires_at <= now:"

MISMATCH: Final = """and holder and not (yield from _is_of(setup, token, known, given)):
            following = yield from following_of(setup, known, holder)"""
MISMATCH_TOLD: Final = """and not (yield from _is_of(setup, token, known, given)):
            following = Refused(Refusal.RECIPIENT_MISMATCH).next"""


# --- patches that no change of words makes ---------------------------------------------------------


def next_is_forgotten(plant: Planter) -> None:
    def planted(*_: Any) -> Any:
        yield from ()
        return NOTHING_NEXT

    plant.swap(finding.following_of, planted)


def providers_are_closed_first(plant: Planter) -> None:
    def planted(engine: sync.Engine) -> None:
        of: dict[str, Any] = vars(engine)
        for provider in of["_providers"].values():
            provider.close()
        of["_store"].close()

    plant.attribute(sync.Engine, "close", planted)


def always_true(_handle: object) -> bool:
    return True


def itself(error: Exception) -> Exception:
    return error


def nothing_to_say(_number: phone.PhoneNumber) -> None:
    """Refuse nothing."""


# --- bodies: the tests, with their parameters ------------------------------------------------------


def vendor_that_opens_later() -> None:
    for lag in (1, 5, 8):
        purposes.test_a_vendor_that_opens_later_than_was_reserved_never_lends_its_code_to_another_purpose(lag)


def other_spellings() -> None:
    for text in ("+12025550123 ", "+1-202-555-0123", "2025550123", "+1202555012\uff13"):
        purposes.test_a_number_is_made_in_one_spelling_only(text)


def repeated_start() -> None:
    holders.test_a_repeated_start_is_answered_as_before_although_the_guard_has_changed_its_mind(holders.Scene())


def session_that_is_over() -> None:
    holders.test_a_session_that_is_over_is_over_whatever_a_guard_says(holders.Scene())


def guard_that_holds() -> None:
    holders.test_a_guard_holds_until_its_time_and_no_longer(holders.Scene())


def share_of_failures() -> None:
    holders.test_a_source_that_used_its_share_of_failures_is_told_until_when(holders.Scene())


def forged_token() -> None:
    for number in (holders.NUMBER, holders.OTHER):
        holders.test_who_forges_a_token_of_a_known_record_learns_nothing_of_its_number(holders.Scene(), number)


lost_sends_hold = (
    purposes.test_a_verification_that_a_lost_send_may_have_opened_keeps_other_purposes_away_for_its_longest_life
)
another_purposes_verification = (
    purposes.test_a_provider_goes_on_with_a_verification_of_another_purpose_and_the_session_fails
)

DEFECTS: Final = (
    Defect(
        "R1a",
        "a lost send's verification is held from its earliest opening",
        reworded((vars(Handle)["opened_by"].fget, "self.last_at or ", "")),
        lost_sends_hold,
    ),
    Defect(
        "R1b",
        "another purpose is let in when our ten minutes are over",
        reworded((setup.gate, "over + setup.lease", "over")),
        lost_sends_hold,
    ),
    Defect(
        "R2",
        "the demonstrations' profile serves a real vendor",
        reworded((vars(terms)["_terms"], "profile.simulated_only and ", "False and ")),
        purposes.test_the_demo_profile_is_refused_where_nothing_stands_in_for_a_vendor,
    ),
    Defect(
        "R3",
        "a holder who names another number is told nothing",
        next_is_forgotten,
        purposes.test_a_holder_who_names_another_number_is_told_what_can_be_done,
    ),
    Defect(
        "R4",
        "a provider that fails to close leaves the store open",
        providers_are_closed_first,
        purposes.test_a_store_is_closed_although_a_provider_fails_to_close,
    ),
    Defect(
        "R5",
        "another purpose is let in while a slow vendor's ten minutes last",
        reworded((setup.gate, "over + setup.lease", "over")),
        vendor_that_opens_later,
    ),
    Defect(
        "R6",
        "a verification of another purpose is adopted",
        reworded((sends.adopt, REFUSES_ANOTHERS, "if False:")),
        another_purposes_verification,
    ),
    Defect(
        "R7",
        "any handle is taken",
        lambda p: p.swap(vars(answers)["_is_handle"], always_true),
        purposes.test_a_handle_that_no_record_may_keep_is_an_answer_that_cannot_be_trusted,
    ),
    Defect(
        "R8",
        "a commit whose answer was lost is called not applied",
        lambda p: p.swap(vars(transact)["_doubted"], transact.load),
        purposes.test_a_lost_answer_and_then_no_store_is_an_unknown_commit,
        red=StoreError,
    ),
    Defect(
        "R18",
        "an error is its own cause",
        lambda p: p.swap(answers.cause_of, itself),
        purposes.test_a_stores_own_error_reaches_the_caller_and_is_not_its_own_cause,
    ),
    Defect(
        "R9",
        "an idempotency key is known for ever",
        reworded((vars(repeating)["_seen"], " and one.at > now - DAY", "")),
        purposes.test_a_key_that_is_older_than_a_day_passes_no_guard_over,
    ),
    Defect(
        "R10",
        "a source's share does not count in what it is told",
        reworded((vars(delivering)["_result"], "source=source", "source=''")),
        purposes.test_a_source_is_told_when_it_may_ask_again,
    ),
    Defect(
        "R11",
        "a number is made in any spelling",
        lambda p: p.attribute(phone.PhoneNumber, "__post_init__", nothing_to_say),
        other_spellings,
    ),
    Defect(
        "R12a",
        "a source that no encoding takes is an error",
        reworded((setup.Setup.source, 'encode(errors="backslashreplace")', "encode()")),
        purposes.test_what_an_end_user_sends_as_its_address_breaks_nothing,
        red=UnicodeEncodeError,
    ),
    Defect(
        "R12b",
        "an unknown purpose is quoted whole",
        reworded((setup.Setup.check_purpose, "shown(purpose)", "purpose[:40]")),
        purposes.test_what_an_end_user_sends_as_its_address_breaks_nothing,
    ),
    Defect(
        "R13",
        "a guard is asked about a start that sends nothing",
        reworded((repeating.was_seen, "is not None", "is None")),
        repeated_start,
    ),
    Defect(
        "R14",
        "a guard is asked about a session that is over",
        reworded((sending.resend, "setup.plugged and found.is_live and", "setup.plugged and")),
        session_that_is_over,
    ),
    Defect(
        "R15",
        "a guard's hold does not end",
        reworded((planning.held_by_guards, "if left <= 0:", "if False:")),
        guard_that_holds,
    ),
    Defect(
        "R16a",
        "a source that used its share is not told until when",
        reworded((vars(checking)["_try"], "locked_until=locked.until", "locked_until=None")),
        share_of_failures,
    ),
    Defect(
        "R16b",
        "a source may spend the whole budget of failures",
        reworded((policy.decide_check, "if room_at is None and source:", "if False:")),
        share_of_failures,
    ),
    Defect(
        "R17a",
        "a session's nonce opens it without its secret",
        reworded((finding.find_session, "if matches(proof_of(token.secret), known) else None", "")),
        forged_token,
    ),
    Defect(
        "R17b",
        "whoever names a known record is told of a mismatch",
        lambda p: p.reword(checking.check, MISMATCH, MISMATCH_TOLD),
        forged_token,
    ),
    Defect(
        "R18a",
        "a provider is given the parameters of another",
        reworded((delivering.carry, "terms.own(wish.extra)", "wish.extra")),
        lambda: legs.each_is_given_its_own("blocking"),
    ),
    Defect(
        "R18b",
        "a parameter that nobody understands is dropped without a word",
        reworded((planning.not_understood, "if unknown is None:", "if True:")),
        lambda: legs.what_nobody_understands("blocking"),
    ),
    Defect(
        "R18c",
        "a code of the core confirms a payment that it was not made for",
        reworded((vars(checking)["_try"], "if extra:", "if False:")),
        lambda: legs.nothing_is_confirmed_beside("blocking"),
    ),
)
