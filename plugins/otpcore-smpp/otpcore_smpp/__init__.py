"""SMPP 3.4 for otpcore: codes over a link to an operator or aggregator.

The provider is `SmppProvider`, or `AsyncSmppProvider`.

Rules of this file: registration and re-exports.
"""

from __future__ import annotations

from collections.abc import Iterable

from otpcore.hookspecs import ProviderType, hookimpl
from otpcore_smpp.aio import AsyncSmppProvider
from otpcore_smpp.blocking import SmppProvider
from otpcore_smpp.messages import SubmitResponse
from otpcore_smpp.settings import SmppSettings

__all__ = ["AsyncSmppProvider", "SmppProvider", "SmppSettings", "SubmitResponse"]


@hookimpl
def otpcore_providers() -> Iterable[ProviderType]:
    """The `smpp` provider type."""
    return (ProviderType("smpp", "SMPP 3.4", SmppSettings, SmppProvider, AsyncSmppProvider),)
