"""Defects planted against the invariants of the design, where the requirements' list has none for them.

Rules of this file: I with the number of the invariant; a body is a test of it, with all its parameters. The other
invariants are in `PLANTED`, by their rows in the requirements' list.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3 import Retry

from otpcore import codes, ledger, results
from otpcore.contract import Accepted, CodeOwner, Failure, SendEffect
from otpcore.engine import answers, awaiting, driving
from otpcore.flows import checking, reserving, sending, setup, transact
from otpcore.ledger import clock, sends, sessions
from otpcore.providers.transport import WireFailure
from otpcore_twilio.aio_transport import AsyncDeadlineHttpClient
from tests.defects.planting import Defect, Planter, reworded
from tests.engine import test_deadlines as deadlines
from tests.engine import test_next_actions as following
from tests.engine import test_once_on_the_wire as wire
from tests.engine import test_strangers as strangers
from tests.engine.colours import COLOURS
from tests.engine.test_clock_set_back import waits
from tests.engine.test_lifetimes import codes_end_in_time
from tests.engine.test_nothing_readable import nothing_is_readable_of_either_owner
from tests.engine.test_odd_answers import nothing_is_echoed_in_either_colour
from tests.flows import test_codes_bound as bound
from tests.flows import test_sending as sent
from tests.flows.script import NO_ANSWER, NOT_SENT
from tests.unit import test_ledger, test_ledger_time

__all__ = ["DEFECTS", "PLANTED"]

PLANTED: Final = {1: "9", 2: "1", 3: "4", 4: "6", 5: "8", 11: "14"}
"""By the invariant, one of its rows in the requirements' list."""

REFUSES: Final = """                raise CommitUnknown from None  # this one was not applied, but an earlier one may be
            raise
"""
LETS_THROUGH: Final = """                raise CommitUnknown from None
            return outcome, Snapshot(seen.key, record, seen.version, caught.now)
"""


# --- patches that no change of words makes ---------------------------------------------------------


def plain_text_key(plant: Planter) -> None:
    def planted(_keys: Any, tenant: str, _kind: str, recipient: str) -> str:
        return f"{tenant}/r/{recipient[1:]:A<24}"

    plant.swap(codes.record_key, planted)


def secret_is_its_proof(plant: Planter) -> None:
    def planted(secret: str) -> str:
        return secret

    plant.swap(codes.proof_of, planted)


def code_is_logged(plant: Planter) -> None:
    send_answer = answers.send_answer

    def planted(answer: Any, request: Any) -> Accepted | Failure:
        logging.getLogger("otpcore").debug("sent %s", answer.native.code)
        return send_answer(answer, request)

    plant.swap(send_answer, planted)


def number_is_audited(plant: Planter) -> None:
    event: Any = setup.event

    def planted(*args: Any, address: str = "", **more: Any) -> Any:
        shown: dict[str, Any] = {"to": address} if address else {}
        return event(*args, address=address, **more, **shown)

    plant.swap(event, planted)


def next_is_left_out(plant: Planter) -> None:
    def planted(_setup: Any, _known: Any, _session: Any, answer: Any) -> Any:
        yield from ()
        return answer

    plant.swap(vars(sending)["_followed"], planted)


def is_lost(answer: object) -> bool:
    return isinstance(answer, Failure) and answer.effect is SendEffect.UNKNOWN


def lost_sends_are_repeated(plant: Planter) -> None:
    perform, awaited = vars(driving.Driver)["_perform"], vars(awaiting.AsyncDriver)["_perform"]

    def planted(driver: Any, *given: Any) -> Any:
        answer = perform(driver, *given)
        return perform(driver, *given) if is_lost(answer) else answer

    async def planted_awaited(driver: Any, *given: Any) -> Any:
        answer = await awaited(driver, *given)
        return await awaited(driver, *given) if is_lost(answer) else answer

    plant.attribute(driving.Driver, "_perform", planted)
    plant.attribute(awaiting.AsyncDriver, "_perform", planted_awaited)


def transport_retries(plant: Planter) -> None:
    send = HTTPAdapter.send

    def planted(adapter: Any, *args: Any, **more: Any) -> Any:
        adapter.max_retries = Retry(2, allowed_methods=None, status_forcelist=[429, 500, 503])
        return send(adapter, *args, **more)

    plant.attribute(HTTPAdapter, "send", planted)


def broken_requests_are_repeated(plant: Planter) -> None:
    request = AsyncDeadlineHttpClient.request

    async def planted(*args: Any, **more: Any) -> Any:
        try:
            return await request(*args, **more)
        except WireFailure:
            return await request(*args, **more)

    plant.attribute(AsyncDeadlineHttpClient, "request", planted)


def attempts_by_the_wall(plant: Planter) -> None:
    def planted() -> float:
        return time.time()

    plant.put("otpcore.providers.transport.attempt.time", SimpleNamespace(monotonic=planted))


def loops_by_the_wall(plant: Planter) -> None:
    def planted(_loop: object) -> float:
        return time.time()

    plant.attribute(asyncio.BaseEventLoop, "time", planted)


# --- bodies: tests, with their parameters ----------------------------------------------------------


def held_codes_live_on() -> None:
    for first in (Accepted("m"), NO_ANSWER):
        for answer in (NOT_SENT, NO_ANSWER):
            sent.test_a_failed_or_unknown_resend_leaves_the_code_that_is_held(first, answer)


def codes_are_bound() -> None:
    assert bound.opened_by_anothers(400) == 0


def stores_that_are_down() -> None:
    for owner in CodeOwner:
        for operation in ("start", "resend", "check", "cancel", "forget"):
            for place in range(4):
                sent.test_a_store_that_is_down_at_any_call_lets_nothing_out(owner, operation, place)


def holders_are_told() -> None:
    for name in following.LIVE:
        following.holder_is_told(name)


def providers_are_called_once() -> None:
    for colour in COLOURS:
        wire.provider_is_called_once(colour)


def awaited_providers_are_called_once() -> None:
    for colour in COLOURS[1:]:
        wire.provider_is_called_once(colour)


def wire_is_asked_once(*, awaiting: bool) -> None:
    for name in wire.LOST:
        wire.test_a_call_that_goes_wrong_is_seen_once_on_the_wire(name, awaiting)


def blocking_wire() -> None:
    wire_is_asked_once(awaiting=False)


def lost_sends_keep_their_step() -> None:
    for awaited in (False, True):
        assert asyncio.run(wire.lost_sends("a 500", 5, awaiting=awaited)) == (0, 0)


def awaited_wire() -> None:
    wire_is_asked_once(awaiting=True)


def an_hour_ahead() -> None:
    deadlines.deadline_stands("blocking", deadlines.HOUR_S, 5.0)


def an_hour_back() -> None:
    deadlines.deadline_stands("blocking", -deadlines.HOUR_S, 3.0)


def an_hour_ahead_awaited() -> None:
    deadlines.deadline_stands("awaiting", deadlines.HOUR_S, 5.0)


DEFECTS: Final = (
    Defect(
        "I6a",
        "success leaves the failures in a row",
        reworded((ledger.approve, "consecutive=0, ", "")),
        test_ledger.test_a_success_clears_the_ladder_and_the_row_and_nothing_else,
    ),
    Defect(
        "I6b",
        "success leaves the ladder",
        reworded((ledger.approve, "ladder = Ladder(epoch=record.ladder.epoch + 1)", "ladder = record.ladder")),
        test_ledger.test_a_success_clears_the_ladder_and_the_row_and_nothing_else,
    ),
    Defect(
        "I7a",
        "a resend kills the held code before it is accepted",
        reworded((vars(reserving)["_coded"], "codes=(*held, new)", "codes=(new,)")),
        held_codes_live_on,
    ),
    Defect(
        "I7b",
        "a refused send takes the held code with it",
        reworded((sends.settle_send, "code for code in session.codes if code.send != send.id", "")),
        held_codes_live_on,
    ),
    Defect(
        "I8a",
        "a digest is bound to its code alone",
        reworded((codes.code_mac, '"code", tenant, purpose, key, session, secret, code', '"code", code')),
        codes_are_bound,
    ),
    Defect(
        "I8b",
        "a digest is not bound to its generation",
        reworded((codes.code_digest, "(generation, mac)", "(0, mac)")),
        bound.generations_are_apart,
    ),
    Defect(
        "I8c",
        "a code lives as long as its session",
        reworded((vars(checking)["_compare"], " and now < one.expires_at", "")),
        test_ledger_time.test_each_generation_of_a_code_has_a_lifetime_of_its_own,
    ),
    Defect(
        "I8d",
        "a code is right at its end",
        reworded(
            (vars(checking)["_compare"], "now < one.expires_at", "now <= one.expires_at"),
            (vars(checking)["_try"], "now >= session.expires_at", "now > session.expires_at"),
            (clock.catch_up, "now >= session.expires_at", "now > session.expires_at"),
        ),
        codes_end_in_time,
    ),
    Defect(
        "I9a",
        "the code is stored",
        reworded((vars(reserving)["_coded"], "digest=code_digest(mac, generation)", "digest=made")),
        nothing_is_readable_of_either_owner,
    ),
    Defect("I9b", "the client's secret half is stored", secret_is_its_proof, nothing_is_readable_of_either_owner),
    Defect("I9c", "the code is logged", code_is_logged, nothing_is_readable_of_either_owner),
    Defect(
        "I9d",
        "a vendor's error code is shown, whatever it holds",
        reworded((vars(answers)["_untelling"], "if said is None or", "if True or")),
        nothing_is_echoed_in_either_colour,
    ),
    Defect("I10a", "the number is the record's key", plain_text_key, nothing_is_readable_of_either_owner),
    Defect("I10b", "the number is in the audit log", number_is_audited, nothing_is_readable_of_either_owner),
    Defect(
        "I10c",
        "the source is stored",
        reworded((setup.Setup.source, "pseudonym(self.keyring.current, self.tenant_id, text)", "text")),
        nothing_is_readable_of_either_owner,
    ),
    Defect(
        "I12",
        "a stranger is told why",
        reworded((results.outward, '"not_approved"', "type(result).__name__")),
        strangers.a_strangers_answers_are_one,
    ),
    Defect(
        "I13",
        "a store that is down lets through",
        reworded((transact.transact, REFUSES, LETS_THROUGH)),
        stores_that_are_down,
    ),
    Defect(
        "I14a",
        "a clock set back makes waits longer",
        lambda p: p.put("otpcore.ledger.clock.CLOCK_TOLERANCE", timedelta(days=1000)),
        waits,
    ),
    Defect("I14b", "an attempt's end is on the wall's clock, set ahead", attempts_by_the_wall, an_hour_ahead),
    Defect("I14c", "an attempt's end is on the wall's clock, set back", attempts_by_the_wall, an_hour_back),
    Defect("I14d", "a loop's timers are on the wall's clock", loops_by_the_wall, an_hour_ahead_awaited),
    Defect("I15a", "a resend that a guard stops tells nothing of the session", next_is_left_out, holders_are_told),
    Defect(
        "I15b",
        "a locked or failed check does not say when it ends",
        reworded((sessions.next_actions, "session.expires_at if", "None if")),
        holders_are_told,
    ),
    Defect("I16a", "a send whose answer was lost is made again", lost_sends_are_repeated, providers_are_called_once),
    Defect("I16b", "the same, awaited", lost_sends_are_repeated, awaited_providers_are_called_once),
    Defect("I16c", "the transport retries", transport_retries, blocking_wire),
    Defect("I16d", "the awaited transport retries", broken_requests_are_repeated, awaited_wire),
    Defect("I16e", "a lost send is made again on a real wire", lost_sends_are_repeated, lost_sends_keep_their_step),
)
