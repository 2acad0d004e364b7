"""What an engine does once, when it first works: claim the providers' scopes for its tenant.

Rules of this file: see `otpcore.flows`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from otpcore.codes import scope_key
from otpcore.contract import CodeOwner, Conflict, Version, Versioned
from otpcore.effects import Commit, Load, ReadClock
from otpcore.errors import ConfigurationError
from otpcore.flows.setup import Flow, Setup

__all__ = ["claim_scopes"]

SCOPE_KEPT: Final = timedelta(days=3650)


def claim_scopes(setup: Setup) -> Flow[None]:
    """Make sure that no other tenant of this store shares a provider's verifications.

    A provider-owned code opens every session that shares its verification: with one Twilio service for two
    tenants, a person of the one could be approved by a code that the other asked for.

    Raises:
        ConfigurationError: another tenant has the scope.
    """
    mine = setup.tenant_id.encode()
    for terms in setup.providers.values():
        scope = terms.capabilities.scope
        if scope is None or terms.owner is CodeOwner.CORE:
            continue
        key = scope_key(scope)
        found: Versioned | None = yield Load(key)
        if found is None:
            now: datetime = yield ReadClock()
            answer: Version | Conflict = yield Commit(key, mine, None, now + SCOPE_KEPT)
            found = answer.current if isinstance(answer, Conflict) else None
        if found is not None and found.data != mine:
            raise ConfigurationError(
                f"Provider {terms.name!r} is used by another tenant of this store: verifications would be shared. "
                "Give each tenant its own service at the provider."
            )
