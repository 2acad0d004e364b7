"""`console`: shows the code on standard error, for development. Nothing leaves the machine.

Rules of this file: delivery only, the core owns the code; it declares itself `simulated`; the code goes to the
stream and nowhere else, never to `logging`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from typing import TextIO

from pydantic import BaseModel, ConfigDict

from otpcore.hookspecs import ProviderType, hookimpl
from otpcore.ports import (
    Accepted,
    CodeOwner,
    Failure,
    FailureKind,
    ProviderCapabilities,
    SendEffect,
    SendRequest,
    mask,
)

__all__ = ["ConsoleProvider", "ConsoleSettings", "otpcore_providers"]

CAPABILITIES = ProviderCapabilities(
    frozenset({CodeOwner.CORE}), frozenset({"sms", "call", "whatsapp", "email"}), simulated=True
)

BANNER = "*** otpcore console provider: DEVELOPMENT ONLY, nothing is sent ***"


class ConsoleProvider:
    """Writes each code to a text stream.

    Args:
        stream: where to; None: whatever `sys.stderr` is at the time of the send.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    @property
    def capabilities(self) -> ProviderCapabilities:
        """See `Provider.capabilities`."""
        return CAPABILITIES

    def send(self, request: SendRequest) -> Accepted | Failure:
        """Show the code, the channel, the purpose, the last digits of the number, and the message.

        The lines of one message are written together, each marked as one of it; control characters are escaped, so
        that a purpose cannot forge a line.
        """
        if request.code is None:
            return Failure(FailureKind.INTERNAL, SendEffect.NOT_SENT, "the console only delivers codes of the core")
        shown = [request.channel, request.purpose, request.code]
        channel, purpose, code = (text.encode("unicode_escape").decode() for text in shown)
        words = "".join(f"    | {_shown(line)}\n" for line in _lines(request))
        stream = self._stream or sys.stderr
        with self._lock:
            stream.write(f"{BANNER}\n    {channel} to {mask(request.recipient)} for {purpose}: code {code}\n{words}")
            stream.flush()
        return Accepted(handle=None)

    def close(self) -> None:
        """See `Provider.close`; the stream stays open."""


def _lines(request: SendRequest) -> list[str]:
    message = request.message
    if message is None:
        return []
    return [*([f"Subject: {message.subject}"] if message.subject else []), *message.text.split("\n")]


def _shown(line: str) -> str:
    """The line with whatever is not printable escaped; letters of any script stay."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


class ConsoleSettings(BaseModel):
    """Settings of `console`: there are none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _build(settings: ConsoleSettings) -> ConsoleProvider:  # noqa: ARG001  # the registry's signature
    return ConsoleProvider()


@hookimpl
def otpcore_providers() -> Iterable[ProviderType]:
    """The `console` provider type."""
    return (ProviderType("console", "shows the code on standard error; development only", ConsoleSettings, _build),)
