"""The blocking store.

Rules of this file: one GET for a load, one script for a commit; no policy, no clock but for lifetimes.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from redis import exceptions
from redis.connection import ConnectionPool

from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore.ports import Conflict, Durability, StoreCapabilities, Version, Versioned
from otpcore_redis import script
from otpcore_redis.combining import Combiner
from otpcore_redis.wire import Answer, Command, exchange, refusal

__all__ = ["PAGE", "NoScript", "RedisStore"]

PAGE = 1000


class RedisStore:
    """Records in Redis or Valkey, one string each.

    Args:
        pool: of connections that decode nothing and retry nothing; closed with the store.
        prefix: at the head of every key.
        durability: what an acknowledged commit survives, as the server's settings make it.
    """

    def __init__(
        self, pool: ConnectionPool, *, prefix: str = "otpcore:", durability: Durability = Durability.PROCESS
    ) -> None:
        self._pool = pool
        self._prefix = prefix
        self._capabilities = StoreCapabilities(durability=durability, multi_process=True, shared=True)
        self._closed = False
        self._combiner = Combiner(self._exchange)
        self._pid = os.getpid()

    @property
    def capabilities(self) -> StoreCapabilities:
        """See `Store.capabilities`."""
        return self._capabilities

    def load(self, key: str) -> Versioned | None:
        """See `Store.load`."""
        try:
            answer = self._ask((b"GET", self._prefix + key))
        except CommitUnknown as error:
            raise StoreUnavailable(str(error)) from error.__cause__
        return script.read(answer)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        """See `Store.commit`."""
        version = script.made()
        given = script.arguments(data, expect, version, gc_at, datetime.now(UTC))
        place = self._prefix + key
        try:
            answer = self._ask((b"EVALSHA", script.CAS_SHA, b"1", place, *given))
        except NoScript:
            answer = self._ask((b"EVAL", script.CAS, b"1", place, *given))
        return script.answered(answer, version)

    def sweep(self, before: datetime, *, limit: int) -> int:
        """See `Store.sweep`. Redis drops records by itself, a day after they may go; this looks at every key."""
        gone = 0
        due = script.due(before)
        for keys in self._pages():
            room = limit - gone
            if room <= 0:
                break
            if keys:
                gone += sum(self._read([(b"EVAL", script.COLLECT, b"1", key, due) for key in keys[:room]]))
        return gone

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        """See `Scans.scan`. Redis keeps no order: each page looks at every key."""
        prefix = self._prefix.encode()
        keys = (key[len(prefix) :].decode() for page in self._pages() for key in page)
        wanted = heapq.nsmallest(limit, {key for key in keys if key > after})
        answers = self._read([(b"GET", self._prefix + key) for key in wanted]) if wanted else []
        found = [(key, script.read(value)) for key, value in zip(wanted, answers, strict=True)]
        return [(key, record) for key, record in found if record is not None]

    def close(self) -> None:
        """See `Store.close`."""
        self._closed = True
        self._pool.disconnect()

    # --- the wire ------------------------------------------------------------------------------

    def _pages(self) -> Iterator[list[bytes]]:
        cursor = b"0"
        while True:
            pattern = self._prefix + "*"
            ((cursor, keys),) = self._read([(b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"%d" % PAGE)])
            yield keys
            if cursor == b"0":
                return

    def _exchange(self, commands: Sequence[Command]) -> list[Answer]:
        return exchange(self._pool, commands)

    def _ask(self, command: Command) -> Answer:
        self._require_open()
        if self._pid != os.getpid():  # a child begins with nobody on the wire
            self._combiner, self._pid = Combiner(self._exchange), os.getpid()
        answer = self._combiner.call(command)
        if isinstance(answer, exceptions.NoScriptError):
            raise NoScript
        if isinstance(answer, exceptions.ResponseError):
            raise refusal(answer) from answer
        return answer

    def _read(self, commands: Sequence[Command]) -> list[Answer]:
        """The answers of several commands that may be asked again."""
        self._require_open()
        try:
            answers = exchange(self._pool, commands)
        except CommitUnknown as error:
            raise StoreUnavailable(str(error)) from error.__cause__
        for answer in answers:
            if isinstance(answer, exceptions.ResponseError):
                raise refusal(answer) from answer
        return answers

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("This store was closed; build a new one.")


class NoScript(Exception):
    """The server does not know the script: it was started anew, or flushed."""
