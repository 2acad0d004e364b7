"""One message: made from a request with the standard library, read back, and only then sent.

Rules of this file: headers are set, never concatenated; what would not come out of a parser as it went in is refused,
so that no text of a template, a sender or a recipient can become a header, another recipient or another body. Pure but
for the time of day in `Date`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, default
from typing import Final

from otpcore.ports import Failure, FailureKind, SendEffect, SendRequest
from otpcore_smtp.settings import ADDRESS, SmtpSettings

__all__ = ["Letter", "compose"]

POLICIES: Final = (SMTP.clone(cte_type="7bit"), SMTP.clone(cte_type="7bit", max_line_length=998))
"""CRLF, and nothing that needs a server with 8BITMIME. Lines as short as they should be, else as long as they may be
(RFC 5322, section 2.1.1): the library cannot fold a long word of a subject so that it comes back."""

HANDLE: Final = 100
"""Most characters of a handle (`otpcore.ports.Accepted`)."""

_SEND_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Controls but tab and line feed, and halves of surrogate pairs. A carriage return before a line feed is no part of a
text: every line ends with both on the wire."""
_NO_SUBJECT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""All controls, and what ends a line."""
_LEADING_DOT: Final = re.compile(rb"(?m)^\.")

PLAIN: Final = (
    "Your verification code is {code}.\n\nIf you did not ask for it, ignore this message. Give the code to nobody.\n"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """What one conversation hands over.

    Attributes:
        sender, recipient: the envelope's.
        body: headers and text, in lines that end with CRLF, their leading dots doubled (RFC 5321, section 4.5.2),
            without the dot at the end.
        handle: the message's id without its brackets, or the first part of a long one.
    """

    sender: str
    recipient: str = field(repr=False)
    body: bytes = field(repr=False)
    handle: str


def compose(request: SendRequest, settings: SmtpSettings) -> Letter | Failure:
    """The message for one request; a `Failure` where there can be none, and then nothing was opened."""
    if request.code is None:
        return _not_sent(FailureKind.INTERNAL, "SMTP only delivers codes of the core")
    if request.channel != "email":
        return _not_sent(FailureKind.INTERNAL, "SMTP serves the channel email alone")
    if not ADDRESS.fullmatch(request.recipient):
        return _not_sent(FailureKind.INVALID_RECIPIENT, "the recipient is no plain e-mail address")
    words = request.message
    subject = (words.subject if words is not None else None) or settings.subject
    text = (words.text if words is not None else PLAIN.format(code=request.code)).replace("\r\n", "\n")
    if _NO_SUBJECT.search(subject) or _NO_TEXT.search(text):
        return _not_sent(FailureKind.CONTENT_REJECTED, "subject or text holds control characters")
    identity = f"{_left_part(request.send_id)}@{settings.sender_domain}"
    handle = identity if len(identity) <= HANDLE else identity.partition("@")[0]
    for policy in POLICIES:
        body = _message(policy, settings, request.recipient, subject, text, identity).as_bytes()
        if _reads_as(body, settings, request.recipient, subject, text):
            return Letter(settings.sender, request.recipient, _LEADING_DOT.sub(b"..", body), handle)
    return _not_sent(FailureKind.CONTENT_REJECTED, "subject or text cannot be written as a message")


def _message(
    policy: EmailPolicy[EmailMessage], settings: SmtpSettings, recipient: str, subject: str, text: str, identity: str
) -> EmailMessage:
    made = EmailMessage(policy=policy)
    made["From"] = Address(settings.sender_name, addr_spec=settings.sender)
    made["To"] = Address(addr_spec=recipient)
    made["Subject"] = subject
    made["Date"] = datetime.now(UTC)
    made["Message-ID"] = f"<{identity}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers from holidays, no loops
    made.set_content(text)
    return made


def _reads_as(body: bytes, settings: SmtpSettings, recipient: str, subject: str, text: str) -> bool:
    """Whether a parser finds in the message what was meant, and nothing besides."""
    read = message_from_bytes(body, policy=default)
    found = read.get_content().replace("\r\n", "\n") if read.get_content_type() == "text/plain" else None
    meant = text if text.endswith("\n") else f"{text}\n"
    to = [str(one.addr_spec) for one in read["To"].addresses]
    sender = [(one.display_name, one.addr_spec) for one in read["From"].addresses]
    return (
        found == meant
        and str(read["Subject"]) == subject
        and to == [recipient]
        and sender == [(settings.sender_name, settings.sender)]
        and not read.defects
        and len(read.keys()) == len(set(read.keys())) == HEADERS
    )


HEADERS: Final = 9
"""From, To, Subject, Date, Message-ID, Auto-Submitted, Content-Type, Content-Transfer-Encoding, MIME-Version."""


def _left_part(send_id: str) -> str:
    if _SEND_ID.fullmatch(send_id):
        return send_id
    return hashlib.sha256(send_id.encode(errors="backslashreplace")).hexdigest()[:32]


def _not_sent(kind: FailureKind, detail: str) -> Failure:
    return Failure(kind, SendEffect.NOT_SENT, detail)
