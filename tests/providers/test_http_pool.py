"""The connections that a wire keeps: many calls at once, what is kept, and calls that are cancelled.

Run as a program it is the vendor, in a process of its own: it writes its origin, and for each line that it reads the
number of connections that were ever made to it.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpcore
import pytest

from otpcore.conformance.provider import SERVE, HttpVendor
from otpcore.ports import Accepted, Failure
from otpcore.providers import http_aio, http_pool, http_transport
from otpcore.providers.http import AsyncHttpProvider, awaited, blocking
from tests.providers.test_http_kit import Messages
from tests.providers.test_http_wire import NOT_SENT, a_send, good, trusting

ROOT = Path(__file__).parents[2]
AWAITED: Any = http_aio
BLOCKING: Any = http_transport
MANY = 128
LOOKS = 8
"""How often a call may look at a connection, however many there are."""


class CountingVendor(HttpVendor):
    made = 0

    def arrived(self, connection: Any) -> None:
        with self._lock:
            self.made += 1
        super().arrived(connection)

    def hang_up(self) -> None:
        """End the connections that there are; others may come."""
        with self._lock:
            for connection in self._connections:
                connection.shutdown(socket.SHUT_RDWR)


class Elsewhere:
    """A vendor in another process."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self.origin = self._said()

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def connections(self) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._said())

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


def serve(*, tls: bool) -> None:
    with CountingVendor(good, tls=tls) as vendor:
        print(vendor.origin, flush=True)
        for _ in sys.stdin:
            print(vendor.made, flush=True)
        vendor.release()


@pytest.fixture
def elsewhere() -> Generator[Elsewhere]:
    with closing(Elsewhere()) as found:
        yield found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a pool looked at a connection."""
    seen = [0]

    def counted(look: Callable[..., bool]) -> Callable[..., bool]:
        def looked(*arguments: Any) -> bool:
            seen[0] += 1
            return look(*arguments)

        return looked

    for kind in (httpcore.HTTPConnection, httpcore.AsyncHTTPConnection):
        for name in ("is_idle", "is_closed", "has_expired", "can_handle_request"):
            monkeypatch.setattr(kind, name, counted(getattr(kind, name)))
    return seen


def at_once(colour: str, origin: str, count: int, rounds: int = 2) -> list[list[Accepted | Failure]]:
    """The answers to so many sends at once, round after round over what is kept."""

    async def awaiting() -> list[list[Accepted | Failure]]:
        provider = awaited(Messages(origin), tls=trusting())
        try:
            return [await asyncio.gather(*(provider.send(a_send(120)) for _ in range(count))) for _ in range(rounds)]
        finally:
            await provider.close()

    if colour == "awaited":
        return asyncio.run(awaiting())
    with closing(blocking(Messages(origin), tls=trusting())) as provider, ThreadPoolExecutor(count) as pool:
        together = threading.Barrier(count)

        def one(_: int) -> Accepted | Failure:
            together.wait()
            return provider.send(a_send(120))

        return [list(pool.map(one, range(count))) for _ in range(rounds)]


def many_at_once_are_all_accepted(
    colour: str, elsewhere: Elsewhere, looks: list[int], count: int = MANY, rounds: int = 2
) -> None:
    """The property: what a call costs does not grow with the connections that are kept, and they are used again."""
    answers = [answer for each in at_once(colour, elsewhere.origin, count, rounds=rounds) for answer in each]
    assert {type(answer) for answer in answers} == {Accepted}
    assert looks[0] <= LOOKS * rounds * count, "each call looks at a few connections, not at all"
    assert elsewhere.connections() <= count, "a later round finds those of the first"


@pytest.mark.parametrize("colour", ["blocking", "awaited"])
def test_many_at_once_are_all_accepted(colour: str, elsewhere: Elsewhere, looks: list[int]) -> None:
    many_at_once_are_all_accepted(colour, elsewhere, looks)


def of_httpcore(monkeypatch: pytest.MonkeyPatch, **bounds: Any) -> None:
    """A planted defect: the pools of httpcore, with these bounds."""

    def awaiting(_: object) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            keepalive_expiry=AWAITED.IDLE_S, network_backend=AWAITED._AsyncBackend(), **bounds
        )

    def blocks(_: object) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(keepalive_expiry=BLOCKING.IDLE_S, network_backend=BLOCKING._Backend(), **bounds)

    monkeypatch.setattr(http_aio, "AsyncPool", awaiting)
    monkeypatch.setattr(http_transport, "Pool", blocks)


@pytest.mark.parametrize("colour", ["blocking", "awaited"])
def test_pools_that_look_at_all_connections_would_be_seen(
    colour: str, elsewhere: Elsewhere, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_httpcore(monkeypatch, max_connections=MANY)
    with pytest.raises(AssertionError, match="not at all"):
        many_at_once_are_all_accepted(colour, elsewhere, looks, 32)


@pytest.mark.parametrize("colour", ["blocking", "awaited"])
def test_pools_that_keep_few_connections_would_be_seen(
    colour: str, elsewhere: Elsewhere, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_httpcore(monkeypatch, max_connections=MANY, max_keepalive_connections=4)
    monkeypatch.setitem(globals(), "LOOKS", 10_000)
    with pytest.raises(AssertionError, match="finds those of the first"):
        # in twelve rounds: on a busy machine few calls of one round are under way at the same time
        many_at_once_are_all_accepted(colour, elsewhere, looks, 32, rounds=12)


@pytest.mark.parametrize("colour", ["blocking", "awaited"])
def test_a_handshake_serves_one_call_after_the_other(colour: str) -> None:
    with closing(Elsewhere("tls")) as elsewhere:
        for round_ in at_once(colour, elsewhere.origin, 1, rounds=5):
            assert [type(answer) for answer in round_] == [Accepted]
        assert elsewhere.connections() == 1


# --- what is kept ---


@pytest.fixture
def vendor() -> Generator[CountingVendor]:
    with CountingVendor(good) as vendor:
        yield vendor


def test_a_connection_that_its_vendor_ended_is_not_used(vendor: CountingVendor) -> None:
    with closing(blocking(Messages(vendor.origin))) as provider:
        assert isinstance(provider.send(a_send()), Accepted)
        vendor.hang_up()
        assert vendor.wait_until_idle(60)
        assert isinstance(provider.send(a_send()), Accepted)
    assert vendor.made == 2


@pytest.mark.parametrize("colour", ["blocking", "awaited"])
def test_connections_that_idled_too_long_are_closed_by_the_next_call(
    colour: str, vendor: CountingVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr({"blocking": http_transport, "awaited": http_aio}[colour], "IDLE_S", -1.0)
    for round_ in at_once(colour, vendor.origin, 4):
        assert {type(answer) for answer in round_} == {Accepted}
    assert vendor.made == 8
    assert vendor.wait_until_idle(60)


def test_hosts_have_connections_of_their_own(vendor: CountingVendor) -> None:
    class Wanders(Messages):
        def request(self, request: Any) -> Any:
            self.origin = next(origins)
            return super().request(request)

    with CountingVendor(good) as other:
        origins = iter([vendor.origin, other.origin, vendor.origin, other.origin])
        with closing(blocking(Wanders(vendor.origin))) as provider:
            assert {type(provider.send(a_send())) for _ in range(4)} == {Accepted}
        assert (vendor.made, other.made) == (1, 1)


def test_more_calls_than_places_wait_their_turn(vendor: CountingVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_pool, "CONNECTIONS", 2)
    for colour in ("blocking", "awaited"):
        (answers,) = at_once(colour, vendor.origin, 12, rounds=1)
        assert {type(answer) for answer in answers} == {Accepted}
    assert vendor.made <= 4


@pytest.mark.parametrize("colour", ["blocking", "awaited"])
def test_a_call_without_a_place_in_time_is_not_sent(
    colour: str, vendor: CountingVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_pool, "CONNECTIONS", 0)
    provider: Any = {"blocking": blocking, "awaited": awaited}[colour](Messages(vendor.origin))

    async def send() -> Any:
        found = provider.send(a_send(0.1))
        return found if isinstance(found, Failure) else await found

    found = asyncio.run(send())
    assert (found.kind, found.effect) == NOT_SENT
    assert vendor.made == 0


def test_close_ends_the_calls_that_are_under_way(vendor: CountingVendor) -> None:
    vendor.play("stall")
    provider = blocking(Messages(vendor.origin))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(provider.send, a_send(600))
        assert vendor.wait_for_requests(1, 60)
        provider.close()
        assert isinstance(call.result(60), Failure)
    assert vendor.wait_until_idle(60)


# --- cancelled calls ---


STEPS = 40


def a_cancelled_call_leaves_the_pool_to_others(
    vendor: CountingVendor, monkeypatch: pytest.MonkeyPatch, timeout_s: float = 60
) -> None:
    """The property: whatever step of a call is its last, the only place is free again."""
    monkeypatch.setattr(http_pool, "CONNECTIONS", 1)
    monkeypatch.setattr(http_aio, "IDLE_S", -1.0)  # so that each call has a connection to close and one to open

    async def use(provider: AsyncHttpProvider) -> None:
        for steps in range(STEPS):
            call = asyncio.create_task(provider.send(a_send(60)))
            for _ in range(steps):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert isinstance(await provider.send(a_send(timeout_s)), Accepted), steps

    async def run() -> None:
        provider = awaited(Messages(vendor.origin))
        try:
            await use(provider)
        finally:
            await provider.close()

    asyncio.run(run())
    assert vendor.wait_until_idle(60)


def test_a_cancelled_call_leaves_the_pool_to_others(vendor: CountingVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    a_cancelled_call_leaves_the_pool_to_others(vendor, monkeypatch)


def test_a_pool_that_keeps_the_place_of_a_cancelled_call_would_be_seen(
    vendor: CountingVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_httpcore(monkeypatch, max_connections=1)
    with pytest.raises(AssertionError, match="the deadline passed"):
        a_cancelled_call_leaves_the_pool_to_others(vendor, monkeypatch, 3)


def test_calls_that_are_cancelled_while_they_wait_take_no_place(
    vendor: CountingVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_pool, "CONNECTIONS", 2)

    async def run() -> None:
        provider = awaited(Messages(vendor.origin))
        vendor.play("stall")
        calls = [asyncio.create_task(provider.send(a_send(60))) for _ in range(10)]
        assert await asyncio.to_thread(vendor.wait_for_requests, 2, 60)
        for call in reversed(calls):
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        vendor.play(SERVE)
        answers = await asyncio.gather(*(provider.send(a_send(60)) for _ in range(10)))
        assert {type(answer) for answer in answers} == {Accepted}
        await provider.close()

    asyncio.run(run())
    assert len(vendor.requests) == 12
    assert vendor.wait_until_idle(60)


if __name__ == "__main__":
    serve(tls="tls" in sys.argv[1:])
