"""Who may call: the credentials of the emulated account, and the judgement of an Authorization header.

Rule of this file: values and HTTP Basic; nothing is logged.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from otpcore_twilio.emulator.catalogue import Refusal

if TYPE_CHECKING:
    from otpcore_twilio.emulator.records import Entropy

__all__ = ["Credentials"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """One account: its token, one API key, and the test credentials that Verify does not accept."""

    account_sid: str
    auth_token: str = field(repr=False)
    api_key_sid: str
    api_key_secret: str = field(repr=False)
    test_account_sid: str
    test_auth_token: str = field(repr=False)

    @classmethod
    def make(cls, entropy: Entropy) -> Credentials:
        """Fresh ones."""
        return cls(
            entropy.sid("AC"),
            entropy.token(),
            entropy.sid("SK"),
            entropy.token(),
            entropy.sid("AC"),
            entropy.token(),
        )

    def admit(self, authorization: str | None) -> None:
        """Judge the header.

        Raises:
            Refusal: 20003 for anything but a valid pair, 20008 for the test credentials.
        """
        user, secret = _basic(authorization)
        if _same(user, self.test_account_sid) and _same(secret, self.test_auth_token):
            raise Refusal(20008)
        pairs = ((self.account_sid, self.auth_token), (self.api_key_sid, self.api_key_secret))
        if not any(_same(user, sid) and _same(secret, right) for sid, right in pairs):
            raise Refusal(20003)


def _basic(authorization: str | None) -> tuple[str, str]:
    scheme, _, blob = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        raise Refusal(20003)
    try:
        text = base64.b64decode(blob, validate=True).decode()
    except ValueError:  # no base64, no ASCII, no UTF-8
        raise Refusal(20003) from None
    user, _, secret = text.partition(":")
    return user, secret


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())
