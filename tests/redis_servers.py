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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

__all__ = ["Proxy", "Server", "free_port", "needed"]

DEADLINE_S = 20


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


class Server:
    """A Redis server that keeps nothing on disk, unless it is told to."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        program = needed("redis-server")
        common = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen([program, *common, *self._options], stdout=log, stderr=log)
        until = time.monotonic() + DEADLINE_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(b"PING\r\n")
                if probe.recv(64).startswith(b"+PONG"):
                    return
            assert time.monotonic() < until, (self._folder / "server.log").read_text()
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        """As if the machine had lost its power."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(DEADLINE_S)
            self._process = None


class Proxy:
    """Between client and server: it may lose what comes back, and break the connection instead.

    Attributes:
        loses: asked with each answer's bytes; True: they are lost, and the connection with them.
        trips: how many times bytes went to the server.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.loses: Callable[[bytes], bool] = bool_false
        self.trips = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE_S)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._port))
            except OSError:  # nobody is there
                client.close()
                continue
            for source, target, back in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass, args=(source, target, back), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self.trips += not back
                if back and self.loses(data):
                    break
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        if back:  # the other way has seen the end by then, or sees it now
            source.close()
            target.close()


def bool_false(_data: bytes) -> bool:
    return False
