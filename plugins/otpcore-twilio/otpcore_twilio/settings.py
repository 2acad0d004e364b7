"""What the providers of an account need to know, and what Verify does beside; judged before anything is opened.

Rules of this file: no environment is read here (the core fills the model); a message names settings and
environment variables, never a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from otpcore.errors import ConfigurationError
from otpcore.providers import transport
from otpcore_twilio.parameters import LOCALE, TEMPLATE_SID, is_friendly_name

__all__ = ["AccountSettings", "Channel", "Credentials", "Origin", "TwilioSettings", "secret_of"]

ACCOUNT_SID = re.compile(r"AC[0-9a-f]{32}")
API_KEY_SID = re.compile(r"SK[0-9a-f]{32}")
SERVICE_SID = re.compile(r"VA[0-9a-f]{32}")
LIMIT_NAME = re.compile(r"[0-9A-Za-z_.-]{1,64}")

Channel = Literal["sms", "call", "whatsapp", "email", "sna", "auto"]

DEFAULT_ORIGIN = "https://verify.twilio.com"


@dataclass(frozen=True)
class Origin(transport.Origin):
    """Where a product of Twilio's is.

    Attributes:
        product: the first label of the host that the SDK has for it: "verify", or "api" for Programmable Messaging.
    """

    product: str = "verify"

    @classmethod
    def parse(cls, text: str, product: str = "verify") -> Self:
        """Read an origin.

        Raises:
            ConfigurationError: not an origin, or plain HTTP to another machine.
        """
        return replace(super().parse(text), product=product)

    def place(self, url: str) -> str:
        """Move a URL of the SDK to this origin.

        The product's URLs are moved, whatever TWILIO_REGION and TWILIO_EDGE made of the host. The SDK's other
        products keep theirs, except that from a loopback origin nothing leaves the machine.
        """
        parts = urlsplit(url)
        if self.loopback or (parts.hostname or "").partition(".")[0] == self.product:
            return urlunsplit((self.scheme, self.netloc, parts.path, parts.query, ""))
        return url


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the SDK's client is made with. Never shown.

    Attributes:
        username: account SID, or API key SID.
        password: auth token, or API key secret.
        account_sid: the account.
    """

    username: str
    password: str
    account_sid: str

    def __repr__(self) -> str:
        return "Credentials(…)"


def _listed(given: object) -> object:
    """A text with commas as a tuple; anything else as it is."""
    return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given


class AccountSettings(BaseModel):
    """What every provider of an account is given.

    Give `auth_token`, or `api_key_sid` with `api_key_secret`; where both are given, the API key is used.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    account_sid: str = Field(
        default="",
        validation_alias=AliasChoices("account_sid", "TWILIO_ACCOUNT_SID"),
        description="AC… of the account",
    )
    auth_token: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("auth_token", "TWILIO_AUTH_TOKEN"),
        description="auth token of the account",
    )
    api_key_sid: str = Field(
        default="",
        validation_alias=AliasChoices("api_key_sid", "TWILIO_API_KEY_SID", "TWILIO_API_KEY"),
        description="SK… of an API key",
    )
    api_key_secret: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("api_key_secret", "TWILIO_API_KEY_SECRET", "TWILIO_API_SECRET"),
        description="secret of the API key",
    )
    origin: str = Field(default=DEFAULT_ORIGIN, description="where Verify is; the emulator, or a proxy of your own")
    timeout_s: float = Field(default=8.0, gt=0, le=10, description="seconds that one call may take")
    public_url: str = Field(
        default="", description="scheme, host and perhaps a path under which Twilio reaches this application's receipts"
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="secret of the shared key that signs webhooks, where Twilio uses one"
    )

    def credentials(self) -> Credentials:
        """The credentials, judged.

        Raises:
            ConfigurationError: naming everything that is missing or misshapen, and no value.
        """
        problems: list[str] = []
        if not ACCOUNT_SID.fullmatch(self.account_sid):
            problems.append("account_sid (TWILIO_ACCOUNT_SID) must be AC and 32 hexadecimal digits")
        problems += self._incomplete()
        token = secret_of(self.auth_token)
        key_secret = secret_of(self.api_key_secret)
        if self.api_key_sid or key_secret:
            if not API_KEY_SID.fullmatch(self.api_key_sid):
                problems.append("api_key_sid (TWILIO_API_KEY_SID) must be SK and 32 hexadecimal digits")
            if not key_secret:
                problems.append("api_key_secret (TWILIO_API_KEY_SECRET) is missing")
        elif not token:
            problems.append(
                "auth_token (TWILIO_AUTH_TOKEN) is missing, and so is an API key "
                "(TWILIO_API_KEY_SID and TWILIO_API_KEY_SECRET)"
            )
        secrets = (token, key_secret, secret_of(self.webhook_secret))
        if not all(text.isascii() and text.isprintable() for text in secrets):
            problems.append("auth_token, api_key_secret or webhook_secret holds characters that no such secret has")
        problems += self._misshapen()
        if problems:
            raise ConfigurationError("Twilio: " + "; ".join(problems))
        if self.api_key_sid:
            return Credentials(self.api_key_sid, key_secret, self.account_sid)
        return Credentials(self.account_sid, token, self.account_sid)

    def _incomplete(self) -> list[str]:
        """What the provider cannot be without and has not."""
        return []

    def _misshapen(self) -> list[str]:
        """The defaults of messages that no message could have."""
        return []


class TwilioSettings(AccountSettings):
    """Settings of `twilio`.

    Give `auth_token`, or `api_key_sid` with `api_key_secret`; where both are given, the API key is used.
    """

    service_sid: str = Field(
        default="",
        validation_alias=AliasChoices("service_sid", "TWILIO_SERVICE_SID", "TWILIO_VERIFY_SERVICE_SID"),
        description="VA… of the Verify service",
    )
    custom_code_enabled: bool = Field(
        default=False, description="the service has custom codes switched on, so the core may own the code"
    )
    psd2_enabled: bool = Field(
        default=False, description="the service has PSD2 switched on: every send and check names amount and payee"
    )
    channels: Annotated[tuple[Channel, ...], BeforeValidator(_listed)] = Field(
        default=("sms", "call", "whatsapp"), min_length=1, description="what the service may send on"
    )
    locale: str = Field(default="", description="language of messages where the call names none")
    template_sid: str = Field(default="", description="HJ… of the template of SMS and calls where the call names none")
    friendly_name: str = Field(default="", description="name in the messages where the call gives none")
    risk_check: Literal["enable", "disable"] | None = Field(
        default=None, description="whether Fraud Guard judges an SMS where the call does not say"
    )
    rate_limits: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), description="unique names of the service's rate limits that count by the source of a call"
    )

    def _incomplete(self) -> list[str]:
        rule = "service_sid (TWILIO_SERVICE_SID) must be VA and 32 hexadecimal digits"
        return [] if SERVICE_SID.fullmatch(self.service_sid) else [rule]

    def _misshapen(self) -> list[str]:
        rules = (
            (not self.locale or LOCALE.fullmatch(self.locale), "locale must be a language tag"),
            (
                not self.template_sid or TEMPLATE_SID.fullmatch(self.template_sid),
                "template_sid must be HJ and 32 hexadecimal digits",
            ),
            (not self.friendly_name or is_friendly_name(self.friendly_name), "friendly_name has at most 32 characters"),
            (all(map(LIMIT_NAME.fullmatch, self.rate_limits)), "rate_limits must be unique names of rate limits"),
        )
        return [rule for holds, rule in rules if not holds]


def secret_of(value: SecretStr | None) -> str:
    """The text of a secret setting; "" where it is not set."""
    return "" if value is None else value.get_secret_value()
