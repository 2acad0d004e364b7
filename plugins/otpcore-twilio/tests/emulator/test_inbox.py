"""Waiting for a message: in a thread, over HTTP, and not for ever."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from otpcore_twilio.emulator import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.emulator.conftest import Bench

TO = "+12025550123"
OTHER = "+12025550124"


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def waiters(bench: Bench) -> int:
    """How many wait for the bell."""
    return len(bench.emulator.account.bell._heard)  # pyright: ignore[reportPrivateUsage]  # the only sign that somebody waits


def over_http(bench: Bench, browser: requests.Session, **wanted: Any) -> list[int]:
    answer = browser.get(f"{bench.emulator.url}/_emulator/inbox", params=wanted, timeout=30)
    return [message["number"] for message in answer.json()]


def test_messages_are_counted_and_asked_for_by_number(bench: Bench, browser: requests.Session) -> None:
    for to in (TO, OTHER, TO):
        bench.send(to)
    assert over_http(bench, browser) == [1, 2, 3]
    assert over_http(bench, browser, after=1, to=TO) == [3]
    assert [each.number for each in bench.emulator.inbox(TO, after=1)] == [3]
    browser.delete(f"{bench.emulator.url}/_emulator/inbox")
    bench.send()
    assert over_http(bench, browser) == [4]


@pytest.mark.parametrize("way", ["thread", "http"])
def test_a_message_that_is_there_is_not_waited_for(bench: Bench, browser: requests.Session, way: str) -> None:
    bench.send()
    if way == "thread":
        assert bench.emulator.wait_for_message(TO, timeout_s=0).number == 1
    else:
        assert over_http(bench, browser, to=TO, wait_s=60) == [1]


@pytest.mark.parametrize("way", ["thread", "http"])
def test_the_next_message_to_a_recipient_ends_the_waiting(bench: Bench, browser: requests.Session, way: str) -> None:
    bench.send()
    with ThreadPoolExecutor(1) as pool:
        if way == "thread":
            waiting = pool.submit(lambda: [bench.emulator.wait_for_message(TO, after=1, timeout_s=60).number])
        else:
            waiting = pool.submit(over_http, bench, browser, to=TO, after=1, wait_s=60)
        while not waiters(bench):
            assert not waiting.done()
        bench.send(OTHER)
        assert not waiting.done()
        bench.send()
        assert waiting.result(30) == [3]
    assert waiters(bench) == 0


def test_nobody_waits_longer_than_asked(bench: Bench, browser: requests.Session) -> None:
    with pytest.raises(TimeoutError, match="no message"):
        bench.emulator.wait_for_message(timeout_s=0.05)
    assert over_http(bench, browser, wait_s=0.05) == []


def test_a_client_that_leaves_is_no_longer_waited_with(bench: Bench) -> None:
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{bench.emulator.url}/_emulator/inbox?wait_s=60", timeout=0.3)
    patience = time.monotonic() + 30
    while waiters(bench):
        assert time.monotonic() < patience


def test_the_api_answers_while_many_wait(bench: Bench) -> None:
    with ThreadPoolExecutor(20) as pool:
        url = f"{bench.emulator.url}/_emulator/inbox?wait_s=60&after=1"
        asked = [pool.submit(requests.get, url, timeout=90) for _ in range(20)]
        while waiters(bench) < 20:
            assert not any(one.done() for one in asked)
        bench.send()
        bench.send()
        assert {len(one.result(30).json()) for one in asked} == {1}


@pytest.mark.parametrize("query", ["wait_s=61", "wait_s=-1", "wait_s=x", "after=-1", "after=x", "limit=3"])
def test_a_query_that_cannot_be_is_refused(bench: Bench, browser: requests.Session, query: str) -> None:
    answer = browser.get(f"{bench.emulator.url}/_emulator/inbox?{query}")
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(query.partition("=")[0])


def test_the_oldest_messages_make_room(bench_of: Callable[..., Bench], browser: requests.Session) -> None:
    bench = bench_of(Options(inbox_size=2))
    for _ in range(3):
        bench.send()
    assert over_http(bench, browser) == [2, 3]
