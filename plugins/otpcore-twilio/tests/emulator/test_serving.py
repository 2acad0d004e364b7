"""The server's life: where it listens, how it ends, and who may touch its state at the same time."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import logging
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from otpcore_twilio.emulator import Account, Emulator, Message, Options, asgi, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.emulator.conftest import Bench

TO = "+12025550123"
OPEN_FILES = Path("/proc/self/fd")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_an_address_that_others_can_reach_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="loopback"), serve(host=host):
        pass


@pytest.mark.parametrize(("host", "origin"), [("127.0.0.1", "http://127.0.0.1:"), ("::1", "http://[::1]:")])
def test_a_loopback_address_is_served(host: str, origin: str) -> None:
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with serve(host=host) as emulator:
        assert emulator.url.startswith(origin)
        assert requests.get(f"{emulator.url}/_emulator/inbox", timeout=10).json() == []


def test_a_port_in_use_is_an_error_of_the_caller() -> None:
    with serve() as emulator:
        port = int(emulator.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), serve(port=port):
            pass


def test_the_handle_names_the_environment_of_an_application() -> None:
    with serve(Options(seed=1)) as emulator:
        assert emulator.environment == {
            "TWILIO_ACCOUNT_SID": emulator.account_sid,
            "TWILIO_AUTH_TOKEN": emulator.auth_token,
            "TWILIO_SERVICE_SID": emulator.service_sid,
            "TWILIO_MESSAGING_SERVICE_SID": emulator.messaging_service_sid,
            "OTPCORE_TWILIO_ORIGIN": emulator.url,
            "OTPCORE_TWILIO_MESSAGING_ORIGIN": emulator.url,
        }


def test_nobody_is_waited_for_at_the_end_and_nothing_stays_open() -> None:
    """A request that hangs and an idle connection are both cut off; thread and descriptors are gone."""
    with serve():
        pass  # what the first use opens for good is opened
    gc.collect()  # what earlier tests left to the collector is not counted
    before = len(list(OPEN_FILES.iterdir())), threading.active_count()
    with ThreadPoolExecutor(1) as pool, requests.Session() as hung, requests.Session() as idle:
        with serve() as emulator:
            idle.get(f"{emulator.url}/_emulator/inbox", timeout=10)
            waiting = pool.submit(
                hung.post,
                f"{emulator.url}/v2/Services/{emulator.service_sid}/Verifications",
                auth=(emulator.account_sid, emulator.auth_token),
                data={"To": "+15005557101", "Channel": "sms"},
                timeout=60,
            )
            while not emulator.inbox():
                assert not waiting.done()
        with pytest.raises(requests.exceptions.ConnectionError):
            waiting.result()
    files, threads = len(list(OPEN_FILES.iterdir())), threading.active_count()
    assert files <= before[0]
    assert threads <= before[1]


def test_a_caller_that_fails_ends_the_server_too() -> None:
    with pytest.raises(KeyError), serve() as emulator:
        raise KeyError
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(emulator.url, timeout=10)


def test_a_code_that_was_never_sent_is_a_lookup_error(bench: Bench) -> None:
    with pytest.raises(LookupError):
        bench.emulator.latest_code(TO)


@pytest.mark.parametrize("limit", [1, 5, 15])
def test_of_many_simultaneous_sends_as_many_are_accepted_as_the_limit_says(
    bench_of: Callable[..., Bench], limit: int
) -> None:
    emulator = bench_of(Options(max_sends=limit)).emulator
    gate = threading.Barrier(16)

    def send(_: int) -> int:
        gate.wait()
        return requests.post(
            f"{emulator.url}/v2/Services/{emulator.service_sid}/Verifications",
            auth=(emulator.account_sid, emulator.auth_token),
            data={"To": TO, "Channel": "sms"},
            timeout=10,
        ).status_code

    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(send, range(16))) == {201: limit, 429: 16 - limit}
    assert len(emulator.inbox(TO)) == limit


class _Watched(list[Message]):
    """An inbox that notices whoever touches it without the lock."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self._account = account

    def _look(self) -> None:
        if not self._account.lock.locked():
            raise RuntimeError("touched without the lock")

    def __iter__(self) -> Iterator[Message]:
        self._look()
        return super().__iter__()

    def __reversed__(self) -> Iterator[Message]:
        self._look()
        return super().__reversed__()

    def append(self, message: Message, /) -> None:
        self._look()
        super().append(message)


class _Careless(Emulator):
    """Planted defect: reads the inbox without the lock."""

    __slots__ = ()

    def inbox(self, to: str | None = None, *, after: int = 0) -> tuple[Message, ...]:
        return tuple(each for each in self.account.world.messages if to in {None, each.to} and each.number > after)


def _use_everything(bench: Bench, emulator: Emulator) -> None:
    emulator.account.world.held.messages = _Watched(emulator.account)
    bench.send()
    assert len(emulator.inbox()) == len(emulator.inbox(TO)) == 1
    assert emulator.latest_code(TO)
    assert len(requests.get(f"{emulator.url}/_emulator/inbox", timeout=10).json()) == 1


def test_the_inbox_is_touched_only_under_the_lock(bench: Bench) -> None:
    _use_everything(bench, bench.emulator)


def test_a_handle_that_reads_without_the_lock_is_noticed(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="without the lock"):
        _use_everything(bench, _Careless(bench.emulator.url, bench.emulator.account))


def test_no_code_number_or_token_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        bench.send()
        bench.check(bench.wrong())
        bench.refused(bench.send, "+15005550203")
        with contextlib.suppress(requests.exceptions.RequestException):
            bench.send("+15005557004")
        bench.check(bench.right())
    assert bench.right() not in caplog.text
    assert bench.emulator.auth_token not in caplog.text
    assert not [record for record in caplog.records if record.name.startswith(("uvicorn", "starlette", "otpcore"))]


def test_the_application_runs_under_another_server() -> None:
    """A fault that needs the connection says what is missing instead of doing something else."""
    account = Account()
    sent: list[Any] = []

    async def call(number: str) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": f"To=%2B{number}&Channel=sms".encode(), "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        made = account.credentials
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": f"/v2/Services/{account.service_sid}/Verifications",
            "query_string": b"",
            "headers": [(b"host", b"emulator"), (b"authorization", _basic(made.account_sid, made.auth_token))],
        }
        await asgi(account)(scope, receive, send)

    asyncio.run(call("12025550123"))
    assert sent[0]["status"] == 201
    with pytest.raises(RuntimeError, match="OpenProtocol"):
        asyncio.run(call("15005557002"))


def _basic(user: str, secret: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{secret}".encode())
