"""What the Redis store takes from settings, and the pools that they make.

Rules of this file: nothing connects here; redis-py is imported when a store is built. A message never shows the URL,
which may hold a password.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from otpcore.errors import ConfigurationError
from otpcore.ports import Durability
from otpcore_redis.address import WRONG, Address, address

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


@dataclass(frozen=True, slots=True)
class Library:
    """The parts of redis-py that have a colour."""

    parse_url: Any
    pool: Any
    retry: Any
    primary: Any
    primary_tls: Any


def build(settings: RedisSettings) -> RedisStore:
    """A blocking store."""
    from redis.connection import BlockingConnectionPool, parse_url  # noqa: PLC0415  # at first use
    from redis.retry import Retry  # noqa: PLC0415  # at first use

    from otpcore_redis.primary import PrimaryConnection, PrimarySSLConnection  # noqa: PLC0415  # at first use
    from otpcore_redis.store import RedisStore  # noqa: PLC0415  # at first use

    library = Library(parse_url, BlockingConnectionPool, Retry, PrimaryConnection, PrimarySSLConnection)
    return RedisStore(*_parts(settings, library), prefix=settings.prefix, durability=settings.promised())


def build_async(settings: RedisSettings) -> AsyncRedisStore:
    """An awaiting store."""
    from redis.asyncio.connection import BlockingConnectionPool, parse_url  # noqa: PLC0415  # at first use
    from redis.asyncio.retry import Retry  # noqa: PLC0415  # at first use

    from otpcore_redis.aio import AsyncRedisStore  # noqa: PLC0415  # at first use
    from otpcore_redis.primary_aio import PrimaryConnection, PrimarySSLConnection  # noqa: PLC0415  # at first use

    library = Library(parse_url, BlockingConnectionPool, Retry, PrimaryConnection, PrimarySSLConnection)
    return AsyncRedisStore(*_parts(settings, library), prefix=settings.prefix, durability=settings.promised())


def _parts(settings: RedisSettings, library: Library) -> tuple[Callable[[Node], Any], Route]:
    """How the pool of a server is made, and the way to the servers."""
    from redis.backoff import NoBackoff  # noqa: PLC0415  # at first use

    from otpcore_redis.cluster import Cluster  # noqa: PLC0415  # at first use
    from otpcore_redis.routes import Route  # noqa: PLC0415  # at first use

    where = address(settings.url.get_secret_value())
    limits = {"socket_timeout": settings.timeout_s, "socket_connect_timeout": settings.timeout_s}
    try:
        said: dict[str, Any] = library.parse_url(where.url)
    except ValueError:
        raise ConfigurationError(WRONG) from None
    never = {"retry": library.retry(NoBackoff(), 0), "health_check_interval": 0, "protocol": 2}
    terms = {"max_connections": settings.connections, "timeout": settings.timeout_s, **limits, **said, **never}
    terms["decode_responses"] = False
    if where.seeds or where.sentinels:
        del terms["host"]
    if where.sentinels:
        terms |= _watched(settings, where, said, library)
        terms["asking"] |= limits | never

    def pool_of(node: Node) -> Any:
        there = {} if node is None else {"host": node[0], "port": node[1]}
        return library.pool(**terms, **there)

    given = {"replicas": settings.replicas, "wait_ms": max(1, int(settings.timeout_s * 500))}
    return pool_of, Cluster(where.seeds, **given) if where.seeds else Route(**given)


def _watched(settings: RedisSettings, where: Address, said: dict[str, Any], library: Library) -> dict[str, Any]:
    """What a connection is made with that asks the sentinels for its server; they are asked by TLS where it is."""
    tls, secret = "connection_class" in said, settings.sentinel_password
    asking: dict[str, Any] = {name: each for name, each in said.items() if name.startswith("ssl_")}
    if tls:
        asking["ssl"] = True
    if secret is not None:
        asking["password"] = secret.get_secret_value()
    return {
        "connection_class": library.primary_tls if tls else library.primary,
        "service": where.service,
        "sentinels": list(where.sentinels),
        "asking": asking,
    }
