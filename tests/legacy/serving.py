"""The example application served by processes, and those who ask it: one after the other, or all at once.

Rules of this file: HTTP over loopback; what is right is said by the tests.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from otpcore.legacy import Desk
from otpcore.model import RecipientRecord
from otpcore.providers.fake import FakeProvider
from otpcore.stores.tinydb import TinyDBStore
from tests.legacy.flask_child import Orders

__all__ = ["ROOT", "Answer", "Served", "ask", "at_once", "counters", "environment_of", "gate", "served"]

ROOT: Final = Path(__file__).parents[2]
FILE: Final = "records.otpdb"
PATIENCE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: HTTP's.
        headers: as they came.
        body: its text.
        asked_at, answered_at: seconds since the epoch, just before and after.
    """

    status: int
    headers: Mapping[str, str]
    body: str
    asked_at: float
    answered_at: float

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True, slots=True)
class Served:
    """A running application.

    Attributes:
        ports: of each process.
        log: what the processes write besides.
    """

    ports: Sequence[int]
    log: Path = field(repr=False)

    def ask(self, path: str, body: object) -> Answer:
        return ask(self.ports[0], path, body)

    @property
    def written(self) -> str:
        return self.log.read_text("utf-8")


def ask(port: int, path: str, body: object, latch: threading.Barrier | None = None) -> Answer:
    """POST a body, as JSON where it is no text; with a latch, once everybody is connected."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.connect()
        if latch is not None:
            latch.wait(PATIENCE_S)
        asked_at = time.time()
        text = body if isinstance(body, str) else json.dumps(body)
        connection.request("POST", path, text, {"Content-Type": "application/json"})
        response = connection.getresponse()
        got = response.read().decode()
        return Answer(response.status, dict(response.headers), got, asked_at, time.time())


def at_once(ports: Sequence[int], path: str, bodies: Sequence[object]) -> list[Answer]:
    """As many as there are bodies, spread over the processes, from one latch."""
    answers: list[Answer] = []
    latch = threading.Barrier(len(bodies))

    def party(port: int, body: object) -> None:
        answers.append(ask(port, path, body, latch))

    threads = [
        threading.Thread(target=party, args=(ports[place % len(ports)], body)) for place, body in enumerate(bodies)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == len(bodies)
    return answers


@contextlib.contextmanager
def gate(parties: int) -> Generator[int]:
    """A port where callers of any process wait until so many have come; who comes later passes."""
    with socket.create_server(("127.0.0.1", 0), backlog=2 * parties) as listener:

        def hold() -> None:
            waiting: list[socket.socket] = []
            while True:
                try:
                    waiting.append(listener.accept()[0])
                except OSError:
                    break
                if len(waiting) >= parties:
                    for each in waiting:
                        each.close()
                    parted.append(len(waiting))
                    waiting[:] = []
                    break
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        parted: list[int] = []
        holding = threading.Thread(target=hold)
        holding.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            holding.join()
        assert parted == [parties], "they did not meet"


def counters(folder: Path) -> list[RecipientRecord]:
    """The resend records of the file in this folder."""
    with Desk(TinyDBStore(folder / FILE), FakeProvider(), pepper=bytes(32)) as desk:
        return [*desk.counters()]


def environment_of(emulated: Mapping[str, str], folder: Path, **more: str) -> dict[str, str]:
    """All that a process is told: where Twilio is, where its file is, and what a test adds."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    own = {"OTPCORE_TINYDB_PATH": str(folder / FILE), "ENABLE_OTP": "true", "FLASK_SECRET_KEY": "of the tests"}
    return {**bare, **emulated, **own, **more}


@contextlib.contextmanager
def served(
    environment: Mapping[str, str], folder: Path, orders: Orders | None = None, starts: int = 1
) -> Generator[Served]:
    """The application, in processes that are started one by one, each with the children that its orders say."""
    log = folder / "log"
    warned = ("-W", "error", "-W", "default::DeprecationWarning")
    command = [sys.executable, *warned, "-m", "tests.legacy.flask_child", json.dumps(asdict(orders or Orders()))]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with contextlib.ExitStack() as closing:
        writing = closing.enter_context(log.open("ab"))
        begun: list[subprocess.Popen[str]] = []
        for _ in range(starts):
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=writing, **pipes)
            begun.append(process)
            closing.callback(end, process)
        ports: list[int] = []
        for process in begun:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text("utf-8")
            ports += json.loads(line)
        yield Served(ports, log)


def end(process: subprocess.Popen[str]) -> None:
    """Let it end, and be sure that it does."""
    try:
        process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode == 0
