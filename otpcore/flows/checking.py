"""check: one try at the code, spent before anything is revealed.

A code of the core is compared on the record, and the answer is told only when its commit has won. A code
of the provider is claimed first, then asked for, then settled by a guarded commit.

Rules of this file: see `otpcore.flows`. Unknown, ended and live sessions cost the same work: the record is
read, and one MAC is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Final

from msgspec.structs import replace

from otpcore.codes import Entropy, Token, code_digest, code_mac, is_code, matches
from otpcore.contract import NO_EXTRA, CodeOwner
from otpcore.errors import InvalidRecipient
from otpcore.flows.asking import Claimed, ask, locked_facts, told
from otpcore.flows.finding import find_session, following_of, parse_token, tell
from otpcore.flows.reporting import report
from otpcore.flows.setup import Flow, Setup, next_of
from otpcore.flows.transact import Snapshot, load, locate, places, transact
from otpcore.ledger import Carrier, approve, carrier, checks_left, claim, end
from otpcore.machine import SessionEvent
from otpcore.model import CheckState, Code, RecipientRecord, Session, SessionStatus
from otpcore.policy import decide_check
from otpcore.receipts import Outcome
from otpcore.recipients import Recipient, canonical
from otpcore.results import (
    Approved,
    ByRecipient,
    CheckResult,
    Ended,
    NotFound,
    Refusal,
    Refused,
    Undecided,
    Wrong,
)

__all__ = ["check"]

GENERATIONS: Final = 2
"""So many codes of a session match at most, and so many digests every check compares."""


def check(
    setup: Setup,
    entropy: Entropy,
    session: str | ByRecipient,
    code: str,
    *,
    recipient: str | Recipient | None = None,
    region: str | None = None,
    source: str | None = None,
    extra: Mapping[str, str] = NO_EXTRA,
) -> Flow[CheckResult]:
    """Try a code; see `Engine.check`."""
    token, purpose = None, ""
    if isinstance(session, ByRecipient):
        purpose, recipient, region = session.purpose, session.number, session.region
        setup.check_purpose(purpose)
    else:
        token = parse_token(setup, session)
    if not is_code(code, *setup.code_lengths):
        shortest, longest = setup.code_lengths
        digits = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
        refused = Refused(Refusal.INVALID_CODE, detail=f"A code is {digits} ASCII digits and nothing else.")
        return (yield from tell(setup, "check", refused, purpose=purpose))
    given: Recipient | None = None
    if recipient is not None and (token is not None or purpose):
        try:
            given = canonical(recipient, region)
        except InvalidRecipient as error:
            return (yield from tell(setup, "check", Refused(Refusal.INVALID_RECIPIENT, detail=str(error))))
    if token is not None:
        known = yield from load(token.key)
        holder = find_session(known.record, token) if given is not None else None
        if given is not None and holder and not (yield from _is_of(setup, token, known, given)):
            following = yield from following_of(setup, known, holder)
            refused = Refused(Refusal.RECIPIENT_MISMATCH, following, "This session was started for another recipient.")
            return (yield from tell(setup, "check", refused, key=token.key))
    elif given is not None:
        known = yield from locate(setup, given)
        if known.version is None:
            known = yield from load(known.key)
    else:
        _compare(setup, None, None, "", code)  # the work of a check, for a session that cannot be
        return (yield from tell(setup, "check", NotFound()))
    address = given.address if given is not None else None
    from_ = setup.source(source)
    alive: Session | None = None  # as it was before it ended
    by: Carrier | None = None

    def decide(record: RecipientRecord, now: datetime, key: str) -> tuple[RecipientRecord, CheckResult | Claimed]:
        nonlocal alive, by
        if setup.reports:
            before = _session(record, token, purpose)
            if before is not None and before.is_live:
                alive, by = before, carrier(record, before)
        return _try(setup, entropy, token, purpose, code, from_, address, extra, key, record, now)

    outcome, seen = yield from transact(setup, decide, entropy, known=known)
    found = None if isinstance(outcome, NotFound) else _session(seen.record, token, purpose)
    if not isinstance(outcome, Claimed):
        facts = partial(locked_facts, setup, outcome, seen, found)
        answered = tell(
            setup, "check", outcome, key=seen.key, purpose=purpose, session=found, facts=facts, now=seen.now
        )
        result = yield from answered
        if alive is not None and isinstance(result, Approved) and result.session.id == alive.id:
            yield from report(setup, alive, by, Outcome.APPROVED, key=seen.key, now=seen.now)
        return result
    return (yield from ask(setup, entropy, outcome, token, code, seen, extra))


def _session(record: RecipientRecord, token: Token | None, purpose: str) -> Session | None:
    """The session that is meant; that the secret is its own is seen where it is decided."""
    return find_session(record, None, purpose) if token is None else record.session(token.session)


def _is_of(setup: Setup, token: Token, known: Snapshot, given: Recipient) -> Flow[bool]:
    if token.key in places(setup, given):
        return True
    found = yield from locate(setup, given)
    if found.version is None:
        found = yield from load(found.key)
    return found.key == known.key


def _compare(
    setup: Setup, session: Session | None, token: Token | None, key: str, code: str, now: datetime | None = None
) -> bool:
    """Whether the code is one of the session's that still match. Always one MAC, and the same number of hashes."""
    codes: tuple[Code, ...] = session.codes if session is not None else ()
    kid = codes[-1].kid if codes else ""
    keeps = session is not None and session.sealed  # then the pepper alone keys its codes
    mac = code_mac(
        setup.keyring.by_kid(kid) if kid else setup.keyring.current,
        tenant=setup.tenant_id,
        purpose=session.purpose if session is not None else "",
        key=key,
        session=session.id if session is not None else "",
        secret=token.secret if token is not None and not keeps else "",
        code=code,
    )
    right = False
    for place in range(GENERATIONS):
        one = codes[place] if place < len(codes) else None
        equal = matches(code_digest(mac, one.generation if one else 0), one.digest if one else "")
        right |= equal and one is not None and one.kid == kid and now is not None and now < one.expires_at
    return right


def _try(
    setup: Setup,
    entropy: Entropy,
    token: Token | None,
    purpose: str,
    code: str,
    source: str,
    recipient: str | None,
    extra: Mapping[str, str],
    key: str,
    record: RecipientRecord,
    now: datetime,
) -> tuple[RecipientRecord, CheckResult | Claimed]:
    """Decide on a try: compare a code of the core, claim one of the provider."""
    operation, profile = entropy.operation, setup.profile
    session = find_session(record, token, purpose)
    right = _compare(setup, session, token, key, code, now)
    if session is None:
        return record, NotFound()
    if (before := _applied(setup, record, session, token, operation, recipient, now)) is not None:
        return record, before
    if not session.is_live or now >= session.expires_at or not checks_left(record, session, profile):
        status = session.status
        if session.is_live:
            over = now >= session.expires_at
            status = SessionStatus.EXPIRED if over else SessionStatus.MAX_ATTEMPTS_REACHED
        return record, Ended(status, next_of(setup, record, session, now=now), session.id)
    locked = decide_check(record, profile, now=now, source=source)
    if locked is not None:
        following = replace(next_of(setup, record, session, now=now), locked_until=locked.until)
        return record, Refused(
            Refusal.LOCKED, following, "Too many failed checks of this recipient, or by this source."
        )
    if session.owner is CodeOwner.PROVIDER:
        terms = setup.providers.get(session.provider)
        if terms is None:
            detail = f"Provider {session.provider!r}, which made this code, is not configured here."
            return record, Refused(Refusal.MISCONFIGURED, next_of(setup, record, session, now=now), detail)
        if not session.handle and not (recipient and terms.capabilities.check_by_recipient):
            detail = "The answer to the first send was lost: this check needs the recipient."
            return record, Refused(Refusal.RECIPIENT_NEEDED, next_of(setup, record, session, now=now), detail)
        return claim(record, session, now=now, check=operation, source=source), Claimed(session, recipient)
    if extra:  # such as the payment that it shall confirm: an approval would not be of that
        detail = "This code is the core's, and nothing in extra is compared with it."
        return record, Refused(Refusal.CONTENT_REJECTED, next_of(setup, record, session, now=now), detail)
    if len(code) != profile.code_digits:
        following = next_of(setup, record, session, now=now)
        return record, Refused(Refusal.INVALID_CODE, following, f"A code is {profile.code_digits} ASCII digits.")
    if right:
        record = approve(record, session, by=operation, now=now)
    else:
        record = claim(record, session, now=now, check=operation, source=source, state=CheckState.WRONG)
        if not checks_left(record, session, profile):
            record = end(record, session, SessionEvent.LAST_TRY_SPENT, by=operation, now=now)
    return record, told(setup, record, record.session(session.id) or session, token, now=now)


def _applied(
    setup: Setup,
    record: RecipientRecord,
    session: Session,
    token: Token | None,
    operation: str,
    recipient: str | None,
    now: datetime,
) -> CheckResult | Claimed | None:
    """What an earlier commit of this operation has decided, when its answer was lost; None: it was not applied."""
    if session.ended_by == operation:
        return told(setup, record, session, token, now=now)
    mine = record.check(operation)
    if mine is None:
        return None
    following = next_of(setup, record, session, now=now)
    if mine.state is CheckState.WRONG:  # a code of the core is compared where its try is spent
        return Wrong(following)
    if session.is_live and mine.state is CheckState.CLAIMED:
        return Claimed(session, recipient)
    return Undecided(following) if session.is_live else Ended(session.status, following, session.id)
