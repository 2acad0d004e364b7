"""What the fakes share: a request as it came, an answer, a message that was taken, and a server on loopback.

Rules of this file: the standard library. A fake is a pure object with state; what is served is asked one at a time.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

__all__ = ["Answer", "Asked", "Fake", "Message", "serve"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came.

    Attributes:
        method: in capitals.
        target: path and query.
        headers: names in lower case.
        body: whole.
    """

    method: str
    target: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """Without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """By name."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body, by name."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    status: int
    body: bytes
    kind: str = "application/json"

    @classmethod
    def of_json(cls, status: int, document: object) -> Answer:
        """A JSON document."""
        return cls(status, json.dumps(document).encode())

    @classmethod
    def of_text(cls, status: int, text: str) -> Answer:
        """A line of text."""
        return cls(status, text.encode(), "text/plain")


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was taken.

    Attributes:
        id: of the vendor, or ours where it takes that.
        to: the number.
        text: whole.
        sender: "" where none was named.
        ttl_s: how long it is worth sending; None where that was not said.
        report_to: where to report; "" where nowhere.
    """

    id: str
    to: str = field(repr=False)
    text: str = field(repr=False)
    sender: str = ""
    ttl_s: int | None = None
    report_to: str = field(default="", repr=False)


class Fake:
    """A vendor.

    Attributes:
        messages: those that were taken, oldest first.
        refuse: by number, what is answered in place of a yes; what the vendor has for it is in each fake.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.refuse: dict[str, Any] = {}

    def answer(self, asked: Asked) -> Answer:
        """What the vendor answers."""
        raise NotImplementedError


@contextmanager
def serve(fake: Fake) -> Generator[str]:
    """A server on a free port of 127.0.0.1, until the block ends; its origin."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                answer = fake.answer(Asked(self.command, self.path, headers, body))
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = _take  # noqa: N815  # the names in the standard library

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the standard library
            """Nothing: a query may hold a code."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
