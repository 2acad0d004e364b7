"""Connections to whichever server the sentinels call the primary at that moment, blocking.

redis-py's own have the trap that a refusal (READONLY) becomes a lost connection, and pools that do not wait.

Rules of this file: the sentinels are asked for each connection that is made, and what they name must agree.
"""

from __future__ import annotations

from typing import Any

from redis import exceptions
from redis.connection import Connection, SSLConnection
from redis.sentinel import Sentinel

__all__ = ["PrimaryConnection", "PrimarySSLConnection", "agreed"]


class PrimaryConnection(Connection):
    """A connection to the primary of a service.

    Args:
        service: the sentinels' name of it.
        sentinels: host and port of each.
        asking: what a client of a sentinel is made with.
        **terms: the arguments of `redis.connection.Connection`.
    """

    def __init__(self, *, service: str, sentinels: list[tuple[str, int]], asking: dict[str, Any], **terms: Any) -> None:
        self._service, self._sentinels, self._asking = service, sentinels, asking
        super().__init__(**terms)  # type: ignore[no-untyped-call]  # redis-py's

    def _connect(self) -> Any:
        found: Any = Sentinel(self._sentinels, sentinel_kwargs=self._asking)  # type: ignore[no-untyped-call]  # redis-py's
        try:
            self.host, self.port = found.discover_master(self._service)
        finally:
            for sentinel in found.sentinels:
                sentinel.close()
        return super()._connect()  # type: ignore[no-untyped-call]  # redis-py's

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """Make the session, and have the server confirm what the sentinels say of it."""
        super().on_connect_check_health(check_health=check_health)
        untyped: Any = self
        untyped.send_command("ROLE", check_health=False)
        try:
            answer = untyped.read_response()
        except exceptions.NoPermissionError:
            return
        agreed(answer)


class PrimarySSLConnection(PrimaryConnection, SSLConnection):
    """The same, by TLS."""


def agreed(role: Any) -> None:
    """Whether a server calls itself a primary.

    Raises:
        redis.exceptions.ConnectionError: it does not.
    """
    if role[0] != b"master":
        raise exceptions.ConnectionError("what the sentinels call the primary is none")
