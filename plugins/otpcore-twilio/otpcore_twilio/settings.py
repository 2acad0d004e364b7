"""What the Twilio provider needs to know, and the judgement of it before anything is opened.

Rules of this file: no environment is read here (the core fills the model); a message names settings and
environment variables, never a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr

from otpcore.errors import ConfigurationError
from otpcore_twilio.loopback import is_loopback

__all__ = ["Credentials", "Origin", "TwilioSettings"]

ACCOUNT_SID = re.compile(r"AC[0-9a-f]{32}")
API_KEY_SID = re.compile(r"SK[0-9a-f]{32}")
SERVICE_SID = re.compile(r"VA[0-9a-f]{32}")

DEFAULT_ORIGIN = "https://verify.twilio.com"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where Verify is.

    Attributes:
        scheme: "https", or "http" on a loopback address.
        netloc: host, and port where it is not the default.
        loopback: the host is this machine.
    """

    scheme: str
    netloc: str
    loopback: bool

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read an origin.

        Raises:
            ConfigurationError: not an origin, or plain HTTP to another machine.
        """
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port  # a bad port raises here
        except ValueError:
            host, parts = None, urlsplit("")
        if not host or parts.scheme not in {"https", "http"} or parts.path.strip("/") or parts.query or parts.fragment:
            raise ConfigurationError("origin: give scheme, host and optional port, nothing else")
        if parts.username is not None or parts.password is not None or not text.isascii() or not text.isprintable():
            raise ConfigurationError("origin: no user information, no unusual characters")
        loopback = is_loopback(host)
        if parts.scheme == "http" and not loopback:
            raise ConfigurationError("origin: plain http is allowed only to a loopback address")
        return cls(parts.scheme, parts.netloc, loopback)

    def place(self, url: str) -> str:
        """Move a URL of the SDK to this origin.

        Verify's URLs are moved, whatever TWILIO_REGION and TWILIO_EDGE made of the host. The SDK's other
        products keep theirs, except that from a loopback origin nothing leaves the machine.
        """
        parts = urlsplit(url)
        if self.loopback or (parts.hostname or "").partition(".")[0] == "verify":
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


class TwilioSettings(BaseModel):
    """Settings of `twilio`.

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
    service_sid: str = Field(
        default="",
        validation_alias=AliasChoices("service_sid", "TWILIO_SERVICE_SID", "TWILIO_VERIFY_SERVICE_SID"),
        description="VA… of the Verify service",
    )
    origin: str = Field(default=DEFAULT_ORIGIN, description="where Verify is; the emulator, or a proxy of your own")
    timeout_s: float = Field(default=8.0, gt=0, le=10, description="seconds that one call may take")
    custom_code_enabled: bool = Field(
        default=False, description="the service has custom codes switched on, so the core may own the code"
    )

    def credentials(self) -> Credentials:
        """The credentials, judged.

        Raises:
            ConfigurationError: naming everything that is missing or misshapen, and no value.
        """
        problems: list[str] = []
        if not ACCOUNT_SID.fullmatch(self.account_sid):
            problems.append("account_sid (TWILIO_ACCOUNT_SID) must be AC and 32 hexadecimal digits")
        if not SERVICE_SID.fullmatch(self.service_sid):
            problems.append("service_sid (TWILIO_SERVICE_SID) must be VA and 32 hexadecimal digits")
        token = _secret(self.auth_token)
        key_secret = _secret(self.api_key_secret)
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
        if not all(text.isascii() and text.isprintable() for text in (token, key_secret)):
            problems.append("auth_token or api_key_secret holds characters that no such secret has")
        if problems:
            raise ConfigurationError("Twilio: " + "; ".join(problems))
        if self.api_key_sid:
            return Credentials(self.api_key_sid, key_secret, self.account_sid)
        return Credentials(self.account_sid, token, self.account_sid)


def _secret(value: SecretStr | None) -> str:
    return "" if value is None else value.get_secret_value()
