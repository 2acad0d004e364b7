"""`AsyncSmtpProvider`: one message over one connection, awaited, with `aiosmtplib`.

Rules of this file: as of `blocking`, step by step. The library's own way to send a message writes text and dot at once;
here they are two steps, because only the dot makes a message (see `replies`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from otpcore.ports import Accepted, Failure, SendRequest
from otpcore_smtp.account import QUIT, SmtpAccount, credentials
from otpcore_smtp.replies import Reply, Stage, Unfit, is_yes, lost, refused

if TYPE_CHECKING:
    import ssl

    from aiosmtplib import SMTPResponse
    from aiosmtplib.protocol import SMTPProtocol

    from otpcore_smtp.letter import Letter
    from otpcore_smtp.settings import SmtpSettings

__all__ = ["AsyncSmtpProvider"]


class AsyncSmtpProvider(SmtpAccount):
    """E-mail over SMTP, awaited.

    Implements `AsyncProvider`. Nothing is kept between two calls, so it is bound to no loop.

    Args:
        settings: server, credentials, sender.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    async def send(self, request: SendRequest) -> Accepted | Failure:
        """Hand one message to the server, once."""
        from otpcore_smtp.letter import compose  # noqa: PLC0415  # `email` is paid for by who sends

        letter = compose(request, self._settings)
        if isinstance(letter, Failure):
            return letter
        server = _Conversation(self._settings, self._tls)
        stage, reply = Stage.CONNECT, None
        try:
            async with asyncio.timeout(min(request.timeout_s, self._settings.timeout_s)):
                for stage in self._stages:
                    reply = await server.perform(stage, letter)
                    if reply is not None and not is_yes(stage, reply):
                        return refused(stage, reply)
        except Exception as error:  # noqa: BLE001  # whatever the library meets is sorted, never raised
            return lost(stage, error)
        finally:
            await server.close()
        return Accepted(letter.handle, native=reply)

    async def close(self) -> None:
        """See `Provider.close`; no connection is open between two calls."""


class _Conversation:
    """One connection, until it is closed."""

    def __init__(self, settings: SmtpSettings, tls: ssl.SSLContext | None) -> None:
        import aiosmtplib  # noqa: PLC0415  # as above

        self._settings = settings
        self._client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.reached_at,
            local_hostname=settings.hello,
            timeout=None,  # the deadline is around the whole conversation
            use_tls=settings.security == "tls",
            start_tls=False,  # not with the connection: it is a step of its own
            tls_context=tls,
        )
        self._transport: asyncio.Transport | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._answer: asyncio.Task[SMTPResponse] | None = None

    async def perform(self, stage: Stage, letter: Letter) -> Reply | None:
        """Take one step.

        Returns:
            What the server said; None after the message's body, which it hears in silence.

        Raises:
            Exception: no answer came; whatever `aiosmtplib` and the socket raise.
        """
        match stage:
            case Stage.CONNECT:
                return await self._connect()
            case Stage.HELLO:
                return await self._hello()
            case Stage.STARTTLS:
                return await self._start_tls()
            case Stage.AUTH:
                return await self._log_in()
            case Stage.SENDER:
                return await self._command(f"MAIL FROM:<{letter.sender}>")
            case Stage.RECIPIENT:
                return await self._command(f"RCPT TO:<{letter.recipient}>")
            case Stage.DATA:
                return await self._command("DATA")
            case Stage.BODY:
                await self._write(letter.body)
                return None
            case Stage.END:
                self._protocol.write(b".\r\n")
                return _reply(await cast("asyncio.Task[SMTPResponse]", self._answer))

    async def close(self) -> None:
        """Say goodbye where the connection still stands, and end it without waiting for the other side."""
        if self._client.protocol is not None:
            with suppress(Exception):  # nothing hangs on it
                self._client.protocol.write(f"{QUIT}\r\n".encode())
        if self._transport is not None:
            self._transport.abort()
        self._client.close()
        if self._answer is not None:
            self._answer.cancel()
            await asyncio.wait([self._answer])
        await asyncio.sleep(0)  # the loop lets go of the connection in its next turn

    @property
    def _protocol(self) -> SMTPProtocol:
        if self._client.protocol is None:
            raise ConnectionResetError("the connection is lost")
        return self._client.protocol

    async def _connect(self) -> Reply:
        from aiosmtplib import SMTPConnectResponseError  # noqa: PLC0415  # as above

        try:
            reply = _reply(await self._client.connect())
        except SMTPConnectResponseError as error:
            return Reply(error.code, error.message)
        self._transport = cast("asyncio.Transport", self._client.transport)
        return reply

    async def _hello(self) -> Reply:
        from aiosmtplib import SMTPHeloError  # noqa: PLC0415  # as above

        try:
            return _reply(await self._client.ehlo())
        except SMTPHeloError as error:
            return Reply(error.code, error.message)

    async def _start_tls(self) -> Reply:
        from aiosmtplib import SMTPResponseException  # noqa: PLC0415  # as above

        if not self._client.supports_extension("starttls"):
            raise Unfit("the mail server does not offer STARTTLS, without which nothing is said to it")
        try:
            reply = _reply(await self._client.starttls())
        except SMTPResponseException as error:
            return Reply(error.code, error.message)
        self._transport = cast("asyncio.Transport", self._client.transport)
        return reply

    async def _log_in(self) -> Reply:
        reply = Reply(0)
        for line in credentials(self._settings, " ".join(self._client.server_auth_methods)):
            reply = await self._command(line)
            if reply.code // 100 != 3:  # noqa: PLR2004  # 334: the next line, please
                break
        return reply

    async def _command(self, line: str) -> Reply:
        return _reply(await self._client.execute_command(line.encode("ascii")))

    async def _write(self, body: bytes) -> None:
        """Write the message, and wait until it has left the buffer of this program.

        The answer is listened for from now on: what comes while nobody listens, the library throws away, and a
        server may say no before it has heard everything.
        """
        protocol, transport = self._protocol, cast("asyncio.Transport", self._transport)
        self._answer = asyncio.ensure_future(protocol.read_response())
        self._answer.add_done_callback(_heard)
        await asyncio.sleep(0)  # it listens once it has begun
        transport.set_write_buffer_limits(high=0)
        self._writer = asyncio.StreamWriter(transport, protocol, None, asyncio.get_running_loop())
        protocol.write(body)
        await self._writer.drain()


def _heard(answer: asyncio.Task[SMTPResponse]) -> None:
    """Nobody asks for the answer of a conversation that broke off before its end."""
    if not answer.cancelled():
        answer.exception()


def _reply(said: SMTPResponse) -> Reply:
    return Reply(said.code, said.message)
