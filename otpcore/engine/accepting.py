"""What an operator's settings accept of a provider and of a store; what they do not is refused before it is used.

Rules of this file: settings and capabilities in, a refusal that says what to do out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from otpcore.contract import Durability, ProviderCapabilities, StoreCapabilities
from otpcore.errors import ConfigurationError

if TYPE_CHECKING:
    from otpcore.settings import Settings  # who has one has paid for it

__all__ = ["check_production", "check_store"]


def check_production(settings: Settings, providers: Mapping[str, ProviderCapabilities]) -> None:
    """Refuse, in production, what is made for demonstrations.

    Args:
        settings: the settings in force.
        providers: what the providers in use declare, by name.

    Raises:
        ConfigurationError: the settings say production, and a provider is simulated or the profile is for
            demonstrations.
    """
    if not settings.production:
        return
    wrong = [f"provider {name!r} sends nothing" for name, can in sorted(providers.items()) if can.simulated]
    if settings.policy().simulated_only:
        wrong.append(f"profile {settings.profile!r} is for demonstrations")
    if wrong:
        raise ConfigurationError(
            f"OTPCORE_PRODUCTION is set, and {' and '.join(wrong)}. Choose others (OTPCORE_PROVIDER, "
            "OTPCORE_PROFILE), or unset what leads a provider to an emulator (such as OTPCORE_TWILIO_ORIGIN). "
            "Only for demonstrations leave OTPCORE_PRODUCTION unset."
        )


def check_store(settings: Settings, can: StoreCapabilities) -> None:
    """Refuse a store that promises less than the operator relies on.

    Args:
        settings: the settings in force.
        can: what the store declares.

    Raises:
        ConfigurationError: several processes would each have a budget of their own; or its records survive too little.
    """
    if settings.workers > 1 and not can.multi_process:
        raise ConfigurationError(
            f"Store {settings.store!r} serves one process, and OTPCORE_WORKERS (or WEB_CONCURRENCY) says "
            f"{settings.workers}: each would have limits of its own. Choose a store that processes share "
            "(OTPCORE_STORE=tinydb), or run one."
        )
    least = settings.durability or (Durability.PROCESS if settings.production else Durability.VOLATILE)
    levels = tuple(Durability)
    if levels.index(can.durability) < levels.index(least):
        why = "OTPCORE_DURABILITY" if settings.durability else "OTPCORE_PRODUCTION"
        raise ConfigurationError(
            f"Records of store {settings.store!r} are {can.durability!s}, and {why} asks for {least!s} at least. "
            f"Choose another store (OTPCORE_STORE), or accept it: OTPCORE_DURABILITY={can.durability!s}."
        )
