"""Which session is meant, and which verification of it, and how an answer is told on: shared by every flow.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from otpcore.codes import PROOF, Token, matches, proof_of
from otpcore.contract import CodeOwner
from otpcore.effects import ReadClock, Tell
from otpcore.errors import InvalidRecipient
from otpcore.events import Event
from otpcore.flows.setup import Flow, ProviderTerms, Setup, event, next_of, window
from otpcore.flows.transact import Snapshot, places
from otpcore.ledger import carrier, catch_up
from otpcore.model import RecipientRecord, SendState, Session
from otpcore.recipients import Recipient, canonical
from otpcore.results import (
    Approved,
    ByRecipient,
    CancelResult,
    CheckResult,
    Ended,
    ForgetResult,
    NextActions,
    ReceiptResult,
    Received,
    Refused,
    SendResult,
    Sent,
    StatusResult,
    UnlockResult,
    Wait,
)

__all__ = ["failed", "find_session", "following_of", "live_handle", "parse_token", "tell"]

AnyResult = SendResult | CheckResult | CancelResult | StatusResult | ForgetResult | UnlockResult | ReceiptResult
Result = TypeVar("Result", bound=AnyResult)


GONE_OUT: Final = frozenset({SendState.ACCEPTED, SendState.DELIVERED, SendState.UNDELIVERED, SendState.UNKNOWN})
"""Sends of which a message may exist."""


def parse_token(setup: Setup, text: object) -> Token | None:
    """The token, when it is one of this tenant's."""
    token = Token.parse(text)
    return token if token is not None and token.key.startswith(setup.tenant_id) else None


def find_session(record: RecipientRecord, token: Token | None, purpose: str = "") -> Session | None:
    """The session that a token opens; without a token the one of this purpose that is addressed by its recipient.

    Of the latter the live one, else the one that ended last.
    """
    if token is not None:
        session = record.session(token.session)
        known = session.proof[:PROOF] if session is not None and session.proof is not None else ""
        return session if matches(proof_of(token.secret), known) else None
    addressed = [one for one in record.sessions if one.proof is None and one.purpose == purpose]
    return next((one for one in addressed if one.is_live), addressed[-1] if addressed else None)


def live_handle(setup: Setup, terms: ProviderTerms, seen: Snapshot, session: Session) -> str | None:
    """The provider's live verification of this recipient and purpose, whichever session opened it.

    For a code of the core it is that of the newest message, whatever its purpose: it stands in the way of this one.
    """
    if session.owner is CodeOwner.CORE:
        if len(seen.record.sends) == 1:  # this one
            return None
        left = {one.id: _handle_at(terms.name, seen.record, one) for one in seen.record.sessions if one.is_live}
        sent = [left.get(one.session) for one in seen.record.sends if one.state in GONE_OUT]
        return next((handle for handle in reversed(sent) if handle), None)
    if session.handle or seen.now is None:
        return session.handle or None
    since = seen.now - window(setup, terms)
    live = [
        one.id
        for one in seen.record.handles
        if one.provider == terms.name and one.purpose == session.purpose and one.opened_by > since and not one.ended
    ]
    return live[-1] or None if live else None


def _handle_at(provider: str, record: RecipientRecord, session: Session) -> str | None:
    """What a provider has of a live session, also of one that has gone on to another."""
    if session.provider == provider and session.handle:
        return session.handle
    by = carrier(record, session)
    return by.handle if by is not None and by.provider == provider else None


def following_of(setup: Setup, seen: Snapshot, session: Session) -> Flow[NextActions]:
    """What the holder of a session can do next, when a call is refused before anything was decided."""
    now: datetime = yield ReadClock()
    caught = catch_up(seen.record, setup.profile, now=now, lease=setup.lease)
    return next_of(setup, caught.record, caught.record.session(session.id), now=caught.now)


def tell(
    setup: Setup,
    operation: str,
    result: Result,
    *,
    key: str = "",
    address: str = "",
    purpose: str = "",
    session: Session | None = None,
    facts: Callable[[], tuple[Event, ...]] | None = None,
    now: datetime | None = None,
) -> Flow[Result]:
    """Return the result once audit log and plugins were told: one event for the operation, then the facts.

    Events are made only when somebody listens, so they are given as a function.
    """
    at: datetime = now if now is not None else (yield ReadClock())

    def events() -> tuple[Event, ...]:
        name = f"{operation}.{type(result).__name__.lower()}"
        detail = _detail(result)
        told = event(setup, name, at=at, key=key, address=address, purpose=purpose, session=session, **detail)
        return (told, *facts()) if facts is not None else (told,)

    yield Tell(events)
    return result


def failed(
    setup: Setup,
    operation: str,
    error: BaseException,
    about: str | Recipient | ByRecipient,
    purpose: str = "",
    region: str | None = None,
) -> Flow[None]:
    """Tell of an operation that raised: one event, whose outcome is the class of the error, and none of its words.

    Args:
        setup: of the engine.
        operation: its name.
        error: what it raised.
        about: the token or the recipient that it was called with.
        purpose: as it was called with.
        region: as it was called with.
    """
    at: datetime = yield ReadClock()

    def events() -> tuple[Event, ...]:
        key, address = _place(setup, about, region)
        asked = about.purpose if isinstance(about, ByRecipient) else purpose
        known = asked if asked in tuple(setup.purposes) else ""  # what else was given may be an address, or no text
        name = f"{operation}.{type(error).__name__.lower()}"
        return (event(setup, name, at=at, key=key, address=address, purpose=known),)

    yield Tell(events)


def _place(setup: Setup, about: str | Recipient | ByRecipient, region: str | None) -> tuple[str, str]:
    """The pseudonym and the address of whom a call was about; "" for what was not told."""
    if isinstance(about, ByRecipient):
        return _place(setup, about.number, about.region)
    token = parse_token(setup, about)
    if token is not None:
        return token.key, ""
    try:
        found = canonical(about, region)
    except InvalidRecipient:
        return "", ""
    return places(setup, found)[-1], found.address


def _detail(result: AnyResult) -> dict[str, str]:
    match result:
        case Refused(kind=kind):
            return {"kind": kind.value}
        case Wait(reason=reason):
            return {"reason": reason.value}
        case Ended(status=status):
            return {"status": status.value}
        case Sent(state=state, replayed=replayed):
            return {"state": state.value, "replayed": "yes"} if replayed else {"state": state.value}
        case Approved(session=approved):
            return {"status": approved.status.value}
        case Received():
            counts = {"applied": result.applied, "ignored": result.ignored, "replayed": result.replayed}
            seldom = {"failed_over": result.failed_over, "early": result.early}
            counts |= {name: count for name, count in seldom.items() if count}
            return {name: str(count) for name, count in counts.items()}
        case _:
            return {}
