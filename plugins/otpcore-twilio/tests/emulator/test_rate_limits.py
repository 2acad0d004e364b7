"""Programmable rate limits: their life, and that they limit."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from otpcore_twilio.emulator import Options
from otpcore_twilio.emulator.limiting import note_keys, note_request, wait_for
from otpcore_twilio.emulator.records import Bucket, Holdings, RateLimit
from otpcore_twilio.emulator.resources import verifications

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Bench

START = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
SOMEBODY = {"end_user_ip": "192.0.2.7"}
OTHER = {"end_user_ip": "192.0.2.8"}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def limit_of(bench: Bench, *buckets: tuple[int, int], name: str = "end_user_ip") -> Any:
    """A rate limit with buckets of (max, interval)."""
    limit = bench.service.rate_limits.create(unique_name=name)
    for most, interval in buckets:
        bench.service.rate_limits(limit.sid).buckets.create(max=most, interval=interval)
    return limit


def sent_to(bench: Bench, number: int, keys: dict[str, Any]) -> int:
    """HTTP status of a send to one of many numbers."""
    answer = requests.post(
        f"{bench.emulator.url}/v2/Services/{bench.emulator.service_sid}/Verifications",
        auth=(bench.emulator.account_sid, bench.emulator.auth_token),
        data={
            "To": f"+120255501{number:02}",
            "Channel": "sms",
            "RateLimits": '{"end_user_ip": "' + str(keys["end_user_ip"]) + '"}',
        },
        timeout=10,
    )
    return answer.status_code


# -- they limit


def a_full_bucket_refuses(bench: Bench) -> None:
    limit_of(bench, (2, 60))
    for number in ("+12025550120", "+12025550121"):
        bench.send(number, rate_limits=SOMEBODY)
    bench.emulator.advance(20)
    assert bench.refused(bench.send, "+12025550122", rate_limits=SOMEBODY) == (429, 20429)
    headers = bench.http.answers[-1].headers
    assert 38 <= int(headers["Retry-After"]) <= 40
    assert headers["Twilio-Reached-Rate-Limit"] == "end_user_ip"
    assert bench.emulator.inbox("+12025550122") == ()
    assert bench.send("+12025550122", rate_limits=OTHER).status == "pending"
    bench.emulator.advance(40)
    assert bench.send("+12025550122", rate_limits=SOMEBODY).status == "pending"


def test_a_full_bucket_refuses_its_value_until_the_interval_is_over(bench: Bench) -> None:
    a_full_bucket_refuses(bench)


def test_a_limit_that_does_not_count_is_noticed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(held: Holdings, service_sid: str, keys: Any, code: int, *, now: datetime) -> None:
        """Planted defect: the buckets are looked at, and nothing is written."""
        before = {limit.sid: dict(limit.uses) for limit in held.rate_limits.values()}
        note_keys(held, service_sid, keys, code, now=now)
        for limit in held.rate_limits.values():
            limit.uses = before[limit.sid]

    monkeypatch.setattr(verifications, "note_keys", careless)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        a_full_bucket_refuses(bench)


def test_the_refusal_has_the_code_that_the_options_say(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(Options(rate_limit_code=60203))
    limit_of(bench, (1, 60))
    bench.send(rate_limits=SOMEBODY)
    assert bench.refused(bench.send, rate_limits=SOMEBODY) == (429, 60203)


def test_every_bucket_of_a_limit_counts(bench: Bench) -> None:
    limit_of(bench, (2, 10), (3, 60))
    bench.send("+12025550120", rate_limits=SOMEBODY)
    bench.send("+12025550121", rate_limits=SOMEBODY)
    assert bench.refused(bench.send, "+12025550122", rate_limits=SOMEBODY) == (429, 20429)
    bench.emulator.advance(10)
    bench.send("+12025550122", rate_limits=SOMEBODY)
    bench.emulator.advance(10)
    assert bench.refused(bench.send, "+12025550123", rate_limits=SOMEBODY) == (429, 20429)
    assert int(bench.http.answers[-1].headers["Retry-After"]) > 30


def test_where_one_limit_refuses_the_others_are_not_used_up(bench: Bench) -> None:
    limit_of(bench, (1, 60), name="session")
    limit_of(bench, (1, 60))
    bench.send("+12025550120", rate_limits=SOMEBODY)
    for _ in range(2):
        assert bench.refused(bench.send, "+12025550121", rate_limits=SOMEBODY | {"session": "a"}) == (429, 20429)
    assert bench.http.answers[-1].headers["Twilio-Reached-Rate-Limit"] == "end_user_ip"
    assert bench.send("+12025550121", rate_limits=OTHER | {"session": "a"}).status == "pending"
    assert bench.refused(bench.send, "+12025550122", rate_limits={"session": "a"}) == (429, 20429)


def test_a_request_counts_against_every_limit_that_it_names(bench: Bench) -> None:
    limit_of(bench, (1, 60), name="session")
    limit_of(bench, (1, 60))
    bench.send("+12025550120", rate_limits=SOMEBODY | {"session": "a"})
    for keys in (SOMEBODY, {"session": "a"}):
        assert bench.refused(bench.send, "+12025550121", rate_limits=keys) == (429, 20429)


@pytest.mark.parametrize("keys", [{"nobody_made_this": "x"}, {}, None])
def test_a_request_that_names_no_limit_is_not_limited(bench: Bench, keys: dict[str, str] | None) -> None:
    limit_of(bench, (1, 60))
    for number in range(3):
        to = f"+1202555012{number}"
        sent = bench.send(to) if keys is None else bench.send(to, rate_limits=keys)
        assert sent.status == "pending"


def test_a_limit_without_buckets_limits_nothing_and_a_bucket_of_none_everything(bench: Bench) -> None:
    limit = limit_of(bench)
    bench.send("+12025550120", rate_limits=SOMEBODY)
    bench.send("+12025550121", rate_limits=SOMEBODY)
    bench.service.rate_limits(limit.sid).buckets.create(max=0, interval=60)
    assert bench.refused(bench.send, "+12025550122", rate_limits=SOMEBODY) == (429, 20429)
    assert bench.http.answers[-1].headers["Retry-After"] == "60"


def test_a_changed_bucket_holds_from_then_on_and_a_deleted_limit_no_more(bench: Bench) -> None:
    limit = limit_of(bench, (1, 60))
    (bucket,) = bench.service.rate_limits(limit.sid).buckets.list()
    bench.send("+12025550120", rate_limits=SOMEBODY)
    bench.service.rate_limits(limit.sid).buckets(bucket.sid).update(max=2)
    bench.send("+12025550121", rate_limits=SOMEBODY)
    assert bench.refused(bench.send, "+12025550122", rate_limits=SOMEBODY) == (429, 20429)
    bench.service.rate_limits(limit.sid).delete()
    assert bench.send("+12025550122", rate_limits=SOMEBODY).status == "pending"
    assert bench.emulator.account.world.held.buckets == {}


def test_limits_of_the_same_name_in_two_services_do_not_share_their_counts(bench: Bench) -> None:
    limit_of(bench, (1, 60))
    other = bench.v2.services(bench.v2.services.create(friendly_name="Other").sid)
    other.rate_limits(other.rate_limits.create(unique_name="end_user_ip").sid).buckets.create(max=1, interval=60)
    bench.send(rate_limits=SOMEBODY)
    assert other.verifications.create(to="+12025550123", channel="sms", rate_limits=SOMEBODY).status == "pending"
    assert bench.refused(bench.send, rate_limits=SOMEBODY) == (429, 20429)


def test_a_number_is_limited_as_the_text_that_it_is(bench: Bench) -> None:
    limit_of(bench, (1, 60))
    bench.send(rate_limits={"end_user_ip": 7})
    assert bench.refused(bench.send, rate_limits={"end_user_ip": "7"}) == (429, 20429)


def test_of_many_simultaneous_sends_as_many_pass_as_the_bucket_holds(bench: Bench) -> None:
    limit_of(bench, (5, 60))
    gate = threading.Barrier(16)

    def send(number: int) -> int:
        gate.wait()
        return sent_to(bench, number, SOMEBODY)

    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(send, range(16))) == {201: 5, 429: 11}


def test_a_deleted_service_takes_its_limits_along(bench: Bench) -> None:
    limit_of(bench, (1, 60))
    bench.service.messaging_configurations.create("CA", "MG" + "0" * 32)
    bench.service.delete()
    held = bench.emulator.account.world.held
    assert (held.rate_limits, held.buckets, held.configurations) == ({}, {}, {})


# -- the windows alone


@pytest.mark.parametrize(
    ("times", "windows", "now", "wait"),
    [
        ((), ((60, 1),), 0, None),
        ((0,), ((60, 1),), 59.5, 0.5),
        ((0,), ((60, 1),), 60, None),
        ((0, 30), ((60, 2),), 30, 30),
        ((0, 30), ((60, 2),), 60, None),
        ((0, 10), ((10, 1), (60, 2)), 15, 45),
        ((0, 10), ((10, 1), (60, 3)), 15, 5),
        ((), ((60, 0),), 0, 60),
        ((), (), 0, None),
    ],
)
def test_how_long_one_waits_for_room(
    times: tuple[float, ...], windows: tuple[tuple[int, int], ...], now: float, wait: float | None
) -> None:
    found = wait_for([at(one) for one in times], windows, now=at(now))
    assert found == (None if wait is None else timedelta(seconds=wait))


def test_what_no_longer_counts_is_forgotten() -> None:
    held = Holdings()
    limit = RateLimit("RK0", "VA0", "ip", None, START, START, 1)
    held.rate_limits["RK0"] = limit
    held.buckets["BL0"] = Bucket("BL0", "RK0", 3, 60, START, START, 2)
    for second in range(1000):
        note_keys(held, "VA0", {"ip": str(second)}, 20429, now=at(second))
    note_keys(held, "VA0", {"ip": "990"}, 20429, now=at(1000))
    assert len(limit.uses) == 59  # of the seconds 941 to 999
    assert len(limit.uses["990"]) == 2
    note_keys(held, "VA0", {"ip": "990"}, 20429, now=at(2000))
    assert limit.uses == {"990": [at(2000)]}


def test_only_the_requests_that_can_still_count_are_kept() -> None:
    held = Holdings()
    for second in range(0, 6000, 3):
        note_request(held, "SafeList", 20429, now=at(second))
    assert len(held.requests["SafeList"]) <= 30


# -- their life


def test_a_limit_is_made_shown_changed_listed_and_deleted(bench: Bench) -> None:
    made = bench.service.rate_limits.create(unique_name="end_user_ip", description="by address")
    assert (made.unique_name, made.description, made.service_sid) == (
        "end_user_ip",
        "by address",
        bench.emulator.service_sid,
    )
    bench.emulator.advance(5)
    changed = bench.service.rate_limits(made.sid).update(description="by network")
    assert (changed.description, changed.date_updated > changed.date_created) == ("by network", True)
    bench.service.rate_limits.create(unique_name="session")
    assert [limit.unique_name for limit in bench.service.rate_limits.list(page_size=1)] == ["end_user_ip", "session"]
    assert bench.service.rate_limits(made.sid).delete()
    assert bench.refused(bench.service.rate_limits(made.sid).fetch) == (404, 20404)
    assert [limit.unique_name for limit in bench.service.rate_limits.list()] == ["session"]


def test_a_bucket_is_made_shown_changed_listed_and_deleted(bench: Bench) -> None:
    limit = bench.service.rate_limits(limit_of(bench).sid)
    made = limit.buckets.create(max=4, interval=60)
    limit.buckets.create(max=9, interval=3600)
    bench.emulator.advance(5)
    changed = limit.buckets(made.sid).update(max=5, interval=60)
    assert (changed.max, changed.interval, changed.date_updated > changed.date_created) == (5, 60, True)
    assert limit.buckets(made.sid).update(interval=120).interval == 120
    assert [(one.max, one.interval) for one in limit.buckets.list(page_size=1)] == [(5, 120), (9, 3600)]
    assert limit.buckets(made.sid).fetch().max == 5
    assert limit.buckets(made.sid).delete()
    assert bench.refused(limit.buckets(made.sid).fetch) == (404, 20404)


def test_what_an_administrator_does_wrong_has_its_code(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(Options(max_rate_limits=2, max_buckets=2))
    limits = bench.service.rate_limits
    made = limits.create(unique_name="a.b-c_1")
    assert bench.refused(limits.create, unique_name="a.b-c_1") == (400, 60208)
    for name in ("a b", "", "ä", "a/b"):
        assert bench.refused(limits.create, unique_name=name) == (400, 60209)
    limits.create(unique_name="b")
    assert bench.refused(limits.create, unique_name="c") == (400, 60207)
    buckets = limits(made.sid).buckets
    first = buckets.create(max=1, interval=60)
    assert bench.refused(buckets.create, max=9, interval=60) == (400, 60211)
    second = buckets.create(max=1, interval=120)
    assert bench.refused(buckets.create, max=1, interval=240) == (400, 60210)
    assert bench.refused(buckets(second.sid).update, interval=60) == (400, 60211)
    for wrong in ({"max": -1, "interval": 1}, {"max": "x", "interval": 1}, {"max": 1, "interval": 0}):
        assert bench.refused(buckets.create, **wrong) == (400, 60200)
        assert bench.refused(buckets(first.sid).update, **wrong) == (400, 60200)


def test_a_limit_belongs_to_its_service_and_a_bucket_to_its_limit(bench: Bench) -> None:
    limit, other = limit_of(bench, (1, 60)), limit_of(bench, name="session")
    (bucket,) = bench.service.rate_limits(limit.sid).buckets.list()
    foreign = bench.v2.services(bench.v2.services.create(friendly_name="Other").sid)
    for call in (
        foreign.rate_limits(limit.sid).fetch,
        foreign.rate_limits(limit.sid).delete,
        lambda: foreign.rate_limits(limit.sid).buckets.create(max=1, interval=1),
        foreign.rate_limits(limit.sid).buckets(bucket.sid).fetch,
        bench.service.rate_limits(other.sid).buckets(bucket.sid).fetch,
        bench.service.rate_limits(other.sid).buckets(bucket.sid).delete,
    ):
        assert bench.refused(call) == (404, 20404)
    assert foreign.rate_limits.list() == []
