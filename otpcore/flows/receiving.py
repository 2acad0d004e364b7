"""receipt: what a vendor says became of its messages, written down where it is news.

Rules of this file: see `otpcore.flows`. A receipt changes what is known of a send and nothing else: no budget, no code,
no try, no session. What arrived stays so, thus order does not matter; of one id, one event is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import dropwhile
from typing import Final

from otpcore.codes import Entropy, digest_of
from otpcore.contract import CodeOwner
from otpcore.effects import ReadReceipt, Tell
from otpcore.errors import InvalidRecipient, ReceiptRefused, UsageError
from otpcore.events import Event
from otpcore.flows.finding import tell
from otpcore.flows.setup import Flow, Setup, event
from otpcore.flows.transact import load, locate, transact
from otpcore.ledger import receive
from otpcore.machine import SendEvent
from otpcore.model import RecipientRecord, Send, SendState, Session
from otpcore.receipts import DeliveryEvent, DeliveryState, InboundRequest, Received
from otpcore.recipients import canonical
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


class Fate(Enum):
    """What became of one event."""

    APPLIED = auto()
    IGNORED = auto()
    REPLAYED = auto()


def receipt(setup: Setup, entropy: Entropy, provider: str | None, request: InboundRequest) -> Flow[ReceiptResult]:
    """Take a vendor's receipt; see `Engine.receipt`."""
    try:
        name = _reader(setup, provider)
        events: Sequence[DeliveryEvent] = yield ReadReceipt(name, request)
    except ReceiptRefused as error:
        return (yield from tell(setup, "receipt", Refused(Refusal.INVALID_RECEIPT, detail=str(error))))
    fates: Counter[Fate] = Counter()
    for each in events:
        fates[(yield from _apply(setup, entropy, name, each))] += 1
    result = Received(fates[Fate.APPLIED], fates[Fate.IGNORED], fates[Fate.REPLAYED])
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


def _apply(setup: Setup, entropy: Entropy, provider: str, told: DeliveryEvent) -> Flow[Fate]:
    """Write one event down. After a lost answer to the commit it is not said to have changed anything."""
    happened = ENDS.get(told.state)
    if happened is None or told.recipient is None or not told.handle:
        return Fate.IGNORED
    try:
        recipient = canonical(told.recipient)
    except InvalidRecipient:
        return Fate.IGNORED
    digest = digest_of("receipt", provider, told.id)
    known = yield from locate(setup, recipient)
    if known.version is None:
        known = yield from load(known.key)

    def decide(record: RecipientRecord, _now: datetime, _key: str) -> tuple[RecipientRecord, Session | Fate]:
        if any(digest in send.told for send in record.sends):
            return record, Fate.REPLAYED
        session, send = _meant(record, provider, told)
        if session is None or send is None:
            return record, Fate.IGNORED
        heard = receive(record, send, happened, digest)
        changed = heard.send(send.id)
        return heard, session if changed is not None and changed.state is not send.state else Fate.IGNORED

    outcome, seen = yield from transact(setup, decide, entropy, known=known)
    if isinstance(outcome, Fate):
        return outcome
    session = outcome

    def facts() -> tuple[Event, ...]:
        about = {"provider": provider, "state": told.state.value, "provider_code": told.provider_code or ""}
        name, at = f"send.{happened.value}", seen.now or session.expires_at
        return (
            event(
                setup, name, at=at, key=seen.key, address=recipient.address, session=session, receipt=told.id, **about
            ),
        )

    yield Tell(facts)
    return Fate.APPLIED


def _meant(record: RecipientRecord, provider: str, told: DeliveryEvent) -> tuple[Session, Send] | tuple[None, None]:
    """The newest send that the event can be about, among those of the live sessions with its handle."""
    found = [
        (session, send)
        for session in record.sessions
        if session.is_live and (session.provider, session.handle) == (provider, told.handle)
        for send in _carried(record, session)
        if told.at is None or send.at - CLOCKS_APART <= told.at
    ]
    return max(found, key=lambda one: one[1].at, default=(None, None))


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
