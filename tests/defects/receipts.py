"""Defects planted against feedback and receipts: what a provider is told, and what a vendor's word may change.

Rules of this file: S15 is the requirement's row, O is what a provider hears of outcomes; a body is a test of it, with
all its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

from otpcore import flows, ledger
from otpcore.contract import CodeOwner
from otpcore.effects import Commit, ReportOutcome
from otpcore.engine import answers, awaiting, driving, workers
from otpcore.flows import checking, delivering, ending, receiving, reporting
from otpcore.ledger import sends, sessions
from otpcore.machine import SEND_TRANSITIONS, SendEvent
from otpcore.model import RecipientRecord, Send, SendState
from otpcore.receipts import DeliveryState, Outcome
from tests.defects.planting import Defect, Planter, reworded
from tests.engine import test_ends_heard as ends
from tests.engine import test_receipts as colours
from tests.engine import test_workers as worker_tests
from tests.engine.colours import COLOURS
from tests.flows import test_early as early
from tests.flows import test_left_behind as left
from tests.flows import test_receipts_harmless as harmless
from tests.flows import test_receiving as receiving_tests
from tests.flows import test_reporting as reporting_tests
from tests.flows.hearing import OWNS, READS
from tests.properties import test_receipts as properties

__all__ = ["DEFECTS"]

WINS: Final = " and isinstance(result, Approved) and result.session.id == alive.id"
IS_LAST: Final = "not siblings(record, found) else None"
NONE_LEFT: Final = reworded(
    (reporting.left_behind, "left = carrier(before, was) if was is not None else None", "left = None")
)
NONE_EARLY: Final = reworded((vars(receiving)["_apply"], "Heard(Fate.EARLY)", "Heard(Fate.IGNORED)"))
NOT_REFUSED: Final = "one.state is not SendState.REFUSED"


def verifies(plant: Planter) -> None:
    receive = ledger.receive

    def planted(record: RecipientRecord, send: Send, event: SendEvent, told: str) -> RecipientRecord:
        record = receive(record, send, event, told)
        session = record.session(send.session)
        if session is None or event is SendEvent.UNDELIVERED:
            return record
        return ledger.approve(record, session, by="receipt", now=send.at)

    plant.swap(receive, planted)


def refunds(plant: Planter) -> None:
    receive = ledger.receive

    def planted(record: RecipientRecord, send: Send, event: SendEvent, told: str) -> RecipientRecord:
        heard = receive(record, send, event, told)
        if heard is record or event is SendEvent.DELIVERED:
            return heard
        return heard.but(ladder=heard.ladder.but(count=heard.ladder.count - 1, next_at=None))

    plant.swap(receive, planted)


def last_word_wins(record: RecipientRecord, send: Send, event: SendEvent, _told: str) -> RecipientRecord:
    state = SendState(event.value)
    heard = tuple(one.but(state=state) if one.id == send.id else one for one in record.sends)
    return record if state is send.state else record.but(sends=heard)


def sent_overwrites(plant: Planter) -> None:
    plant.swap(ledger.receive, last_word_wins)
    plant.swap(receiving.ENDS, {**receiving.ENDS, DeliveryState.SENT: SendEvent.ACCEPTED})


def what_failed_has_failed(plant: Planter) -> None:
    late = (SendState.UNDELIVERED, SendEvent.DELIVERED)
    plant.put("otpcore.ledger.sends.SEND_TRANSITIONS", {way: to for way, to in SEND_TRANSITIONS.items() if way != late})


def reported_first(plant: Planter) -> None:
    """The outcome is told when its commit is about to be made."""

    def ahead(flow: Any, outcome: Outcome) -> Generator[Any, Any, Any]:
        try:
            effect = next(flow)
            while True:
                if isinstance(effect, Commit):
                    yield ReportOutcome("vendor", "VE1", outcome, 1.0)
                answer = True if isinstance(effect, ReportOutcome) else (yield effect)
                effect = flow.send(answer)
        except StopIteration as finished:
            return finished.value

    check, cancel = flows.check, flows.cancel

    def planted_check(*given: Any, **named: Any) -> Any:
        return ahead(check(*given, **named), Outcome.APPROVED)

    def planted_cancel(*given: Any, **named: Any) -> Any:
        return ahead(cancel(*given, **named), Outcome.CANCELED)

    plant.swap(check, planted_check)
    plant.swap(cancel, planted_cancel)


def unsound_events_pass(plant: Planter) -> None:
    def planted(_each: Any) -> bool:
        return True

    plant.swap(vars(answers)["_is_sound"], planted)


def any_order() -> None:
    for owner in CodeOwner:
        properties.order_does_not_matter(owner, 200)


def a_life_without() -> None:
    for given in (READS, OWNS):
        harmless.test_a_life_with_receipts_is_the_life_without(given, (DeliveryState.FAILED,))


def failed_reports_leave_approvals() -> None:
    for colour in COLOURS:
        colours.approval_stands(colour, RuntimeError())


def unsound_events() -> None:
    for colour in COLOURS:
        for answer in colours.WRONG_KINDS:
            colours.events_or_a_refusal(colour, answer)


def in_each_colour(body: Callable[[str], None]) -> Callable[[], None]:
    def bodies() -> None:
        for colour in ends.COLOURS:
            body(colour)

    return bodies


DEFECTS: Final = (
    Defect("S15a", "a receipt that verifies", verifies, harmless.nothing_is_approved),
    Defect("S15b", "a receipt that refunds", refunds, harmless.nothing_is_refunded),
    Defect("S15c", "the same, seen by what comes after", refunds, a_life_without),
    Defect(
        "S15d",
        "a later 'sent' that overwrites 'delivered'",
        sent_overwrites,
        receiving_tests.later_news_overwrites_nothing,
    ),
    Defect("S15e", "the last word wins", lambda p: p.swap(ledger.receive, last_word_wins), any_order),
    Defect("S15f", "what was said to have failed has failed", what_failed_has_failed, any_order),
    Defect(
        "S15g",
        "a replay is written",
        reworded(
            (
                vars(receiving)["_apply"],
                "return record, Heard(Fate.REPLAYED)",
                "return record.but(), Heard(Fate.REPLAYED)",
            )
        ),
        receiving_tests.replays_write_nothing,
    ),
    Defect(
        "H7a",
        "a replay is taken for news of a later send",
        reworded((vars(receiving)["_apply"], "digest in send.told", "False")),
        lambda: receiving_tests.replayed_after_a_resend(DeliveryState.SENT),
    ),
    Defect(
        "H7b",
        "only what changed something is remembered",
        reworded((sends.receive, "if heard == send", "if heard.state is send.state")),
        receiving_tests.test_an_event_that_changed_nothing_is_remembered_too,
    ),
    Defect(
        "S15h",
        "an undelivered code dies with a refused resend",
        reworded((sends.settle_send, NOT_REFUSED, f"{NOT_REFUSED} and one.state is not SendState.UNDELIVERED")),
        harmless.test_an_undelivered_code_stays_until_its_own_end_though_the_next_is_refused,
    ),
    Defect(
        "S15i",
        "the first message's receipt is taken for the second's",
        reworded((vars(receiving)["_carried"], "dropwhile(lambda send: send.id not in live, own)", "iter(own)")),
        receiving_tests.test_a_message_of_its_own_for_each_send_is_not_taken_for_a_later_one,
    ),
    Defect(
        "S15j",
        "a refused send stands before the one that left",
        reworded((vars(receiving)["_carried"], "if send.state is not SendState.REFUSED", "")),
        receiving_tests.test_a_refused_send_has_no_message_to_tell_of,
    ),
    Defect("S15k", "whatever a provider reads is believed", unsound_events_pass, unsound_events),
    Defect("S15l", "what is told before its send is settled is lost", NONE_EARLY, early.not_lost),
    Defect("S15m", "the same, in both colours", NONE_EARLY, in_each_colour(ends.early)),
    Defect(
        "S15n",
        "an end of a verification is taken for one of the send on its way, and swallowed",
        reworded((vars(receiving)["_apply"], "send.state is SendState.RESERVED if", "False if")),
        early.not_swallowed,
    ),
    Defect("O1", "feedback before the commit", reported_first, reporting_tests.reported_after_the_commit),
    Defect(
        "O2",
        "feedback of a check whose commit was lost",
        reworded((checking.check, WINS, "")),
        reporting_tests.only_winners_report,
    ),
    Defect(
        "O3",
        "feedback of a cancellation whose commit was lost",
        reworded((ending.cancel, IS_LAST, "not siblings(record, found) else last")),
        reporting_tests.only_winners_report,
    ),
    Defect(
        "O4",
        "feedback on a code of the provider's own",
        reworded((sessions.carrier, "if session.owner is not CodeOwner.CORE:", "if False:")),
        reporting_tests.test_a_code_of_the_providers_own_is_never_reported,
    ),
    Defect(
        "O5",
        "a report that fails takes the approval away",
        reworded(
            (vars(driving.Driver)["_ask"], "except Exception", "except StopIteration"),
            (vars(awaiting.AsyncDriver)["_ask"], "except Exception", "except StopIteration"),
        ),
        failed_reports_leave_approvals,
        RuntimeError,
    ),
    Defect(
        "O6",
        "a report that queues behind sends",
        reworded((vars(workers.AwaitedProvider)["report_outcome"], "self._reports", "self._sends")),
        worker_tests.sends_that_hang_hold_up_no_report,
    ),
    Defect("O7", "a provider that a resend leaves hears of no end", NONE_LEFT, left.moved_resend),
    Defect("O8", "the same, in both colours", NONE_LEFT, in_each_colour(ends.left)),
    Defect("O9", "nor does one whose message did not arrive", NONE_LEFT, in_each_colour(ends.followed)),
    Defect(
        "O10",
        "who may still carry the person's code is forgotten after a lost answer",
        reworded((sends.settle_send, "handle_kept(record, session)", "record")),
        left.lost_meanwhile,
    ),
    Defect(
        "O11",
        "a code is said to be over that the store knows to live",
        reworded((vars(delivering)["_settle"], "written, left = False, None", "written = False")),
        left.unwritten,
    ),
)
