"""Programmable Messaging: codes of the core as SMS, over Twilio's `Messages` resource.

The provider is `TwilioMessagingProvider`, or `AsyncTwilioMessagingProvider`; its settings are
`TwilioMessagingSettings`.

Rules of this file: re-exports; importing it loads neither the SDK nor an HTTP library.
"""

from otpcore_twilio.messaging.aio import AsyncTwilioMessagingProvider
from otpcore_twilio.messaging.settings import TwilioMessagingSettings
from otpcore_twilio.messaging.sync import TwilioMessagingProvider

__all__ = ["AsyncTwilioMessagingProvider", "TwilioMessagingProvider", "TwilioMessagingSettings"]
