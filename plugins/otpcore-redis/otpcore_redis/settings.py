"""What the Redis store takes from settings, and the pools that they make.

Rules of this file: nothing connects here; redis-py is imported when a store is built. A message never shows the URL,
which may hold a password.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from otpcore.errors import ConfigurationError
from otpcore.ports import Durability
from otpcore_redis.address import WRONG, address

if TYPE_CHECKING:
    from otpcore_redis.aio import AsyncRedisStore  # at first use
    from otpcore_redis.routes import Node, Route
    from otpcore_redis.store import RedisStore

__all__ = ["RedisSettings", "build", "build_async"]


class RedisSettings(BaseModel):
    """Settings of `redis`."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="redis://, rediss:// or unix://; redis+sentinel:// or redis+cluster:// with several hosts",
    )
    sentinel_password: SecretStr | None = Field(default=None, description="of the sentinels, where they ask for one")
    prefix: str = Field(
        default="otpcore:", pattern=r"^[0-9A-Za-z_.:{}-]{0,60}$", description="at the head of every key"
    )
    timeout_s: float = Field(default=2.0, gt=0, le=10, description="seconds for a connection, and for an answer")
    connections: int = Field(
        default=8, ge=1, le=1000, description="connections of one process to one server, at the most"
    )
    replicas: int = Field(
        default=0, ge=0, le=10, description="how many replicas must have a write before it counts (WAIT)"
    )
    durability: Durability = Field(
        default=Durability.PROCESS, description="what the server's own settings make of a write: see `otpcore doctor`"
    )

    def promised(self) -> Durability:
        """What an acknowledged commit survives."""
        return Durability.REPLICATED if self.replicas else self.durability


def build(settings: RedisSettings) -> RedisStore:
    """A blocking store."""
    from redis import connection, retry  # noqa: PLC0415  # at first use

    from otpcore_redis import primary  # noqa: PLC0415  # at first use
    from otpcore_redis.connections import Connections  # noqa: PLC0415  # at first use
    from otpcore_redis.store import RedisStore  # noqa: PLC0415  # at first use

    parts = _parts(settings, connection, retry, primary, Connections)
    return RedisStore(*parts, prefix=settings.prefix, durability=settings.promised())


def build_async(settings: RedisSettings) -> AsyncRedisStore:
    """An awaiting store."""
    from redis.asyncio import connection, retry  # noqa: PLC0415  # at first use

    from otpcore_redis import primary_aio  # noqa: PLC0415  # at first use
    from otpcore_redis.aio import AsyncRedisStore  # noqa: PLC0415  # at first use

    parts = _parts(settings, connection, retry, primary_aio, connection.BlockingConnectionPool)
    return AsyncRedisStore(*parts, prefix=settings.prefix, durability=settings.promised())


def _parts(
    settings: RedisSettings, connection: Any, retry: Any, primary: Any, pool: Callable[..., Any]
) -> tuple[Callable[[Node], Any], Route]:
    """How the pool of a server is made, of modules and a pool of one colour, and the way to the servers."""
    from redis.backoff import NoBackoff  # noqa: PLC0415  # at first use

    from otpcore_redis.cluster import Cluster  # noqa: PLC0415  # at first use
    from otpcore_redis.routes import Route  # noqa: PLC0415  # at first use

    where = address(settings.url.get_secret_value())
    limits = {"socket_timeout": settings.timeout_s, "socket_connect_timeout": settings.timeout_s}
    never = {"retry": retry.Retry(NoBackoff(), 0), "health_check_interval": 0, "protocol": 2}
    try:
        said: dict[str, Any] = connection.parse_url(where.url)
    except ValueError:
        raise ConfigurationError(WRONG) from None
    terms: dict[str, Any] = {"max_connections": settings.connections, "timeout": settings.timeout_s}
    terms |= limits | said | never | {"decode_responses": False}
    if where.seeds or where.sentinels:
        del terms["host"]
    if where.sentinels:
        tls = "connection_class" in said
        terms["connection_class"] = primary.PrimarySSLConnection if tls else primary.PrimaryConnection
        asking = limits | never | _asking(settings, said, tls=tls)
        terms |= {"service": where.service, "sentinels": list(where.sentinels), "asking": asking}

    def pool_of(node: Node) -> Any:
        there = {} if node is None else {"host": node[0], "port": node[1]}
        return pool(**terms, **there)

    try:
        pool_of(None).make_connection()  # it connects at first use
    except TypeError:  # a word in the query that redis-py does not know
        raise ConfigurationError(WRONG) from None
    replicas, wait_ms = settings.replicas, max(1, int(settings.timeout_s * 500))
    if where.seeds:
        return pool_of, Cluster(where.seeds, replicas=replicas, wait_ms=wait_ms)
    return pool_of, Route(replicas=replicas, wait_ms=wait_ms)


def _asking(settings: RedisSettings, said: dict[str, Any], *, tls: bool) -> dict[str, Any]:
    """What a client of a sentinel is made with beside its limits: TLS as the servers have it, a password of its own."""
    secret = settings.sentinel_password
    asking: dict[str, Any] = {name: each for name, each in said.items() if name.startswith("ssl_")}
    return asking | ({"ssl": True} if tls else {}) | ({} if secret is None else {"password": secret.get_secret_value()})
