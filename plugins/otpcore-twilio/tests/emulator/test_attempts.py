"""The log of attempts: what is in it, its filters and pages, and the conversions that checks and feedback cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from otpcore_twilio.emulator import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Bench

TO = "+12025550123"
SPANISH = "+34600000000"
ALL = frozenset({"sms", "call", "whatsapp", "email", "sna"})


def conversions(bench: Bench) -> list[str]:
    """Of every attempt, oldest first."""
    return [attempt.conversion_status for attempt in reversed(bench.v2.verification_attempts.list())]


def test_an_attempt_says_what_was_sent(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(clock=lambda: datetime(2026, 11, 2, 12, 0, tzinfo=UTC))
    sent = bench.send(SPANISH)
    (attempt,) = bench.v2.verification_attempts.list()
    fetched = bench.v2.verification_attempts(attempt.sid).fetch()
    assert bench.body == {
        "sid": sent.send_code_attempts[0]["attempt_sid"],
        "account_sid": bench.emulator.account_sid,
        "service_sid": bench.emulator.service_sid,
        "verification_sid": sent.sid,
        "date_created": "2026-11-02T12:00:00Z",
        "date_updated": "2026-11-02T12:00:00Z",
        "conversion_status": "unconverted",
        "channel": "sms",
        "price": {"value": "0.0000", "currency": "usd"},
        "channel_data": {
            "verification_sid": sent.sid,
            "to": SPANISH,
            "status": "unconfirmed",
            "message_status": "delivered",
            "error_code": None,
            "country": "ES",
            "code_length": 6,
            "locale": "es",
            "mcc": "001",
            "mnc": "01",
            "carrier": "Test network",
        },
        "url": f"{bench.emulator.url}/v2/Attempts/{attempt.sid}",
    }
    assert fetched.channel_data == attempt.channel_data


def test_the_newest_attempt_comes_first_and_each_channel_has_its_own_data(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(Options(channels=ALL))
    for channel in ("sms", "call", "whatsapp", "sna"):
        bench.send(channel=channel)
    bench.send("ada@example.org", "email")
    found = bench.v2.verification_attempts.list()
    assert [attempt.channel for attempt in found] == ["email", "whatsapp", "call", "sms"]  # none of a silent one
    assert found[2].channel_data["call_status"] == "completed"
    assert "message_status" not in found[2].channel_data
    assert found[0].channel_data["country"] is None


def test_a_message_that_does_not_arrive_says_why(bench: Bench) -> None:
    bench.send("+15005553005")
    (attempt,) = bench.v2.verification_attempts.list()
    data = attempt.channel_data
    assert (data["message_status"], data["error_code"]) == ("undelivered", "30005")


def test_the_right_code_converts_the_send_that_brought_it(bench: Bench) -> None:
    bench.send()
    bench.send(channel="call")
    bench.check(bench.wrong())
    assert conversions(bench) == ["unconverted", "unconverted"]
    bench.emulator.advance(5)
    bench.check(bench.right())
    assert conversions(bench) == ["unconverted", "converted"]
    newest = bench.v2.verification_attempts.list(limit=1)[0]
    assert (newest.channel_data["status"], newest.date_updated > newest.date_created) == ("confirmed", True)


@pytest.mark.parametrize(("status", "seen"), [("approved", "converted"), ("canceled", "unconverted")])
def test_feedback_converts_as_it_says(bench: Bench, status: str, seen: str) -> None:
    bench.service.update(custom_code_enabled=True)
    sent = bench.send(custom_code="4711")
    bench.service.verifications(sent.sid).update(status=status)
    assert conversions(bench) == [seen]


def test_an_attempt_expires_with_its_code_unless_it_was_confirmed(bench: Bench) -> None:
    bench.send()
    bench.send("+12025550124")
    bench.check(bench.right())
    bench.emulator.advance(600)
    found = bench.v2.verification_attempts.list()
    assert [attempt.channel_data["status"] for attempt in found] == ["expired", "confirmed"]


def test_the_log_outlives_verification_and_service_for_thirty_days(bench: Bench) -> None:
    sid = bench.send().send_code_attempts[0]["attempt_sid"]
    bench.service.delete()
    bench.emulator.advance(30 * 86_400 - 60)
    assert [attempt.sid for attempt in bench.v2.verification_attempts.list()] == [sid]
    assert bench.v2.verification_attempts(sid).fetch().sid == sid
    bench.emulator.advance(120)
    assert bench.v2.verification_attempts.list() == []
    assert bench.refused(bench.v2.verification_attempts(sid).fetch) == (404, 20404)


@pytest.fixture
def busy(bench: Bench) -> Bench:
    """Three sends an hour apart: to Spain by SMS and by call, then to the United States, converted, another service."""
    bench.emulator.account.clock.stop()
    bench.send(SPANISH)
    bench.emulator.advance(3600)
    bench.send(SPANISH, "call")
    bench.emulator.advance(3600)
    other = bench.v2.services(bench.v2.services.create(friendly_name="Other").sid)
    other.verifications.create(to=TO, channel="sms")
    other.verification_checks.create(to=TO, code=bench.right())
    return bench


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({}, [2, 1, 0]),
        ({"channel_data_to": TO}, [2]),
        ({"channel_data_to": "+12025550199"}, []),
        ({"country": "ES"}, [1, 0]),
        ({"country": "US"}, [2]),
        ({"country": "CM"}, []),
        ({"channel": "sms"}, [2, 0]),
        ({"channel": "call"}, [1]),
        ({"channel": "rbm"}, []),
        ({"status": "converted"}, [2]),
        ({"status": "unconverted"}, [1, 0]),
        ({"country": "ES", "channel": "sms"}, [0]),
        ({"after": 1}, [2, 1]),
        ({"before": 1}, [1, 0]),
        ({"after": 1, "before": 1}, [1]),
        ({"verify_service_sid": 2}, [2]),
        ({"verify_service_sid": 0}, [1, 0]),
        ({"verification_sid": 1}, [1]),
    ],
)
def test_every_filter_and_some_together(busy: Bench, query: dict[str, Any], places: list[int]) -> None:
    attempts = busy.v2.verification_attempts.list()[::-1]
    given = dict(query)
    for name, attribute in (("after", "date_created_after"), ("before", "date_created_before")):
        if name in given:
            given[attribute] = attempts[given.pop(name)].date_created
    for name, attribute in (("verify_service_sid", "service_sid"), ("verification_sid", "verification_sid")):
        if name in given:
            given[name] = getattr(attempts[given[name]], attribute)
    found = busy.v2.verification_attempts.list(**given)
    assert [attempt.sid for attempt in found] == [attempts[place].sid for place in places]


def test_a_filter_says_its_status_in_capitals_too(busy: Bench) -> None:
    busy.client.request("GET", f"{busy.emulator.url}/v2/Attempts", params={"Status": "CONVERTED"})
    assert len(busy.body["attempts"]) == 1


@pytest.mark.parametrize(
    ("name", "at", "found"),
    [
        ("DateCreatedAfter", "2026-11-02T12:00:00Z", 1),
        ("DateCreatedAfter", "2026-11-02T12:00:01Z", 0),
        ("DateCreatedAfter", "2026-11-02T14:00:00+02:00", 1),
        ("DateCreatedAfter", "2026-11-02T13:00:00+00:30", 0),
        ("DateCreatedAfter", "2026-11-02", 1),
        ("DateCreatedBefore", "2026-11-02T12:00:00Z", 1),
        ("DateCreatedBefore", "2026-11-02T11:59:59Z", 0),
        ("DateCreatedBefore", "2026-11-02T13:59:59+02:00", 0),
        ("DateCreatedBefore", "2026-11-02T12:00:00", 1),
    ],
)
def test_an_instant_is_met_to_the_second_in_any_zone(
    bench_of: Callable[..., Bench], name: str, at: str, found: int
) -> None:
    bench = bench_of(clock=lambda: datetime(2026, 11, 2, 12, 0, tzinfo=UTC))
    bench.send()
    bench.client.request("GET", f"{bench.emulator.url}/v2/Attempts", params={name: at})
    assert len(bench.body["attempts"]) == found


@pytest.mark.parametrize(
    "query",
    [
        "Status=maybe", "Channel=pigeon", "Country=es", "Country=ESP", "VerifyServiceSid=VA1", "VerificationSid=VE1",
        "DateCreatedAfter=yesterday", "DateCreatedBefore=Mon", "PageSize=0", "PageToken=x", "PageToken=PA",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["Attempts", "Attempts/Summary"])
def test_a_filter_that_cannot_be_is_refused(bench: Bench, path: str, query: str) -> None:
    if path == "Attempts/Summary" and query.startswith("Page"):
        path = "Attempts"
    bench.client.request("GET", f"{bench.emulator.url}/v2/{path}?{query}")
    assert bench.last == (400, 60200)


@pytest.mark.parametrize(
    ("query", "totals"),
    [
        ({}, (3, 1, 2, "33.333333333")),
        ({"country": "ES"}, (2, 0, 2, "0")),
        ({"destination_prefix": "+34"}, (2, 0, 2, "0")),
        ({"destination_prefix": "+1202"}, (1, 1, 0, "100")),
        ({"channel": "sms"}, (2, 1, 1, "50")),
        ({"country": "CM"}, (0, 0, 0, "0")),
    ],
)
def test_the_summary_counts_what_the_filters_let_pass(
    busy: Bench, query: dict[str, str], totals: tuple[int, int, int, str]
) -> None:
    found = busy.v2.verification_attempts_summary().fetch(**query)
    assert totals == (
        found.total_attempts,
        found.total_converted,
        found.total_unconverted,
        found.conversion_rate_percentage,
    )


@pytest.mark.parametrize("code", [20429, None])
def test_the_attempts_are_asked_for_a_hundred_times_a_minute(bench_of: Callable[..., Bench], code: int | None) -> None:
    bench = bench_of(Options(poll_code=code))
    attempts = bench.v2.verification_attempts
    for _ in range(98):
        attempts.list()
    bench.v2.verification_attempts_summary().fetch()
    assert bench.refused(attempts("VL" + "0" * 32).fetch) == (404, 20404)
    assert bench.refused(attempts.list) == (429, code)
    bench.emulator.advance(60)
    assert attempts.list() == []


# -- pages


def test_the_sdk_walks_through_the_pages_while_new_attempts_arrive(bench: Bench) -> None:
    for number in range(5):
        bench.send(f"+1202555012{number}")
    seen: list[str] = []
    for attempt in bench.v2.verification_attempts.stream(page_size=2):
        seen.append(attempt.channel_data["to"])
        bench.send(f"+1202555013{len(seen)}")
    assert seen == [f"+1202555012{number}" for number in (4, 3, 2, 1, 0)]


def test_a_page_leads_to_the_next_and_back_with_the_filters(bench: Bench) -> None:
    for number in range(5):
        bench.send(f"+1202555012{number}")
    pages = bench.v2.verification_attempts
    first = pages.page(page_size=2, channel="sms", date_created_after=datetime.now(UTC) - timedelta(days=1))
    meta = bench.body["meta"]
    assert (meta["page"], meta["page_size"], meta["key"], meta["previous_page_url"]) == (0, 2, "attempts", None)
    assert all("Channel=sms" in meta[name] for name in ("first_page_url", "url", "next_page_url"))
    second = first.next_page()
    third = second.next_page()
    assert bench.body["meta"]["page"] == 2
    assert third.next_page() is None
    sids = [[attempt.sid for attempt in page] for page in (first, second, third)]
    assert [len(page) for page in sids] == [2, 2, 1]
    back = third.previous_page()
    assert [attempt.sid for attempt in back] == sids[1]
    assert [attempt.sid for attempt in back.previous_page()] == sids[0]
    assert bench.body["meta"]["previous_page_url"] is None


def test_what_is_deleted_while_one_walks_hides_nothing(bench: Bench) -> None:
    made = [bench.v2.services.create(friendly_name=f"Shop {letter}").sid for letter in "abcde"]
    seen: list[str] = []
    for service in bench.v2.services.stream(page_size=2):
        seen.append(service.sid)
        bench.v2.services(service.sid).delete()
    assert seen == [bench.emulator.service_sid, *made]
    assert bench.v2.services.list() == []


def test_a_page_without_a_token_is_counted_from_the_start(bench: Bench) -> None:
    made = [bench.v2.services.create(friendly_name=f"Shop {letter}").sid for letter in "abc"]
    bench.client.request("GET", f"{bench.emulator.url}/v2/Services?PageSize=2&Page=1")
    assert [service["sid"] for service in bench.body["services"]] == made[1:]
    bench.client.request("GET", f"{bench.emulator.url}/v2/Services?PageSize=2&Page=9")
    assert (bench.body["services"], bench.body["meta"]["next_page_url"]) == ([], None)
