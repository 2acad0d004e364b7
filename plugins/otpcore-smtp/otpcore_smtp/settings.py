"""What the SMTP provider needs to know, and the judgement of it before anything is opened.

Rules of this file: no environment is read here (the core fills the model); a message names settings and environment
variables, never a value.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from otpcore.errors import ConfigurationError
from otpcore.providers.transport import is_loopback

__all__ = ["ADDRESS", "Security", "SmtpSettings"]

Security = Literal["starttls", "tls", "none"]

ADDRESS: Final = re.compile(
    r"(?=.{3,254}\Z)(?=[^@]{1,64}@)[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
"""A dot-atom and a domain name, as the core canonicalises addresses: what can be written between `<` and `>`."""

_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?|::1")
_HELO: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Za-z:.]{2,60}\]")
_PORTS: Final[dict[Security, int]] = {"starttls": 587, "tls": 465, "none": 25}


class SmtpSettings(BaseModel):
    """Settings of `smtp`. What is sent goes to one mail server, which delivers it further."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    host: str = Field(default="", description="the mail server that takes messages from this application")
    port: int = Field(default=0, ge=0, le=65535, description="its port; 0: 587 for starttls, 465 for tls, 25 for none")
    security: Security = Field(
        default="starttls",
        description="starttls: encrypted before anything is said; tls: from the first byte; none: loopback only",
    )
    ca_file: str = Field(default="", description="PEM file of the authorities to trust instead of the system's")
    username: str = Field(default="", description="account at the server; empty: it asks for none")
    password: SecretStr | None = Field(default=None, description="password of the account")
    sender: str = Field(default="", description="address that messages come from")
    sender_name: str = Field(default="", description="name shown beside the sender's address")
    subject: str = Field(
        default="Your verification code", description="subject where the message has none of its own; holds no code"
    )
    helo_name: str = Field(default="", description="name this client gives itself; empty: the sender's domain")
    timeout_s: float = Field(
        default=8.0, gt=0, le=10, description="seconds that one call may take, from name to answer"
    )

    def judged(self) -> None:
        """Refuse what no message could be sent with.

        Raises:
            ConfigurationError: naming everything that is missing or misshapen, and no value.
        """
        secret = "" if self.password is None else self.password.get_secret_value()
        rules = (
            (_HOST.fullmatch(self.host), "host (OTPCORE_SMTP_HOST) must be the name or address of a mail server"),
            (
                self.security != "none" or is_loopback(self.host),
                "security=none (OTPCORE_SMTP_SECURITY) shows codes and passwords to the network: loopback hosts only",
            ),
            (ADDRESS.fullmatch(self.sender), "sender (OTPCORE_SMTP_SENDER) must be an e-mail address"),
            (bool(self.username) == bool(secret), "username and password (OTPCORE_SMTP_PASSWORD) come together"),
            (
                all(text.isprintable() for text in (self.username, secret, self.sender_name, self.subject)),
                "username, password, sender_name and subject hold printable characters only",
            ),
            (self.subject.strip() == self.subject != "", "subject must not be empty, nor begin or end with a space"),
            (not self.helo_name or _HELO.fullmatch(self.helo_name), "helo_name must be a host's name or [address]"),
        )
        problems = [problem for holds, problem in rules if not holds]
        if problems:
            raise ConfigurationError("SMTP: " + "; ".join(problems))

    @property
    def sender_domain(self) -> str:
        """The part of the sender after its @, in lower case."""
        return self.sender.rpartition("@")[2].lower()

    @property
    def hello(self) -> str:
        """What this client calls itself: no look-up, and no name of the machine."""
        return self.helo_name or self.sender_domain

    @property
    def reached_at(self) -> int:
        """The port."""
        return self.port or _PORTS[self.security]
