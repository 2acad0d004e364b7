"""The ways of a send, and what stands against it whatever the record says.

Rules of this file: see `otpcore.flows`. Rules, destinations, guards and breakers; no record is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import structs

from otpcore.codes import Entropy
from otpcore.effects import AskGuards, ChooseRoute, ReadClock
from otpcore.events import Guard, SendIntent, Verdict
from otpcore.flows.setup import Flow, Setup, shown
from otpcore.recipients import Recipient, decide_recipient, wrong_kind
from otpcore.results import NextActions, Refusal, Refused, Wait, WaitReason
from otpcore.routing import Leg, Plan, plan

__all__ = ["held_by_guards", "intent_of", "no_way", "not_understood", "plan_of", "routed"]


def plan_of(setup: Setup, entropy: Entropy, to: Recipient, purpose: str, channel: str) -> Plan:
    """The ways that the rules give, without those on which this recipient cannot be reached."""
    draw = int.from_bytes(entropy.jitter, "big") if setup.routing.rules else 0
    found = plan(setup.routing, setup.served, region=to.region, channel=channel, purpose=purpose, draw=draw)
    if any(wrong_kind(to, leg.channel) is not None for leg in found.legs):  # a rule may name channels of both kinds
        found = structs.replace(found, legs=tuple([leg for leg in found.legs if wrong_kind(to, leg.channel) is None]))
    return found


def routed(intent: SendIntent, legs: tuple[Leg, ...]) -> Flow[tuple[Leg, ...]]:
    """The ways in the order that plugins and breakers give to them; asked once, for all that follows."""
    order: Sequence[Leg] = yield ChooseRoute(intent, legs)
    return tuple(order)


def no_way(setup: Setup, to: Recipient, channel: str, legs: tuple[Leg, ...]) -> Refused | None:
    """What no wait will change: the destination, or a channel that nobody serves, or that cannot reach it."""
    denied = decide_recipient(to, policy=setup.destinations)
    if denied is not None:
        return Refused(Refusal.DESTINATION_DENIED, detail=denied)
    if (unfit := wrong_kind(to, channel)) is not None:
        return Refused(Refusal.CHANNEL_UNSUPPORTED, detail=unfit)
    if not legs:
        served = sorted({each for terms in setup.providers.values() for each in terms.capabilities.channels})
        detail = f"No provider here serves channel {channel[:20]!r}; there are {', '.join(served)}."
        return Refused(Refusal.CHANNEL_UNSUPPORTED, detail=detail)
    return None


def not_understood(setup: Setup, legs: Sequence[Leg], extra: Mapping[str, str]) -> Refused | None:
    """A provider-specific parameter that no provider of these ways understands: nobody would heed it."""
    understood = {name for leg in legs for name in setup.providers[leg.provider].own(extra)} if extra else set[str]()
    unknown = next((name for name in extra if name not in understood), None)
    if unknown is None:
        return None
    detail = f"No provider that this send may go through understands {shown(unknown)!r} in extra."
    return Refused(Refusal.CONTENT_REJECTED, detail=detail)


def intent_of(setup: Setup, to: Recipient, purpose: str, channel: str, key: str, source: str) -> SendIntent:
    """The send as guards and routes see it; `source` is a pseudonym, "" when not told."""
    return SendIntent(
        tenant=setup.tenant,
        purpose=purpose,
        channel=channel,
        recipient_key=key,
        region=to.region,
        line_type=str(to.line_type),
        source=source or None,
    )


def held_by_guards(intent: SendIntent) -> Flow[Wait | Refused | None]:
    """What the guards of the active plugins say."""
    verdict: Verdict | None = yield AskGuards(intent)
    if verdict is None or verdict.guard is Guard.ALLOW:
        return None
    if verdict.guard is Guard.HOLD and verdict.until is not None:
        now: datetime = yield ReadClock()
        left = (verdict.until - now).total_seconds()
        if left <= 0:
            return None
        return Wait(verdict.until, WaitReason.GUARD, NextActions(resend_at=verdict.until), left)
    return Refused(Refusal.DENIED_BY_GUARD, detail=verdict.reason)
