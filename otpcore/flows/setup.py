"""What a flow is given: the configuration of one engine, as values, and questions about it.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from otpcore.codes import Keyring, Token, pseudonym, tenant_digest
from otpcore.contract import CodeOwner, ProviderCapabilities, mask
from otpcore.effects import Effect
from otpcore.errors import UnknownPurpose
from otpcore.events import Event
from otpcore.ledger import next_actions
from otpcore.messages import DEFAULT_TEMPLATES, Templates
from otpcore.model import RecipientRecord, Session
from otpcore.phone import RegionPolicy
from otpcore.policy import NotYet, Profile
from otpcore.results import NextActions, SessionView, WaitReason
from otpcore.routing import MOST_LEGS, Routing

__all__ = [
    "LEASE_MARGIN",
    "Flow",
    "ProviderTerms",
    "Setup",
    "ends_at",
    "event",
    "gate",
    "held_by",
    "next_of",
    "shown",
    "view",
    "window",
]

T = TypeVar("T")
Flow = Generator[Effect, Any, T]
"""Yields effects, is sent their results, returns a `T`."""

_SECRETS: Final = re.compile(r"\d{4,}|.*@.*")

LEASE_MARGIN: Final = timedelta(seconds=5)
"""Beyond the deadline of a provider call, for the commit that settles it."""


@dataclass(frozen=True, slots=True)
class ProviderTerms:
    """One configured provider instance, as the flows see it.

    Attributes:
        name: of the instance.
        capabilities: as it declares them.
        owner: who owns the code of sessions on it.
        cancels, reconciles, reads_receipts: whether it has the optional protocol.
        takes_feedback: it has that one, and the core owns its codes.
    """

    name: str
    capabilities: ProviderCapabilities
    owner: CodeOwner
    cancels: bool = False
    reconciles: bool = False
    reads_receipts: bool = False
    takes_feedback: bool = False

    @property
    def lifetime(self) -> timedelta | None:
        """Of a provider-owned code, from the handle's first send; None for a code of the core."""
        return self.capabilities.code_lifetime if self.owner is CodeOwner.PROVIDER else None

    @property
    def messages(self) -> int:
        """That one send through it may bring."""
        return 1 + self.capabilities.extra_sends

    def own(self, extra: Mapping[str, str]) -> Mapping[str, str]:
        """The provider-specific parameters that it understands."""
        names = self.capabilities.extra_names
        return extra if names is None else {name: value for name, value in extra.items() if name in names}


@dataclass(frozen=True, slots=True)
class Setup:
    """The configuration of one engine.

    Attributes:
        tenant: whose recipients these are.
        keyring: keys of the peppers in force.
        profile: the policy in force.
        purposes: the names that `purpose` may have.
        providers: by name, in the order of preference; at least one.
        destinations: which regions and line types are served.
        timeout_s: deadline of one provider call, at most 10 s.
        plugged: there are plugins, whose guards and routes are asked.
        templates: words of the codes of the core.
        brand: the name in them; "" for none.
        routing: which provider a send goes through, and which ones after it.
        keep_number: a session keeps its recipient, sealed, where a rule has a use for it.
        tenant_id: the tenant's digest.
        served: the channels of each provider, in the order of preference.
        lease: after this long nobody settles a send or a claim any more: each leg that a send may have takes a deadline
            and a commit.
        deadline: `timeout_s`, as a duration.
        code_lengths: shortest and longest code that any session here can have.
        reports: some provider takes feedback.
    """

    tenant: str
    keyring: Keyring
    profile: Profile
    purposes: frozenset[str]
    providers: Mapping[str, ProviderTerms]
    destinations: RegionPolicy = field(default_factory=RegionPolicy)
    timeout_s: float = 8.0
    plugged: bool = True
    templates: Templates = DEFAULT_TEMPLATES
    brand: str = ""
    routing: Routing = field(default_factory=Routing)
    keep_number: bool = False

    tenant_id: str = field(init=False)
    served: Mapping[str, frozenset[str]] = field(init=False)
    lease: timedelta = field(init=False)
    deadline: timedelta = field(init=False)
    code_lengths: tuple[int, int] = field(init=False)
    reports: bool = field(init=False)

    def __post_init__(self) -> None:
        """Work out what every operation asks for."""
        lengths = [
            (self.profile.code_digits, self.profile.code_digits)
            if terms.owner is CodeOwner.CORE
            else terms.capabilities.code_digits
            for terms in self.providers.values()
        ]
        set_once = partial(object.__setattr__, self)
        set_once("tenant_id", tenant_digest(self.tenant))
        set_once("served", {name: terms.capabilities.channels for name, terms in self.providers.items()})
        legs = max([min(MOST_LEGS, len(self.providers)), *[rule.most_legs for rule in self.routing.rules]])
        set_once("deadline", timedelta(seconds=self.timeout_s))
        set_once("lease", legs * (self.deadline + LEASE_MARGIN))
        set_once("code_lengths", (min(short for short, _ in lengths), max(long for _, long in lengths)))
        set_once("reports", any(terms.takes_feedback for terms in self.providers.values()))

    def check_purpose(self, purpose: str) -> None:
        """Refuse a purpose that is not configured.

        Raises:
            UnknownPurpose: naming the configured ones.
        """
        if purpose not in self.purposes:
            known = ", ".join(sorted(self.purposes))
            raise UnknownPurpose(f"Purpose {shown(purpose)!r} is not one of this engine's: {known}.")

    def source(self, source: str | None) -> str:
        """The pseudonym of a source; "" when not told."""
        if not source:
            return ""
        text = source.encode(errors="backslashreplace").decode()  # an end user may send what no encoding takes
        return pseudonym(self.keyring.current, self.tenant_id, text)


def shown(word: str) -> str:
    """What a caller gave for a name, as a message may repeat it: they may have swapped the arguments."""
    return _SECRETS.sub("…", word[:40])


def window(setup: Setup, terms: ProviderTerms) -> timedelta:
    """How long the provider goes on with one verification, from its first send."""
    limit = terms.capabilities.limit
    return limit.window if limit else terms.lifetime or setup.profile.code_lifetime


def ends_at(setup: Setup, session: Session, now: datetime) -> datetime:
    """When a live session ends at the latest, in the future: one that is over waits for its last open claims."""
    return session.expires_at if session.expires_at > now else now + setup.lease


def gate(setup: Setup, record: RecipientRecord, terms: ProviderTerms, purpose: str, *, now: datetime) -> NotYet | None:
    """Whether the provider's own live verification stands against a send; None means no.

    A provider-owned code opens every session that shares its verification: one purpose at a time, and no
    send that the provider would refuse anyway.
    """
    if terms.owner is CodeOwner.CORE:
        return None
    limit = terms.capabilities.limit
    ends: list[NotYet] = [
        NotYet(ends_at(setup, one, now), WaitReason.OTHER_PURPOSE)
        for one in record.sessions
        if one.is_live and one.provider == terms.name and one.owner is CodeOwner.PROVIDER and one.purpose != purpose
    ]
    for handle in record.handles:
        over = handle.opened_by + window(setup, terms)
        if handle.provider != terms.name or handle.ended:
            continue
        if handle.purpose != purpose:
            # the provider opened it up to a deadline after the reservation that counts here
            if now < over + setup.lease:
                ends.append(NotYet(over + setup.lease, WaitReason.OTHER_PURPOSE))
        elif now >= over:
            continue
        elif (limit and handle.sends >= limit.sends) or handle.checks >= setup.profile.checks_per_session:
            ends.append(NotYet(over, WaitReason.PROVIDER_WINDOW))
    return max(ends, key=lambda each: each.until, default=None)


def held_by(
    setup: Setup, record: RecipientRecord, purpose: str, *, now: datetime, beside: str = ""
) -> dict[str, datetime]:
    """The providers that have, or may have, a live verification of this purpose, each with when that is over.

    While there is one, no other provider that makes codes is asked for a second: two codes would be live, and each
    guess worth twice as much. `beside`: the nonce of a session that is not looked at.
    """
    held = {
        one.provider: ends_at(setup, one, now)
        for one in record.sessions
        if one.is_live and one.owner is CodeOwner.PROVIDER and one.purpose == purpose and one.id != beside
    }
    for handle in record.handles:
        terms = setup.providers.get(handle.provider)
        lasts = window(setup, terms) if terms is not None else setup.profile.code_lifetime
        over = handle.opened_by + lasts + setup.lease  # the provider opened it so long after its reservation at most
        if handle.purpose == purpose and not handle.ended and now < over:
            held[handle.provider] = max(over, held.get(handle.provider, over))
    return held


def next_of(
    setup: Setup, record: RecipientRecord, session: Session | None, *, now: datetime, source: str = ""
) -> NextActions:
    """What can be done from here, the provider's own window included."""
    terms = setup.providers.get(session.provider) if session is not None and session.is_live else None
    closed = gate(setup, record, terms, session.purpose, now=now) if terms is not None and session is not None else None
    not_before = closed.until if closed else None
    messages = terms.messages if terms is not None else 1
    return next_actions(
        record, session, setup.profile, now=now, not_before=not_before, source=source, messages=messages
    )


def view(session: Session, token: Token | None) -> SessionView:
    """The session as its holder may know it."""
    return SessionView(
        token=str(token) if token is not None else None,
        id=session.id,
        purpose=session.purpose,
        status=session.status,
        channel=session.channel,
        provider=session.provider,
    )


def event(
    setup: Setup,
    name: str,
    *,
    at: datetime,
    key: str = "",
    address: str = "",
    session: Session | None = None,
    purpose: str = "",
    **detail: str,
) -> Event:
    """A fact for audit log and plugins: pseudonym and last two characters, never a code or an address."""
    return Event(
        name=name,
        at=at,
        tenant=setup.tenant,
        purpose=session.purpose if session is not None else purpose,
        recipient_key=key,
        recipient_tail=mask(address) if address else "",
        session=session.id if session is not None else "",
        detail=detail,
    )
