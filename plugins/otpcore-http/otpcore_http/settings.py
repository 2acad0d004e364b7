"""What the provider types of this plugin need to know, and what is made of it.

Rules of this file: no environment is read here (the core fills the models); a message names settings, never a value.
Each model makes its own provider's functions (`api`); `build` and `build_async` serve them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from otpcore.errors import ConfigurationError
from otpcore.providers.http import AsyncHttpProvider, HttpProvider, awaited, blocking
from otpcore.providers.transport import is_loopback
from otpcore_http.gateway import Gateway, read_gateway, read_table
from otpcore_http.mapping import Mapped, mapped
from otpcore_http.presets import preset

__all__ = [
    "AfricasTalkingSettings",
    "AndroidGatewaySettings",
    "ElksSettings",
    "GatewaySettings",
    "HttpSettings",
    "KannelSettings",
    "build",
    "build_async",
]

SANDBOX = "https://api.sandbox.africastalking.com/version1/messaging"


def _of_json(given: object) -> object:
    """A JSON object in a variable as a mapping; anything else as it is."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        raise ValueError('secrets is a JSON object of names and texts, such as {"api_key": "…"}') from None


class GatewaySettings(BaseModel):
    """What every one of them has."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    timeout_s: float = Field(default=8.0, gt=0, le=10, description="seconds that one call may take")

    def api(self) -> Mapped:
        """The functions of the provider.

        Raises:
            ConfigurationError: a setting is missing or cannot be.
        """
        raise NotImplementedError

    def _made(self, gateway: Gateway, secrets: dict[str, SecretStr | None], sender: str, receipt_url: str) -> Mapped:
        given = {name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None}
        return mapped(gateway, given, sender=sender, receipt_url=receipt_url)


def _at_the_vendor(made: Mapped, *, sandbox: bool = False) -> Mapped:
    """A public vendor's gateway, which says so where it reaches nobody: a stand-in on this machine, or the sandbox."""
    parts = urlsplit(made.gateway.url)
    host = (parts.hostname or "").rstrip(".")
    here = parts.scheme == "http" and is_loopback(host)
    made.capabilities = replace(
        made.capabilities, simulated=here or sandbox or host == urlsplit(SANDBOX).hostname, stands_in=here
    )
    return made


class HttpSettings(GatewaySettings):
    """Settings of `http`: any gateway, described in a file."""

    file: Path | None = Field(default=None, description="TOML file that describes the gateway")
    secrets: Annotated[dict[str, SecretStr], BeforeValidator(_of_json)] = Field(
        default_factory=dict[str, SecretStr], description="a JSON object: a text for each secret that the file names"
    )
    sender: str = Field(default="", description="who the message is from")
    receipt_url: str = Field(default="", description="where this application takes receipts")

    def api(self) -> Mapped:
        """See `GatewaySettings.api`."""
        if self.file is None:
            raise ConfigurationError("http: file (OTPCORE_HTTP_FILE) is missing")
        gateway = read_gateway(read_table(self.file), self.file.name)
        return self._made(gateway, cast("dict[str, SecretStr | None]", self.secrets), self.sender, self.receipt_url)


class AfricasTalkingSettings(GatewaySettings):
    """Settings of `africastalking`."""

    username: SecretStr | None = Field(default=None, description="of the application; `sandbox` in the sandbox")
    api_key: SecretStr | None = Field(default=None, description="the application's API key")
    sender: str = Field(default="", description="registered sender id or short code; else Africa's Talking's own")
    sandbox: bool = Field(
        default=False, description="the sandbox: it reaches the simulator alone, and is refused in production"
    )
    url: str = Field(default="", description="where the API is, if elsewhere")
    receipt_token: SecretStr | None = Field(
        default=None, description="last segment of the callback URL that the dashboard was given, 20 characters or more"
    )
    previous_receipt_token: SecretStr | None = Field(default=None, description="the one that is being replaced")

    def api(self) -> Mapped:
        """See `GatewaySettings.api`."""
        url = self.url or (SANDBOX if self.sandbox else "")
        secrets = {
            "username": self.username,
            "api_key": self.api_key,
            "receipt_token": self.receipt_token,
            "receipt_token_previous": self.previous_receipt_token,
        }
        made = self._made(preset("africastalking", {"url": url} if url else {}), secrets, self.sender, "")
        return _at_the_vendor(made, sandbox=self.sandbox)


class AndroidGatewaySettings(GatewaySettings):
    """Settings of `android-gateway`."""

    username: SecretStr | None = Field(default=None, description="from the app's first page")
    password: SecretStr | None = Field(default=None, description="from the app's first page")
    url: str = Field(default="", description="of the messages: of a server of your own, or the phone through a tunnel")
    signing_key: SecretStr | None = Field(default=None, description="what the app signs webhooks with")
    previous_signing_key: SecretStr | None = Field(default=None, description="the one that is being replaced")

    def api(self) -> Mapped:
        """See `GatewaySettings.api`."""
        secrets = {
            "username": self.username,
            "password": self.password,
            "signing_key": self.signing_key,
            "signing_key_previous": self.previous_signing_key,
        }
        return self._made(preset("android-gateway", {"url": self.url} if self.url else {}), secrets, "", "")


class KannelSettings(GatewaySettings):
    """Settings of `kannel`."""

    username: SecretStr | None = Field(default=None, description="of a sendsms-user of Kannel")
    password: SecretStr | None = Field(default=None, description="of the same")
    sender: str = Field(default="", description="who the message is from; else the sendsms-user's default")
    url: str = Field(default="", description="of smsbox's sendsms; plain http only on this machine")
    receipt_url: str = Field(default="", description="where this application takes receipts")
    receipt_secret: SecretStr | None = Field(default=None, description="what seals tickets, 20 characters or more")
    previous_receipt_secret: SecretStr | None = Field(default=None, description="the one that is being replaced")

    def api(self) -> Mapped:
        """See `GatewaySettings.api`."""
        secrets = {
            "username": self.username,
            "password": self.password,
            "receipt_secret": self.receipt_secret,
            "receipt_secret_previous": self.previous_receipt_secret,
        }
        changes = {"url": self.url} if self.url else {}
        return self._made(preset("kannel", changes), secrets, self.sender, self.receipt_url)


class ElksSettings(GatewaySettings):
    """Settings of `46elks`."""

    username: SecretStr | None = Field(default=None, description="API username")
    password: SecretStr | None = Field(default=None, description="API password")
    sender: str = Field(default="", description="who the message is from: 11 letters and digits, or a number of yours")
    currency: str = Field(default="SEK", pattern="^[A-Z]{3}$", description="of the account, in which a cost is told")
    url: str = Field(default="", description="where the API is, if elsewhere")
    receipt_url: str = Field(default="", description="where this application takes receipts")
    receipt_secret: SecretStr | None = Field(default=None, description="what seals tickets, 20 characters or more")
    previous_receipt_secret: SecretStr | None = Field(default=None, description="the one that is being replaced")

    def api(self) -> Mapped:
        """See `GatewaySettings.api`."""
        if not self.sender:
            raise ConfigurationError("46elks: sender (OTPCORE_46ELKS_SENDER) is missing")
        secrets = {
            "username": self.username,
            "password": self.password,
            "receipt_secret": self.receipt_secret,
            "receipt_secret_previous": self.previous_receipt_secret,
        }
        changes: dict[str, Any] = {"cost": {"path": "cost", "currency": self.currency, "divisor": 10_000}}
        changes |= {"url": self.url} if self.url else {}
        return _at_the_vendor(self._made(preset("46elks", changes), secrets, self.sender, self.receipt_url))


def build(settings: GatewaySettings) -> HttpProvider:
    """The blocking provider of any of these settings.

    Raises:
        ConfigurationError: a setting is missing or cannot be.
    """
    return blocking(settings.api(), timeout_s=settings.timeout_s)


def build_async(settings: GatewaySettings) -> AsyncHttpProvider:
    """`build`, awaited."""
    return awaited(settings.api(), timeout_s=settings.timeout_s)
