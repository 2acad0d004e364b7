"""`SmtpProvider`: one message over one connection, blocking, with the standard library's `smtplib`.

`smtplib` rather than the awaited library on a loop of its own: it works in the caller's thread, so that neither a
thread nor a loop has to survive a fork, and a program that runs a loop already can call it. What it lacks, a deadline
for the whole conversation, is in `deadline`.

Rules of this file: the order of things; what answers mean is in `replies`. The twin in `aio` takes the same steps.
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, cast

from otpcore.ports import Accepted, Failure, SendRequest
from otpcore_smtp.account import QUIT, SmtpAccount, credentials
from otpcore_smtp.replies import Reply, Stage, Unfit, is_yes, lost, refused

if TYPE_CHECKING:
    import ssl

    from otpcore_smtp.letter import Letter
    from otpcore_smtp.settings import SmtpSettings

__all__ = ["SmtpProvider"]


class SmtpProvider(SmtpAccount):
    """E-mail over SMTP.

    Implements `Provider`. Safe for threads and across a fork: nothing is kept between two calls.

    Args:
        settings: server, credentials, sender.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    def send(self, request: SendRequest) -> Accepted | Failure:
        """Hand one message to the server, once."""
        from otpcore_smtp.letter import compose  # noqa: PLC0415  # `email` is paid for by who sends

        letter = compose(request, self._settings)
        if isinstance(letter, Failure):
            return letter
        ends_at = time.monotonic() + min(request.timeout_s, self._settings.timeout_s)
        stage, reply = Stage.CONNECT, None
        with closing(_Conversation(self._settings, self._tls, ends_at)) as server:
            try:
                for stage in self._stages:
                    reply = server.perform(stage, letter)
                    if reply is not None and not is_yes(stage, reply):
                        return refused(stage, reply)
            except Exception as error:  # noqa: BLE001  # whatever the library meets is sorted, never raised
                return lost(stage, error)
        return Accepted(letter.handle, native=reply)

    def close(self) -> None:
        """See `Provider.close`; no connection is open between two calls."""


class _Conversation:
    """One connection, until it is closed."""

    def __init__(self, settings: SmtpSettings, tls: ssl.SSLContext | None, ends_at: float) -> None:
        import smtplib  # noqa: PLC0415  # as above

        self._settings = settings
        self._tls = tls
        self._ends_at = ends_at
        self._client = smtplib.SMTP(local_hostname=settings.hello)

    def perform(self, stage: Stage, letter: Letter) -> Reply | None:
        """Take one step.

        Returns:
            What the server said; None after the message's body, which it hears in silence.

        Raises:
            Exception: no answer came; whatever `smtplib` and the socket raise.
        """
        client = self._client
        match stage:
            case Stage.CONNECT:
                return self._connect()
            case Stage.HELLO:
                return _reply(client.ehlo())
            case Stage.STARTTLS:
                return self._start_tls()
            case Stage.AUTH:
                return self._log_in()
            case Stage.SENDER:
                return _reply(client.docmd("MAIL", f"FROM:<{letter.sender}>"))
            case Stage.RECIPIENT:
                return _reply(client.docmd("RCPT", f"TO:<{letter.recipient}>"))
            case Stage.DATA:
                return _reply(client.docmd("DATA"))
            case Stage.BODY:
                client.send(letter.body)
                return None
            case Stage.END:
                client.send(b".\r\n")
                return _reply(client.getreply())

    def close(self) -> None:
        """Say goodbye where the connection still stands, and end it."""
        with suppress(Exception):  # nothing hangs on it
            self._client.putcmd(QUIT)
        self._client.close()

    def _connect(self) -> Reply:
        from otpcore_smtp.deadline import TimedSocket, connected  # noqa: PLC0415  # as above

        plain = connected(self._settings.host, self._settings.reached_at, self._ends_at)
        sock = TimedSocket(plain, self._ends_at)
        self._client.sock = cast("Any", sock)
        if self._tls is not None and self._settings.security == "tls":
            sock.wrap(self._tls, self._settings.host)
        return _reply(self._client.getreply())

    def _start_tls(self) -> Reply:
        """Encrypt what follows; what was learned, or read ahead, before that is forgotten (RFC 3207, section 4.2)."""
        client = self._client
        if not client.has_extn("starttls") or self._tls is None:
            raise Unfit("the mail server does not offer STARTTLS, without which nothing is said to it")
        reply = _reply(client.docmd("STARTTLS"))
        if is_yes(Stage.STARTTLS, reply):
            cast("Any", client.sock).wrap(self._tls, self._settings.host)
            client.file = None
            client.esmtp_features = {}
        return reply

    def _log_in(self) -> Reply:
        reply = Reply(0)
        for line in credentials(self._settings, self._client.esmtp_features.get("auth", "")):
            reply = _reply(self._client.docmd(line))
            if reply.code // 100 != 3:  # noqa: PLR2004  # 334: the next line, please
                break
        return reply


def _reply(said: tuple[int, bytes]) -> Reply:
    return Reply(said[0], said[1].decode("utf-8", "replace"))
