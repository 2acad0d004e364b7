"""cancel, status, forget, unlock.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from otpcore.codes import Entropy, Token
from otpcore.contract import CodeOwner
from otpcore.effects import CancelCode
from otpcore.errors import InvalidRecipient, StoreError
from otpcore.events import Event
from otpcore.flows.finding import find_session, parse_token, tell
from otpcore.flows.reporting import report
from otpcore.flows.setup import Flow, Setup, event, next_of, view
from otpcore.flows.transact import Snapshot, load, locate, transact
from otpcore.ledger import Carrier, carrier, end, handle_ended, siblings
from otpcore.ledger import forget as forgotten
from otpcore.ledger import unlock as unlocked
from otpcore.machine import SessionEvent
from otpcore.model import RecipientRecord, Session
from otpcore.receipts import Outcome
from otpcore.recipients import Recipient, canonical
from otpcore.results import (
    ByRecipient,
    CancelResult,
    Ended,
    ForgetResult,
    Forgotten,
    NotFound,
    Refusal,
    Refused,
    Status,
    StatusResult,
    Unlocked,
    UnlockResult,
)

__all__ = ["cancel", "forget", "status", "unlock"]

Erasing = tuple[Forgotten, tuple[Session, ...], dict[Carrier | None, Session]]
"""The answer, one session for each verification that was live, and one for each carrier of a code of the core."""


def cancel(setup: Setup, entropy: Entropy, session: str | ByRecipient) -> Flow[CancelResult]:
    """End a live session; see `Engine.cancel`."""
    addressed = yield from _address(setup, session)
    if isinstance(addressed, Refused | NotFound):
        return (yield from tell(setup, "cancel", addressed))
    token, purpose, known = addressed
    last: Session | None = None  # as it was while it lived, when it was the last one on its verification
    by: Carrier | None = None

    def decide(record: RecipientRecord, now: datetime, _key: str) -> tuple[RecipientRecord, CancelResult]:
        nonlocal last, by
        found = find_session(record, token, purpose)
        if found is None or found.ended_by != entropy.operation:  # else an earlier commit was applied after all
            last = found if found is not None and found.is_live and not siblings(record, found) else None
            by = carrier(record, last) if last is not None else None
        if found is None:
            return record, NotFound()
        record = end(record, found, SessionEvent.CANCEL, by=entropy.operation, now=now)
        now_ended = record.session(found.id) or found
        return record, Ended(now_ended.status, next_of(setup, record, now_ended, now=now), found.id)

    result, seen = yield from transact(setup, decide, entropy, known=known)
    if last is not None:
        seen = yield from _cancel_at_provider(setup, entropy, last, seen)
    found = find_session(seen.record, token, purpose)
    result = yield from tell(setup, "cancel", result, key=seen.key, session=found, now=seen.now)
    if last is not None:
        yield from report(setup, last, by, Outcome.CANCELED, key=seen.key, now=seen.now)
    return result


def _cancel_at_provider(setup: Setup, entropy: Entropy, session: Session, seen: Snapshot) -> Flow[Snapshot]:
    """The last session on a verification was ended: tell the provider, and write down that it knows."""
    terms = setup.providers.get(session.provider)
    if terms is None or not terms.cancels or not session.handle or terms.owner is CodeOwner.CORE:
        return seen
    done: bool = yield CancelCode(terms.name, session.handle, setup.timeout_s)
    if not done:
        return seen  # it may still be live there, so it stays in the record until its window is over

    def decide(record: RecipientRecord, _now: datetime, _key: str) -> tuple[RecipientRecord, None]:
        handle = record.handle(session.provider, session.handle)
        return (record if handle is None or handle.ended else handle_ended(record, session)), None

    with suppress(StoreError):  # what was ended here is ended; the verification stays in the record as if not told
        _, seen = yield from transact(setup, decide, entropy, known=seen)
    return seen


def status(setup: Setup, entropy: Entropy, session: str | ByRecipient) -> Flow[StatusResult]:
    """How a session stands; see `Engine.status`."""
    addressed = yield from _address(setup, session)
    if isinstance(addressed, Refused | NotFound):
        return (yield from tell(setup, "status", addressed))
    token, purpose, known = addressed

    def decide(record: RecipientRecord, now: datetime, _key: str) -> tuple[RecipientRecord, StatusResult]:
        found = find_session(record, token, purpose)
        if found is None:
            return record, NotFound()
        return record, Status(view(found, None), next_of(setup, record, found, now=now))

    result, seen = yield from transact(setup, decide, entropy, known=known)
    found = find_session(seen.record, token, purpose)
    return (yield from tell(setup, "status", result, key=seen.key, session=found, now=seen.now))


def forget(
    setup: Setup, entropy: Entropy, recipient: str | Recipient, *, region: str | None = None
) -> Flow[ForgetResult]:
    """Erase a recipient's sessions; see `Engine.forget`."""
    known = yield from _of(setup, recipient, region)
    if isinstance(known, Refused):
        return (yield from tell(setup, "forget", known))

    def decide(record: RecipientRecord, now: datetime, _key: str) -> tuple[RecipientRecord, Erasing]:
        if not record.sessions and not record.keys:
            return record, (Forgotten(0, next_of(setup, record, None, now=now)), (), {})
        live = {(one.provider, one.handle): one for one in record.sessions if one.is_live and one.handle}
        carried = {carrier(record, one): one for one in record.sessions if one.is_live}
        count = len(record.sessions)
        record = forgotten(record)
        return record, (Forgotten(count, next_of(setup, record, None, now=now)), tuple(live.values()), carried)

    (result, live, carried), seen = yield from transact(setup, decide, entropy, known=known)
    for session in live:
        seen = yield from _cancel_at_provider(setup, entropy, session, seen)
    now = seen.now

    def facts() -> tuple[Event, ...]:
        return (event(setup, "erase", at=now, key=seen.key, sessions=str(result.sessions)),) if now else ()

    result = yield from tell(setup, "forget", result, key=seen.key, facts=facts, now=now)
    for by, session in carried.items():
        yield from report(setup, session, by, Outcome.CANCELED, key=seen.key, now=now)
    return result


def unlock(
    setup: Setup, entropy: Entropy, recipient: str | Recipient, *, region: str | None = None
) -> Flow[UnlockResult]:
    """Lift a lock that failures have set; see `Engine.unlock`."""
    known = yield from _of(setup, recipient, region)
    if isinstance(known, Refused):
        return (yield from tell(setup, "unlock", known))

    def decide(record: RecipientRecord, now: datetime, _key: str) -> tuple[RecipientRecord, Unlocked]:
        failures = max(record.consecutive, sum(not check.forgiven for check in record.checks))
        if failures:
            record = unlocked(record)
        return record, Unlocked(failures, next_of(setup, record, None, now=now))

    result, seen = yield from transact(setup, decide, entropy, known=known)
    return (yield from tell(setup, "unlock", result, key=seen.key, now=seen.now))


def _address(setup: Setup, session: str | ByRecipient) -> Flow[tuple[Token | None, str, Snapshot] | Refused | NotFound]:
    """The record that a token or a recipient leads to."""
    if isinstance(session, ByRecipient):
        setup.check_purpose(session.purpose)
        known = yield from _of(setup, session.number, session.region)
        return known if isinstance(known, Refused) else (None, session.purpose, known)
    token = parse_token(setup, session)
    return NotFound() if token is None else (token, "", (yield from load(token.key)))


def _of(setup: Setup, recipient: str | Recipient, region: str | None) -> Flow[Snapshot | Refused]:
    try:
        found = canonical(recipient, region)
    except InvalidRecipient as error:
        return Refused(Refusal.INVALID_RECIPIENT, detail=str(error))
    known = yield from locate(setup, found)
    return known if known.version is not None else (yield from load(known.key))
