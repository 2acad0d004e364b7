"""A vendor on 127.0.0.1 that misbehaves on purpose, at the level of the socket, and records what it is asked.

Rules of this file: threads and sockets of the standard library; one scenario is in force at a time and decides
what happens after a request was read whole; nothing here knows a vendor. Every wait ends when the client
leaves or the server is released.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

__all__ = [
    "Conversation",
    "MisbehavingServer",
    "Scenario",
    "WireAnswer",
    "WireRequest",
    "cut",
    "cut_mid_body",
    "drip_body",
    "drip_headers",
    "refused_origin",
    "reply",
    "serve",
    "stall",
]

DRIP_S = 0.02
"""Seconds between two dripped bytes: far below any timeout for one read."""

_JSON: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as it arrived.

    Attributes:
        method: in capitals.
        path: with its query.
        headers: names in lower case.
        body: whole.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def form(self) -> dict[str, str]:
        """The body, read as a form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """A response to send."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: _JSON)

    @classmethod
    def of_json(cls, status: int, value: object) -> Self:
        """A response that holds a JSON document."""
        return cls(status, json.dumps(value).encode())

    def encode(self) -> bytes:
        """The bytes on the wire."""
        lines = [f"HTTP/1.1 {self.status} {'OK' if self.status < 300 else 'No'}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, slots=True)
class Conversation:
    """One request being answered.

    Attributes:
        request: what was asked.
        good: what a well-behaved vendor answers.
        connection: the socket.
        stopping: set when the server is released.
    """

    request: WireRequest
    good: Callable[[], WireAnswer]
    connection: socket.socket
    stopping: threading.Event

    def until_client_leaves(self) -> None:
        """Wait, reading and dropping."""
        while self.connection.recv(4096):
            pass


Scenario = Callable[[Conversation], bool]
"""Answers one request, and says whether the connection goes on."""


def serve(conversation: Conversation) -> bool:
    """Answer as a well-behaved vendor does."""
    conversation.connection.sendall(conversation.good().encode())
    return True


def stall(conversation: Conversation) -> bool:
    """Take the request and say nothing."""
    conversation.until_client_leaves()
    return False


def cut(conversation: Conversation) -> bool:
    """Take the request and reset the connection."""
    conversation.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def cut_mid_body(conversation: Conversation) -> bool:
    """Send a good answer without its last byte, and close."""
    conversation.connection.sendall(conversation.good().encode()[:-1])
    return False


def drip_headers(conversation: Conversation) -> bool:
    """Send headers that never end, a byte at a time."""
    conversation.connection.sendall(b"HTTP/1.1 200 OK\r\nX-Padding: ")
    return _drip(conversation)


def drip_body(conversation: Conversation) -> bool:
    """Send a body that never ends, a byte at a time."""
    conversation.connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
    )
    return _drip(conversation)


def _drip(conversation: Conversation) -> bool:
    while not conversation.stopping.wait(DRIP_S):
        conversation.connection.sendall(b" ")
    return False


def reply(answer: WireAnswer) -> Scenario:
    """Answer every request with the same."""

    def answered(conversation: Conversation) -> bool:
        conversation.connection.sendall(answer.encode())
        return True

    return answered


class MisbehavingServer:
    """Serves until the `with` block ends.

    Args:
        answer: what a well-behaved vendor answers to a request.
        tls: of a server; None: no TLS.

    Attributes:
        origin: "http://127.0.0.1:<port>", with TLS "https://localhost:<port>".
        scenario: in force for the next request; assign to change it.
    """

    def __init__(self, answer: Callable[[WireRequest], WireAnswer], tls: ssl.SSLContext | None = None) -> None:
        self.scenario: Scenario = serve
        self._answer = answer
        self._lock = threading.Lock()
        self._requests: list[WireRequest] = []
        self._connections: set[socket.socket] = set()
        self._left = threading.Condition(self._lock)
        self._stopping = threading.Event()
        self._server = _Listener(("127.0.0.1", 0), self, tls)
        port = self._server.server_port
        self.origin = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def requests(self) -> tuple[WireRequest, ...]:
        """What arrived whole, oldest first."""
        with self._lock:
            return tuple(self._requests)

    def wait_for_requests(self, count: int, patience_s: float) -> bool:
        """Wait until so many requests arrived; False when they did not in time."""
        with self._left:
            return self._left.wait_for(lambda: len(self._requests) >= count, patience_s)

    def wait_until_idle(self, patience_s: float) -> bool:
        """Wait until no client is connected; False when one still is."""
        with self._left:
            return self._left.wait_for(lambda: not self._connections, patience_s)

    def release(self) -> None:
        """End every conversation, so that clients that wait get an end of stream, and each that is still to come."""
        self._stopping.set()
        with self._lock:
            for connection in self._connections:
                _end(connection)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self.release()
        self._server.server_close()
        self._thread.join()

    def take(self, request: WireRequest, connection: socket.socket) -> bool:
        """Record a request and play the scenario; whether the connection goes on."""
        with self._left:
            self._requests.append(request)
            self._left.notify_all()
            scenario = self.scenario
        return scenario(Conversation(request, lambda: self._answer(request), connection, self._stopping))

    def arrived(self, connection: socket.socket) -> None:
        """A client connected."""
        with self._lock:
            self._connections.add(connection)
            if self._stopping.is_set():
                _end(connection)

    def left(self, connection: socket.socket) -> None:
        """The conversation with a client is over."""
        with self._left:
            self._connections.discard(connection)
            self._left.notify_all()


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the client has left by itself
        connection.shutdown(socket.SHUT_RDWR)


class _Listener(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: MisbehavingServer, tls: ssl.SSLContext | None) -> None:
        super().__init__(address, _Handler)
        self.owner = owner
        self._tls = tls

    def get_request(self) -> tuple[Any, Any]:
        """The next connection; its handshake happens in the thread that reads it, for a client may never make it."""
        connection, address = super().get_request()
        if self._tls is None:
            return connection, address
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what this server is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener  # pyright: ignore[reportIncompatibleVariableOverride]  # typeshed asks for the base class

    def setup(self) -> None:
        super().setup()
        self.server.owner.arrived(self.connection)

    def finish(self) -> None:
        self.server.owner.left(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in the standard library
        """Nothing is logged: the kit watches the provider's logs."""

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = WireRequest(self.command, self.path, headers, body)
        if not self.server.owner.take(request, self.connection):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take  # noqa: N815  # the names in the standard library


class refused_origin:  # noqa: N801  # used like a function
    """An origin on which every connection is refused: bound, so that nobody else takes it, and not listening."""

    def __enter__(self) -> str:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()
