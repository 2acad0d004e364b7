"""What the SMPP provider needs to know, and the judgement of it before anything is opened.

Rules of this file: no environment is read here (the core fills the model); a message names settings, never a value.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from otpcore.errors import ConfigurationError
from otpcore.ports import FailureKind
from otpcore_smpp.pdu import Bind, PduError

__all__ = ["IdNotation", "SmppSettings"]

IdNotation = Literal["text", "hex", "decimal"]

DIGITS = re.compile(r"[0-9]{3,20}")
NAME = re.compile(r"[0-9A-Za-z .&_-]{1,11}")
INTERNATIONAL, SHORT_CODES, ALPHANUMERIC = (1, 1), (0, 1), (5, 0)
"""(type of number, numbering plan): SMPP 3.4 clauses 5.2.5 and 5.2.6."""

SHORT_CODE = 6
"""Digits that a short code has at most; what is longer is taken for a number in international form."""


def _meanings(given: object) -> object:
    """A text such as "0x401=quota_exhausted,1026=opted_out" as a table; anything else as it is."""
    if not isinstance(given, str):
        return given
    pairs = [part.partition("=") for part in given.split(",") if part.strip()]
    return {int(status.strip(), 0): kind.strip() for status, _, kind in pairs}


class SmppSettings(BaseModel):
    """Settings of `smpp`."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    host: str = Field(min_length=1, max_length=253, description="host of the SMSC")
    port: int = Field(default=2775, ge=1, le=65535, description="port of the SMSC")
    tls: bool = Field(default=True, description="the link is encrypted; off only where a tunnel does that already")
    ca_file: str = Field(default="", description="PEM file of the authorities that sign the SMSC; empty: the system's")
    tls_name: str = Field(default="", description="name in the SMSC's certificate, where it is not `host`")
    system_id: str = Field(min_length=1, description="account at the SMSC, at most 15 characters")
    password: SecretStr = Field(description="its password, at most 8 characters")
    system_type: str = Field(default="", description="what the SMSC calls this kind of client, where it asks")
    source: str = Field(description="sender: a number in international form, a short code, or up to 11 letters")
    source_ton: int | None = Field(default=None, ge=0, le=6, description="its type of number; unset: by its shape")
    source_npi: int | None = Field(default=None, ge=0, le=18, description="its numbering plan; unset: by its shape")
    destination_ton: int = Field(default=1, ge=0, le=6, description="type of number of recipients")
    destination_npi: int = Field(default=1, ge=0, le=18, description="numbering plan of recipients")
    alphabet: Literal["gsm", "ucs2"] = Field(
        default="gsm", description="`gsm`: data_coding 0 is GSM 03.38 at this SMSC; `ucs2`: it is not, so never use it"
    )
    long_messages: Literal["payload", "parts"] = Field(
        default="payload", description="what one message does not hold goes in message_payload, or in numbered parts"
    )
    validity: Literal["relative", "absolute", "none"] = Field(
        default="relative", description="how the SMSC is told when the code ends, so that it drops what is late"
    )
    receipts: bool = Field(default=True, description="ask for a receipt of each message")
    response_ids: IdNotation = Field(default="text", description="notation of message ids in responses and TLVs")
    receipt_ids: IdNotation = Field(default="text", description="notation of message ids in the text of receipts")
    receipt_recipient: Literal["source", "destination"] = Field(
        default="source", description="address of a receipt that is the recipient's"
    )
    window: int = Field(default=10, ge=1, le=1000, description="messages without an answer at one time")
    per_second: float = Field(default=0, ge=0, description="messages a second that the SMSC takes; 0: any number")
    timeout_s: float = Field(default=10.0, gt=0, le=10, description="seconds that one call may take")
    connect_s: float = Field(default=10.0, gt=0, le=60, description="seconds to connect and bind")
    enquire_s: float = Field(default=30.0, gt=0, le=600, description="seconds between questions whether the link lives")
    enquire_answer_s: float = Field(
        default=5.0, gt=0, le=60, description="seconds without an answer to that: a dead link"
    )
    reconnect_first_s: float = Field(default=1.0, gt=0, le=60, description="seconds to the first try after a loss")
    reconnect_longest_s: float = Field(default=30.0, gt=0, le=600, description="most seconds between two tries")
    statuses: Annotated[Mapping[int, FailureKind], BeforeValidator(_meanings)] = Field(
        default_factory=dict[int, FailureKind], description="what statuses of this SMSC mean: 0x401=quota_exhausted,…"
    )

    @model_validator(mode="after")
    def _judge(self) -> Self:
        problems: list[str] = []
        try:
            self.bind().encode()
        except PduError:
            problems.append("system_id, password or system_type has more characters than its field, or unusual ones")
        if not DIGITS.fullmatch(self.source.removeprefix("+")) and not NAME.fullmatch(self.source):
            problems.append("source must be 3 to 20 digits or up to 11 letters and digits")
        if (self.response_ids == "text") != (self.receipt_ids == "text"):
            problems.append("response_ids and receipt_ids are both text, or each hex or decimal")
        if self.ca_file and not self.tls:
            problems.append("ca_file is given and tls is off")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def bind(self) -> Bind:
        """What the link is opened with."""
        return Bind(self.system_id, self.password.get_secret_value(), self.system_type)

    def source_address(self) -> tuple[int, int, str]:
        """(type of number, numbering plan, address) of the sender."""
        text = self.source.removeprefix("+")
        if not DIGITS.fullmatch(text):
            kind, plan = ALPHANUMERIC
        else:
            kind, plan = SHORT_CODES if len(text) <= SHORT_CODE else INTERNATIONAL
        own_kind, own_plan = self.source_ton, self.source_npi
        return kind if own_kind is None else own_kind, plan if own_plan is None else own_plan, text

    def tls_context(self) -> ssl.SSLContext | None:
        """How the link is encrypted ; None where it is not.

        Raises:
            ConfigurationError: `ca_file` cannot be read.
        """
        if not self.tls:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except OSError:  # an SSLError too
            raise ConfigurationError("SMPP: ca_file cannot be read as certificates.") from None
