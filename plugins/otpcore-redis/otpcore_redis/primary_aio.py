"""`otpcore_redis.primary`, awaited.

Rules of this file: as there.
"""

from __future__ import annotations

from typing import Any

from redis import exceptions
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.sentinel import Sentinel

from otpcore_redis.primary import agreed

__all__ = ["PrimaryConnection", "PrimarySSLConnection"]


class PrimaryConnection(Connection):
    """See `otpcore_redis.primary.PrimaryConnection`."""

    def __init__(self, *, service: str, sentinels: list[tuple[str, int]], asking: dict[str, Any], **terms: Any) -> None:
        self._service, self._sentinels, self._asking = service, sentinels, asking
        super().__init__(**terms)  # pyright: ignore[reportUnknownMemberType]  # redis-py's

    async def _connect(self) -> None:
        found: Any = Sentinel(self._sentinels, sentinel_kwargs=self._asking)  # type: ignore[no-untyped-call]  # redis-py's
        try:
            self.host, self.port = await found.discover_master(self._service)
        finally:
            for sentinel in found.sentinels:
                await sentinel.aclose()
        await super()._connect()  # type: ignore[no-untyped-call]  # redis-py's

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """See `otpcore_redis.primary.PrimaryConnection`."""
        await super().on_connect_check_health(check_health=check_health)
        untyped: Any = self
        await untyped.send_command("ROLE", check_health=False)
        try:
            answer = await untyped.read_response()
        except exceptions.NoPermissionError:
            return
        agreed(answer)


class PrimarySSLConnection(PrimaryConnection, SSLConnection):
    """The same, by TLS."""
