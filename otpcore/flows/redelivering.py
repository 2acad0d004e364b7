"""After a message was said not to have arrived: a new code through the next provider, where the operator wants that.

Rules of this file: see `otpcore.flows`. Whoever asked for the code is not there: nothing is done that a person could
not have asked for, and it is reserved before anybody is called, as any send. It takes a place under the daily cap and
no step of the ladder. A session's newest send is followed once, because then it is not the newest any more; what
follows it carries who was asked before, and so there are no more legs than the rule has for one send.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from otpcore.codes import Entropy
from otpcore.contract import NO_EXTRA, CodeOwner
from otpcore.effects import Tell
from otpcore.events import Event
from otpcore.flows.delivering import carry
from otpcore.flows.keeping import kept_of
from otpcore.flows.moving import Moved, left_of
from otpcore.flows.planning import held_by_guards, intent_of, no_way, plan_of, routed
from otpcore.flows.reserving import Reserved, renewed, token_and_code
from otpcore.flows.setup import Flow, Setup, event
from otpcore.flows.transact import Snapshot, transact
from otpcore.flows.wish import Wish
from otpcore.ledger import checks_left, follow, stop_of
from otpcore.model import Attempt, RecipientRecord, Send, SendState, Session
from otpcore.policy import decide_check, has_room
from otpcore.receipts import DeliveryState
from otpcore.results import Sent
from otpcore.routing import Leg, Plan
from otpcore.stored import milliseconds

__all__ = ["Against", "redeliver"]


class Against(StrEnum):
    """Why nothing follows, as events say it."""

    OVER = "session over"
    NEWER = "not the newest send"
    ARRIVED = "arrived after all"
    LATE = "too late"
    LOCKED = "locked"
    LEGS = "no provider left"
    CAP = "daily cap"
    STOPPED = "stopped by a provider"
    GUARD = "guard"
    DESTINATION = "destination"
    SEAL = "kept recipient does not open"
    ENOUGH = "enough followed in one receipt"


def redeliver(
    setup: Setup,
    entropy: Entropy,
    session: Session,
    send: Send,
    state: DeliveryState,
    seen: Snapshot,
    *,
    enough: bool,
) -> Flow[bool]:
    """Follow a send that was just written down as undelivered; see `Engine.receipt`.

    Args:
        setup: of the engine.
        entropy: of this send alone.
        session: the send's, which the vendor spoke of by its handle.
        send: as it was before.
        state: what the vendor said, a bad end.
        seen: the record, with that in it.
        enough: so many were followed in this receipt already that this one is not.

    Returns:
        Whether a message may have left.
    """
    if not setup.keep_number or not session.sealed or session.owner is not CodeOwner.CORE or seen.now is None:
        return False
    opened = kept_of(setup, seen.key, session)
    if opened is None:
        return (yield from _none(setup, session, seen, Against.SEAL))
    to, kept = opened
    planned = plan_of(setup, entropy, to, session.purpose, kept.channel)
    within = planned.failover_on_undelivered
    if within is None:
        return False
    tried = _tried(session, send, state)
    legs = _legs(setup, planned, tried)
    against = Against.ENOUGH if enough else _against(setup, seen.record, session.id, send, within, seen.now)
    if against is None and no_way(setup, to, kept.channel, legs) is not None:
        against = Against.DESTINATION if legs else Against.LEGS
    if against is not None:
        return (yield from _none(setup, session, seen, against))
    intent = intent_of(setup, to, session.purpose, kept.channel, seen.key, send.source)
    if setup.plugged and (yield from held_by_guards(intent)) is not None:
        return (yield from _none(setup, session, seen, Against.GUARD))
    wish = Wish(
        operation="failover",
        recipient=to,
        purpose=session.purpose,
        channel=kept.channel,
        locale=kept.locale or None,
        extra=NO_EXTRA,
        source=send.source,
        idempotency_key=None,
        token=None,
        by_recipient=True,
        asked=kept.channel,
        legs=(yield from routed(intent, legs)),
        max_legs=planned.max_legs,
        failover_on_unknown=planned.failover_on_unknown,
    )

    def decide(record: RecipientRecord, now: datetime, key: str) -> tuple[RecipientRecord, Moved | Against]:
        mine = record.send(entropy.operation)
        if mine is not None and (held := record.session(mine.session)) is not None:
            # an earlier commit was applied after all
            _, code = token_and_code(setup, entropy, wish, key, CodeOwner.CORE)
            return record, (Reserved(held, None, code), mine.attempts) if held.is_live else Against.OVER
        there, failed = record.session(session.id), record.send(send.id)
        against = _against(setup, record, session.id, send, within, now)
        if against is not None or there is None or failed is None:
            return record, against or Against.OVER
        leg = _first(setup, record, wish.legs, send, now)
        if leg is None:
            return record, Against.CAP if wish.legs else Against.LEGS
        reserved = renewed(setup, entropy, wish, leg, key, there, now)
        extra = setup.providers[leg.provider].capabilities.extra_sends
        record = follow(record, failed, reserved.session, now=now, send=entropy.operation, attempts=tried, extra=extra)
        mark = record.sends[-1]
        return record, (reserved, mark.attempts)

    outcome, seen = yield from transact(setup, decide, entropy, known=seen)
    if isinstance(outcome, Against):
        return (yield from _none(setup, session, seen, outcome))
    reserved, before = outcome
    result = yield from carry(setup, entropy, wish, reserved, before, seen)
    return isinstance(result, Sent)


def _tried(session: Session, send: Send, state: DeliveryState) -> tuple[Attempt, ...]:
    """Who was asked for the send, the last one with what became of its message."""
    *before, last = send.attempts or (Attempt(session.provider, session.channel, milliseconds(send.at)),)
    return (*before, replace(last, kind=state.value, handle=session.handle or ""))


def _legs(setup: Setup, planned: Plan, tried: Sequence[Attempt]) -> tuple[Leg, ...]:
    """The ways of the plan that may follow: none of a provider that was asked, and none when enough were."""
    if len(tried) >= planned.max_legs:
        return ()
    left = left_of(planned.legs, [(one.provider, one.channel, one.kind) for one in tried])
    return tuple([leg for leg in left if setup.providers[leg.provider].owner is CodeOwner.CORE])


def _against(
    setup: Setup, record: RecipientRecord, nonce: str, send: Send, within: timedelta, now: datetime
) -> Against | None:
    """What stands in the record against a message that nobody asks for."""
    session, stands = record.session(nonce), record.send(send.id)
    if session is None or stands is None or not session.is_live or now >= session.expires_at:
        return Against.OVER
    if not session.sealed or not checks_left(record, session, setup.profile):
        return Against.OVER
    newest = [one.id for one in record.sends if one.session == nonce][-1]
    if newest != send.id:
        return Against.NEWER
    if stands.state is not SendState.UNDELIVERED:
        return Against.ARRIVED
    if now - stands.at > within:
        return Against.LATE
    if stop_of(record, now=now) is not None:
        return Against.STOPPED
    return Against.LOCKED if decide_check(record, setup.profile, now=now, source=send.source) is not None else None


def _first(setup: Setup, record: RecipientRecord, legs: Sequence[Leg], send: Send, now: datetime) -> Leg | None:
    """The first way whose messages the daily cap, and the source's share of it, have room for."""
    for leg in legs:
        messages = setup.providers[leg.provider].messages
        if has_room(record, setup.profile, messages, now=now, source=send.source):
            return leg
    return None


def _none(setup: Setup, session: Session, seen: Snapshot, against: Against) -> Flow[bool]:
    """Tell that nothing follows, and why."""
    at, about = seen.now or session.expires_at, {"provider": session.provider, "reason": against.value}

    def facts() -> tuple[Event, ...]:
        return (event(setup, "failover.none", at=at, key=seen.key, session=session, **about),)

    yield Tell(facts)
    return False
