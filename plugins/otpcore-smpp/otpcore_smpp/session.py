"""One bound link to the SMSC, from its bind to its end.

Rules of this file: what was handed to the socket may have been sent, what was not never will be: a message is written
in the same step of the loop in which its deadline was looked at, and where octets of one still wait in this process
when its call returns, the link is cut with them. Nothing of a PDU is logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from otpcore_smpp import pdu
from otpcore_smpp.pdu import Command, PduError
from otpcore_smpp.settings import SmppSettings
from otpcore_smpp.statuses import OK, TRY_LATER, UNKNOWN_COMMAND

__all__ = ["DELIVERERS", "BindRefused", "Delivered", "Lost", "Response", "Session", "Unwritten"]

DELIVERERS: Final = 4
"""Receipts handed to the application at one time."""

RECEIPTS_WAITING: Final = 1000
"""Receipts that wait for the application; what comes beyond them is to come again."""

UNREAD: Final = 65_536
"""Octets of answers that an SMSC leaves unread; one that goes on asking is cut."""

GOODBYE_S: Final = 1.0
"""Seconds that an SMSC gets to answer an unbind."""

LAST_SEQUENCE: Final = 0x7FFF_FFFF


class BindRefused(Exception):
    """The SMSC answered the bind with a status of its own."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused: 0x{status:08X}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Response:
    """The SMSC answered.

    Attributes:
        status: command_status.
        message_id: the id it gave, as it wrote it; None where there is none that can be kept.
        nacked: the answer was a generic_nack, whatever its status.
    """

    status: int
    message_id: str | None
    nacked: bool = False


@dataclass(frozen=True, slots=True)
class Unwritten:
    """Nothing was handed to the socket, and nothing will be.

    Attributes:
        waited: the deadline passed while others were before it; else there was no link any more.
    """

    waited: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """It was handed to the socket, and there was no answer.

    Attributes:
        waited: the deadline passed; else the link ended.
    """

    waited: bool


Delivered = Callable[[bytes], Awaitable[int]]
"""Takes the body of a deliver_sm, and gives the status to answer with."""


@dataclass(eq=False)
class Session:
    """A bound link; `run` keeps it until it ends.

    Attributes:
        ended: nothing is written any more.
    """

    settings: SmppSettings
    delivered: Delivered
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ended: bool = False
    _sequence: int = 1
    _next_at: float = 0.0
    _waiting: dict[int, asyncio.Future[Response | Lost]] = field(default_factory=dict)
    _traffic: asyncio.Event = field(default_factory=asyncio.Event)
    _doubted: asyncio.Event = field(default_factory=asyncio.Event)
    _leaving: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._window = asyncio.Semaphore(self.settings.window)
        self._receipts: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(RECEIPTS_WAITING)
        self._plain = self.writer.transport
        self._plain.set_write_buffer_limits(0)

    @classmethod
    async def open(cls, settings: SmppSettings, tls: ssl.SSLContext | None, delivered: Delivered) -> Session:
        """Connect and bind.

        Args:
            settings: where, and as whom.
            tls: an `ssl.SSLContext`, or None.
            delivered: see `Delivered`.

        Raises:
            BindRefused: the SMSC said no.
            OSError, EOFError, PduError: there is none, or it does not speak SMPP.
            TimeoutError: it took longer than `connect_s`.
        """
        async with asyncio.timeout(settings.connect_s):
            reader, writer = await asyncio.open_connection(settings.host, settings.port)
            try:
                session = cls(settings, delivered, reader, writer)
                if tls is not None:
                    await writer.start_tls(tls, server_hostname=settings.tls_name or settings.host)
                    writer.transport.set_write_buffer_limits(1, 0)  # of 0, TLS would never say that it may go on
                await session._bind()
            except BaseException:
                writer.transport.abort()
                raise
        return session

    @property
    def descriptor(self) -> int:
        """The socket's file descriptor; -1 when it is closed."""
        found: socket.socket | None = self.writer.get_extra_info("socket")
        return -1 if found is None else found.fileno()

    async def _bind(self) -> None:
        self.writer.write(pdu.pack(Command.BIND_TRANSCEIVER, 1, self.settings.bind().encode()))
        header, _ = await self._read()
        if header.sequence != 1 or header.command not in {Command.BIND_TRANSCEIVER_RESP, Command.GENERIC_NACK}:
            raise PduError("The answer to the bind is none.")
        if header.status != OK or header.command == Command.GENERIC_NACK:
            raise BindRefused(header.status)

    async def submit(self, body: bytes, deadline: float) -> Response | Unwritten | Lost:
        """Write one submit_sm and wait for its answer.

        Args:
            body: of the PDU.
            deadline: on the loop's clock.
        """
        try:
            async with asyncio.timeout_at(deadline):
                await self._window.acquire()
        except TimeoutError:
            return Unwritten(waited=True)
        try:
            return await self._exchange(body, deadline)
        finally:
            self._window.release()

    async def _exchange(self, body: bytes, deadline: float) -> Response | Unwritten | Lost:
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout_at(deadline):
                await self._pace(deadline)
                await self.writer.drain()  # limits of 0: until what was before is out of this process
        except TimeoutError:
            return Unwritten(waited=True)
        except OSError:
            return Unwritten(waited=False)
        if self.ended or self.writer.is_closing():
            return Unwritten(waited=False)
        if clock() >= deadline:
            return Unwritten(waited=True)
        answer: asyncio.Future[Response | Lost] = asyncio.get_running_loop().create_future()
        sequence = self._take_sequence()
        self._waiting[sequence] = answer
        self.writer.write(pdu.pack(Command.SUBMIT_SM, sequence, body))
        try:
            async with asyncio.timeout_at(deadline):
                return await answer
        except TimeoutError:
            self._doubted.set()
            return Lost(waited=True)
        finally:
            del self._waiting[sequence]
            if not answer.done() or answer.cancelled():
                self._keep_nothing()

    def _keep_nothing(self) -> None:
        """Nobody waits for this message any more: where octets of it are still here, they go nowhere."""
        if self._unwritten():
            self.writer.transport.abort()

    def _unwritten(self) -> int:
        """Octets that are still in this process: over TLS there are two places for them."""
        size = self._plain.get_write_buffer_size()
        return size if self.writer.transport is self._plain else size + self.writer.transport.get_write_buffer_size()

    async def _pace(self, deadline: float) -> None:
        """Wait for this message's place, where the SMSC takes only so many a second."""
        if not self.settings.per_second:
            return
        now = asyncio.get_running_loop().time()
        at = max(now, self._next_at)
        if at >= deadline:
            raise TimeoutError
        self._next_at = at + 1 / self.settings.per_second
        await asyncio.sleep(at - now)

    def _take_sequence(self) -> int:
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        return self._sequence

    # --- keeping it ---

    async def run(self) -> None:
        """Read, answer, and ask whether the link lives, until it ends. All who wait are told; nothing is left open."""
        tasks = [asyncio.create_task(each) for each in (self._listen(), self._keep(), self._leave())]
        tasks += [asyncio.create_task(self._hand_over()) for _ in range(DELIVERERS)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._end()
            self.writer.transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self.writer.wait_closed()

    def leave(self) -> None:
        """Unbind and end."""
        self._leaving.set()

    def cut(self) -> None:
        """End the connection from outside a loop that does not run; its descriptor is closed with the transport."""
        sock: socket.socket | None = self.writer.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError), sock.dup() as same:
                same.shutdown(socket.SHUT_RDWR)

    def _end(self) -> None:
        self.ended = True
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(Lost(waited=False))

    async def _leave(self) -> None:
        await self._leaving.wait()
        self._end()
        self.writer.write(pdu.pack(Command.UNBIND, self._take_sequence()))
        await asyncio.sleep(GOODBYE_S)  # the answer ends `_listen`, and with it this

    async def _keep(self) -> None:
        """Ask after each quiet while, and at once when a message had no answer."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.enquire_s):  # 3.11's `wait_for` may swallow a cancellation
                    await self._doubted.wait()
            self._doubted.clear()
            self._traffic.clear()
            self._answer(Command.ENQUIRE_LINK, self._take_sequence())
            async with asyncio.timeout(self.settings.enquire_answer_s):
                await self._traffic.wait()

    async def _read(self) -> tuple[pdu.Header, bytes]:
        header = pdu.read_header(await self.reader.readexactly(pdu.HEADER_SIZE))
        return header, await self.reader.readexactly(header.length - pdu.HEADER_SIZE)

    async def _listen(self) -> None:
        while True:
            header, body = await self._read()
            self._traffic.set()
            if not self._take(header, body):
                return

    def _take(self, header: pdu.Header, body: bytes) -> bool:
        """Do what a PDU asks for; False when it was the last."""
        match header.command:
            case Command.SUBMIT_SM_RESP | Command.GENERIC_NACK:
                answer = self._waiting.get(header.sequence)
                if answer is not None and not answer.done():
                    nacked = header.command == Command.GENERIC_NACK
                    answer.set_result(Response(header.status, pdu.read_message_id(body), nacked))
            case Command.ENQUIRE_LINK:
                self._answer(Command.ENQUIRE_LINK_RESP, header.sequence)
            case Command.DELIVER_SM:
                try:
                    self._receipts.put_nowait((header.sequence, body))
                except asyncio.QueueFull:
                    self._answer(Command.DELIVER_SM_RESP, header.sequence, b"\0", TRY_LATER)
            case Command.UNBIND:
                self._end()
                self._answer(Command.UNBIND_RESP, header.sequence)
                return False
            case Command.UNBIND_RESP:
                return False
            case Command.ALERT_NOTIFICATION:
                pass  # has no answer
            case _ if not pdu.is_response(header.command):
                self._answer(Command.GENERIC_NACK, header.sequence, status=UNKNOWN_COMMAND)
            case _:
                pass
        return True

    async def _hand_over(self) -> None:
        while True:
            sequence, body = await self._receipts.get()
            status = await self.delivered(body)
            self._answer(Command.DELIVER_SM_RESP, sequence, b"\0", status)

    def _answer(self, command: int, sequence: int, body: bytes = b"", status: int = OK) -> None:
        self.writer.write(pdu.pack(command, sequence, body, status))
        if self._unwritten() > UNREAD:
            self.writer.transport.abort()
