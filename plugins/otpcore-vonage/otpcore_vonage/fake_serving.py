"""How the fake is served: sockets, faults and a record of what was asked.

Rules of this file: the standard library alone; it knows HTTP and nothing of Verify. Every wait ends when it is closed.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

__all__ = ["Answer", "Body", "Exchange", "Fault", "Serving", "problem"]

Body = dict[str, Any]
Answer = tuple[int, Body | None]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and the answer to it; `status` is None where none was given."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    asked: bytes = field(repr=False)
    status: int | None
    answered: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """How the next request goes wrong.

    Attributes:
        outcome: an HTTP status, or what happens to the connection: nothing, a reset, or an orderly end.
        processed: the request takes its effect first.
        headers: of an answer with that status.
    """

    outcome: int | Literal["stall", "cut", "close"]
    processed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def problem(status: int, kind: str, title: str, **more: object) -> Answer:
    """A refusal in Vonage's form."""
    return status, {"type": f"https://developer.vonage.com/api-errors#{kind}", "title": title, **more}


class Serving(ABC):
    """Serves until the `with` block ends.

    Args:
        tls: a server's context, for https; None: plain http.

    Attributes:
        origin: "http://127.0.0.1:<port>", or https.
        exchanges: what was asked and answered, oldest first.
        faults: of the next requests, in their order; an entry is used up by one request.
        lock: held while a request is worked on.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.exchanges: list[Exchange] = []
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        self._stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._server = _Listener(("127.0.0.1", 0), self, tls)
        self.origin = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @abstractmethod
    def answer(self, method: str, path: str, body: Body | None) -> Answer:
        """Do what a request asks for; `body` is None where it is no JSON object."""

    def take(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, connection: socket.socket
    ) -> bytes | None:
        """The bytes to answer with; None: the connection ends."""
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
            answer: Answer | None = None
            if fault is None or fault.processed:
                answer = self._allowed(method, path, headers, body)
            if fault is not None:
                text = body.decode(errors="replace")  # vendors echo what they refuse
                answer = (
                    problem(fault.outcome, "refused", "No", detail=text) if isinstance(fault.outcome, int) else None
                )
            status, document = answer or (None, None)
            answered = b"" if document is None else json.dumps(document).encode()
            self.exchanges.append(Exchange(method, path, headers, body, status, answered))
        if status is not None:
            return _encoded(status, answered, fault.headers if fault else {})
        if fault is not None and fault.outcome == "stall":
            self._stopping.wait(30)
        elif fault is not None and fault.outcome == "cut":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return None

    def _allowed(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if headers.get("authorization", "").partition(" ")[0] not in {"Bearer", "Basic"}:
            return problem(HTTPStatus.UNAUTHORIZED, "unauthorized", "Unauthorized")
        try:
            found: object = json.loads(body)
        except ValueError:
            found = None
        return self.answer(method, path, found if isinstance(found, dict) else None)  # pyright: ignore[reportUnknownArgumentType]  # JSON

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._stopping.set()
        with self.lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # the client has left by itself
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()

    def arrived(self, connection: socket.socket) -> None:
        """A client connected."""
        with self.lock:
            self._connections.add(connection)

    def left(self, connection: socket.socket) -> None:
        """A client's conversation is over."""
        with self.lock:
            self._connections.discard(connection)


def _encoded(status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    good = status < HTTPStatus.MULTIPLE_CHOICES
    lines = [f"HTTP/1.1 {status} {'OK' if good else 'No'}", *(f"{name}: {text}" for name, text in headers.items())]
    if status != HTTPStatus.NO_CONTENT:
        kind = "json" if good else "problem+json"
        lines += [f"Content-Type: application/{kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Listener(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: Serving, tls: ssl.SSLContext | None) -> None:
        super().__init__(address, _Handler)
        self.owner = owner
        self.tls = tls

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is no event."""

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that one client keeps no other waiting."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)


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
        """Nothing is logged: a path holds an id, and nobody asked."""

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.owner.take(self.command, self.path, headers, body, self.connection)
        if answer is None:
            self.close_connection = True
        else:
            self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = _take  # noqa: N815  # the names in the standard library
