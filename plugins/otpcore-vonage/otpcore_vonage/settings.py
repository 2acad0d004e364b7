"""What the Vonage provider needs to know, and the judgement of it before anything is opened.

Rules of this file: no environment is read here (the core fills the model); a message names settings and
environment variables, never a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal, cast

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from otpcore.errors import ConfigurationError

__all__ = ["LONGEST_S", "Channel", "Credentials", "VonageSettings", "secret_of"]

Channel = Literal["sms", "call", "whatsapp", "email"]
"""The core's words; Vonage's word for "call" is "voice", which is understood here too."""

LONGEST_S: Final = 600
"""Seconds that a code may live in the core; the steps of a workflow must be over by then."""

MOST_STEPS: Final = 3
"""Channels of one workflow (Vonage's API reference of Verify v2, 1.0.1, November 2026)."""

DEFAULT_ORIGIN: Final = "https://api.nexmo.com"

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_API_KEY: Final = re.compile(r"[0-9A-Za-z]{4,32}")
_BRAND: Final = re.compile(r"[^\\/{}:$\x00-\x1f]{1,16}")
"""The same reference, which escapes these characters; the SDK 2.2.0 stops at 16 of them."""

_SENDER: Final = re.compile(r"[A-Za-z0-9]{3,11}|[1-9][0-9]{6,14}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{6,14}")
_INDIAN_ID: Final = re.compile(r"[0-9]{1,20}")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
_PEM: Final = "-----BEGIN PRIVATE KEY-----"


def secret_of(value: SecretStr | None) -> str:
    """The text of a secret setting; "" where it is not set."""
    return "" if value is None else value.get_secret_value()


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the SDK's client is made with; either pair. Never shown.

    Attributes:
        application_id, private_key: for requests that carry a JWT.
        api_key, api_secret: for requests with basic authentication.
    """

    application_id: str | None = None
    private_key: str | None = field(default=None, repr=False)
    api_key: str | None = None
    api_secret: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return "Credentials(…)"


def _listed(given: object) -> object:
    """A text with commas as a tuple, Vonage's "voice" as the core's "call"; anything else as it is."""
    if isinstance(given, str):
        given = tuple(part.strip() for part in given.split(",") if part.strip())
    if isinstance(given, list | tuple):
        steps = cast("tuple[object, ...]", given)
        return tuple("call" if each == "voice" else each for each in steps)
    return given


class VonageSettings(BaseModel):
    """Settings of `vonage`.

    Give `application_id` with a private key, or `api_key` with `api_secret`; where both are given, requests go out
    with the application's JWT, and the API key says which account it is.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    application_id: str = Field(
        default="",
        validation_alias=AliasChoices("application_id", "VONAGE_APPLICATION_ID"),
        description="UUID of the application",
    )
    private_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("private_key", "VONAGE_PRIVATE_KEY"),
        description="private key of the application, PEM (PKCS 8)",
    )
    private_key_path: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("private_key_path", "VONAGE_PRIVATE_KEY_PATH"),
        description="file that holds the private key",
    )
    api_key: str = Field(
        default="", validation_alias=AliasChoices("api_key", "VONAGE_API_KEY"), description="API key of the account"
    )
    api_secret: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("api_secret", "VONAGE_API_SECRET"),
        description="API secret of the account",
    )
    signature_secret: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("signature_secret", "VONAGE_SIGNATURE_SECRET"),
        description="secret with which Vonage signs its callbacks; without it none is read",
    )
    brand: str = Field(default="", description="name in every message, 1 to 16 characters")
    channels: Annotated[tuple[Channel, ...], BeforeValidator(_listed)] = Field(
        default=("sms", "call"), min_length=1, description="the workflow: the steps in their order"
    )
    moves: bool = Field(default=True, description="a verification goes on to the later steps by itself")
    channel_timeout_s: int = Field(default=180, ge=15, le=900, description="seconds that one step lasts")
    code_length: int = Field(default=6, ge=4, le=10, description="digits of the codes that Vonage makes")
    locale: str = Field(default="", description="language of messages where the call names none")
    sms_from: str = Field(default="", description="sender of SMS; else Vonage's")
    whatsapp_from: str = Field(default="", description="number of the WhatsApp Business Account, without +")
    email_from: str = Field(default="", description="sender of e-mail; else Vonage's")
    entity_id: str = Field(default="", description="India: PEID of the sender")
    content_id: str = Field(default="", description="India: id of the registered text")
    custom_code_enabled: bool = Field(
        default=False, description="the account is on conversion pricing, so the core may own the code"
    )
    adopts: bool = Field(
        default=True, description="a live verification of the number that nobody here knows of is taken for ours"
    )
    origin: str = Field(default=DEFAULT_ORIGIN, description="where Vonage is; a regional host, a proxy, a stand-in")
    timeout_s: float = Field(default=8.0, gt=0, le=10, description="seconds that one call may take")

    def workflow(self, channel: str) -> tuple[str, ...]:
        """The steps of a verification that starts on a channel; empty where it is none of the settings'.

        An e-mail address and a number never share a workflow: a recipient is the one or the other.
        """
        kind = [each for each in self.channels if (each == "email") == (channel == "email")]
        if channel not in kind:
            return ()
        steps = tuple(kind[kind.index(channel) :])
        return steps if self.moves else steps[:1]

    @property
    def steps(self) -> int:
        """Of the longest workflow."""
        return max(len(self.workflow(channel)) for channel in self.channels)

    def credentials(self) -> Credentials:
        """The credentials, judged with everything else; reads the key's file.

        Raises:
            ConfigurationError: naming everything that is missing or misshapen, and no value.
        """
        problems = self._misshapen()
        found = Credentials()
        if self.application_id or self.private_key is not None or self.private_key_path is not None:
            key, wrong = self._key()
            problems += wrong
            if not _UUID.fullmatch(self.application_id):
                problems.append("application_id (VONAGE_APPLICATION_ID) must be a UUID")
            found = Credentials(application_id=self.application_id, private_key=key)
        elif self.api_key or self.api_secret is not None:
            secret = secret_of(self.api_secret)
            if not self.api_key:
                problems.append("api_key (VONAGE_API_KEY) is missing")
            if not secret or not secret.isascii() or not secret.isprintable():
                problems.append("api_secret (VONAGE_API_SECRET) is missing, or holds characters that none has")
            found = Credentials(api_key=self.api_key, api_secret=secret)
        else:
            problems.append(
                "application_id (VONAGE_APPLICATION_ID) with a private key (VONAGE_PRIVATE_KEY or "
                "VONAGE_PRIVATE_KEY_PATH) is missing, and so is api_key (VONAGE_API_KEY) with api_secret "
                "(VONAGE_API_SECRET)"
            )
        if problems:
            raise ConfigurationError("Vonage: " + "; ".join(problems))
        return found

    def _key(self) -> tuple[str, list[str]]:
        text = secret_of(self.private_key).replace("\\n", "\n")  # as environments like to hold it
        if not text and self.private_key_path is not None:
            try:
                text = self.private_key_path.read_text("ascii")
            except (OSError, UnicodeDecodeError):
                return "", ["private_key_path (VONAGE_PRIVATE_KEY_PATH) cannot be read"]
        if _PEM not in text:
            return "", ["private_key (VONAGE_PRIVATE_KEY) must be a PEM that begins with BEGIN PRIVATE KEY"]
        return text, []

    def _misshapen(self) -> list[str]:
        rules = (
            (not self.api_key or _API_KEY.fullmatch(self.api_key), "api_key (VONAGE_API_KEY) is letters and digits"),
            (_BRAND.fullmatch(self.brand), r"brand has 1 to 16 characters, none of \ / { } : $"),
            (self.steps <= MOST_STEPS, f"channels: at most {MOST_STEPS} steps, and as many of e-mail"),
            (
                self.steps * self.channel_timeout_s <= LONGEST_S,
                f"channels x channel_timeout_s is the life of a code: at most {LONGEST_S} seconds",
            ),
            (
                not self.sms_from or _SENDER.fullmatch(self.sms_from),
                "sms_from is 3 to 11 letters and digits, or digits",
            ),
            (
                _NUMBER.fullmatch(self.whatsapp_from) or (not self.whatsapp_from and "whatsapp" not in self.channels),
                "whatsapp_from is needed for WhatsApp: a number without +",
            ),
            (not self.email_from or _EMAIL.fullmatch(self.email_from), "email_from is an e-mail address"),
            (not self.entity_id or _INDIAN_ID.fullmatch(self.entity_id), "entity_id has 1 to 20 digits"),
            (not self.content_id or _INDIAN_ID.fullmatch(self.content_id), "content_id has 1 to 20 digits"),
        )
        return [rule for holds, rule in rules if not holds]
