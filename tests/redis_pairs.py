"""A Redis primary with a replica, which takes its place when it dies; and a store that waits for the replica.

    client ── primary ── link ── replica

A kill alone loses nothing: what a dead process has written, its kernel still delivers. So the primary's machine is lost
here, and with it what is on the link.

Rules of this file: loopback only; what is started here is ended here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redis
from pydantic import SecretStr
from redis.connection import ConnectionPool

from otpcore.errors import CommitUnknown
from otpcore_redis import RedisSettings
from otpcore_redis.settings import build
from otpcore_redis.store import RedisStore
from otpcore_redis.wire import Answer, Command, exchange
from tests.redis_servers import DEADLINE_S, Server
from tests.slow_link import SlowLink

__all__ = ["Pair", "WaitingStore", "store", "until"]

AT_ONCE = ("--repl-diskless-sync-delay", "0")
"""A replica is served when it asks; the server would wait five seconds for others to come."""


def until(holds: Callable[[], bool]) -> None:
    """Look until it holds, within a deadline."""
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, holds
        time.sleep(0.005)


def is_level(replication: dict[str, Any]) -> bool:
    """The replica has said that it has everything."""
    behind: dict[str, Any] = replication.get("slave0", {})
    return behind.get("state") == "online" and 0 < behind["offset"] == replication["master_repl_offset"]


class Pair:
    """A primary and its replica. Clients always find the primary at `url`.

    Args:
        folder: for the servers.
        delay_ms: of the link, each way.
    """

    def __init__(self, folder: Path, *, delay_ms: float = 0) -> None:
        self._folder = folder
        self._delay_ms = delay_ms
        self._made = 0
        self.primary = self._server()
        self.port = self.primary.port
        self.attach()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """From now on nothing that the primary writes reaches the replica."""
        self.link.cut()

    def fail_over(self) -> None:
        """The primary's machine is lost; the replica is promoted and takes its address. It has no replica yet."""
        self.link.cut()
        self.primary.kill()
        self.link.close()
        with redis.Redis(port=self.replica.port) as raw:
            client: Any = raw
            client.replicaof("NO", "ONE")
            client.config_set("port", str(self.port))
        self.primary = self.replica

    def attach(self) -> None:
        """Give the primary a replica, and wait until that has everything."""
        self.link = SlowLink(self.port, delay_ms=self._delay_ms)
        self.replica = self._server("--replicaof", "127.0.0.1", str(self.link.port))
        with redis.Redis(port=self.port) as raw:
            client: Any = raw
            until(lambda: is_level(client.info("replication")))  # "online" is said while it still loads

    def empty(self) -> None:
        """Both are as if they were new."""
        with redis.Redis(port=self.port) as raw:
            client: Any = raw
            client.flushall()
            until(lambda: is_level(client.info("replication")))

    def stop(self) -> None:
        self.link.close()
        self.replica.stop()
        self.primary.stop()

    def _server(self, *options: str) -> Server:
        self._made += 1
        place = self._folder / str(self._made)
        place.mkdir()
        return Server(place, *AT_ONCE, *options)


class WaitingStore(RedisStore):
    """Answers only when a replica has what the answer tells.

    A load waits, too. After a commit that no replica confirmed in time the core reads the record again and looks for
    its own mark; on a primary whose replica is gone it finds it, and without a wait would take it for safe.

    Args:
        pool: as for `RedisStore`.
        wait_ms: how long a replica may take.
        loads: False is the planted defect: only commits wait.
    """

    def __init__(self, pool: ConnectionPool, *, wait_ms: int = 500, loads: bool = True) -> None:
        super().__init__(pool)
        self._wait: Command = (b"WAIT", b"1", b"%d" % wait_ms)
        self._loads = loads

    def _exchange(self, commands: Sequence[Command]) -> list[Answer]:
        if not self._loads and all(command[0] == b"GET" for command in commands):
            return super()._exchange(commands)
        *answers, replicas = exchange(self._pool, [*commands, self._wait])
        if isinstance(replicas, int) and replicas >= 1:
            return answers
        raise CommitUnknown("No replica has confirmed the commit.")


def store(url: str, *, wait: bool, loads: bool = True) -> RedisStore:
    """A store that waits for the replica, or one that does not."""
    made = build(RedisSettings(url=SecretStr(url)))
    pool = made._pool  # pyright: ignore[reportPrivateUsage]  # the same pool, so that only the wait differs
    return WaitingStore(pool, loads=loads) if wait else made
