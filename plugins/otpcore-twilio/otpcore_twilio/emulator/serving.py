"""Runs the emulator on a loopback port, in a thread of this process.

Rule of this file: the server's life; no behaviour of Twilio.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from otpcore_twilio.emulator.app import Account, asgi
from otpcore_twilio.emulator.loopback import is_loopback
from otpcore_twilio.emulator.transport import OpenProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import datetime

    from otpcore_twilio.emulator.options import Options
    from otpcore_twilio.emulator.records import Message

__all__ = ["Emulator", "serve"]

_KEEP_ALIVE_S = 300
"""Longer than any test leaves a pooled connection idle, so that no request meets a connection just closed."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator, as a test sees it. Safe to use from several threads.

    Attributes:
        url: the origin, to be given as `client.verify.base_url`.
        account: credentials, options and state.
    """

    url: str
    account: Account

    @property
    def account_sid(self) -> str:
        """AC…."""
        return self.account.credentials.account_sid

    @property
    def auth_token(self) -> str:
        """Belongs to `account_sid`."""
        return self.account.credentials.auth_token

    @property
    def service_sid(self) -> str:
        """VA…, a service that exists from the start."""
        return self.account.service_sid

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which an application finds this emulator."""
        return {
            "TWILIO_ACCOUNT_SID": self.account_sid,
            "TWILIO_AUTH_TOKEN": self.auth_token,
            "TWILIO_SERVICE_SID": self.service_sid,
            "OTPCORE_TWILIO_ORIGIN": self.url,
        }

    def inbox(self, to: str | None = None) -> tuple[Message, ...]:
        """The messages, oldest first: all of them, or those of one recipient."""
        with self.account.lock:
            return tuple(message for message in self.account.world.messages if to is None or message.to == to)

    def latest_code(self, to: str) -> str:
        """The code of the newest message to a recipient.

        Raises:
            LookupError: there is no message.
        """
        with self.account.lock:
            for message in reversed(self.account.world.messages):
                if message.to == to:
                    return message.code
        raise LookupError("no message was sent to this recipient")

    def advance(self, seconds: float) -> None:
        """Move the emulator's clock forward, by at most a year.

        Raises:
            ValueError: `seconds` is out of these bounds.
        """
        self.account.clock.advance(seconds)


class _Server(uvicorn.Server):
    """Says when it serves, and does not wait for anybody when it ends."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


@contextlib.contextmanager
def serve(
    options: Options | None = None,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    remote: bool = False,
    clock: Callable[[], datetime] | None = None,
) -> Generator[Emulator]:
    """Serve a fresh account until the block ends.

    Args:
        options: how it behaves.
        port: 0: a free one.
        host: a numeric address or localhost.
        remote: allows a host that other machines can reach. They would read every code.
        clock: gives the time; the system's by default. `Emulator.advance` adds to it.

    Yields:
        The handle. The server listens before it is given.

    Raises:
        ValueError: `host` is not a loopback address and `remote` is not set.
        OSError: the address cannot be bound.
    """
    if not remote and not is_loopback(host):
        raise ValueError(f"{host} is not a loopback address; the emulator shows every code to whoever can reach it")
    account = Account(options, clock=clock)
    with _listen(host, port) as listener:
        bound: int = listener.getsockname()[1]
        config = uvicorn.Config(
            asgi(account),
            loop="asyncio",
            http=OpenProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        server = _Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="twilio-emulator", daemon=True)
        thread.start()
        try:
            server.ready.wait()
            yield Emulator(f"http://{f'[{host}]' if ':' in host else host}:{bound}", account)
        finally:
            server.should_exit = True
            thread.join()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY on what this accepts only if the protocol is named; without it each answer on a kept
    # connection waits 40 ms for a delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener
