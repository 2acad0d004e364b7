"""start and resend: what is asked for, and what stands against it before the record is looked at.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from msgspec import structs

from otpcore.codes import Entropy, check_idempotency_key
from otpcore.contract import NO_EXTRA, CodeOwner
from otpcore.errors import InvalidRecipient
from otpcore.flows.delivering import deliver
from otpcore.flows.finding import find_session, following_of, parse_token, tell
from otpcore.flows.moving import is_troubled, serves
from otpcore.flows.planning import held_by_guards, intent_of, no_way, not_understood, plan_of, routed
from otpcore.flows.repeating import was_seen
from otpcore.flows.setup import Flow, Setup
from otpcore.flows.transact import Snapshot, load, locate, make_way, places
from otpcore.flows.wish import Wish
from otpcore.model import Session
from otpcore.recipients import Recipient, canonical, wrong_kind
from otpcore.results import ByRecipient, NotFound, Refusal, Refused, SendResult, Wait
from otpcore.routing import Leg, Plan

__all__ = ["resend", "start"]

Stopped = TypeVar("Stopped", Refused, Wait, Refused | Wait)


def start(
    setup: Setup,
    entropy: Entropy,
    recipient: str | Recipient,
    *,
    purpose: str = "login",
    channel: str = "sms",
    region: str | None = None,
    locale: str | None = None,
    source: str | None = None,
    idempotency_key: str | None = None,
    by_recipient: bool = False,
    extra: Mapping[str, str] = NO_EXTRA,
) -> Flow[SendResult]:
    """Open a session and send its first code; see `Engine.start`."""
    setup.check_purpose(purpose)
    if idempotency_key is not None:
        check_idempotency_key(idempotency_key)
    try:
        to = canonical(recipient, region)
    except InvalidRecipient as error:
        refused = Refused(Refusal.INVALID_RECIPIENT, detail=str(error))
        return (yield from tell(setup, "start", refused, purpose=purpose))
    if (unfit := wrong_kind(to, channel)) is not None:
        refused = Refused(Refusal.INVALID_RECIPIENT, detail=unfit)
        return (yield from tell(setup, "start", refused, purpose=purpose))
    from_ = setup.source(source)
    known = yield from locate(setup, to)
    planned = plan_of(setup, entropy, to, purpose, channel)
    legs = planned.legs
    hopeless = no_way(setup, to, channel, legs) or not_understood(setup, legs, extra)
    if hopeless is not None:
        return (yield from tell(setup, "start", hopeless, purpose=purpose, key=known.key))
    if idempotency_key is not None and known.version is None:
        known = yield from load(known.key)
    unguarded = setup.plugged and (yield from was_seen(setup, known.record, idempotency_key))
    if not unguarded and (setup.plugged or len(legs) > 1):
        intent = intent_of(setup, to, purpose, channel, known.key, from_)
        held = (yield from held_by_guards(intent)) if setup.plugged else None
        if held is not None:
            return (yield from tell(setup, "start", held, purpose=purpose, key=known.key))
        legs = yield from routed(intent, legs)
    wish = Wish(
        operation="start",
        recipient=to,
        purpose=purpose,
        channel=channel,
        locale=locale,
        extra=extra,
        source=from_,
        idempotency_key=idempotency_key,
        token=None,
        by_recipient=by_recipient,
        asked=channel,
        legs=legs,
        max_legs=planned.max_legs,
        failover_on_unknown=planned.failover_on_unknown,
        kept=planned.failover_on_undelivered is not None,
        unguarded=unguarded,
    )
    known = yield from make_way(setup, entropy, to, known)
    return (yield from deliver(setup, entropy, wish, known))


def resend(
    setup: Setup,
    entropy: Entropy,
    session: str | ByRecipient,
    recipient: str | Recipient | None = None,
    *,
    channel: str | None = None,
    region: str | None = None,
    locale: str | None = None,
    source: str | None = None,
    idempotency_key: str | None = None,
    extra: Mapping[str, str] = NO_EXTRA,
) -> Flow[SendResult]:
    """Send a code of a live session once more; see `Engine.resend`."""
    if idempotency_key is not None:
        check_idempotency_key(idempotency_key)
    token, purpose = None, ""
    if isinstance(session, ByRecipient):
        purpose, recipient, region = session.purpose, session.number, session.region
        setup.check_purpose(purpose)
    else:
        token = parse_token(setup, session)
        if token is None:
            return (yield from tell(setup, "resend", NotFound()))
    if recipient is None:
        detail = "A resend needs the recipient again: it is not kept after a call."
        return (yield from tell(setup, "resend", Refused(Refusal.RECIPIENT_NEEDED, detail=detail)))
    try:
        to = canonical(recipient, region)
    except InvalidRecipient as error:
        return (yield from tell(setup, "resend", Refused(Refusal.INVALID_RECIPIENT, detail=str(error))))
    known = yield from locate(setup, to)
    if known.version is None:
        known = yield from load(known.key)
    if token is not None and token.key not in (known.key, *places(setup, to)):
        theirs = yield from load(token.key)
        holder = find_session(theirs.record, token)
        if holder is None:  # who does not hold the session learns nothing of it
            return (yield from tell(setup, "resend", NotFound()))
        following = yield from following_of(setup, theirs, holder)
        refused = Refused(Refusal.RECIPIENT_MISMATCH, following, "This session was started for another recipient.")
        return (yield from tell(setup, "resend", refused, key=token.key))
    found = find_session(known.record, token, purpose)
    if found is None:
        return (yield from tell(setup, "resend", NotFound(), key=known.key))
    from_ = setup.source(source)
    asked, channel = channel or "", channel or found.channel
    planned = plan_of(setup, entropy, to, found.purpose, channel)
    legs = _legs_of(setup, known, found, channel, planned)
    # what the start was given may be given again, whichever of its providers the session is on
    mistaken = not_understood(setup, (*legs, *planned.legs), extra)
    hopeless = (no_way(setup, to, channel, legs) or mistaken) if found.is_live else None
    if hopeless is not None:
        hopeless = yield from _followed(setup, known, found, hopeless)
        return (yield from tell(setup, "resend", hopeless, key=known.key, session=found))
    unguarded = setup.plugged and (yield from was_seen(setup, known.record, idempotency_key))
    if setup.plugged and found.is_live and not unguarded:
        held = yield from held_by_guards(intent_of(setup, to, found.purpose, channel, known.key, from_))
        if held is not None:
            held = yield from _followed(setup, known, found, held)
            return (yield from tell(setup, "resend", held, key=known.key, session=found))
    if len(legs) > 1 and found.is_live and not unguarded:
        legs = yield from routed(intent_of(setup, to, found.purpose, channel, known.key, from_), legs)
    wish = Wish(
        operation="resend",
        recipient=to,
        purpose=found.purpose,
        channel=channel,
        locale=locale,
        extra=extra,
        source=from_,
        idempotency_key=idempotency_key,
        token=token,
        by_recipient=token is None,
        asked=asked,
        legs=legs,
        max_legs=planned.max_legs,
        failover_on_unknown=planned.failover_on_unknown,
        kept=planned.failover_on_undelivered is not None,
        unguarded=unguarded,
    )
    return (yield from deliver(setup, entropy, wish, known))


def _followed(setup: Setup, known: Snapshot, session: Session, answer: Stopped) -> Flow[Stopped]:
    """The answer, with what the session's holder can do next."""
    following = yield from following_of(setup, known, session)
    if isinstance(answer, Wait):
        following = structs.replace(following, resend_at=answer.until)
    return replace(answer, next=following)


def _legs_of(setup: Setup, known: Snapshot, session: Session, channel: str, planned: Plan) -> tuple[Leg, ...]:
    """The ways of a resend. It stays where the session is, if it can.

    A code of the provider's goes nowhere else. One of the core's goes first to another provider when the session's
    newest message may not have arrived, and may do so after a refusal.
    """
    terms = setup.providers.get(session.provider)
    here = [Leg(session.provider, channel)] if terms is not None and serves(terms, channel) else []
    if session.owner is CodeOwner.PROVIDER:
        return (*here, *[leg for leg in planned.legs if leg.provider == session.provider and leg.channel != channel])
    others = [
        leg
        for leg in planned.legs
        if (leg.provider, leg.channel) != (session.provider, channel)
        and setup.providers[leg.provider].owner is session.owner
    ]
    return (*others, *here) if others and is_troubled(known.record, session) else (*here, *others)
