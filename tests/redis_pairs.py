"""A Redis primary with a replica, which takes its place when the machine of the primary is lost.

    client ── primary ── link ── replica

A kill alone loses nothing: what a dead process has written, its kernel still delivers. So the primary's machine is lost
here, and with it what is on the link.

Rules of this file: loopback only; what is started here is ended here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from otpcore.ports import Store
from otpcore_redis import RedisSettings
from otpcore_redis.settings import build
from tests.redis_groups import is_followed
from tests.redis_servers import PATIENCE_S, Server, until
from tests.slow_link import SlowLink

__all__ = ["Pair"]

AT_ONCE = ("--repl-diskless-sync-delay", "0")
"""A replica is served when it asks; the server would wait five seconds for others to come."""


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

    def store(self, *, wait: bool, timeout_s: float = PATIENCE_S) -> Store:
        """Of the primary; with a wait, what it acknowledges is at the replica within half the timeout."""
        url = SecretStr(f"redis://127.0.0.1:{self.port}/0")
        return build(RedisSettings(url=url, connections=16, timeout_s=timeout_s, replicas=int(wait)))

    def cut(self) -> None:
        """From now on nothing that the primary writes reaches the replica; what it wrote before has."""
        with self.primary.client() as ours, self.replica.client() as theirs:
            written: Any = ours.info("replication")

            def reached() -> bool:
                found: Any = theirs.info("replication")
                return bool(found["slave_repl_offset"] >= written["master_repl_offset"])

            until(reached, "the replica has what was written")
        self.link.cut()

    def fail_over(self) -> None:
        """The primary's machine is lost; the replica is promoted and takes its address. It has no replica yet."""
        self.link.cut()
        self.primary.kill()
        self.link.close()
        with self.replica.client() as client:
            client.replicaof("NO", "ONE")
            client.config_set("port", str(self.port))
        self.replica.port = self.port
        self.primary = self.replica

    def attach(self) -> None:
        """Give the primary a replica, and wait until that has everything."""
        self.link = SlowLink(self.port, delay_ms=self._delay_ms)
        self.replica = self._server("--replicaof", "127.0.0.1", str(self.link.port))
        until(lambda: is_followed(self.primary), "the replica has everything")

    def empty(self) -> None:
        """Both are as if they were new."""
        self.primary.ask("FLUSHALL")
        until(lambda: is_followed(self.primary), "the replica has everything")

    def stop(self) -> None:
        self.link.close()
        self.replica.kill()  # told to stop, a primary waits for its replica
        self.primary.kill()

    def _server(self, *options: str) -> Server:
        self._made += 1
        return Server(self._folder / str(self._made), *AT_ONCE, *options)
