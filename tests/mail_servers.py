"""Mail servers of the tests' own: one that is real (aiosmtpd), and one that breaks off where it is told to.

Rules of this file: loopback only, on a port that the kernel chose and that was never given back in between; what is
started here is ended here. No server waits for longer than its test: leaving it lets go of whatever it holds.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["PASSWORD", "STEPS", "USERNAME", "Certificate", "MailServer", "ScriptedServer"]

PATIENCE_S = 20
USERNAME, PASSWORD = "mailer", "pass-wörd-918273"


@dataclass(frozen=True)
class Certificate:
    """A certificate for `localhost` and 127.0.0.1, signed by itself.

    Attributes:
        file: PEM of certificate and key; a client trusts it as an authority.
    """

    file: Path

    @classmethod
    def made(cls, folder: Path, name: str = "localhost") -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        if name == "localhost":
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        now = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        file = folder / f"{name}.pem"
        encoded_key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(encoded_key + made.public_bytes(serialization.Encoding.PEM))
        return cls(file)

    def context(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.file)
        return made


def _listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=64)


@dataclass
class Inbox:
    """What the real server was given, and how it answers.

    Attributes:
        answers: to MAIL, RCPT and DATA, where it is another than yes.
        taken: what it said yes to: the message as it came.
        heard: every command, in order, without arguments.
        held: the answer to DATA waits for it; the message is taken before.
    """

    answers: dict[str, str] = field(default_factory=dict)
    taken: list[bytes] = field(default_factory=list)
    senders: list[str | None] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.held.set()

    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(one, policy=default) for one in self.taken]

    def texts(self) -> list[str]:
        return [str(one.get_content()).replace("\r\n", "\n") for one in self.messages()]

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.heard.append("EHLO")
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802  # as above
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.heard.append("MAIL")
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 2.1.0 OK")

    async def handle_RCPT(  # noqa: N802  # as above
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.heard.append("RCPT")
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 2.1.5 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # as above
        self.heard.append("DATA")
        answer = self.answers.get("DATA", "250 2.0.0 OK queued as 4F1")
        if answer.startswith("2"):
            self.taken.append(bytes(envelope.original_content or b""))
            self.senders.append(envelope.mail_from)
            self.recipients.append(list(envelope.rcpt_tos))
        self.arrived.release()
        await asyncio.to_thread(self.held.wait, PATIENCE_S)
        return answer

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        self.heard.append(f"AUTH {mechanism}")
        right = (given.login, given.password) == (USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)


class MailServer:
    """aiosmtpd in a thread; use as a context manager.

    Args:
        certificate: with TLS.
        implicit: TLS from the first byte, else STARTTLS.
        login: it wants a name and a password.
        without: mechanisms of AUTH that it does not offer.
    """

    def __init__(
        self,
        certificate: Certificate | None = None,
        *,
        implicit: bool = False,
        login: bool = False,
        without: tuple[str, ...] = (),
    ) -> None:
        self.inbox = Inbox()
        self._listening = _listening()
        self.port: int = self._listening.getsockname()[1]
        self._context = certificate.context() if certificate is not None else None
        self._implicit = implicit
        self._login = login
        self._without = without
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server | None = None

    def _protocol(self) -> SMTP:
        terms: dict[str, Any] = {"hostname": "mx.example.org", "ident": "tests", "loop": self._loop}
        if self._context is not None and not self._implicit:
            terms |= {"tls_context": self._context, "require_starttls": True}
        if self._login:
            # aiosmtpd sees TLS only where it began it itself
            terms |= {"authenticator": self.inbox.authenticate, "auth_required": not self._implicit}
            terms |= {"auth_require_tls": not self._implicit, "auth_exclude_mechanism": list(self._without)}
        return SMTP(self.inbox, **terms)

    def __enter__(self) -> Self:
        self._thread.start()
        context = self._context if self._implicit else None
        starting = self._loop.create_server(self._protocol, sock=self._listening, ssl=context)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(PATIENCE_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.inbox.held.set()
        asyncio.run_coroutine_threadsafe(self._ended(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _ended(self) -> None:
        if self._server is not None:
            self._server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._loop.shutdown_default_executor()


STEPS = ("connect", "EHLO", "MAIL", "RCPT", "DATA", "body", "dot")
"""Where the scripted server may break off: before the greeting, on a command, in the middle of a message, after it."""


class ScriptedServer:
    """Speaks SMTP until the step it is told of, and there hangs up, falls silent or says something else.

    Args:
        cut: hangs up there, without an answer.
        stall: says nothing from there on.
        drip: sends the answer to it, or the greeting, a byte at a time and never its end.
        says: another answer to a step.

    Attributes:
        connections: how many came.
        heard: every line but those of messages.
        taken: messages whose dot was heard.
    """

    def __init__(
        self,
        *,
        cut: str | None = None,
        stall: str | None = None,
        drip: str | None = None,
        says: dict[str, bytes] | None = None,
    ) -> None:
        self._cut, self._stall, self._drip, self._says = cut, stall, drip, says or {}
        self.connections = 0
        self.heard: list[bytes] = []
        self.taken: list[bytes] = []
        self.reached = threading.Event()
        self._over = threading.Event()
        self._listening = _listening()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port: int = self._listening.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listening.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, _Over), connection, connection.makefile("rb") as lines:
            self._step(connection, "connect", b"220 mx.example.org ESMTP")
            commands: list[bytes] = []
            while line := lines.readline():
                self.heard.append(line.strip())
                commands.append(line.strip())
                verb = line[:4].upper().decode("latin-1").strip()
                if verb == "QUIT":
                    connection.sendall(b"221 2.0.0 Bye\r\n")
                    return
                self._step(connection, verb, b"354 Go ahead" if verb == "DATA" else b"250 OK")
                if verb == "DATA":
                    self._take(connection, lines, commands)

    def _take(self, connection: socket.socket, lines: Any, commands: list[bytes]) -> None:
        body = lines.read1(1024)
        if "body" in {self._cut, self._stall}:
            self._step(connection, "body", b"")
        while not body.endswith(b"\r\n.\r\n"):
            more = lines.read1(65_536)
            if not more:
                return
            body += more
        self.taken.append(body)
        self._took(commands, body)
        self._step(connection, "dot", b"250 2.0.0 queued as 4F1")

    def _took(self, commands: list[bytes], body: bytes) -> None:
        """A message came whole, after these commands; before it is answered."""

    def _step(self, connection: socket.socket, step: str, answer: bytes) -> None:
        if step == self._cut:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, at once
            self.reached.set()
            raise _Over
        if step == self._stall:
            self.reached.set()
            self._over.wait(PATIENCE_S)
            raise _Over
        if step == self._drip:
            self.reached.set()
            while not self._over.wait(0.05):
                connection.sendall(b"2")
            raise _Over
        connection.sendall(self._says.get(step, answer) + b"\r\n")


class _Over(Exception):
    """This connection is done with."""
