"""A mail server as the provider kit's vendor: the scripted one, with scenarios that have names.

Rules of this file: as for `tests.mail_servers`. A message counts as arrived when its dot was heard.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from types import MappingProxyType
from typing import Final

from otpcore.conformance.provider import SERVE, Ending
from tests.mail_servers import ScriptedServer

__all__ = ["ENDINGS", "Mail", "MailVendor", "read_mail"]

CAN: Final = b"250-mx.example.org\r\n250 AUTH PLAIN"


@dataclass(frozen=True, slots=True)
class _Script:
    """What is done at which steps; see `ScriptedServer`."""

    ending: Ending
    cut: str | None = None
    stall: str | None = None
    drip: str | None = None
    says: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


def _says(ending: Ending, step: str, answer: bytes) -> _Script:
    return _Script(ending, says={step: answer})


_ECHO = b"<Jo.Doe+otp@example.org> 918273"
_SCRIPTS: Final[Mapping[str, _Script]] = MappingProxyType(
    {
        "stall": _Script(Ending.SILENT, stall="dot"),
        "stall-greeting": _Script(Ending.SILENT, stall="connect"),
        "stall-recipient": _Script(Ending.SILENT, stall="RCPT"),
        "drip": _Script(Ending.SILENT, drip="dot"),
        "drip-greeting": _Script(Ending.SILENT, drip="connect"),
        "cut": _Script(Ending.UNKNOWN, cut="dot"),
        "nonsense": _says(Ending.UNKNOWN, "dot", b"what?"),
        "354-after-the-dot": _says(Ending.UNKNOWN, "dot", b"354 go on"),
        "cut-greeting": _Script(Ending.NOT_SENT, cut="connect"),
        "cut-data": _Script(Ending.NOT_SENT, cut="DATA"),
        "421-greeting": _says(Ending.NOT_SENT, "connect", b"421 4.3.2 busy"),
        "450-recipient": _says(Ending.NOT_SENT, "RCPT", b"450 4.2.1 later " + _ECHO),
        "550-recipient": _says(Ending.NOT_SENT, "RCPT", b"550 5.1.1 no such user " + _ECHO),
        "451-after-the-dot": _says(Ending.NOT_SENT, "dot", b"451 4.3.0 later " + _ECHO),
        "550-after-the-dot": _says(Ending.NOT_SENT, "dot", b"550 5.7.1 spam " + _ECHO),
        "wrong-password": _says(Ending.MISCONFIGURED, "AUTH", b"535 5.7.8 no"),
        "sender-refused": _says(Ending.MISCONFIGURED, "MAIL", b"553 5.1.8 not yours"),
    }
)

ENDINGS: Final[Mapping[str, Ending]] = MappingProxyType({name: one.ending for name, one in _SCRIPTS.items()})
"""The scenarios, and what a provider must make of each."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message whose dot was heard.

    Attributes:
        sender, recipients: of the envelope, as they stood in MAIL and RCPT.
        body: as it came, with the dot.
    """

    sender: str
    recipients: tuple[str, ...]
    body: bytes = field(repr=False)


class MailVendor(ScriptedServer):
    """A scripted server whose scripts have names; a `Vendor` of the provider kit."""

    def __init__(self) -> None:
        super().__init__(says={"EHLO": CAN})
        self.requests: list[Mail] = []
        self._changed = threading.Condition()
        self._clients = 0

    @property
    def origin(self) -> str:
        """Where it is."""
        return f"smtp://127.0.0.1:{self.port}"

    def play(self, scenario: str) -> None:
        """See `Vendor.play`."""
        script = _Script(Ending.ANY) if scenario == SERVE else _SCRIPTS[scenario]
        self._cut, self._stall, self._drip = script.cut, script.stall, script.drip
        self._says = {"EHLO": CAN, **script.says}

    def wait_for_requests(self, count: int, patience_s: float) -> bool:
        """See `Vendor.wait_for_requests`."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= count, patience_s)

    def wait_until_idle(self, patience_s: float) -> bool:
        """See `Vendor.wait_until_idle`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._clients == 0, patience_s)

    def release(self) -> None:
        """See `Vendor.release`."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket) -> None:
        with self._changed:
            self._clients += 1
        try:
            super()._serve(connection)
        finally:
            with self._changed:
                self._clients -= 1
                self._changed.notify_all()

    def _took(self, commands: list[bytes], body: bytes) -> None:
        lines = [line.decode("ascii") for line in commands]
        senders = [_path(line) for line in lines if line.upper().startswith("MAIL")]
        recipients = tuple(_path(line) for line in lines if line.upper().startswith("RCPT"))
        with self._changed:
            self.requests.append(Mail("".join(senders), recipients, body))
            self._changed.notify_all()

    def _step(self, connection: socket.socket, step: str, answer: bytes) -> None:
        if step == self._stall:  # until the client leaves, and not until the test does
            while connection.recv(65_536):
                pass
            connection.close()
            raise ConnectionResetError
        super()._step(connection, step, answer)


def _path(command: str) -> str:
    return command.partition(":")[2]


def read_mail(mail: Mail) -> Sequence[tuple[str, str]]:
    """Every name of a message and its value: the envelope, each header but the date, the text."""
    dots = mail.body.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    message = message_from_bytes(dots, policy=default)
    assert not message.defects
    assert not message.is_multipart()
    found = [("envelope/from", mail.sender), *(("envelope/to", each) for each in mail.recipients)]
    found += [(f"header/{name.lower()}", str(value)) for name, value in message.items() if name.lower() != "date"]
    return [*found, ("text", str(message.get_content()).replace("\r\n", "\n").removesuffix("\n"))]
