"""Which session is meant, and how an answer is told on: shared by every flow.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from otpcore.codes import Token, matches, proof_of
from otpcore.contract import Event
from otpcore.effects import ReadClock, Tell
from otpcore.flows.setup import Flow, Setup, event
from otpcore.model import RecipientRecord, Session
from otpcore.results import (
    Approved,
    CancelResult,
    CheckResult,
    Ended,
    ForgetResult,
    Refused,
    SendResult,
    Sent,
    StatusResult,
    UnlockResult,
    Wait,
)

__all__ = ["find_session", "parse_token", "tell"]

AnyResult = SendResult | CheckResult | CancelResult | StatusResult | ForgetResult | UnlockResult
Result = TypeVar("Result", bound=AnyResult)


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
        known = session.proof if session is not None and session.proof is not None else ""
        return session if matches(proof_of(token.secret), known) else None
    addressed = [one for one in record.sessions if one.proof is None and one.purpose == purpose]
    return next((one for one in addressed if one.is_live), addressed[-1] if addressed else None)


def tell(
    setup: Setup,
    operation: str,
    result: Result,
    *,
    key: str = "",
    number: str = "",
    purpose: str = "",
    session: Session | None = None,
    facts: tuple[Event, ...] = (),
    now: datetime | None = None,
) -> Flow[Result]:
    """Return the result once audit log and plugins were told: one event for the operation, then the facts."""
    at: datetime = now if now is not None else (yield ReadClock())
    detail: dict[str, str] = {}
    match result:
        case Refused(kind=kind):
            detail["kind"] = kind.value
        case Wait(reason=reason):
            detail["reason"] = reason.value
        case Ended(status=status):
            detail["status"] = status.value
        case Sent(state=state, replayed=replayed):
            detail["state"] = state.value
            if replayed:
                detail["replayed"] = "yes"
        case Approved(session=approved):
            detail["provider"] = approved.provider
        case _:
            pass
    name = f"{operation}.{type(result).__name__.lower()}"
    told = event(setup, name, at=at, key=key, number=number, purpose=purpose, session=session, **detail)
    yield Tell((told, *facts))
    return result
