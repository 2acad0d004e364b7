"""Runs the emulator on a loopback port, in a thread of this process.

Rule of this file: the server's life; no behaviour of Twilio.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from otpcore.providers.transport import is_loopback
from otpcore_twilio.emulator.app import Account, asgi
from otpcore_twilio.emulator.inbox import messages, wait_for_messages
from otpcore_twilio.emulator.keeping import kept
from otpcore_twilio.emulator.transport import OpenProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import datetime
    from pathlib import Path

    from otpcore_twilio.emulator.callbacks import Callbacks
    from otpcore_twilio.emulator.clock import Clock
    from otpcore_twilio.emulator.faults import Faults
    from otpcore_twilio.emulator.options import Options
    from otpcore_twilio.emulator.records import Message

__all__ = ["Emulator", "serve"]

_KEEP_ALIVE_S = 300
"""Longer than any test leaves a pooled connection idle, so that no request meets a connection just closed."""


_LAST_S = 5
"""For requests under way at the end; what is left then is cancelled."""


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
    def messaging_service_sid(self) -> str:
        """MG…; one of the Messaging Services of the account, which has every one that is asked for."""
        return f"MG{self.service_sid[2:]}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which an application finds this emulator."""
        return {
            "TWILIO_ACCOUNT_SID": self.account_sid,
            "TWILIO_AUTH_TOKEN": self.auth_token,
            "TWILIO_SERVICE_SID": self.service_sid,
            "TWILIO_MESSAGING_SERVICE_SID": self.messaging_service_sid,
            "OTPCORE_TWILIO_ORIGIN": self.url,
            "OTPCORE_TWILIO_MESSAGING_ORIGIN": self.url,
        }

    @property
    def clock(self) -> Clock:
        """The emulator's time: moved, stopped, started."""
        return self.account.clock

    @property
    def faults(self) -> Faults:
        """Takes what shall go wrong."""
        return self.account.faults

    @property
    def callbacks(self) -> Callbacks:
        """What was told to `Options.callback_url`."""
        return self.account.callbacks

    def inbox(self, to: str | None = None, *, after: int = 0) -> tuple[Message, ...]:
        """The messages, oldest first: all of them, those of one recipient, those with a number greater than `after`."""
        return messages(self.account, to, after)

    def wait_for_message(self, to: str | None = None, *, after: int = 0, timeout_s: float = 10) -> Message:
        """The oldest of those messages, which may still be on its way.

        Raises:
            TimeoutError: none came in `timeout_s` seconds.
        """
        found = wait_for_messages(self.account, to, after, timeout_s)
        if not found:
            raise TimeoutError(f"no message came in {timeout_s} s")
        return found[0]

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
        """Move the clock forward; short for `clock.advance`."""
        self.clock.advance(seconds)


class _Server(uvicorn.Server):
    """Says when it serves, ends when it is told, and does not wait for anybody then.

    uvicorn itself looks ten times a second whether it shall end; a fixture of every test cannot spare that time.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Let it end; from any thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # writes the Date header
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for closing in (*self.servers, *(sockets or ())):
            closing.close()
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        if self.server_state.tasks:
            await asyncio.wait(tuple(self.server_state.tasks), timeout=_LAST_S)  # they notice that nobody listens


@contextlib.contextmanager
def serve(
    options: Options | None = None,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    remote: bool = False,
    clock: Callable[[], datetime] | None = None,
    state: Path | None = None,
) -> Generator[Emulator]:
    """Serve an account until the block ends: a fresh one, or the one in a file.

    Args:
        options: how it behaves.
        port: 0: a free one.
        host: a numeric address or localhost.
        remote: allows a host that other machines can reach. They would read every code.
        clock: gives the time; the system's by default. `Emulator.clock` adds to it.
        state: a file that keeps the account: begun here if it is not there, and continued by the next emulator. A
            request is answered when what it changed is in the file. Of a continued account, `Options.seed` has no
            effect any more.

    Yields:
        The handle. The server listens before it is given.

    Raises:
        ValueError: `host` is not a loopback address and `remote` is not set.
        OSError: the address cannot be bound, or the file cannot be written.
        StateFileError: the file is not the state of an emulator, or another one uses it. A ValueError.
    """
    if not remote and not is_loopback(host):
        raise ValueError(f"{host} is not a loopback address; the emulator shows every code to whoever can reach it")
    with contextlib.ExitStack() as stack:
        account = Account(options, clock=clock) if state is None else stack.enter_context(kept(state, options, clock))
        listener = stack.enter_context(_listen(host, port))
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
            server.end()
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
