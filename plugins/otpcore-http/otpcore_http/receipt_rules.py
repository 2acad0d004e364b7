"""How a vendor tells what became of a message, as data; how it is known to be the vendor is a part of it.

Rules of this file: models and their validation. There is no receipt without proof of its origin: a vendor that signs
nothing is given a URL that holds the proof (`ticket`, `path`).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from otpcore.ports import DeliveryState
from otpcore_http.answers import Part, Word
from otpcore_http.paths import Path

__all__ = [
    "BasicReceipts",
    "HeaderName",
    "HeaderReceipts",
    "HmacReceipts",
    "Name",
    "PathReceipts",
    "Receipts",
    "TicketReceipts",
]

GOOD: Final = frozenset({DeliveryState.DELIVERED, DeliveryState.READ})
BAD: Final = frozenset({DeliveryState.UNDELIVERED, DeliveryState.FAILED, DeliveryState.EXPIRED})

Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9\-]{1,64}$")]
Fixed = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.%\-]{1,40}$")]


def _several(given: object) -> object:
    """One path as several; none as none."""
    return () if given is None else (given,) if isinstance(given, str) else given


class HmacReceipts(Part):
    """The vendor signs.

    Attributes:
        secret: name of the secret that signs.
        header: holds the signature.
        digest, encoding, prefix: of the signature.
        signed: what is signed, one after the other, and
        separator: between them.
        timestamp: the header that says when, in seconds since 1970; it must be signed.
        window_s: how long ago that may be, or ahead.
    """

    kind: Literal["hmac"]
    secret: Name
    header: HeaderName
    digest: Literal["sha256", "sha512", "sha1"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = Field(default="", max_length=20)
    signed: tuple[Literal["method", "url", "timestamp", "body"], ...] = ("body",)
    separator: str = Field(default="", max_length=4)
    timestamp: HeaderName | None = None
    window_s: int = Field(default=300, ge=1, le=300)

    @model_validator(mode="after")
    def _covers(self) -> HmacReceipts:
        if "body" not in self.signed:
            raise ValueError("what is signed must hold the body")
        if ("timestamp" in self.signed) != (self.timestamp is not None):
            raise ValueError("`timestamp` names a header, and it must be among what is `signed`")
        return self


class BasicReceipts(Part):
    """The vendor has a name and a password (RFC 7617).

    Attributes:
        username: in plain.
        secret: name of the secret that is the password.
    """

    kind: Literal["basic"]
    username: str = Field(min_length=1, max_length=100)
    secret: Name


class HeaderReceipts(Part):
    """The vendor shows a token in a header.

    Attributes:
        header: holds it, whole.
        secret: name of the secret that is the token.
    """

    kind: Literal["header"]
    header: HeaderName
    secret: Name


class PathReceipts(Part):
    """The vendor signs nothing, and is given one URL for all messages, whose last segment is a secret.

    Attributes:
        secret: name of the secret that is the segment.
    """

    kind: Literal["path"]
    secret: Name


class TicketReceipts(Part):
    """The vendor signs nothing, and is given a URL for each message, whose last segment is a ticket.

    The message's id and its recipient are those of the ticket (`otpcore_http.tickets`).

    Attributes:
        secret: name of the secret that seals.
    """

    kind: Literal["ticket"]
    secret: Name


class Receipts(Part):
    """What the vendor tells, and where.

    Attributes:
        place: what holds the fields: a JSON body, a form, or the query of the URL. In the last two a path is a name.
        auth: how the vendor is known.
        handle: the message's id, as in the answer to the send, and
        recipient: the number, at one path or the first of several that is there; both needed unless a ticket has them.
        state: the vendor's word for what became of the message.
        states: what its words mean. A word that is not here is no event.
        event: the vendor's id of what it tells, where it has one.
        code: the vendor's own error code.
        at: where it says when, ISO 8601; the first that is there.
        request: fields that a send has more, where it is to be reported on; beside those of the send.
        callback: the query of the receipt's URL, word for word, where the vendor fills it (Kannel: "%d").
    """

    place: Literal["json", "form", "query"]
    auth: HmacReceipts | BasicReceipts | HeaderReceipts | PathReceipts | TicketReceipts = Field(discriminator="kind")
    handle: Path | None = None
    recipient: Annotated[tuple[Path, ...], BeforeValidator(_several)] = ()
    state: Path
    states: dict[Word, DeliveryState]
    event: Path | None = None
    code: Path | None = None
    at: tuple[Path, ...] = ()
    request: dict[str, str] = Field(default_factory=dict)
    callback: dict[Fixed, Fixed] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Receipts:
        problems: list[str] = []
        ticketed = isinstance(self.auth, TicketReceipts)
        if ticketed and (self.handle or self.recipient or self.event or self.at):
            problems.append("a ticket holds `handle` and `recipient`, and `event` and `at` are not covered by it")
        if not ticketed and (self.handle is None or not self.recipient):
            problems.append("`handle` and `recipient` are needed: the core finds a message by both")
        if ticketed and not any("{receipt_url}" in text for text in self.request.values()):
            problems.append("the vendor must be told where: `request` needs a field with {receipt_url}")
        if self.callback and not ticketed:
            problems.append("`callback` is of the URL of a ticket")
        paths = [self.handle, *self.recipient, self.state, self.event, self.code, *self.at]
        if self.place != "json" and any("." in path for path in paths if path):
            problems.append(f"in a {self.place} a path is one name")
        states = frozenset(self.states.values())
        if not states & GOOD or not states & BAD:
            problems.append("`states` needs a word for a good end (delivered, read) and one for a bad end")
        if problems:
            raise ValueError("; ".join(problems))
        return self
