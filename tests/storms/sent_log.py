"""A provider whose only deed is a line in a file: the truth about what was sent, whoever dies afterwards.

Rules of this file: one line for each message, appended in one write and synced before the answer is given.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from otpcore.contract import Accepted, CodeOwner, Failure, FailureKind, ProviderCapabilities, SendEffect, SendRequest

__all__ = ["LoggedProvider", "Sent", "append", "read_log"]


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that left."""

    recipient: str
    code: str
    at: datetime


def append(path: str, **line: str) -> None:
    """Append one line of JSON that survives whatever comes."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.write(fd, b"\n" + json.dumps(line).encode() + b"\n")
    os.fsync(fd)
    os.close(fd)


def read_log(path: str) -> list[Sent]:
    """Every message, oldest first."""
    text = Path(path).read_text() if Path(path).exists() else ""
    # a line that its writer died in was never handed over, and the next one starts a line of its own
    lines = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
    return [Sent(line["recipient"], line["code"], datetime.fromisoformat(line["at"])) for line in lines]


class LoggedProvider:
    """Delivers codes of the core into a file.

    Args:
        path: of the file.
        clock: gives the time of a message.
        refuses: answers that nothing was sent, and logs nothing.
        asked: called before the message is in the file.
        handed_off: called when the message is in the file and not yet answered.
    """

    def __init__(
        self,
        path: str,
        clock: Callable[[], datetime],
        *,
        refuses: bool = False,
        asked: Callable[[], object] = lambda: None,
        handed_off: Callable[[], object] = lambda: None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._refuses = refuses
        self._asked = asked
        self._handed_off = handed_off
        self.capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms"}), simulated=True)

    def send(self, request: SendRequest) -> Accepted | Failure:
        """See `Provider.send`."""
        if self._refuses:
            return Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)
        self._asked()
        append(self._path, recipient=request.recipient, code=request.code or "", at=self._clock().isoformat())
        self._handed_off()
        return Accepted(None)

    def close(self) -> None:
        """See `Provider.close`."""
