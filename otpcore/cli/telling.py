"""What the command line says of an answer: lines for people, an object for programs.

Rules of this file: every kind of answer has both forms; times are from now on and local for people, UTC for programs.
Nothing here holds a code; a token is shown only where it is handed out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, assert_never

from otpcore.cli.exits import AnyResult
from otpcore.cli.moments import machine, when
from otpcore.contract import Failure
from otpcore.model import SendState
from otpcore.results import (
    Approved,
    Ended,
    Forgotten,
    NextActions,
    NotFound,
    Refused,
    Sent,
    SessionView,
    Status,
    Undecided,
    Unlocked,
    Wait,
    WaitReason,
    Wrong,
)

__all__ = ["for_people", "for_programs"]

REASONS: Final = {
    WaitReason.LADDER: "the wait after the last send is running",
    WaitReason.DAILY_CAP: "the sends of 24 hours are used up",
    WaitReason.SOURCE: "this source has used its share",
    WaitReason.SESSIONS: "there are as many live sessions as there may be",
    WaitReason.PROVIDER_WINDOW: "the provider takes no more in its window",
    WaitReason.OTHER_PURPOSE: "the provider's verification serves another purpose",
    WaitReason.GUARD: "a plugin holds it",
}

SENT: Final = {
    SendState.UNKNOWN: "The provider's answer was lost: a code may be on its way.",
    SendState.RESERVED: "A code may be on its way, and its outcome could not be written down.",
}


def for_people(result: AnyResult, *, now: datetime, token: bool = True) -> list[str]:
    """The answer in lines of text.

    Args:
        result: of any operation.
        now: the present; times are said from here.
        token: show the session's token, where the answer holds one.
    """
    lines = [_headline(result, now)]
    session = _session(result)
    if session is not None:
        lines.append(f"  session    {session.id} ({session.purpose}, {session.status.value})")
    lines += _next(result.next, now, unsent=isinstance(result, Refused) and not result.next.checks_left)
    if token and session is not None and session.token is not None and isinstance(result, Sent):
        lines.append(f"  token      {session.token}")
    return lines


def for_programs(result: AnyResult, *, token: bool = True) -> dict[str, Any]:
    """The answer as JSON values; what is not known is null."""
    following = result.next
    told: dict[str, Any] = {
        "result": type(result).__name__.lower(),
        "next": {
            "resend_at": machine(following.resend_at),
            "checks_left": following.checks_left,
            "expires_at": machine(following.expires_at),
            "locked_until": machine(following.locked_until),
        },
    }
    session = _session(result)
    if session is not None:
        told["session"] = {
            "id": session.id,
            "purpose": session.purpose,
            "status": session.status.value,
            "channel": session.channel,
            "provider": session.provider,
        }
        if token and isinstance(result, Sent):
            told["token"] = session.token
    return told | _own(result)


def _own(result: AnyResult) -> dict[str, Any]:
    """What only this kind of answer has."""
    match result:
        case Sent(state=state, replayed=replayed):
            return {"state": state.value, "replayed": replayed}
        case Wait(until=until, reason=reason, retry_after_s=left):
            return {"until": machine(until), "reason": reason.value, "retry_after_s": round(left, 3)}
        case Refused(kind=kind, detail=detail, cause=cause):
            return {"kind": kind.value, "detail": detail, "provider_code": cause.provider_code if cause else None}
        case Ended(status=status, session=session):
            return {"status": status.value, "session_id": session}
        case Forgotten(sessions=count):
            return {"sessions": count}
        case Unlocked(failures=count):
            return {"failures": count}
        case Approved() | Wrong() | Undecided() | Status() | NotFound():
            return {}
        case _:
            assert_never(result)


def _headline(result: AnyResult, now: datetime) -> str:
    match result:
        case Sent(replayed=True):
            return "This was sent before; nothing was sent now."
        case Sent(session=session, state=state):
            return SENT.get(state, f"A code was handed to {session.provider} ({session.channel}).")
        case Wait(until=until, reason=reason):
            return f"Not yet: {REASONS[reason]}. Possible {when(until, now=now)}."
        case Refused(kind=kind, detail=detail, cause=cause):
            code = f", code {cause.provider_code}" if isinstance(cause, Failure) and cause.provider_code else ""
            return f"Refused ({kind.value}{code}). {detail}".rstrip()
        case Ended(status=status):
            return f"The session has ended: {status.value}."
        case NotFound():
            return "There is no such session."
        case Approved():
            return "Approved: the code is right."
        case Wrong(next=following):
            return "The code is wrong." if following.checks_left else "The code is wrong, and it was the last try."
        case Undecided():
            return "The provider's answer cannot be relied on: the try is spent and nothing is approved."
        case Status(session=session):
            return f"The session is {session.status.value}."
        case Forgotten(sessions=count):
            return f"Erased {count} session{'s' * (count != 1)}; the limits stay until their windows end."
        case Unlocked(failures=count):
            return f"Cleared {count} failure{'s' * (count != 1)}; the resend ladder and the daily cap stay."
        case _:
            assert_never(result)


def _session(result: AnyResult) -> SessionView | None:
    return result.session if isinstance(result, Sent | Approved | Status) else None


def _next(following: NextActions, now: datetime, *, unsent: bool) -> list[str]:
    """What can be done from here; where no session came of a refusal there are no checks, and its reason stands."""
    lines: list[str] = []
    if following.checks_left is not None and not unsent:
        lines.append(f"  checks     {following.checks_left} left")
    if following.resend_at is not None:
        condition = ", once the reason above is gone" if unsent else ""
        lines.append(f"  next send  {when(following.resend_at, now=now)}{condition}")
    if following.expires_at is not None:
        lines.append(f"  expires    {when(following.expires_at, now=now)}")
    if following.locked_until is not None:
        lines.append(f"  locked     free {when(following.locked_until, now=now)}")
    return lines
