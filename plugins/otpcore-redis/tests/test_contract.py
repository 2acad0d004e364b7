"""The store keeps the contract, in both colours, over real servers: one alone, one that sentinels name, a cluster."""

from __future__ import annotations

import secrets
import shutil
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr

from otpcore.conformance.store import StoreContract
from otpcore.ports import Durability, StoreCapabilities
from otpcore_redis import RedisSettings
from otpcore_redis.settings import build, build_async
from tests.redis_groups import Cluster, Watched

CLAIMS = StoreCapabilities(durability=Durability.PROCESS, multi_process=True, shared=True, batch=True)


def blocking(url: str, prefix: str) -> Any:
    secret = SecretStr(Watched.PASSWORD)
    return build(RedisSettings(url=SecretStr(url), prefix=prefix, connections=32, sentinel_password=secret))


def awaiting(url: str, prefix: str) -> Any:
    secret = SecretStr(Watched.PASSWORD)
    return build_async(RedisSettings(url=SecretStr(url), prefix=prefix, connections=32, sentinel_password=secret))


class Placed:
    """Somewhere, under a prefix of the test's own."""

    where: str
    prefix: str

    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.prefix = f"test:{secrets.token_hex(6)}:"

    def opener(self) -> Any:
        return partial(blocking, self.where, self.prefix)


class Alone(Placed):
    @pytest.fixture(autouse=True)
    def server(self, redis_url: str) -> None:
        self.where = redis_url


class OnValkey(Placed):
    @pytest.fixture(autouse=True)
    def server(self, valkey_url: str) -> None:
        self.where = valkey_url


class BySentinel(Placed):
    @pytest.fixture(autouse=True)
    def server(self, watched: Watched) -> None:
        self.where = watched.url


class InCluster(Placed):
    @pytest.fixture(autouse=True)
    def server(self, cluster: Cluster) -> None:
        self.where = cluster.url


class Blocking(Placed, StoreContract):
    capabilities = CLAIMS
    scans = True

    def make_store(self) -> Any:
        return blocking(self.where, self.prefix)


class Awaiting(Placed, StoreContract):
    capabilities = CLAIMS
    scans = True

    async def make_store(self) -> Any:
        return awaiting(self.where, self.prefix)


class TestRedis(Alone, Blocking):
    pass


class TestAsyncRedis(Alone, Awaiting):
    pass


if shutil.which("valkey-server") is None:

    def test_valkey_keeps_the_contract() -> None:
        pytest.skip("valkey-server is not installed")  # required nowhere: Debian 12 has none

else:

    class TestValkey(OnValkey, Blocking):
        pass

    class TestAsyncValkey(OnValkey, Awaiting):
        pass


class TestSentinel(BySentinel, Blocking):
    pass


class TestAsyncSentinel(BySentinel, Awaiting):
    pass


class TestCluster(InCluster, Blocking):
    pass


class TestAsyncCluster(InCluster, Awaiting):
    pass
