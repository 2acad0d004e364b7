"""E-mail over SMTP for otpcore.

The provider is `SmtpProvider`, or `AsyncSmtpProvider`.

Rules of this file: registration and re-exports; importing it loads neither a mail library nor TLS.
"""

from __future__ import annotations

from collections.abc import Iterable

from otpcore.hookspecs import ProviderType, hookimpl
from otpcore_smtp.aio import AsyncSmtpProvider
from otpcore_smtp.blocking import SmtpProvider
from otpcore_smtp.settings import SmtpSettings

__all__ = ["AsyncSmtpProvider", "SmtpProvider", "SmtpSettings"]


@hookimpl
def otpcore_providers() -> Iterable[ProviderType]:
    """The `smtp` provider type."""
    return (ProviderType("smtp", "e-mail over SMTP", SmtpSettings, SmtpProvider, AsyncSmtpProvider),)
