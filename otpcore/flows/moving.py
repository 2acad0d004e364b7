"""Which way a send takes first, and whether it may go on to another one: what the record allows of a plan.

Rules of this file: see `otpcore.flows`. What follows a failure is a table, `otpcore.routing.FAILOVER`. Here stands what
holds whatever the plan says: one live verification at providers that make codes; who has a session's code changes only
while nothing of it can be out; after a lost answer, only the core's code goes on, and only where the plan says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from otpcore.codes import Entropy
from otpcore.contract import Accepted, CodeOwner, Failure, FailureKind, Money, SendEffect
from otpcore.errors import StoreError
from otpcore.flows.reserving import Reserved, moved, token_and_code
from otpcore.flows.setup import LEASE_MARGIN, Flow, ProviderTerms, Setup, gate, held_by
from otpcore.flows.transact import Snapshot, transact
from otpcore.flows.wish import Wish
from otpcore.ledger import asked_at, hand_over, stop_of
from otpcore.model import Attempt, RecipientRecord, Send, SendState, Session, Stop
from otpcore.policy import NotYet, has_room
from otpcore.results import WaitReason
from otpcore.routing import Leg, Move, Plan, consequence_of
from otpcore.stored import instant, milliseconds

__all__ = ["Moved", "attempt_of", "first_leg", "go_on", "is_troubled", "left_of", "leg_after", "priced", "serves"]

Moved = tuple[Reserved, tuple[Attempt, ...]]
"""What is to be handed to the next provider, and what the others answered, oldest first."""

TROUBLED: Final = (SendState.UNKNOWN, SendState.UNDELIVERED)


def first_leg(
    setup: Setup, wish: Wish, record: RecipientRecord, session: Session | None, now: datetime
) -> Leg | NotYet | Stop | None:
    """The way that a send takes first.

    A new session may go where the plan says, but to no second provider that makes codes while one has a live
    verification of this purpose. A session whose code is its provider's stays there. While a provider has stopped the
    sends to this recipient, it is asked again or nobody is.

    Returns:
        None where the plan has no way for this session; NotYet until the verification that stands against it is over;
        what is in force where a stop leaves no way, NotYet if that is a limit.
    """
    stop = stop_of(record, now=now)
    legs = wish.legs if stop is None else tuple([leg for leg in wish.legs if leg.provider == stop.provider])
    none_left = _stands(stop) if stop is not None and wish.legs else None
    if session is None:
        held = held_by(setup, record, wish.purpose, now=now) if record.sessions or record.handles else {}
        for leg in legs:
            if setup.providers[leg.provider].owner is CodeOwner.CORE or not held.keys() - {leg.provider}:
                return leg
        return NotYet(max(held.values()), WaitReason.PROVIDER_WINDOW) if legs else none_left
    ways = [leg for leg in legs if setup.providers[leg.provider].owner is session.owner]
    if session.owner is CodeOwner.PROVIDER or (wish.operation == "start" and not is_troubled(record, session)):
        stay = Leg(session.provider, wish.channel)
        terms = setup.providers.get(session.provider)
        here = stop is None or stop.provider == session.provider
        if here and terms is not None and terms.owner is session.owner and serves(terms, stay.channel):
            return stay
        ways = [leg for leg in ways if leg.provider == session.provider or session.owner is CodeOwner.CORE]
    return ways[0] if ways else none_left


def _stands(stop: Stop) -> NotYet | Stop:
    """What a stop is to a send that cannot go to its provider: a limit is waited for."""
    if stop.kind == FailureKind.RATE_LIMITED:
        return NotYet(instant(stop.until_ms), WaitReason.PROVIDER_WINDOW)
    return stop


def serves(terms: ProviderTerms, channel: str) -> bool:
    """Whether it sends on this channel."""
    return channel in terms.capabilities.channels


def is_troubled(record: RecipientRecord, session: Session) -> bool:
    """Whether the session's newest message may not have arrived: then its resend takes another way."""
    own = [send for send in record.sends if send.session == session.id]
    return bool(own) and own[-1].state in TROUBLED


def go_on(
    setup: Setup,
    entropy: Entropy,
    wish: Wish,
    reserved: Reserved,
    tried: tuple[Attempt, ...],
    answer: Accepted | Failure,
    seen: Snapshot,
) -> Flow[tuple[Moved | None, Snapshot]]:
    """After an answer, the way that the send takes next, committed before anybody is called; None: it ends here.

    It ends, too, where the store does not say that the move is written: fail closed.
    """
    if isinstance(answer, Accepted) or len(tried) + 1 >= wish.max_legs:
        return None, seen
    failure, asked = answer, reserved.session
    if not _leads_on(failure, asked, on_unknown=wish.failover_on_unknown):
        return None, seen
    before = [(one.provider, one.channel, one.kind) for one in tried]
    left = left_of(wish.legs, [*before, (asked.provider, asked.channel, failure.kind)])
    if not left:
        return None, seen

    def decide(record: RecipientRecord, now: datetime, key: str) -> tuple[RecipientRecord, Moved | None]:
        send, session = record.send(entropy.operation), record.session(asked.id)
        if send is None or session is None or not session.is_live or send.state is not SendState.RESERVED:
            return record, None
        if len(send.attempts) > len(tried):  # an earlier commit was applied after all
            _, code = token_and_code(setup, entropy, wish, key, session.owner)
            return record, (Reserved(asked_at(session, send), reserved.token, code), send.attempts)
        attempts = (*tried, attempt_of(asked, failure, now))
        found = _next_leg(setup, left, record, session, send, attempts, now)
        if found is None:
            return record, None
        leg, extra = found
        there = moved(setup, entropy, wish, leg, key, session, send.at, reserved.token)
        record = hand_over(record, send, there.session, attempts=attempts, extra=extra)
        return record, (there, attempts)

    try:
        return (yield from transact(setup, decide, entropy, known=seen))
    except StoreError:
        return None, seen


def left_of(legs: tuple[Leg, ...], asked: list[tuple[str, str, str]]) -> list[Leg]:
    """The ways of the plan that are left: none of a provider that failed, none on a channel that does not reach."""
    unreachable = {channel for _, channel, kind in asked if kind == FailureKind.CHANNEL_UNREACHABLE}
    failed = {provider for provider, _, kind in asked if kind != FailureKind.CHANNEL_UNREACHABLE}
    return [leg for leg in legs if leg.channel not in unreachable and leg.provider not in failed]


def _leads_on(failure: Failure, session: Session, *, on_unknown: bool) -> bool:
    """Whether anything may follow: after a lost answer only a code of the core, and only where a rule says so."""
    match consequence_of(failure).move:
        case Move.STOP:
            return False
        case Move.HOLD:
            return on_unknown and session.owner is CodeOwner.CORE
        case Move.NEXT_CHANNEL | Move.NEXT_PROVIDER:
            return True


def leg_after(setup: Setup, planned: Plan, leg: Leg, failure: Failure, now: datetime) -> Leg | None:
    """What would follow a leg that fails so, for somebody of whom nothing is recorded; None: nothing."""
    owner = setup.providers[leg.provider].owner
    session = Session(
        id="s", purpose="", owner=owner, provider=leg.provider, channel=leg.channel, expires_at=now + setup.lease
    )
    if planned.max_legs <= 1 or not _leads_on(failure, session, on_unknown=planned.failover_on_unknown):
        return None
    send = Send(id="s", at=now, state=SendState.RESERVED, session="s")
    record = RecipientRecord(sends=(send,), sessions=(session,))
    left = left_of(planned.legs, [(leg.provider, leg.channel, failure.kind)])
    found = _next_leg(setup, left, record, session, send, (attempt_of(session, failure, now),), now)
    return found[0] if found is not None else None


def attempt_of(session: Session, answer: Accepted | Failure, now: datetime) -> Attempt:
    """What the provider that a session is on has answered."""
    at_ms = milliseconds(now)
    if isinstance(answer, Accepted):
        return Attempt(session.provider, session.channel, at_ms, cost=priced(answer.cost))
    unknown = answer.effect is SendEffect.UNKNOWN
    return Attempt(session.provider, session.channel, at_ms, answer.kind.value, unknown)


def priced(cost: Money | None) -> str:
    """A price in words; "" where there is none."""
    return "" if cost is None else f"{cost.amount} {cost.currency}"


def _next_leg(
    setup: Setup,
    left: list[Leg],
    record: RecipientRecord,
    session: Session,
    send: Send,
    attempts: tuple[Attempt, ...],
    now: datetime,
) -> tuple[Leg, int] | None:
    """The first leg of the plan that may follow, and what the send's messages then come to beside the one asked for."""
    if now + setup.deadline + LEASE_MARGIN > send.at + setup.lease:
        return None  # its answer could come when nobody settles the send any more
    stop = stop_of(record, now=now)
    for leg in left:
        if stop is not None and leg.provider != stop.provider:
            continue
        terms = setup.providers[leg.provider]
        if not _may_follow(setup, record, session, terms, attempts, now):
            continue
        # of who was asked: another send of the session may have moved it meanwhile
        before = setup.providers[attempts[-1].provider].capabilities.extra_sends
        out = send.extra + 1 if attempts[-1].unknown else send.extra - before
        extra = out + terms.capabilities.extra_sends
        if extra <= send.extra or has_room(record, setup.profile, extra - send.extra, now=now, source=send.source):
            return leg, extra
    return None


def _may_follow(
    setup: Setup,
    record: RecipientRecord,
    session: Session,
    terms: ProviderTerms,
    attempts: tuple[Attempt, ...],
    now: datetime,
) -> bool:
    """Whether a session's code may be sent through this provider, as things stand."""
    if terms.owner is session.owner is CodeOwner.CORE:
        return True
    if any(one.unknown for one in attempts):
        return False
    if terms.owner is session.owner and terms.name == session.provider:
        return True  # the same verification, on another channel
    alone = sum(send.session == session.id for send in record.sends) == 1
    if not alone or session.handle is not None:
        return False
    if terms.owner is CodeOwner.CORE:
        return True
    held = held_by(setup, record, session.purpose, now=now, beside=session.id)
    return not held.keys() - {terms.name} and gate(setup, record, terms, session.purpose, now=now) is None
