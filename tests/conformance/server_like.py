"""A memory store that is as one at a server: it takes batches, can be out of reach, and gives records a lifetime.

The kit's checks of these are shown on it to pass, and on its broken variants to fail.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from otpcore.errors import StoreError, StoreUnavailable
from otpcore.ports import CommitRequest, Conflict, StoreCapabilities, Version, Versioned
from otpcore.stores.memory import CAPABILITIES, MemoryStore

__all__ = ["ServerLike"]


class ServerLike(MemoryStore):
    """The sound one.

    Attributes:
        is_away: the server is out of reach.
        forever: keys that the server would keep for ever.
    """

    CLAIMS: ClassVar[StoreCapabilities] = replace(CAPABILITIES, batch=True)

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.forever: set[str] = set()

    @property
    def capabilities(self) -> StoreCapabilities:
        return self.CLAIMS

    def load(self, key: str) -> Versioned | None:
        self.reach()
        return super().load(key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        self.reach()
        return super().commit(key, data, expect=expect, gc_at=gc_at)

    def load_many(self, keys: Sequence[str]) -> Sequence[Versioned | StoreError | None]:
        return [self.load(key) for key in keys]

    def commit_many(self, commits: Sequence[CommitRequest]) -> Sequence[Version | Conflict | StoreError]:
        return [self.commit_one(each) for each in commits]

    def commit_one(self, each: CommitRequest) -> Version | Conflict | StoreError:
        """The answer to an item of a batch."""
        return self.commit(each.key, each.data, expect=each.expect, gc_at=each.gc_at)

    def sweep(self, before: datetime, *, limit: int) -> int:
        self.reach()
        return super().sweep(before, limit=limit)

    @contextmanager
    def outage(self) -> Generator[None]:
        """The server is out of reach for a while."""
        self.is_away = True
        try:
            yield
        finally:
            self.back()

    def back(self) -> None:
        """The server can be reached again."""
        self.is_away = False

    def reach(self) -> None:
        """Fail as a client does that cannot reach its server."""
        if self.is_away:
            raise StoreUnavailable("the server is away") from ConnectionResetError("by the server")

    def keys_without_expiry(self) -> list[str]:
        """As the server tells them."""
        return sorted(self.forever)
