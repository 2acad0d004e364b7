"""A server that is stopped, killed or cut off in the middle of whatever goes on, through a proxy that sees each answer.

Rules of this file: trouble comes at an answer with a number, never after a time; what it hurts it makes whole again.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.places import Place
from tests.redis_servers import Proxy

__all__ = ["TROUBLES", "Served", "Trouble"]

TROUBLES: Final = ("stopped", "killed", "cut off")

EVERY: Final = 5
"""Of the answers, once it is cut off, the fifth is lost, and its connection with it."""

LOSSES: Final = 12
"""So often: a connection may need more answers than four before it is of use."""


class Trouble:
    """What happens to the server.

    Attributes:
        kind: of `TROUBLES`.
        happened: it has come.
    """

    def __init__(self, server: Any, kind: str, at_answer: int) -> None:
        self.kind = kind
        self.happened = threading.Event()
        self._server = server
        self._at = at_answer
        self._answers = 0
        self._mended = False
        self._lock = threading.Lock()
        self._over: threading.Thread | None = None

    def loses(self, _data: bytes) -> bool:
        """For `Proxy.loses`."""
        with self._lock:
            self._answers += 1
            if self._answers < self._at or self._mended:
                return False
            if self.kind == "cut off":
                self.happened.set()
                return (self._answers - self._at) % EVERY == 0 and self._answers < self._at + EVERY * LOSSES
            if self._over is None:
                (self._server.kill if self.kind == "killed" else self._server.stop)()
                self._over = threading.Thread(target=self._server.start)
                self._over.start()
                self.happened.set()
            return False

    def end(self) -> None:
        """Once it has come: wait until the server is there again, and lose no more."""
        self._mended = self.happened.is_set()
        if self._over is not None:
            self._over.join()


@dataclass
class Served:
    """A store's server, and a new place on it.

    Attributes:
        server: starts, stops and kills it.
        place: reached without a detour.
    """

    server: Any
    place: Place

    @contextmanager
    def in_trouble(self, kind: str, at_answer: int) -> Generator[tuple[Place, Trouble]]:
        """The same place by way of a proxy, and the trouble that will come; it is over at the end."""
        proxy = Proxy(self.server.port)
        through = self.place.at(self.place.address.replace(f":{self.server.port}/", f":{proxy.port}/"))
        trouble = Trouble(self.server, kind, at_answer)
        proxy.loses = trouble.loses
        try:
            yield through, trouble
        finally:
            trouble.end()
            proxy.close()
