"""The store keeps the contract, in both colours, over real servers: one alone, one that sentinels name, a cluster."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr

from otpcore.conformance.processes import PRELOADED
from otpcore.conformance.store import StoreContract
from otpcore.ports import Durability, StoreCapabilities
from otpcore_redis import RedisSettings
from otpcore_redis.settings import build, build_async
from tests.redis_groups import Cluster, Watched
from tests.redis_servers import Proxy, Server

PRELOADED.extend(["otpcore_redis.aio", "otpcore_redis.cluster", "otpcore_redis.store", "tests.redis_groups"])

CLAIMS = StoreCapabilities(durability=Durability.PROCESS, multi_process=True, shared=True, batch=True)


def blocking(url: str, prefix: str) -> Any:
    secret = SecretStr(Watched.PASSWORD)
    return build(RedisSettings(url=SecretStr(url), prefix=prefix, connections=32, sentinel_password=secret))


def awaiting(url: str, prefix: str) -> Any:
    secret = SecretStr(Watched.PASSWORD)
    return build_async(RedisSettings(url=SecretStr(url), prefix=prefix, connections=32, sentinel_password=secret))


class Placed:
    """Somewhere, under a prefix of the test's own.

    Attributes:
        where: the URL.
        servers: those that have the records.
        proxies: the way to each of them, where one can be shut.
    """

    where: str
    prefix: str
    servers: list[Server]
    proxies: list[Proxy]

    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.prefix = f"test:{secrets.token_hex(6)}:"

    def opener(self) -> Any:
        return partial(blocking, self.where, self.prefix)

    def keys_without_expiry(self, store: Any) -> list[str]:
        kept: list[str] = []
        for server in self.servers:
            with server.client(decode_responses=True) as client:
                kept += [key for key in client.keys(f"{self.prefix}*") if client.ttl(key) == -1]
        return kept


class Reached(Placed):
    """Its servers can be put out of reach."""

    @contextmanager
    def outage(self, store: Any) -> Generator[None]:
        with ExitStack() as away:
            for proxy in self.proxies:
                away.enter_context(proxy.away())
            yield


class Alone(Reached):
    @pytest.fixture(autouse=True)
    def server(self, redis_server: Server, request: pytest.FixtureRequest) -> Iterator[None]:
        yield from self.at(redis_server, request)

    def at(self, server: Server, request: pytest.FixtureRequest) -> Iterator[None]:
        self.servers, self.where = [server], server.url
        if "outage" not in request.node.name:  # a proxy takes its time from the races
            yield
            return
        with Proxy(server.port) as proxy:
            self.proxies, self.where = [proxy], proxy.url
            yield


class OnValkey(Alone):
    @pytest.fixture(autouse=True)
    def server(self, valkey_server: Server, request: pytest.FixtureRequest) -> Iterator[None]:
        yield from self.at(valkey_server, request)


class BySentinel(Placed):
    """Sentinels name the primary where it listens, so no proxy can stand in its way."""

    @pytest.fixture(autouse=True)
    def server(self, watched: Watched) -> None:
        self.servers, self.where = [watched.primary], watched.url


class InCluster(Reached):
    @pytest.fixture(autouse=True)
    def server(self, cluster: Cluster) -> None:
        self.servers, self.proxies, self.where = cluster.nodes, cluster.proxies, cluster.url


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
