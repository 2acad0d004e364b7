"""How far a conversation with a mail server has come, and what its answers mean.

Rules of this file: pure; no detail holds a word of the server's text, which may repeat an address or a code. What a
server said no to was not sent. Silence is another matter: a server may have taken a message whose last line, the dot,
may have left this machine, and none without it (RFC 5321, section 4.1.1.4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from otpcore.ports import Failure, FailureKind, FailureScope, SendEffect

__all__ = ["Reply", "Stage", "Unfit", "is_yes", "lost", "refused"]


class Stage(StrEnum):
    """A step of the conversation, in its order; HELLO comes again after STARTTLS."""

    CONNECT = "connecting"
    HELLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    SENDER = "MAIL FROM"
    RECIPIENT = "RCPT TO"
    DATA = "DATA"
    BODY = "the message"
    END = "the end of the message"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said.

    Attributes:
        code: of three digits.
        text: of all its lines. Not shown: it may repeat what it was given.
    """

    code: int
    text: str = field(default="", repr=False)


class Unfit(Exception):
    """The server does not offer what the settings ask for; the message says what."""


_ENHANCED: Final = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|\Z)")

_K = FailureKind
# RFC 3463 and its registry (IANA, "SMTP Enhanced Status Codes"): subject and detail of a permanent failure, the most
# special first. What is missing is judged by the code alone.
_BY_DETAIL: Final[dict[tuple[int, int], FailureKind]] = {
    (1, 7): _K.MISCONFIGURED,  # sender's address: syntax
    (1, 8): _K.MISCONFIGURED,  # sender's address: its system
    (2, 2): _K.CHANNEL_UNREACHABLE,  # mailbox full
    (2, 3): _K.CONTENT_REJECTED,  # message too long for the mailbox
    (3, 4): _K.CONTENT_REJECTED,  # message too big for the system
}
_BY_SUBJECT: Final[dict[int, FailureKind]] = {
    1: _K.INVALID_RECIPIENT,  # addressing
    2: _K.INVALID_RECIPIENT,  # mailbox
    4: _K.INVALID_RECIPIENT,  # network and routing: its domain cannot be reached
    6: _K.CONTENT_REJECTED,  # content
}
_OF_RECIPIENTS: Final = frozenset({550, 551, 553, 556})
"""RFC 5321, section 4.2.3, and RFC 7504 (556: the domain takes no mail)."""
_FULL: Final = 552
_LEAVING: Final = 421
_LOG_IN_FIRST: Final = 530
"""RFC 4954, section 4."""

_OURS: Final = frozenset({(1, 7), (1, 8), *((7, detail) for detail in (8, 9, 10, 11, 13, 14, *range(20, 28)))})
"""What a server says of the sender, of its login, or of how it writes, after whatever it is asked (the registry above,
X.7.8 to X.7.27). X.7.1, "not authorized", is none of them: it may be of the client or of the recipient."""


def is_yes(stage: Stage, reply: Reply) -> bool:
    """Whether the conversation goes on after this answer."""
    return reply.code // 100 == (3 if stage is Stage.DATA else 2)


def refused(stage: Stage, reply: Reply) -> Failure:
    """What an answer means that is not the one hoped for."""
    enhanced = _ENHANCED.match(reply.text)
    said = f"{reply.code} {enhanced[0]}" if enhanced is not None else str(reply.code)
    detail = (int(enhanced[2]), int(enhanced[3])) if enhanced is not None else None
    match reply.code // 100:
        case 4:
            kind = FailureKind.TRANSIENT
        case 5:
            kind = _permanent(stage, reply.code, detail)
        case _:
            at_end = stage is Stage.END
            effect = SendEffect.UNKNOWN if at_end else SendEffect.NOT_SENT
            return Failure(FailureKind.INTERNAL, effect, f"the mail server's answer to {stage} makes no sense", said)
    scope = _scope(stage, reply.code, detail)
    return Failure(kind, SendEffect.NOT_SENT, f"the mail server refused at {stage} ({said})", said, scope)


def _scope(stage: Stage, code: int, detail: tuple[int, int] | None) -> FailureScope:
    """Of whom a refusal says something: whoever owns a domain decides what is said of its addresses."""
    subject = detail[0] if detail is not None else 0
    if detail in _OURS or code in {_LEAVING, _LOG_IN_FIRST}:
        return FailureScope.ACCOUNT
    if stage is Stage.RECIPIENT:
        busy = code // 100 == 4 and subject == 3  # noqa: PLR2004  # X.3: the mail system itself, for now
        return FailureScope.ACCOUNT if busy else FailureScope.RECIPIENT
    late = stage in {Stage.DATA, Stage.END} and subject in {1, 2}
    return FailureScope.RECIPIENT if late else FailureScope.ACCOUNT


def _permanent(stage: Stage, code: int, detail: tuple[int, int] | None) -> FailureKind:
    if stage not in {Stage.RECIPIENT, Stage.DATA, Stage.END} or code == _LOG_IN_FIRST:
        return FailureKind.MISCONFIGURED
    subject = detail[0] if detail is not None else 0
    if stage is not Stage.RECIPIENT:
        if subject in {1, 2}:  # a server that judges recipients late
            return _BY_DETAIL.get(detail or (0, 0), FailureKind.INVALID_RECIPIENT)
        return FailureKind.CONTENT_REJECTED
    if detail is not None and (kind := _BY_DETAIL.get(detail) or _BY_SUBJECT.get(subject)) is not None:
        return kind
    if subject == 7:  # noqa: PLR2004  # security or policy: this client may not send there
        return FailureKind.MISCONFIGURED
    if code in _OF_RECIPIENTS:
        return FailureKind.INVALID_RECIPIENT
    return FailureKind.CHANNEL_UNREACHABLE if code == _FULL else FailureKind.MISCONFIGURED


def lost(stage: Stage, error: BaseException) -> Failure:
    """What it means that a step ended without an answer.

    Args:
        stage: the last that was begun. END is begun before a byte of the dot can leave.
        error: what ended it.
    """
    causes = list(_chain(error))
    if isinstance(error, Unfit):
        return Failure(FailureKind.MISCONFIGURED, SendEffect.NOT_SENT, str(error), native=error)
    late = any(isinstance(cause, TimeoutError) for cause in causes)
    if stage is Stage.END:
        kind = FailureKind.TIMEOUT if late else FailureKind.INTERNAL
        detail = "the mail server did not say whether it took the message"
        return Failure(kind, SendEffect.UNKNOWN, detail, native=error)
    if any(type(cause).__name__ == "SSLCertVerificationError" for cause in causes):
        detail = "the mail server's certificate is not one that is trusted for its name"
        return Failure(FailureKind.MISCONFIGURED, SendEffect.NOT_SENT, detail, native=error)
    how = "ran out of time" if late else "lost the connection"
    return Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT, f"{how} at {stage}, before the message", native=error)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
