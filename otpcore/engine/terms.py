"""From what an engine is given to what its flows are given; every combination that cannot be is refused here.

Rules of this file: no I/O; both engines are built from the same values by the same function.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Iterable, Mapping
from typing import Final

from otpcore.codes import Keyring, Keys
from otpcore.contract import CodeOwner, Durability, StoreCapabilities
from otpcore.engine.bounding import LARGEST
from otpcore.engine.routes import check_routing, check_windows
from otpcore.errors import ColourError, ConfigurationError, PepperError
from otpcore.flows import ProviderTerms, Setup
from otpcore.messages import Templates
from otpcore.phone import RegionPolicy
from otpcore.policy import LONGEST_LIFETIME, Profile
from otpcore.ports import (
    AsyncCancels,
    AsyncChecks,
    AsyncProvider,
    AsyncReconcilesCheck,
    AsyncTakesFeedback,
    Provider,
    ReadsReceipts,
)
from otpcore.routing import Routing

__all__ = ["is_awaiting", "make_setup", "named", "refuse_awaiting"]

LONGEST_TIMEOUT_S: Final = 10.0
"""A person waits in front of a form; after ten seconds the answer is worth nothing to them."""


def named(
    providers: Provider | AsyncProvider | Mapping[str, Provider | AsyncProvider],
) -> dict[str, Provider | AsyncProvider]:
    """Providers by name, in the order of preference; a single one is named "default"."""
    given = dict(providers) if isinstance(providers, Mapping) else {"default": providers}
    if not given or not all(given):
        raise ConfigurationError("An engine needs at least one provider, and each provider a name.")
    return given


def is_awaiting(given: object, method: str) -> bool:
    """Whether a store or provider is of the awaiting colour."""
    return inspect.iscoroutinefunction(getattr(given, method, None))


def make_setup(
    *,
    store: StoreCapabilities,
    providers: Mapping[str, Provider | AsyncProvider],
    pepper: bytes | None,
    previous_peppers: Iterable[bytes],
    tenant: str,
    profile: Profile,
    purposes: Iterable[str],
    destinations: RegionPolicy,
    code_owner: CodeOwner | None,
    routing: Routing | None,
    keep_number: bool,
    timeout_s: float,
    provider_concurrency: int,
    plugged: bool,
    templates: Templates,
    brand: str,
) -> Setup:
    """Check and freeze the configuration of an engine.

    Raises:
        PepperError: none was given although records outlive the process, or one is short.
        ConfigurationError: anything else that cannot be, with what to do.
    """
    if pepper is None:
        if store.durability is not Durability.VOLATILE:
            raise PepperError(
                "This store keeps records, so it needs a pepper that is kept too: give 32 random bytes "
                "(settings: OTPCORE_PEPPER)."
            )
        pepper = secrets.token_bytes(32)
    if not tenant:
        raise ConfigurationError("The tenant needs a name.")
    known = frozenset(() if isinstance(purposes, str) else purposes)  # a text would be a purpose for each letter
    if not known or not all(purpose and purpose.isprintable() and len(purpose) <= 64 for purpose in known):  # noqa: PLR2004  # said in the text
        raise ConfigurationError("purposes lists at least one purpose, each of 1 to 64 printable characters.")
    if not 0 < timeout_s <= LONGEST_TIMEOUT_S:
        raise ConfigurationError(f"timeout_s is more than 0 and at most {LONGEST_TIMEOUT_S:g}, not {timeout_s:g}.")
    if not 1 <= provider_concurrency <= LARGEST:
        raise ConfigurationError(f"provider_concurrency is 1 to {LARGEST}, not {provider_concurrency}.")
    peppers = (*previous_peppers, pepper)
    if len(set(peppers)) < len(peppers):
        raise PepperError("A pepper is either in force or being rotated out: one is listed twice.")
    terms = {name: _terms(name, provider, profile, code_owner) for name, provider in providers.items()}
    _refuse_shared(terms)
    templates.check(brand, profile.code_digits)
    check_windows(terms, profile)
    if routing is not None:
        check_routing(routing, terms, profile, known, keep_number=keep_number)
    return Setup(
        tenant=tenant,
        keyring=Keyring(Keys.of(pepper), tuple(Keys.of(each) for each in peppers[:-1])),
        profile=profile,
        purposes=known,
        providers=terms,
        destinations=destinations,
        timeout_s=timeout_s,
        plugged=plugged,
        templates=templates,
        brand=brand,
        routing=routing or Routing(),
        keep_number=keep_number,
    )


def _terms(
    name: str, provider: Provider | AsyncProvider, profile: Profile, code_owner: CodeOwner | None
) -> ProviderTerms:
    can = provider.capabilities
    if not can.code_owners:
        raise ConfigurationError(f"Provider {name!r} declares no owner of the code.")
    preferred = CodeOwner.PROVIDER if CodeOwner.PROVIDER in can.code_owners else CodeOwner.CORE
    owner = code_owner or preferred
    if owner not in can.code_owners:
        able = " or ".join(sorted(can.code_owners))
        raise ConfigurationError(f"Provider {name!r} works with codes owned by {able}, not by {owner}.")
    if owner is CodeOwner.PROVIDER and (can.code_lifetime or LONGEST_LIFETIME) > LONGEST_LIFETIME:
        raise ConfigurationError(
            f"Codes of provider {name!r} live {can.code_lifetime}; ten minutes are the most. Shorten it there."
        )
    if owner is CodeOwner.PROVIDER and not isinstance(provider, AsyncChecks):  # the check is for the method's presence
        raise ConfigurationError(f"Provider {name!r} says that it owns codes, but has no check method.")
    if can.extra_sends < 0 or 1 + can.extra_sends > profile.daily_cap:
        raise ConfigurationError(
            f"One send through provider {name!r} may bring {1 + can.extra_sends} messages, and the profile "
            f"{profile.name!r} allows {profile.daily_cap} a day. Let the provider add fewer, or choose another profile."
        )
    if profile.simulated_only and not can.stands_in:
        raise ConfigurationError(
            f"The profile {profile.name!r} is for demonstrations with an emulator or the fake; {name!r} is neither. "
            "Choose another profile (settings: OTPCORE_PROFILE=default)."
        )
    return ProviderTerms(
        name=name,
        capabilities=can,
        owner=owner,
        cancels=isinstance(provider, AsyncCancels),
        reconciles=isinstance(provider, AsyncReconcilesCheck),
        reads_receipts=isinstance(provider, ReadsReceipts),
        takes_feedback=owner is CodeOwner.CORE and isinstance(provider, AsyncTakesFeedback),
    )


def _refuse_shared(providers: Mapping[str, ProviderTerms]) -> None:
    """Verifications are told apart by the provider's name: two names for one account would mix purposes."""
    seen: dict[str, str] = {}
    for name, terms in providers.items():
        scope = terms.capabilities.scope
        if scope is None or terms.owner is CodeOwner.CORE:
            continue
        if scope in seen:
            raise ConfigurationError(
                f"Providers {seen[scope]!r} and {name!r} share their verifications. Give each its own service."
            )
        seen[scope] = name


def refuse_awaiting(store: object, providers: Mapping[str, object]) -> None:
    """A blocking engine cannot drive what only awaits.

    Raises:
        ColourError: naming it.
    """
    if is_awaiting(store, "commit"):
        raise ColourError(f"{type(store).__name__} only awaits; a blocking Engine cannot drive it. Use AsyncEngine.")
    for name, provider in providers.items():
        if is_awaiting(provider, "send"):
            raise ColourError(f"Provider {name!r} only awaits; a blocking Engine cannot drive it. Use AsyncEngine.")
