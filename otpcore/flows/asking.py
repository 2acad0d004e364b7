"""A claimed try: ask the provider that owns the code, settle by a guarded commit, then tell.

Rules of this file: see `otpcore.flows`. The claim is committed before (`otpcore.flows.checking`); whatever is not
clearly an approval of this very try is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from otpcore.codes import Entropy, Token
from otpcore.contract import CheckAnswer, CheckRequest, CheckVerdict
from otpcore.effects import CheckCode, ReconcileCheck
from otpcore.events import Event
from otpcore.flows.finding import tell
from otpcore.flows.setup import Flow, Setup, event, next_of, view
from otpcore.flows.transact import Snapshot, transact
from otpcore.ledger import adopt, approve, claims_open, end, settle_check
from otpcore.machine import CheckEvent, SessionEvent
from otpcore.model import CheckState, RecipientRecord, SendState, Session, SessionStatus
from otpcore.policy import decide_check
from otpcore.results import Approved, CheckResult, Ended, NotFound, Refusal, Refused, Undecided, Wrong

__all__ = ["Claimed", "ask", "locked_facts", "told"]

CLOCKS_APART: Final = timedelta(seconds=30)
"""So near the end of its lifetime, a verification that the provider does not know any more has expired."""


class Claimed(msgspec.Struct, frozen=True):
    """A try is spent; the provider has to be asked."""

    session: Session
    recipient: str | None

    def __repr__(self) -> str:
        return f"Claimed(session={self.session.id!r}, provider={self.session.provider!r})"


def ask(
    setup: Setup,
    entropy: Entropy,
    claimed: Claimed,
    token: Token | None,
    code: str,
    seen: Snapshot,
    extra: Mapping[str, str],
) -> Flow[CheckResult]:
    """Ask the provider about a claimed try, settle it, and say what became of it."""
    session = claimed.session
    terms = setup.providers[session.provider]
    recipient = None if session.handle else claimed.recipient
    request = CheckRequest(session.handle or None, recipient, code, setup.timeout_s, extra)
    answer: CheckAnswer = yield CheckCode(terms.name, request)
    reconciled = False
    if (
        answer.verdict is CheckVerdict.UNKNOWN
        and terms.reconciles
        and _is_alone(seen.record, session, entropy.operation)
    ):
        later: CheckAnswer | None = yield ReconcileCheck(terms.name, session.handle or "", setup.timeout_s)
        reconciled = later is not None
        answer = later if later is not None else answer

    def decide(record: RecipientRecord, now: datetime, _key: str) -> tuple[RecipientRecord, CheckResult]:
        heard = answer
        if (reconciled and not _is_alone(record, session, entropy.operation)) or _has_moved(record, session):
            # somebody else tried meanwhile, and what the provider tells of now may be their doing; or the send went on
            # to another provider, and this one speaks of a verification that is not the session's any more
            heard = CheckAnswer(CheckVerdict.UNKNOWN, native=answer.native)
        return _settled(setup, entropy, session.id, token, heard, record, now)

    result, seen = yield from transact(setup, decide, entropy, known=seen)
    now = seen.now if seen.now is not None else session.expires_at
    found = seen.record.session(session.id) or session

    def facts() -> tuple[Event, ...]:
        about = {"provider": terms.name, "verdict": answer.verdict.value, "provider_code": answer.provider_code or ""}
        asked = event(setup, "check.answered", at=now, key=seen.key, session=found, **about)
        return (asked, *locked_facts(setup, result, seen, found))

    return (yield from tell(setup, "check", result, key=seen.key, session=found, facts=facts, now=now))


def _has_moved(record: RecipientRecord, asked: Session) -> bool:
    """Whether the session's first send has gone on to another provider since this one was asked."""
    found = record.session(asked.id)
    return found is not None and found.is_live and (found.provider, found.owner) != (asked.provider, asked.owner)


def _is_alone(record: RecipientRecord, session: Session, operation: str) -> bool:
    """Whether an approval at the provider can only be this try's: nobody else has tried this verification."""
    handle = record.handle(session.provider, session.handle)
    own = [one for one in record.checks if one.session == session.id]
    settled = all(one.id == operation or one.state is CheckState.WRONG for one in own)
    return bool(session.handle) and handle is not None and handle.checks == len(own) and settled


def _settled(
    setup: Setup,
    entropy: Entropy,
    nonce: str,
    token: Token | None,
    answer: CheckAnswer,
    record: RecipientRecord,
    now: datetime,
) -> tuple[RecipientRecord, CheckResult]:
    """Settle a claimed try by the provider's answer. Only one caller is ever told of an approval."""
    operation, profile = entropy.operation, setup.profile
    session = record.session(nonce)
    mine = record.check(operation)
    if session is None:
        return record, NotFound()
    if session.ended_by == operation and session.status is SessionStatus.APPROVED:
        return record, told(setup, record, session, token, now=now, native=answer.native)
    terms = setup.providers[session.provider] if session.is_live else None
    if terms is not None and mine is not None and session.handle is None and answer.handle is not None:
        record = adopt(record, profile, session, handle=answer.handle, send=None, lifetime=terms.lifetime, now=now)
        session = record.session(nonce) or session
    verdict = answer.verdict
    if verdict is CheckVerdict.APPROVED and session.is_live:
        record = approve(record, session, by=operation, now=now)
        return record, told(setup, record, record.session(nonce) or session, token, now=now, native=answer.native)
    if mine is not None:
        match verdict:
            case CheckVerdict.WRONG:
                record = settle_check(record, profile, mine, CheckEvent.FOUND_WRONG, now=now)
            case CheckVerdict.DENIED | CheckVerdict.THROTTLED | CheckVerdict.EXPIRED | CheckVerdict.EXHAUSTED:
                record = settle_check(record, profile, mine, None, now=now)
            case CheckVerdict.APPROVED | CheckVerdict.UNKNOWN | CheckVerdict.GONE:
                record = settle_check(record, profile, mine, CheckEvent.ANSWER_LOST, now=now)
    if session.is_live and (happened := _end_by(verdict, record, session, operation, now)) is not None:
        record = end(record, session, happened, by=operation, now=now)
    return record, _outcome(setup, record, record.session(nonce) or session, answer, now)


def _end_by(
    verdict: CheckVerdict, record: RecipientRecord, session: Session, operation: str, now: datetime
) -> SessionEvent | None:
    """How the provider's answer ends a live session, if it does."""
    match verdict:
        case CheckVerdict.EXPIRED:
            return SessionEvent.LIFETIME_OVER
        case CheckVerdict.EXHAUSTED:
            return SessionEvent.LAST_TRY_SPENT
        case CheckVerdict.GONE:
            lost = any(
                one.session == session.id and one.state is CheckState.UNKNOWN and one.id != operation
                for one in record.checks
            )
            if lost or claims_open(record, session):
                return None  # another try may be the one that used the code
            if any(one.session == session.id and one.state is SendState.RESERVED for one in record.sends):
                return None  # the provider is being asked for it just now
            late = now >= session.expires_at - CLOCKS_APART
            return SessionEvent.LIFETIME_OVER if late else SessionEvent.PROVIDER_LOST_IT
        case _:
            return None


def _outcome(
    setup: Setup, record: RecipientRecord, session: Session, answer: CheckAnswer, now: datetime
) -> CheckResult:
    following = next_of(setup, record, session, now=now)
    match answer.verdict:
        case CheckVerdict.WRONG:
            return Wrong(following, answer.native)
        case CheckVerdict.DENIED:
            return Refused(Refusal.MISCONFIGURED, following, answer.detail, answer)
        case CheckVerdict.THROTTLED:
            return Refused(Refusal.RATE_LIMITED, following, answer.detail, answer)
        case CheckVerdict.UNKNOWN:
            return Undecided(following, answer)
        case CheckVerdict.GONE if session.is_live:
            return Undecided(following, answer)
        case _:
            return Ended(session.status, following, session.id, answer)


def locked_facts(setup: Setup, result: object, seen: Snapshot, session: Session | None) -> tuple[Event, ...]:
    """Further events of a check: the recipient is locked now."""
    if seen.now is None or not isinstance(result, Wrong | Undecided):
        return ()
    if decide_check(seen.record, setup.profile, now=seen.now) is None:
        return ()
    return (event(setup, "lock", at=seen.now, key=seen.key, session=session),)


def told(
    setup: Setup,
    record: RecipientRecord,
    session: Session,
    token: Token | None,
    *,
    now: datetime,
    native: object = None,
) -> Approved | Wrong:
    """What an operation says whose mark is in the record: it approved, or its try was wrong."""
    following = next_of(setup, record, session, now=now)
    if session.status is SessionStatus.APPROVED:
        return Approved(view(session, token), following, native)
    return Wrong(following, native)
