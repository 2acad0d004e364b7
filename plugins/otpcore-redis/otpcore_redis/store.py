"""The blocking store.

Rules of this file: what is done is in `records`, where in `routes`; here it is carried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from otpcore.errors import StoreError
from otpcore.ports import (
    CommitRequest,
    Conflict,
    Durability,
    StoreCapabilities,
    StoreRemark,
    Version,
    Versioned,
)
from otpcore_redis.connections import Connections
from otpcore_redis.examining import examination
from otpcore_redis.records import Records
from otpcore_redis.routes import Node, Route
from otpcore_redis.wire import Wire

__all__ = ["RedisStore"]


class RedisStore:
    """Records in Redis or Valkey, one string each.

    Args:
        pool_of: makes the pool of a server, of connections that decode nothing and retry nothing.
        route: which server has a record.
        prefix: at the head of every key.
        durability: what an acknowledged commit survives, as the servers' settings make it.
    """

    def __init__(
        self,
        pool_of: Callable[[Node], Connections],
        route: Route,
        *,
        prefix: str = "otpcore:",
        durability: Durability = Durability.PROCESS,
    ) -> None:
        self._wire = Wire(pool_of)
        self._route = route
        self._records = Records(route, prefix)
        self._capabilities = StoreCapabilities(durability=durability, multi_process=True, shared=True, batch=True)

    @property
    def capabilities(self) -> StoreCapabilities:
        """See `Store.capabilities`."""
        return self._capabilities

    def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        (found,) = self.load_many((key,))
        if isinstance(found, StoreError):
            raise found
        return found

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """See `Store.commit`."""
        (answer,) = self.commit_many((CommitRequest(key, data, expect, gc_at),))
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        """See `Batches.load_many`. One trip."""
        return self._wire.run(self._records.load(keys))

    def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        """See `Batches.commit_many`. One trip, and one more for the commits whose server did not know the script."""
        return self._wire.run(self._records.commit(commits))

    def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`. Redis drops records by itself, a day after they may go; this looks at every key."""
        return self._wire.run(self._records.sweep(before, limit))

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `Scans.scan`. Redis keeps no order: each page looks at every key."""
        return self._wire.run(self._records.scan(after, limit))

    def examine(self) -> Sequence[StoreRemark]:
        """See `Examines.examine`."""
        return self._wire.run(examination(self._route, self._capabilities.durability))

    def close(self) -> None:
        """See `Store.close`."""
        self._wire.close()
