"""A vendor that accepts every send and remembers over which connection it came.

Rules of this file: the few words of Verify that a send needs; what Verify really does is the emulator's.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast
from urllib.parse import parse_qs

__all__ = ["ENVIRONMENT", "Recorder", "recording"]

ENVIRONMENT: Final = {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "t" * 32,
    "TWILIO_SERVICE_SID": "VA" + "0" * 32,
}


@dataclass(slots=True)
class Recorder:
    """What came.

    Attributes:
        url: its origin.
        sends: number and peer's port of each request, in their order.
        accepted: the peer's port of each connection.
    """

    url: str = ""
    sends: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    accepted: list[int] = field(default_factory=list[int])

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the facade finds it."""
        return {**ENVIRONMENT, "OTPCORE_TWILIO_ORIGIN": self.url}

    def ports(self, number: str) -> list[int]:
        """Over which connections this number was sent to."""
        return [port for to, port in self.sends if to == number]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # of five, those who come together are kept waiting for longer than a call may take

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.recorder = recorder


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        cast("_Server", self.server).recorder.accepted.append(self.client_address[1])

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        (to,) = form["To"]
        recorder = cast("_Server", self.server).recorder
        recorder.sends.append((to, self.client_address[1]))
        body: dict[str, Any] = {"sid": f"VE{len(recorder.sends):032x}", "status": "pending", "to": to, "valid": False}
        sent = json.dumps({**body, "channel": "sms", "send_code_attempts": [{"channel": "sms"}]}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its parent's name
        pass


@contextlib.contextmanager
def recording() -> Generator[Recorder]:
    """One on a free port, until the block ends; whoever is connected must have left by then."""
    recorder = Recorder()
    with _Server(recorder) as server:
        recorder.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            serving.join()
