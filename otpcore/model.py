"""The recipient record: the one aggregate that a store holds for (tenant, recipient).

    RecipientRecord
    ├── ladder                  how many steps of the cycle are taken, when the next send may be
    ├── sends    Send, …        of the last 24 hours: id, when, what became of it
    ├── checks   Check, …       failures and open claims of the last 24 hours
    ├── sessions Session, …     up to three live ones, the last few ended ones
    │   └── codes Code, …       at most two generations that match: last accepted, newest unsettled
    ├── handles  Handle, …      live verifications at providers that own the code
    ├── keys     IdempotencyKey, …
    └── counter  Counter        of a resend record of the legacy facade, which has a ladder besides, and nothing else

Rules of this file: frozen values and questions about one value; how a record changes is `otpcore.ledger`.
Instants are aware UTC with millisecond precision, stored in RFC 3339; what equals its default is not
stored. An ended session is stored as a short list, and so are its sends. No field holds a code or a secret, and
none a number that is not sealed.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile

import msgspec

from otpcore.contract import CodeOwner
from otpcore.errors import StoreFormatError
from otpcore.stored import (
    SCHEMA,
    UNWRITTEN,
    Attempt,
    CheckState,
    Ended,
    Instant,
    Past,
    SendState,
    SessionStatus,
    Stop,
    Stored,
    instant,
    milliseconds,
    past_of,
    refuse_newer,
)

__all__ = [
    "SCHEMA",
    "Attempt",
    "Check",
    "CheckState",
    "Code",
    "Counter",
    "Handle",
    "IdempotencyKey",
    "Ladder",
    "RecipientRecord",
    "Send",
    "SendState",
    "Session",
    "SessionStatus",
    "Stop",
]


class Ladder(Stored, frozen=True, kw_only=True, omit_defaults=True):
    """The resend ladder of one recipient.

    Attributes:
        count: steps taken in this cycle, 0 to the profile's number of waits.
        next_at: no send before this instant; None when free.
        epoch: grows when the ladder is cleared and when a cycle starts; a refund names its epoch.
    """

    count: int = 0
    next_at: Instant | None = None
    epoch: int = 0


class Send(Stored, frozen=True, kw_only=True, omit_defaults=True):
    """One code handed to a provider, or to one after the other: one step of the ladder whatever they answer.

    Attributes:
        id, at: unique among the record's operations, and when it was reserved.
        state: see `SendState`.
        session: nonce of its session; "" once that has ended.
        epoch: the ladder's epoch whose step it took; below 0: none. Forgotten with its session, unless a source has it.
        refunded: its step and its place under the daily cap were given back.
        source: pseudonym of who asked for it, "" when not told.
        provider, region: of its session, whose end they outlive; before that "", or who is asked beside the session's.
        told: digests of the vendor's events that were taken as news of it, at most `TOLD_KEPT` of `otpcore.ledger`.
        extra: messages beside the one asked for, which count with it: those that its provider may send by itself, and
            all that may be out through others, whose answers were lost.
        attempts: what each provider answered, oldest first; gone with its session. Empty where one said a plain yes.
    """

    id: str = ""
    at: Instant
    state: SendState = SendState.ACCEPTED
    session: str = ""
    epoch: int = 0
    refunded: bool = False
    source: str = ""
    provider: str = ""
    region: str = ""
    told: tuple[str, ...] = ()
    extra: int = 0
    attempts: tuple[Attempt, ...] = ()


class Check(Stored, frozen=True, kw_only=True, omit_defaults=True):
    """One try at a code that was, or may have been, wrong.

    Attributes:
        id, at, session, source: as of `Send`.
        state: see `CheckState`.
        forgiven: an operator unlocked the recipient: it counts for its session, not for the lock.
    """

    id: str = ""
    at: Instant
    state: CheckState = CheckState.WRONG
    session: str = ""
    source: str = ""
    forgiven: bool = False


class Code(Stored, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a core-owned code.

    Attributes:
        generation: 1 for the session's first code, then counting.
        send: id of the send that carries it.
        digest, kid: keyed digest (see `otpcore.codes.code_digest`), and the name of its pepper.
        expires_at: from this instant on the code matches nothing.
        live: the provider accepted its send; False while that is not settled.
    """

    generation: int
    send: str
    digest: str
    kid: str
    expires_at: Instant
    live: bool = False


class Handle(Stored, frozen=True, kw_only=True, omit_defaults=True):
    """A verification at a provider that owns the code; every session that shares it lives on its budget.

    Attributes:
        provider, id: the provider instance's name, and the provider's own id.
        purpose: the one purpose it serves.
        first_at: its first send, where a code's lifetime begins; the earliest that may have been it.
        last_at: then the latest that may have opened it: so long it may still be live there. None: `first_at`.
        sends: how many it has seen.
        checks: how many tries were claimed on it, by whichever session.
        ended: approved, cancelled or exhausted; kept until its window is over, so that counts go on
            should the provider go on with it.
    """

    provider: str
    id: str
    purpose: str
    first_at: Instant
    last_at: Instant | None = None
    sends: int = 1
    checks: int = 0
    ended: bool = False

    @property
    def opened_by(self) -> datetime:
        """The latest instant at which it may have been opened."""
        return self.last_at or self.first_at


class Session(Stored, frozen=True, kw_only=True, omit_defaults=True):
    """One verification.

    Attributes:
        id: nonce, unique in the record.
        purpose: what is being confirmed.
        status: see `SessionStatus`.
        proof: truncated SHA-256 of the client's secret half; None for a session addressed by its recipient.
        owner: who makes and compares the code.
        provider, region: name of the provider instance, and where the number is of ("CM"); "" where it was not told.
        channel: of its newest send.
        handle: the provider's id; None where there is none or its answer was lost.
        expires_at: it ends with its newest code.
        codes: core-owned generations, oldest first, at most two.
        sealed: the recipient, see `otpcore.seal`; "" where it is not kept. Then the pepper alone keys the codes.
        ended_at, ended_by: when it left `pending`, and the id of the operation that ended it. Then it has no owner,
            channel, handle, codes or sealed recipient any more, and `expires_at` is `ended_at`.
    """

    id: str
    purpose: str
    status: SessionStatus = SessionStatus.PENDING
    proof: str | None = None
    owner: CodeOwner = CodeOwner.CORE
    provider: str = ""
    region: str = ""
    channel: str = ""
    handle: str | None = None
    expires_at: Instant
    codes: tuple[Code, ...] = ()
    sealed: str = ""
    ended_at: Instant | None = None
    ended_by: str = ""

    @property
    def is_live(self) -> bool:
        """Whether it is still pending."""
        return self.status is SessionStatus.PENDING


class IdempotencyKey(Stored, frozen=True, kw_only=True, omit_defaults=True):
    """That a start or resend was made with this key.

    Attributes:
        digest, body: of the key, and of the request's other arguments.
        at: when.
        session, send: nonce of the session and id of the send that it made.
    """

    digest: str
    body: str
    at: Instant
    session: str
    send: str


class Counter(Stored, frozen=True, kw_only=True, omit_defaults=True):
    """Whose sends a resend record of `otpcore.legacy` counts.

    Attributes:
        unique_id, user_id: the pair, as the caller gave it.
        recipient: pseudonym of the number that it was made for; "" when not told.
        created_at: when it was made.
    """

    unique_id: str
    user_id: str
    recipient: str = ""
    created_at: Instant


class RecipientRecord(Stored, frozen=True, kw_only=True, omit_defaults=True):
    """Everything whose invariants interact, for one recipient of one tenant; about 1 kB of JSON.

    Attributes:
        v: see `SCHEMA`.
        mark_at: the latest instant that a write has seen; None in a record that was never written.
        ladder, sends, checks, sessions, handles, keys: as drawn above.
        consecutive: failures since the last success.
        stop: until it is over, nobody but its provider is asked to send.
        past, ended: in the stored form alone: the first of `sends`, and the ended ones of `sessions`.
        forward: the key where the record really is; set only in a marker: of a pepper rotation, or an imported id.
    """

    v: int = UNWRITTEN
    mark_at: Instant | None = None
    ladder: Ladder = Ladder()
    past: tuple[Past, ...] = ()
    sends: tuple[Send, ...] = ()
    checks: tuple[Check, ...] = ()
    consecutive: int = 0
    stop: Stop | None = None
    sessions: tuple[Session, ...] = ()
    ended: tuple[Ended, ...] = ()
    handles: tuple[Handle, ...] = ()
    keys: tuple[IdempotencyKey, ...] = ()
    forward: str | None = None
    counter: Counter | None = None

    def encode(self) -> bytes:
        """The stored form: JSON on one line, `v` first."""
        over = tuple([_shrunk(one, one.ended_at) for one in self.sessions if one.ended_at is not None])
        past = tuple([past_of(one.at, one.provider, one.region, one.extra) for one in takewhile(_is_past, self.sends)])
        if not (over or past):
            return _ENCODE(self)
        live = tuple([one for one in self.sessions if one.ended_at is None])
        return _ENCODE(self.but(sessions=live, ended=over, sends=self.sends[len(past) :], past=past))

    @classmethod
    def decode(cls, data: bytes) -> RecipientRecord:
        """Read the stored form.

        Raises:
            StoreFormatError: it is not a record, or one of a newer schema.
        """
        try:
            record = _DECODE(data)
        except msgspec.MsgspecError:
            refuse_newer(data)
            # the error's own text may quote the record, so it stays out of message and cause
            raise StoreFormatError("A stored record is damaged: it does not read as a recipient record.") from None
        if record.v > SCHEMA:
            refuse_newer(data)
        if record.ended or record.past:
            sessions = (*[_grown(one) for one in record.ended], *record.sessions)
            past = [Send(at=instant(a.at_ms), provider=a.provider, region=a.region, extra=a.extra) for a in record.past]
            record = record.but(sessions=sessions, ended=(), sends=(*past, *record.sends), past=())
        return record

    def session(self, nonce: str) -> Session | None:
        """The session of this nonce, live or among the last few ended ones."""
        for session in self.sessions:
            if session.id == nonce:
                return session
        return None

    def send(self, operation: str) -> Send | None:
        """The send of this id."""
        for send in self.sends:
            if send.id == operation:
                return send
        return None

    def check(self, operation: str) -> Check | None:
        """The try of this id."""
        return next((one for one in self.checks if one.id == operation), None)

    def handle(self, provider: str, handle: str | None) -> Handle | None:
        """The verification of this id at this provider."""
        return next((one for one in self.handles if (one.provider, one.id) == (provider, handle)), None)


def _shrunk(one: Session, at: datetime) -> Ended:
    return Ended(one.id, one.purpose, one.status, one.proof, milliseconds(at), one.ended_by, one.provider, one.region)


def _grown(short: Ended) -> Session:
    return Session(
        id=short.id,
        purpose=short.purpose,
        status=short.status,
        proof=short.proof,
        provider=short.provider,
        region=short.region,
        expires_at=instant(short.ended_ms),
        ended_at=instant(short.ended_ms),
        ended_by=short.by,
    )


def _is_past(send: Send) -> bool:
    return not send.id and send == Send(at=send.at, provider=send.provider, region=send.region, extra=send.extra)


_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(RecipientRecord).decode
