"""The SMS backend of django-phone-verify that sends nothing: it keeps the newest message of each number.

Rules of this file: imported by Django alone, once it is set up, in the environment of the peers.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

__all__ = ["MESSAGES", "Kept"]

MESSAGES: Final[dict[str, str]] = {}

BaseBackend: Any = import_module("phone_verify.backends.base").BaseBackend


class Kept(BaseBackend):  # type: ignore[misc]  # of another environment: the checkers do not see it
    """Keeps what it is to send."""

    def send_sms(self, number: str, message: str) -> None:
        """Keep it."""
        MESSAGES[number] = message

    def send_bulk_sms(self, numbers: list[str], message: str) -> None:
        """Keep each."""
        for number in numbers:
            self.send_sms(number, message)
