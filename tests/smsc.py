"""An SMSC on this machine: SMPP 3.4 over a real socket, plain or TLS, that behaves or misbehaves as it is told.

Rules of this file: it reads and writes PDUs by itself and shares nothing with the distribution that is tested, so that
the two can differ; what it received is kept whole, in order. It runs on an event loop in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

__all__ = [
    "OK",
    "Peer",
    "Smsc",
    "Submitted",
    "accept",
    "cut",
    "cut_mid_answer",
    "nack",
    "parse_submit",
    "receipt_body",
    "refuse",
    "silence",
]

OK = 0
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Submitted:
    """A submit_sm, field by field."""

    sequence: int
    service_type: str
    source: tuple[int, int, str]
    destination: tuple[int, int, str]
    esm_class: int
    protocol_id: int
    priority: int
    schedule: str
    validity: str
    registered: int
    replace: int
    coding: int
    default_id: int
    short: bytes
    tlvs: Mapping[int, bytes]

    @property
    def octets(self) -> bytes:
        return self.tlvs.get(0x0424, b"") if 0x0424 in self.tlvs else self.short


def parse_submit(sequence: int, body: bytes) -> Submitted:
    """Read the body of a submit_sm, every octet of it."""
    position = 0

    def octet() -> int:
        nonlocal position
        position += 1
        return body[position - 1]

    def text() -> str:
        nonlocal position
        start, position = position, body.index(0, position) + 1
        return body[start : position - 1].decode("ascii")

    service = text()
    source = (octet(), octet(), text())
    destination = (octet(), octet(), text())
    esm_class, protocol, priority = octet(), octet(), octet()
    schedule, validity = text(), text()
    registered, replace, coding, default_id, length = octet(), octet(), octet(), octet(), octet()
    short = body[position : position + length]
    assert len(short) == length
    position += length
    tlvs: dict[int, bytes] = {}
    while position < len(body):
        tag, size = struct.unpack_from("!HH", body, position)
        tlvs[tag] = body[position + 4 : position + 4 + size]
        assert len(tlvs[tag]) == size
        position += 4 + size
    return Submitted(
        sequence, service, source, destination, esm_class, protocol, priority, schedule, validity, registered, replace,
        coding, default_id, short, tlvs,
    )  # fmt: skip


@dataclass(eq=False)
class Peer:
    """One client that is connected."""

    owner: Smsc
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def write(self, command: int, sequence: int, body: bytes = b"", status: int = OK) -> None:
        self.writer.write(struct.pack("!IIII", 16 + len(body), command, status, sequence) + body)

    def answer(self, submitted: Submitted, status: int = OK, message_id: str | None = None) -> None:
        given = self.owner.next_id() if message_id is None else message_id
        self.write(0x80000004, submitted.sequence, given.encode("latin-1") + b"\0" if status == OK else b"", status)

    def reset(self) -> None:
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Scenario = Callable[[Peer, Submitted], Awaitable[None]]


async def accept(peer: Peer, submitted: Submitted) -> None:
    peer.answer(submitted)


def refuse(status: int) -> Scenario:
    async def refused(peer: Peer, submitted: Submitted) -> None:
        peer.answer(submitted, status)

    return refused


async def silence(peer: Peer, submitted: Submitted) -> None: ...


async def cut(peer: Peer, submitted: Submitted) -> None:
    peer.reset()


async def cut_mid_answer(peer: Peer, submitted: Submitted) -> None:
    peer.writer.write(struct.pack("!IIII", 16 + 9, 0x80000004, 0, submitted.sequence) + b"1234")
    await peer.writer.drain()
    peer.writer.close()


async def nack(peer: Peer, submitted: Submitted) -> None:
    peer.write(0x80000000, submitted.sequence, status=0x02)


def receipt_body(
    message_id: str | None,
    state: str,
    recipient: str,
    *,
    error: str = "000",
    tlvs: Mapping[int, bytes] | None = None,
    text: bool = True,
    esm_class: int = 0x04,
    quoted: str = "",
    ton: int = 1,
) -> bytes:
    """The body of a deliver_sm that is a receipt, as SMPP 3.4 appendix B has it; with `text` off, in TLVs alone."""
    words = (
        f"id:{message_id} sub:001 dlvrd:001 submit date:2611301200 done date:2611301201 stat:{state} err:{error} "
        f"text:{quoted}"
    ).encode("latin-1")
    short = words if text else b""
    body = b"\0" + bytes((ton, 1)) + recipient.lstrip("+").encode() + b"\0" + bytes((5, 0)) + b"Otpcore\0"
    body += bytes((esm_class, 0, 0)) + b"\0\0" + bytes((0, 0, 0, 0, len(short))) + short
    for tag, value in (tlvs or {}).items():
        body += struct.pack("!HH", tag, len(value)) + value
    return body


@dataclass
class Smsc:
    """Serves while the `with` block lasts.

    Attributes:
        scenario: what becomes of the next submit_sm.
        bind_status: what a bind is answered with.
        deaf: enquire_link has no answer.
        mute: a bind has no answer.
        binds: (system_id, password, system_type) of each, in order.
        submits: every submit_sm that came whole, in order.
        receipts: (sequence, status) of every deliver_sm_resp.
        commands: every command_id that came, in order.
    """

    tls: ssl.SSLContext | None = None
    scenario: Scenario = accept
    bind_status: int = OK
    deaf: bool = False
    mute: bool = False
    binds: list[tuple[str, str, str]] = field(default_factory=list)
    submits: list[Submitted] = field(default_factory=list)
    receipts: list[tuple[int, int]] = field(default_factory=list)
    commands: list[int] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.gate = asyncio.Event()
        self._ids = itertools.count(0x1A2B)
        self._sequences = itertools.count(1)
        self._changed = threading.Condition()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self.loop.run_forever, name="smsc")
        self._server: asyncio.Server | None = None

    # --- what a test does ---

    def next_id(self) -> str:
        return f"{next(self._ids):X}"

    def wait_for(self, holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> bool:
        """Wait until something that this SMSC keeps is so."""
        with self._changed:
            return self._changed.wait_for(holds, patience_s)

    def deliver(self, body: bytes, sequence: int | None = None) -> int:
        """Send a deliver_sm to the newest client; its sequence number."""
        number = next(self._sequences) if sequence is None else sequence
        self.soon(lambda: self.peers[-1].write(0x00000005, number, body))
        return number

    def soon(self, work: Callable[[], object]) -> None:
        """Do something on the SMSC's loop, and wait until it is done."""
        done = threading.Event()

        def run() -> None:
            work()
            done.set()

        self.loop.call_soon_threadsafe(run)
        assert done.wait(PATIENCE_S)

    def stop_listening(self) -> None:
        """Refuse new clients, and cut those that there are."""

        def stop() -> None:
            assert self._server is not None
            self._server.close()
            for peer in list(self.peers):
                peer.reset()

        self.soon(stop)

    def listen_again(self) -> None:
        asyncio.run_coroutine_threadsafe(self._listen(self.port), self.loop).result(PATIENCE_S)

    def answered(self, sequence: int) -> int | None:
        """The status with which a deliver_sm was answered."""
        return next((status for number, status in self.receipts if number == sequence), None)

    # --- the server ---

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(0), self.loop).result(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(PATIENCE_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:  # a client may just have come
            for peer in list(self.peers):
                peer.writer.transport.abort()
            await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(self, reader, writer)
        with self._changed:
            self.peers.append(peer)
            self._changed.notify_all()
        try:
            while True:
                length, command, status, sequence = struct.unpack("!IIII", await reader.readexactly(16))
                body = await reader.readexactly(length - 16)
                self._take(peer, command, status, sequence, body)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            with self._changed:
                self.peers.remove(peer)
                self._changed.notify_all()
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _take(self, peer: Peer, command: int, status: int, sequence: int, body: bytes) -> None:
        with self._changed:
            self.commands.append(command)
            if command == 0x00000009:
                system_id, password, system_type = (part.decode() for part in body.split(b"\0")[:3])
                self.binds.append((system_id, password, system_type))
            elif command == 0x00000004:
                self.submits.append(parse_submit(sequence, body))
            elif command == 0x80000005:
                self.receipts.append((sequence, status))
            self._changed.notify_all()
        if command == 0x00000009 and not self.mute:
            peer.write(0x80000009, sequence, b"smsc\0" if self.bind_status == OK else b"", self.bind_status)
        elif command == 0x00000004:
            task = self.loop.create_task(self._play(peer, self.submits[-1]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif command == 0x00000015 and not self.deaf:
            peer.write(0x80000015, sequence)
        elif command == 0x00000006:
            peer.write(0x80000006, sequence)

    async def _play(self, peer: Peer, submitted: Submitted) -> None:
        await self.scenario(peer, submitted)
