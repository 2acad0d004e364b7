"""The providers of an engine, as it was given them.

Rules of this file: the same in both colours, and nothing is called here.
"""

from __future__ import annotations

from collections.abc import Mapping

from otpcore.engine.terms import named
from otpcore.errors import UsageError
from otpcore.ports import AsyncProvider, Provider

__all__ = ["Providing"]


class Providing:
    """What has providers.

    Args:
        providers: one, or several by name.
    """

    def __init__(self, providers: Provider | AsyncProvider | Mapping[str, Provider | AsyncProvider]) -> None:
        self._given = named(providers)

    def provider(self, name: str) -> Provider | AsyncProvider:
        """One of the providers, for what it can do beside: the `deliver_to` of SMPP, the `native_client` of an SDK.

        It is the object itself, whichever its colour. A send or check that is asked of it is counted by nobody.

        Args:
            name: its name here; a single one that was given without a name is "default".

        Raises:
            UsageError: there is none of this name; the message lists those that there are.
        """
        if name not in self._given:
            raise UsageError(f"There is no provider {name!r} here; there are {', '.join(self._given)}.")
        return self._given[name]
