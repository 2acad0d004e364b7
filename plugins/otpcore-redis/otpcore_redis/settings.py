"""What the Redis store takes from settings, and the pools that they make.

Rules of this file: nothing connects here; redis-py is imported when a store is built. A message never shows the URL,
which may hold a password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from otpcore.errors import ConfigurationError
from otpcore.ports import Durability

if TYPE_CHECKING:
    from otpcore_redis.aio import AsyncRedisStore  # at first use
    from otpcore_redis.store import RedisStore

__all__ = ["RedisSettings", "build", "build_async"]


class RedisSettings(BaseModel):
    """Settings of `redis`."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    url: SecretStr = Field(default=SecretStr("redis://127.0.0.1:6379/0"), description="redis://, rediss:// or unix://")
    prefix: str = Field(
        default="otpcore:", pattern=r"^[0-9A-Za-z_.:{}-]{0,60}$", description="at the head of every key"
    )
    timeout_s: float = Field(default=2.0, gt=0, le=10, description="seconds for a connection, and for an answer")
    connections: int = Field(default=8, ge=1, le=1000, description="connections of one process, at the most")
    durability: Durability = Field(
        default=Durability.PROCESS, description="what the server's own settings make of a write: see `otpcore doctor`"
    )

    def pool_terms(self) -> dict[str, Any]:
        """What either colour's pool is made with."""
        return {
            "max_connections": self.connections,
            "timeout": self.timeout_s,
            "socket_timeout": self.timeout_s,
            "socket_connect_timeout": self.timeout_s,
            "health_check_interval": 0,
            "decode_responses": False,
        }


def build(settings: RedisSettings) -> RedisStore:
    """A blocking store."""
    from redis.backoff import NoBackoff  # noqa: PLC0415  # at first use
    from redis.connection import BlockingConnectionPool  # noqa: PLC0415  # at first use
    from redis.retry import Retry  # noqa: PLC0415  # at first use

    from otpcore_redis.store import RedisStore  # noqa: PLC0415  # at first use

    kind: Any = BlockingConnectionPool  # whose methods have no types
    try:
        url = settings.url.get_secret_value()
        pool = kind.from_url(url, retry=Retry(NoBackoff(), 0), **settings.pool_terms())
    except ValueError:
        raise ConfigurationError(NO_URL) from None
    return RedisStore(pool, prefix=settings.prefix, durability=settings.durability)


def build_async(settings: RedisSettings) -> AsyncRedisStore:
    """An awaiting store."""
    from redis.asyncio.connection import BlockingConnectionPool  # noqa: PLC0415  # at first use
    from redis.asyncio.retry import Retry  # noqa: PLC0415  # at first use
    from redis.backoff import NoBackoff  # noqa: PLC0415  # at first use

    from otpcore_redis.aio import AsyncRedisStore  # noqa: PLC0415  # at first use

    kind: Any = BlockingConnectionPool  # whose methods have no types
    try:
        url = settings.url.get_secret_value()
        pool = kind.from_url(url, retry=Retry(NoBackoff(), 0), **settings.pool_terms())
    except ValueError:
        raise ConfigurationError(NO_URL) from None
    return AsyncRedisStore(pool, prefix=settings.prefix, durability=settings.durability)


NO_URL = "OTPCORE_REDIS_URL: give redis://, rediss:// or unix://, host, port and number of the database."
