"""The planted defects, by the numbers of the requirements: a sentence, how it is planted, and who must turn red.

Rules of this file: a row is (name, sentence, patch, body). What needs an HTTP surface is listed in
`COMES_WITH` and not counted.
"""

from __future__ import annotations

import json
import operator
import re
import threading
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from otpcore import codes, flows, ledger, phone, policy
from otpcore.contract import CodeOwner, Conflict, Failure, FailureKind, SendEffect, Version
from otpcore.engine import Engine, answers
from otpcore.flows import checking
from otpcore.flows.setup import next_of
from otpcore.flows.transact import transact
from otpcore.machine import SendEvent
from otpcore.model import Ladder, RecipientRecord, Send, SendState, Session
from otpcore.results import Refused
from otpcore.stores.memory import MemoryStore
from tests.crash.flow_torn import RollsBack, World, tries_stay_spent
from tests.defects import bodies as small
from tests.defects import servers, vendors
from tests.defects.planting import Defect, Planter
from tests.storms import bodies_checks as checks
from tests.storms import bodies_sends as sends
from tests.storms.naive import naive_memory

__all__ = ["COMES_WITH", "DEFECTS"]


COMES_WITH: Final = {
    "25": ("first X-Forwarded-For", "the HTTP service"),
    "26": ("missing header: no limit", "the HTTP service"),
}


# --- doubles ---------------------------------------------------------------------------------

MEMORY: Final = "tests.places.MemoryStore"


class TextCounters(MemoryStore):
    """Gives numbers back as text, as a store of strings would."""

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        told = None if data is None else json.dumps(json.loads(data, parse_int=str)).encode()
        return super().commit(key, told, expect=expect, gc_at=gc_at)


def increment_without_guard(plant: Planter) -> None:
    """A lost race is run again without the question whether it may."""
    again, decide_send = threading.local(), policy.decide_send

    def unguarded(setup: Any, decide: Any, entropy: Any, *, known: Any) -> Generator[Any, Any, Any]:
        calls = 0

        def once_guarded(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            again.on = calls > 1
            try:
                return decide(*args)
            finally:
                again.on = False

        return (yield from transact(setup, once_guarded, entropy, known=known))

    def decided(*args: Any, **more: Any) -> Any:
        return None if getattr(again, "on", False) else decide_send(*args, **more)

    plant.swap(transact, unguarded)
    plant.swap(decide_send, decided)


def saved_from_a_copy(plant: Planter) -> None:
    def claim(record: RecipientRecord, *_: object, **__: object) -> RecipientRecord:
        return record.but()

    plant.swap(ledger.claim, claim)


def reserving(
    change: Callable[[RecipientRecord, Session, RecipientRecord], RecipientRecord],
) -> Callable[[Planter], None]:
    """A patch of what a reservation leaves: from the record before, the session, and the record after."""
    reserve = ledger.reserve

    def planted(record: RecipientRecord, profile: Any, session: Session, **more: Any) -> RecipientRecord:
        return change(record, session, reserve(record, profile, session, **more))

    def plant(planter: Planter) -> None:
        planter.swap(reserve, planted)

    return plant


def taken_as_not_sent(_error: Exception) -> Failure:
    return Failure(FailureKind.TIMEOUT, SendEffect.NOT_SENT)


def any_digits(text: object, *_: int) -> bool:
    return isinstance(text, str) and bool(re.fullmatch(r"\d{6}", text))


def joined(parts: tuple[object, ...]) -> bytes:
    return ":".join(map(str, parts)).encode()


def double_refund(plant: Planter) -> None:
    settle_send = ledger.settle_send

    def planted(record: RecipientRecord, profile: Any, send: Send, event: SendEvent, **more: Any) -> RecipientRecord:
        if event is SendEvent.DEFINITELY_REFUSED and send.state is SendState.REFUSED:
            lower = record.ladder.but(count=max(0, record.ladder.count - 1), next_at=send.at)
            return record.but(ladder=lower)
        return settle_send(record, profile, send, event, **more)

    plant.swap(settle_send, planted)


def success_clears_quota(plant: Planter) -> None:
    approve = ledger.approve

    def planted(*args: Any, **more: Any) -> RecipientRecord:
        return approve(*args, **more).but(sends=())

    plant.swap(approve, planted)


def limiter_before_canonicaliser(plant: Planter) -> None:
    canonicalise = phone.canonicalise

    def raw(text: str, **more: Any) -> phone.PhoneNumber:
        return replace(canonicalise(text, **more), e164=text)

    plant.swap(canonicalise, raw)


def stripped(plant: Planter) -> None:
    check = flows.check

    def planted(setup: Any, entropy: Any, session: Any, code: Any, **more: Any) -> Any:
        return check(setup, entropy, session, code.strip() if isinstance(code, str) else code, **more)

    plant.swap(check, planted)


def early_return(plant: Planter) -> None:
    compare = vars(checking)["_compare"]

    def planted(setup: Any, session: Session | None, *args: Any) -> Any:
        return compare(setup, session, *args) if session is not None else False

    plant.swap(compare, planted)


def dummy_code(plant: Planter) -> None:
    compare = vars(checking)["_compare"]

    def planted(*args: Any) -> Any:
        return compare(*args) or "123456" in args

    plant.swap(compare, planted)


def off_by_one(plant: Planter) -> None:
    full = vars(policy)["_full"]

    def planted(marks: Any, limit: int) -> Any:
        return full(marks, limit + 1)

    plant.swap(full, planted)


def count_equals_four(plant: Planter) -> None:
    def climb(ladder: Ladder, profile: policy.Profile, *, now: datetime) -> Ladder:
        count = 1 if ladder.count == 4 else ladder.count + 1
        return Ladder(count=count, next_at=now + profile.ladder[count - 1], epoch=ladder.epoch + (count == 1))

    plant.swap(policy.climb, climb)


def stale_object(plant: Planter) -> None:
    """What is answered is the ladder as it stood before the send."""
    before = Ladder()

    def planted(setup: Any, record: RecipientRecord, *args: Any, **more: Any) -> Any:
        nonlocal before
        stale, before = record.but(ladder=before), record.ladder
        return next_of(setup, stale, *args, **more)

    plant.swap(next_of, planted)


def code_in_the_answer(plant: Planter) -> None:
    check = flows.check

    def planted(setup: Any, entropy: Any, session: Any, code: str, **more: Any) -> Generator[Any, Any, Any]:
        result = yield from check(setup, entropy, session, code, **more)
        return Refused(result.kind, result.next, f"{code} is no code") if isinstance(result, Refused) else result

    plant.swap(check, planted)


# --- bodies with their sizes -----------------------------------------------------------------


def starts_at_once() -> None:
    with small.within() as arena:
        sends.one_send_of_many_starts(arena, phones=1)


def wrong_checks_at_once() -> None:
    with small.within() as arena:
        checks.no_more_answers_than_tries(arena, sessions=1)


def right_codes_at_once() -> None:
    with small.within() as arena:
        checks.one_success_a_session(arena, sessions=1)


def resends_amid_checks() -> None:
    with small.within(profile=checks.QUICK) as arena:
        checks.resends_give_no_tries_back(arena, resends=8)


def answers_lost() -> None:
    with small.within(script=sends.always(TimeoutError())) as arena:
        sends.lost_answers_are_not_refunded(arena, operations=1)


def a_refusal_told_often() -> None:
    with small.within() as arena:
        sends.a_refusal_is_refunded_once(arena)


def spellings() -> None:
    with small.within() as arena:
        sends.spellings_share_one_budget(arena, users=2)


def torn_checks() -> None:
    tries_stay_spent(lambda: World("raised", CodeOwner.PROVIDER), "in the provider", sessions=1)


DEFECTS: Final = (
    Defect("1", "check-then-increment", lambda p: p.put(MEMORY, naive_memory), starts_at_once),
    Defect("2", "atomic increment without guard", increment_without_guard, starts_at_once),
    Defect(
        "3",
        "increment in the caller's transaction that rolls back",
        lambda p: p.put("tests.crash.flow_torn.MemoryStore", RollsBack),
        torn_checks,
    ),
    Defect("4", "counter saved from a parsed copy", saved_from_a_copy, wrong_checks_at_once),
    Defect("5", "counter returned as str", lambda p: p.put(MEMORY, TextCounters), starts_at_once),
    Defect("6", "success without guard", lambda p: p.put(MEMORY, naive_memory), right_codes_at_once),
    Defect("7", "resend resets tries", reserving(lambda _, __, after: after.but(checks=())), resends_amid_checks),
    Defect(
        "8",
        "new session resets phone failures",
        reserving(
            lambda before, session, after: (
                after if before.session(session.id) is not None else after.but(checks=(), consecutive=0)
            )
        ),
        small.failures_count_across_sessions,
    ),
    Defect(
        "9",
        "send then count",
        lambda p: p.put("tests.defects.bodies.MUTANT", "send-then-count"),
        small.counted_before_sent,
    ),
    Defect(
        "10",
        "refund on timeout",
        lambda p: p.swap(answers.send_failed, taken_as_not_sent),
        answers_lost,
    ),
    Defect("11", "double refund", double_refund, a_refusal_told_often),
    Defect("12", "`>` for `>=`", off_by_one, small.limits_are_exact),
    Defect("13", "success clears quota", success_clears_quota, small.successes_leave_the_daily_cap),
    Defect("14", "limiter before canonicaliser", limiter_before_canonicaliser, spellings),
    Defect(
        "15",
        r"`\d`/`isdigit` for the code",
        lambda p: p.swap(codes.is_code, any_digits),
        small.malformed_codes_cost_nothing,
    ),
    Defect("16", "`strip()` on the code", stripped, small.malformed_codes_cost_nothing),
    Defect("17", "`==` compare", lambda p: p.swap(codes.matches, operator.eq), small.comparisons_take_constant_time),
    Defect("18", "early return for unknown session", early_return, small.unknown_sessions_cost_the_same_work),
    Defect(
        "19",
        "naive local time",
        lambda p: p.default(Engine.__init__, "clock", lambda: datetime.now().replace(tzinfo=UTC)),  # noqa: DTZ005  # the defect
        small.times_are_utc,
    ),
    Defect("20", "`count == 4`", count_equals_four, small.cycles_follow_the_ladder),
    Defect("21", "stale object returned after reset", stale_object, small.cycles_follow_the_ladder),
    Defect(
        "22",
        'key joined with ":"',
        lambda p: p.swap(vars(codes)["_pack"], joined),
        small.code_parts_do_not_collide,
    ),
    Defect(
        "23",
        "Redis write without TTL after delete",
        servers.without_lifetime_after_delete,
        servers.redis_keys_have_lifetimes,
    ),
    Defect(
        "24",
        "JSON write in place",
        lambda p: p.put("tests.defects.bodies.KIND", "stock"),
        small.writes_leave_old_or_new,
    ),
    Defect("27", "webhook 500 = sent", vendors.every_answer_is_whole, vendors.errors_are_no_sends),
    Defect("28", "redirects followed", vendors.redirects_followed, vendors.redirects_are_not_followed),
    Defect("29", "code in the error body", code_in_the_answer, small.answers_hold_no_code),
    Defect("30", "dummy number by default", dummy_code, small.no_code_is_built_in),
)
