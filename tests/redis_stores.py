"""Redis stores of both colours, asked as if they were blocking.

Rules of this file: what is opened here is closed by who opened it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import SecretStr

from otpcore.ports import CommitRequest, Version
from otpcore_redis import RedisSettings
from otpcore_redis.settings import build, build_async

__all__ = ["COLOURS", "Both", "later", "request"]

COLOURS = ("blocking", "awaiting")


def later() -> datetime:
    """In an hour. A server counts a key's lifetime from when it is written, which no constant of an import knows."""
    return datetime.now(UTC) + timedelta(hours=1)


def request(key: str, data: bytes | None, expect: Version | None = None) -> CommitRequest:
    return CommitRequest(key, data, expect, later())


class Both:
    """A store of either colour. Use as a context, or close it."""

    def __init__(self, colour: str, url: str, **given: Any) -> None:
        settings = RedisSettings(url=SecretStr(url), **given)
        self.runner = asyncio.Runner() if colour == "awaiting" else None
        self.store: Any = build(settings) if self.runner is None else build_async(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, method: str, *given: Any, **named: Any) -> Any:
        call = getattr(self.store, method)
        return call(*given, **named) if self.runner is None else self.runner.run(call(*given, **named))

    def put(self, key: str, data: bytes | None, expect: Version | None = None) -> Any:
        return self("commit", key, data, expect=expect, gc_at=later())

    def put_many(self, *requests: CommitRequest) -> Any:
        return self("commit_many", requests)

    def close(self) -> None:
        self("close")
        if self.runner is not None:
            self.runner.close()
