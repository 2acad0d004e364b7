"""Twilio Verify and Programmable Messaging for otpcore.

Verify's provider is `TwilioProvider`, or `AsyncTwilioProvider`; that of messages is `TwilioMessagingProvider`, or
`AsyncTwilioMessagingProvider`. The emulator of both is `otpcore_twilio.emulator`.

Rules of this file: registration and re-exports; importing it loads neither the SDK nor an HTTP library.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otpcore.hookspecs import CommandGroup, ProviderType, hookimpl
from otpcore_twilio.aio import AsyncTwilioProvider
from otpcore_twilio.messaging import (
    AsyncTwilioMessagingProvider,
    TwilioMessagingProvider,
    TwilioMessagingSettings,
)
from otpcore_twilio.settings import TwilioSettings
from otpcore_twilio.verify import TwilioProvider

__all__ = [
    "AsyncTwilioMessagingProvider",
    "AsyncTwilioProvider",
    "TwilioMessagingProvider",
    "TwilioMessagingSettings",
    "TwilioProvider",
    "TwilioSettings",
]


@hookimpl
def otpcore_providers() -> Iterable[ProviderType]:
    """The provider types `twilio` and `twilio-messaging`."""
    return (
        ProviderType("twilio", "Twilio Verify", TwilioSettings, TwilioProvider, AsyncTwilioProvider),
        ProviderType(
            "twilio-messaging",
            "Twilio Programmable Messaging",
            TwilioMessagingSettings,
            TwilioMessagingProvider,
            AsyncTwilioMessagingProvider,
        ),
    )


@hookimpl
def otpcore_commands() -> Iterable[CommandGroup]:
    """`otpcore emulator twilio`."""
    return (
        CommandGroup(("emulator", "twilio"), _load_emulator_command, "Twilio Verify v2 and Messages on this machine"),
    )


def _load_emulator_command() -> Any:
    from otpcore_twilio.emulator.command import app  # noqa: PLC0415  # loads the command line and the server

    return app
