"""Redis servers of the tests' own, which they may stop, kill and cut off.

Rules of this file: loopback only; what is started here is ended here, by its process id.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
import redis

__all__ = ["DEADLINE_S", "PATIENCE_S", "Proxy", "Server", "free_port", "needed", "until"]

DEADLINE_S = 60
PATIENCE_S = 10
"""Timeout of a store that is to succeed: on a busy machine a replica needs seconds for what else takes a millisecond.
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def needed(program: str) -> str:
    """The path of a program; the test is skipped without it, unless services are required."""
    found = shutil.which(program)
    if found is None and os.environ.get("OTPCORE_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{program} is not installed, and services are required here")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def until(holds: Callable[[], bool], what: str) -> None:
    """Look until something holds, for what servers agree on among themselves."""
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


class Server:
    """A Redis server that keeps nothing on disk, unless it is told to. As a context it is killed in the end.

    Args:
        folder: for what it writes.
        options: of its command line.
        port: None: one that is free.
        program: redis-server, or valkey-server.
        file: its configuration, for a sentinel, which writes to it.
    """

    def __init__(
        self, folder: Path, *options: str, port: int | None = None, program: str = "redis-server", file: str = ""
    ) -> None:
        self.port = free_port() if port is None else port
        self.folder = folder
        self._options = options
        self._program = program
        self._file = file
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        program = needed(self._program)
        common = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        if self._file:
            place = self.folder / "server.conf"
            if not place.exists():
                place.write_text(self._file)
            common = [str(place), "--sentinel", *common]
        else:
            common += ["--save", ""]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen([program, *common, *self._options], stdout=log, stderr=log)
        try:
            self._answers()
        except BaseException:
            self.kill()
            raise

    def _answers(self) -> None:
        """Wait until it does."""
        end = time.monotonic() + DEADLINE_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(b"PING\r\n")
                if probe.recv(64).startswith((b"+PONG", b"-NOAUTH")):
                    return
            assert time.monotonic() < end, (self.folder / "server.log").read_text()
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "server.log").read_text()
            time.sleep(0.01)

    def client(self, **terms: Any) -> Any:
        """An administrator's."""
        return redis.Redis(port=self.port, **terms)

    def ask(self, *command: Any) -> Any:
        with self.client() as client:
            return client.execute_command(*command)

    def pause(self) -> None:
        """It answers nobody, until it goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """As if the machine had lost its power."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(DEADLINE_S)
            self._process = None


class Proxy:
    """Between client and server: it may lose what comes back, and break the connection instead.

    Attributes:
        loses: asked with each answer's bytes; True: they are lost, and the connection with them.
        says: an answer's bytes as the client is to hear them.
        port_behind: of the server that the next connection goes to.
        trips: how many times bytes went to the server.
        connections: how many were made.
        sent: what went to it.
    """

    def __init__(self, port: int) -> None:
        self.port_behind = port
        self.says: Callable[[bytes], bytes] = bytes
        self.loses: Callable[[bytes], bool] = bool_false
        self.trips = 0
        self.connections = 0
        self.sent: list[bytes] = []
        self._open = set[socket.socket]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        found: int = self._listener.getsockname()[1]
        return found

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE_S)

    @contextmanager
    def away(self) -> Generator[None]:
        """The server is out of reach: answers are lost, who comes is sent off, and no connection outlives it."""
        behind, loses = self.port_behind, self.loses
        self.port_behind, self.loses = free_port(), bool_true
        try:
            yield
        finally:
            for each in list(self._open):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            self.port_behind, self.loses = behind, loses

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection(("127.0.0.1", self.port_behind))
            except OSError:
                client.close()
                continue
            for each in (client, server):  # held back, a command of several packets would wait 40 ms for the other side
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open |= {client, server}
            for source, target, back in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass, args=(source, target, back), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not back:
                    self.trips += 1
                    self.sent.append(data)
                if back and self.loses(data):
                    break
                target.sendall(self.says(data) if back else data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        if back:  # the other way has seen the end by then, or sees it now
            self._open -= {source, target}
            source.close()
            target.close()


def bool_true(_data: bytes) -> bool:
    return True


def bool_false(_data: bytes) -> bool:
    return False
