"""What the Messaging provider needs to know beside the account, and the judgement of it.

Rules of this file: as for `otpcore_twilio.settings`.
"""

from __future__ import annotations

import re
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field

from otpcore.errors import ConfigurationError
from otpcore_twilio.settings import AccountSettings
from otpcore_twilio.signature import public_prefix

__all__ = ["DEFAULT_ORIGIN", "TwilioMessagingSettings"]

DEFAULT_ORIGIN: Final = "https://api.twilio.com"

_SERVICE_SID: Final = re.compile(r"MG[0-9a-f]{32}")
_SENDER: Final = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|(?=.*[A-Za-z])[0-9A-Za-z &+_-]{1,11}")
"""A number, a short code, or an alphanumeric sender id: 11 characters, a letter among them (Twilio's "Alphanumeric
Sender ID", November 2026)."""

_CALLBACK: Final = re.compile(r"https?://[^/?#@_\\]+/[!-\"$-~]*")
"""Scheme, host without underscores, a path; printable ASCII, no fragment (the "Messages resource", April 2026)."""


class TwilioMessagingSettings(AccountSettings):
    """Settings of `twilio-messaging`.

    Give `messaging_service_sid` or `sender`, or a service and a sender of its pool.
    """

    messaging_service_sid: str = Field(
        default="",
        validation_alias=AliasChoices("messaging_service_sid", "TWILIO_MESSAGING_SERVICE_SID"),
        description="MG… of the Messaging Service",
    )
    sender: str = Field(
        default="",
        validation_alias=AliasChoices("sender", "TWILIO_FROM_NUMBER", "TWILIO_PHONE_NUMBER"),
        description="number, short code or alphanumeric sender id that messages come from",
    )
    origin: str = Field(
        default=DEFAULT_ORIGIN, description="where Twilio's API is; the emulator, or a proxy of your own"
    )
    status_callback: str = Field(
        default="", description="whole URL at which Twilio tells what became of each message; none: nothing is told"
    )
    provide_feedback: bool = Field(
        default=False, description="each message is one whose outcome Twilio hears of (Message Feedback)"
    )
    risk_check: Literal["enable", "disable"] | None = Field(
        default=None, description="whether SMS Pumping Protection judges a message where the call does not say"
    )

    def receipts_at(self) -> str:
        """What stands before the path of every receipt: `public_url`, else the origin of `status_callback`.

        Raises:
            ConfigurationError: one of them is no such URL, or the callback is not under the public URL.
        """
        prefix = public_prefix(self.public_url)
        if not self.status_callback:
            return prefix
        if not _CALLBACK.fullmatch(self.status_callback):
            raise ConfigurationError("status_callback: give scheme, host, path and perhaps a query, nothing else")
        if prefix and not self.status_callback.startswith(f"{prefix}/"):
            raise ConfigurationError("status_callback must be under public_url")
        parts = urlsplit(self.status_callback)
        return prefix or public_prefix(f"{parts.scheme}://{parts.netloc}")

    def _incomplete(self) -> list[str]:
        if self.messaging_service_sid and not _SERVICE_SID.fullmatch(self.messaging_service_sid):
            return ["messaging_service_sid (TWILIO_MESSAGING_SERVICE_SID) must be MG and 32 hexadecimal digits"]
        if not self.messaging_service_sid and not self.sender:
            return ["messaging_service_sid (TWILIO_MESSAGING_SERVICE_SID) or sender (TWILIO_FROM_NUMBER) is missing"]
        return []

    def _misshapen(self) -> list[str]:
        if self.sender and not _SENDER.fullmatch(self.sender):
            return ["sender must be an E.164 number, a short code, or up to 11 letters and digits"]
        return []
