"""Redis and Valkey as the store of otpcore: one key for a record, one script for a commit."""

from collections.abc import Iterable

from otpcore.hookspecs import StoreType, hookimpl
from otpcore_redis.settings import RedisSettings, build, build_async

__all__ = ["RedisSettings", "otpcore_stores"]


@hookimpl
def otpcore_stores() -> Iterable[StoreType]:
    """Bring the store type `redis`."""
    return [
        StoreType(
            name="redis",
            summary="records in Redis or Valkey, for several machines",
            settings=RedisSettings,
            build=build,
            build_async=build_async,
        )
    ]
