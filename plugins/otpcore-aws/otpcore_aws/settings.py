"""What the two providers need to know, and the judgement of it before anything is opened.

Rules of this file: no environment is read here (the core fills the model, and botocore's chain looks for credentials at
the first call); a message names settings and environment variables, never a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from otpcore.errors import ConfigurationError
from otpcore.providers.transport import Origin

__all__ = [
    "CONFIGURATION_SET",
    "MAX_PRICE",
    "ORIGINATION",
    "PROTECT",
    "SENDER_ID",
    "AccountSettings",
    "AwsSettings",
    "SnsSettings",
]

_REGION: Final = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}")
_KEY: Final = re.compile(r"[A-Z0-9]{16,128}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}")

ORIGINATION: Final = re.compile(r"[A-Za-z0-9_:/+-]{1,256}")
CONFIGURATION_SET: Final = re.compile(r"[A-Za-z0-9_:/-]{1,256}")
PROTECT: Final = CONFIGURATION_SET
MAX_PRICE: Final = re.compile(r"(?=.{2,8}\Z)[0-9]{0,2}\.[0-9]{1,5}")
"""US dollars for one message, as the API writes them (service model of 2022-03-31)."""

SENDER_ID: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9-]{1,11}")
"""What SNS takes for the name that a phone shows (SNS developer guide, "Publishing SMS messages")."""


def _mapped(given: object) -> object:
    """A text such as "CM=ACME,FR=Acme" as a mapping; anything else as it is."""
    if not isinstance(given, str):
        return given
    return {
        name.strip(): value.strip() for name, _, value in (part.partition("=") for part in given.split(",") if part)
    }


def _listed(given: object) -> object:
    """A text with commas as a tuple; anything else as it is."""
    return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given


ByCountry = Annotated[Mapping[str, str], BeforeValidator(_mapped)]


class AccountSettings(BaseModel):
    """What both providers share: where AWS is, and who we are.

    Give `access_key_id` with `secret_access_key`, or leave it to botocore's own chain: environment, shared files,
    roles, single sign-on, the metadata of a container.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    what: ClassVar[str] = "AWS"

    region: str = Field(
        default="",
        validation_alias=AliasChoices("region", "AWS_REGION", "AWS_DEFAULT_REGION"),
        description="region that sends, such as eu-west-1",
    )
    access_key_id: str = Field(default="", description="access key; else botocore's chain finds one")
    secret_access_key: SecretStr | None = Field(default=None, description="secret of the access key")
    session_token: SecretStr | None = Field(default=None, description="token of a temporary access key")
    profile: str = Field(default="", description="profile of the shared files that botocore's chain begins with")
    instance_metadata: bool = Field(
        default=False, description="the chain may ask the machine's metadata service (EC2) for credentials"
    )
    endpoint_url: str = Field(default="", description="where the service is, when it is not AWS's public address")
    timeout_s: float = Field(default=8.0, gt=0, le=10, description="seconds that one call may take in all")
    max_price: str = Field(default="", description="US dollars that one message may cost at most, such as 0.25")

    def secret(self, name: Literal["secret_access_key", "session_token"]) -> str:
        """The text of a secret setting; "" where it is not set."""
        value: SecretStr | None = getattr(self, name)
        return "" if value is None else value.get_secret_value()

    @property
    def is_loopback(self) -> bool:
        """Whether the service is on this machine."""
        return bool(self.endpoint_url) and Origin.parse(self.endpoint_url).loopback

    @property
    def stands_in(self) -> bool:
        """Whether the service is something that stands in for AWS on this machine."""
        return self.is_loopback and urlsplit(self.endpoint_url).scheme == "http"

    def require(self) -> None:
        """Judge the settings.

        Raises:
            ConfigurationError: naming everything that is missing or misshapen, and no value.
        """
        problems = [rule for holds, rule in self._rules() if not holds]
        if problems:
            raise ConfigurationError(f"{self.what}: " + "; ".join(problems))

    def _rules(self) -> list[tuple[object, str]]:
        keys = bool(self.access_key_id)
        secrets = (self.secret("secret_access_key"), self.secret("session_token"))
        return [
            (_REGION.fullmatch(self.region), "region (AWS_REGION) must be a region's name, such as eu-west-1"),
            (not keys or _KEY.fullmatch(self.access_key_id), "access_key_id must be capitals and digits"),
            (not keys or secrets[0], "secret_access_key is missing"),
            (keys or not any(secrets), "access_key_id is missing"),
            (not keys or not self.profile, "give access_key_id or profile, not both"),
            (all(text.isascii() and text.isprintable() for text in secrets), "a secret holds characters that none has"),
            (_is_endpoint(self.endpoint_url), _ENDPOINT),
            (not self.max_price or MAX_PRICE.fullmatch(self.max_price), "max_price is dollars such as 0.25"),
        ]


_ENDPOINT = "endpoint_url is https (or http to a loopback address), a host and perhaps a port"


def _is_endpoint(text: str) -> bool:
    try:
        return not text or bool(Origin.parse(text))
    except ConfigurationError:
        return False


class AwsSettings(AccountSettings):
    """Settings of `aws`."""

    what: ClassVar[str] = "AWS End User Messaging"

    origination_identity: str = Field(
        default="", description="phone number, sender id, pool, or ARN of one, that sends; else AWS chooses"
    )
    origination_by_country: ByCountry = Field(
        default_factory=dict[str, str], description="the same for one country each, such as CM=ACME,US=+12025550100"
    )
    configuration_set: str = Field(
        default="", description="configuration set, whose event destinations tell of receipts"
    )
    protect_configuration: str = Field(default="", description="protect configuration that judges the destination")
    message_feedback: bool = Field(
        default=False, description="AWS is told what became of each code (PutMessageFeedback)"
    )
    receipt_topic: str = Field(default="", description="ARN of the SNS topic through which receipts come")
    receipt_certificates: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), description="paths of the certificates with which SNS signs them, in PEM"
    )

    def _rules(self) -> list[tuple[object, str]]:
        by_country = self.origination_by_country
        return [
            *super()._rules(),
            (
                not self.origination_identity or ORIGINATION.fullmatch(self.origination_identity),
                "origination_identity is a number, a sender id, a pool or an ARN",
            ),
            (
                all(_COUNTRY.fullmatch(name) and ORIGINATION.fullmatch(value) for name, value in by_country.items()),
                "origination_by_country is CC=identity, with commas",
            ),
            (
                not self.configuration_set or CONFIGURATION_SET.fullmatch(self.configuration_set),
                "configuration_set is a name or an ARN",
            ),
            (
                not self.protect_configuration or PROTECT.fullmatch(self.protect_configuration),
                "protect_configuration is an id or an ARN",
            ),
            (
                not self.receipt_topic or _TOPIC.fullmatch(self.receipt_topic),
                "receipt_topic is the ARN of an SNS topic",
            ),
            (
                bool(self.receipt_topic) == bool(self.receipt_certificates),
                "receipt_topic and receipt_certificates go together",
            ),
        ]


class SnsSettings(AccountSettings):
    """Settings of `aws-sns`."""

    what: ClassVar[str] = "Amazon SNS"

    sender_id: str = Field(default="", description="1 to 11 letters, digits and hyphens that a phone shows; else AWS's")
    sender_id_by_country: ByCountry = Field(
        default_factory=dict[str, str], description="the same for one country each, such as CM=ACME,FR=Acme"
    )
    origination_number: str = Field(default="", description="number of the account that sends, where one is needed")

    def _rules(self) -> list[tuple[object, str]]:
        by_country = self.sender_id_by_country
        return [
            *super()._rules(),
            (not self.sender_id or SENDER_ID.fullmatch(self.sender_id), "sender_id has 1 to 11 letters and digits"),
            (
                all(_COUNTRY.fullmatch(name) and SENDER_ID.fullmatch(value) for name, value in by_country.items()),
                "sender_id_by_country is CC=name, with commas",
            ),
            (
                not self.origination_number or re.fullmatch(r"\+?[0-9]{4,15}", self.origination_number),
                "origination_number is a number of the account",
            ),
        ]
