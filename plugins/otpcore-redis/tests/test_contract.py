"""The store keeps the contract, in both colours, over a real server."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr

from otpcore.conformance.store import StoreContract
from otpcore.ports import Durability, StoreCapabilities
from otpcore_redis import RedisSettings
from otpcore_redis.settings import build, build_async

CLAIMS = StoreCapabilities(durability=Durability.PROCESS, multi_process=True, shared=True, batch=True)


def blocking(url: str, prefix: str) -> Any:
    return build(RedisSettings(url=SecretStr(url), prefix=prefix, connections=32))


class TestRedisStore(StoreContract):
    capabilities = CLAIMS
    scans = True

    @pytest.fixture(autouse=True)
    def place(self, redis_url: str) -> None:
        self.url, self.prefix = redis_url, f"test:{secrets.token_hex(6)}:"

    def make_store(self) -> Any:
        return blocking(self.url, self.prefix)

    def opener(self) -> Any:
        return partial(blocking, self.url, self.prefix)


class TestAsyncRedisStore(StoreContract):
    capabilities = CLAIMS
    scans = True

    @pytest.fixture(autouse=True)
    def place(self, redis_url: str) -> None:
        self.url, self.prefix = redis_url, f"test:{secrets.token_hex(6)}:"

    async def make_store(self) -> Any:
        return build_async(RedisSettings(url=SecretStr(self.url), prefix=self.prefix, connections=32))

    def opener(self) -> Any:
        return partial(blocking, self.url, self.prefix)
