"""Several providers for the flow scripts: a setup of delivering and verifying ones, and failures of each sort.

Rules of this file: values only.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from otpcore.codes import Keyring, Keys
from otpcore.contract import CodeOwner, Failure, FailureKind, FailureScope, SendEffect
from otpcore.flows import Setup
from otpcore.policy import DEFAULT, Profile
from otpcore.routing import Leg, Routing, Rule
from tests.flows.script import CORE, NEW, terms

CALL, SMS = "call", "sms"


def failure(kind: FailureKind, effect: SendEffect = SendEffect.NOT_SENT, **more: Any) -> Failure:
    return Failure(kind, effect, **more)


TRANSIENT = failure(FailureKind.TRANSIENT)
LOST = failure(FailureKind.TIMEOUT, SendEffect.UNKNOWN)
LANDLINE = failure(FailureKind.CHANNEL_UNREACHABLE)
OFTEN = failure(FailureKind.RATE_LIMITED, scope=FailureScope.RECIPIENT, retry_after=timedelta(minutes=3))


def several(
    *owners: CodeOwner,
    routing: Routing | None = None,
    profile: Profile = DEFAULT,
    names: str = "abcdefgh",
    plugged: bool = True,
    **changes: Any,
) -> Setup:
    """Providers a, b, … with these owners of the code."""
    given = owners or (CORE, CORE)
    return Setup(
        tenant="t",
        keyring=Keyring(Keys.of(NEW)),
        profile=profile,
        purposes=frozenset({"login", "payment"}),
        providers={name: terms(owner, name, **changes) for name, owner in zip(names, given, strict=False)},
        routing=routing or Routing(),
        plugged=plugged,
    )


def ways(*legs: tuple[str, str], **more: Any) -> Routing:
    """One rule for every send, with these legs."""
    return Routing((Rule(legs=tuple(Leg(*leg) for leg in legs), **more),))


def on_unknown(*names: str) -> Routing:
    """One rule that goes on after a lost answer."""
    return ways(*((name, "") for name in names), failover_on_unknown=True)
