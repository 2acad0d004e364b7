"""receipt: what a vendor says became of its messages, written down where it is news.

Rules of this file: see `otpcore.flows`. A receipt changes what is known of a send and nothing else: no budget, no code,
no try, no session. What arrived stays so, thus order does not matter; of one id, one event is taken. What may follow a
message that did not arrive is `redelivering`, and begins when that is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from itertools import dropwhile
from typing import Final, NamedTuple

from otpcore.codes import Entropy, digest_of
from otpcore.contract import CodeOwner
from otpcore.effects import ReadClock, ReadReceipt, Tell
from otpcore.errors import InvalidRecipient, ReceiptRefused, UsageError
from otpcore.events import Event
from otpcore.flows.finding import tell
from otpcore.flows.moving import priced
from otpcore.flows.redelivering import redeliver
from otpcore.flows.setup import Flow, Setup, event
from otpcore.flows.transact import load, locate, places, transact
from otpcore.ledger import receive
from otpcore.machine import SendEvent
from otpcore.model import RecipientRecord, Send, SendState, Session
from otpcore.receipts import DeliveryEvent, DeliveryState, InboundRequest, Received
from otpcore.recipients import Recipient, canonical
from otpcore.results import ReceiptResult, Refusal, Refused

__all__ = ["receipt"]

ENDS: Final[Mapping[DeliveryState, SendEvent]] = {
    DeliveryState.DELIVERED: SendEvent.DELIVERED,
    DeliveryState.READ: SendEvent.DELIVERED,
    DeliveryState.UNDELIVERED: SendEvent.UNDELIVERED,
    DeliveryState.FAILED: SendEvent.UNDELIVERED,
    DeliveryState.EXPIRED: SendEvent.UNDELIVERED,
}
"""What is no end says nothing."""

CLOCKS_APART: Final = timedelta(seconds=5)
"""A vendor's clock may be so far behind ours: a message is then told of before it was reserved."""


MOST_FOLLOWED: Final = 4
"""Of the messages of one receipt: the vendor waits for its answer while each is sent."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Fate(Enum):
    """What became of one event."""

    APPLIED = auto()
    EARLY = auto()  # perhaps of a message whose send is not settled
    FOLLOWED = auto()  # applied, and another provider was asked
    IGNORED = auto()
    REPLAYED = auto()


class Heard(NamedTuple):
    """What became of an event in the record, and the send that it was about, as it was before."""

    fate: Fate
    session: Session | None = None
    send: Send | None = None


def receipt(setup: Setup, entropy: Entropy, provider: str | None, request: InboundRequest) -> Flow[ReceiptResult]:
    """Take a vendor's receipt; see `Engine.receipt`."""
    try:
        name = _reader(setup, provider)
        events: Sequence[DeliveryEvent] = yield ReadReceipt(name, request)
    except ReceiptRefused as error:
        return (yield from tell(setup, "receipt", Refused(Refusal.INVALID_RECEIPT, detail=str(error))))
    fates: Counter[Fate] = Counter()
    for part, each in enumerate(events):
        enough = fates[Fate.FOLLOWED] >= MOST_FOLLOWED
        fates[(yield from _apply(setup, entropy, name, each, part, enough=enough))] += 1
    followed = fates[Fate.FOLLOWED]
    result = Received(
        fates[Fate.APPLIED] + followed, fates[Fate.IGNORED], fates[Fate.REPLAYED], followed, fates[Fate.EARLY]
    )
    return (yield from tell(setup, "receipt", result))


def _reader(setup: Setup, provider: str | None) -> str:
    """The provider that is to read the receipt.

    Raises:
        ReceiptRefused: there is none of this name, which may be a stranger's.
        UsageError: none was named, and there is not exactly one.
    """
    readers = [name for name, terms in setup.providers.items() if terms.reads_receipts]
    if provider is None and len(readers) == 1:
        return readers[0]
    if provider is None:
        raise UsageError(f"{len(readers)} providers here read receipts: say which one this is for.")
    if provider not in readers:
        raise ReceiptRefused("No provider here of this name reads receipts.")
    return provider


def _apply(
    setup: Setup, entropy: Entropy, provider: str, told: DeliveryEvent, part: int, *, enough: bool
) -> Flow[Fate]:
    """Write one event down. After a lost answer to the commit it is not said to have changed anything.

    `part` is its place in the receipt; with `enough` another message is not followed.
    """
    happened, recipient = ENDS.get(told.state), _recipient(told)
    if happened is None or recipient is None or not told.handle:
        at: datetime = yield ReadClock()
        key = places(setup, recipient)[-1] if recipient is not None else ""
        yield Tell(lambda: (_delivery(setup, provider, told, recipient, None, at=at, key=key),))
        return Fate.IGNORED
    digest = digest_of("receipt", provider, told.id)
    known = yield from locate(setup, recipient)
    if known.version is None:
        known = yield from load(known.key)

    def decide(record: RecipientRecord, _now: datetime, _key: str) -> tuple[RecipientRecord, Heard]:
        if any(digest in send.told for send in record.sends):
            return record, Heard(Fate.REPLAYED)
        session, send = _meant(record, provider, told)
        if send.state is SendState.RESERVED if send is not None else _is_early(record, provider, told):
            return record, Heard(Fate.EARLY)
        if session is None or send is None:
            return record, Heard(Fate.IGNORED)
        heard = receive(record, send, happened, digest)
        changed = heard.send(send.id)
        news = changed is not None and changed.state is not send.state
        return heard, Heard(Fate.APPLIED if news else Fate.IGNORED, session, send)

    outcome, seen = yield from transact(setup, decide, entropy, known=known)
    fate, session, send = outcome
    if fate in {Fate.REPLAYED, Fate.EARLY}:  # what is early is told of when it comes again
        return fate

    def facts() -> tuple[Event, ...]:
        now = seen.now or EPOCH
        stream = _delivery(setup, provider, told, recipient, session, at=now, key=seen.key)
        if session is None or fate is Fate.IGNORED:
            return (stream,)
        about = {"provider": provider, "state": told.state.value, "provider_code": told.provider_code or ""}
        name, address = f"send.{happened.value}", recipient.address
        return stream, event(
            setup, name, at=now, key=seen.key, address=address, session=session, receipt=told.id, **about
        )

    yield Tell(facts)
    if fate is not Fate.APPLIED or happened is not SendEvent.UNDELIVERED or session is None or send is None:
        return fate
    went = yield from redeliver(setup, entropy.part(part), session, send, told.state, seen, enough=enough)
    return Fate.FOLLOWED if went else fate


def _recipient(told: DeliveryEvent) -> Recipient | None:
    try:
        return canonical(told.recipient) if told.recipient is not None else None
    except InvalidRecipient:
        return None


def _delivery(
    setup: Setup,
    provider: str,
    told: DeliveryEvent,
    recipient: Recipient | None,
    session: Session | None,
    *,
    at: datetime,
    key: str,
) -> Event:
    """One event of the vendor's, as every vendor's is told."""
    known = {"provider_code": told.provider_code or "", "cost": priced(told.cost)}
    about = {"provider": provider, "state": told.state.value, "receipt": told.id} | {
        name: text for name, text in known.items() if text
    }
    address = recipient.address if recipient is not None else ""
    return event(setup, "delivery", at=at, key=key, address=address, session=session, **about)


def _meant(record: RecipientRecord, provider: str, told: DeliveryEvent) -> tuple[Session, Send] | tuple[None, None]:
    """The newest send that the event can be about, among those of the live sessions with its handle.

    A send that was followed by another has the handle of its own message.
    """
    live = [session for session in record.sessions if session.is_live]
    found = [
        (session, send)
        for session in live
        if (session.provider, session.handle) == (provider, told.handle)
        for send in _carried(record, session)
        if _can_be_of(send, told)
    ]
    found += [
        (session, send)
        for session in live
        for send in record.sends
        if send.session == session.id
        and any((one.provider, one.handle) == (provider, told.handle) for one in send.attempts)
    ]
    return max(found, key=lambda one: one[1].at, default=(None, None))


def _is_early(record: RecipientRecord, provider: str, told: DeliveryEvent) -> bool:
    """Whether the provider is being asked to send; the event may be of that message, whose handle is not known yet."""
    asked = {one.id: one.provider for one in record.sessions if one.is_live}
    return any(
        send.state is SendState.RESERVED
        and send.session in asked
        and provider == (send.provider or asked[send.session])
        and _can_be_of(send, told)
        for send in record.sends
    )


def _can_be_of(send: Send, told: DeliveryEvent) -> bool:
    """Whether it was reserved by then."""
    return told.at is None or send.at - CLOCKS_APART <= told.at


def _carried(record: RecipientRecord, session: Session) -> Iterator[Send]:
    """The sends that the session's handle may be of, the newest first.

    A code of the core may have a message, and a handle, for each of its sends: then none that came after the one
    that made the code live.
    """
    sends = [send for send in reversed(record.sends) if send.session == session.id]
    own = [send for send in sends if send.state is not SendState.REFUSED]  # no message left with that
    if session.owner is CodeOwner.PROVIDER:
        return iter(own)
    live = {code.send for code in session.codes if code.live}
    return dropwhile(lambda send: send.id not in live, own)
