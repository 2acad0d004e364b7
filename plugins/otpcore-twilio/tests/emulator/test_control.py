"""The inbox, the clock and the page: what Twilio does not have."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

import pytest
import requests

from otpcore_twilio.emulator import MAGIC, MESSAGE_MAGIC, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.emulator.conftest import Bench

OTHER = "+12025550124"


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def test_the_inbox_lists_what_was_sent_oldest_first(bench: Bench, browser: requests.Session) -> None:
    sent = bench.send()
    bench.send(OTHER, "call")
    first, second = browser.get(f"{bench.emulator.url}/_emulator/inbox").json()
    assert list(first) == ["number", "to", "channel", "code", "text", "at", "sid"]
    assert (first["to"], first["channel"], first["code"]) == ("+12025550123", "sms", bench.right())
    assert (first["sid"], first["code"] in first["text"]) == (sent.sid, True)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["at"])
    assert (second["to"], second["channel"]) == (OTHER, "call")


def test_the_inbox_can_be_asked_for_one_recipient_and_cleared(bench: Bench, browser: requests.Session) -> None:
    inbox = f"{bench.emulator.url}/_emulator/inbox"
    for to in (OTHER, "+12025550123", OTHER):
        bench.send(to)
    assert [one["to"] for one in browser.get(inbox, params={"to": OTHER}).json()] == [OTHER] * 2
    assert browser.delete(inbox, params={"to": OTHER}).status_code == 204
    assert [one["to"] for one in browser.get(inbox).json()] == ["+12025550123"]
    assert browser.delete(inbox).status_code == 204
    assert browser.get(inbox).json() == []
    assert bench.check("000000").status == "pending"  # the verification itself lives on


def test_the_clock_moves_forward_over_http(bench: Bench, browser: requests.Session) -> None:
    bench.send()
    clock = f"{bench.emulator.url}/_emulator/clock"
    before = browser.get(clock).json()["now"]
    after = browser.post(clock, json={"advance_s": 600}).json()["now"]
    assert after > before
    assert bench.refused(bench.check, bench.right()) == (404, 20404)


@pytest.mark.parametrize(
    "body",
    ['{"advance_s": -1}', '{"advance_s": 1e12}', '{"advance_s": "5"}', '{"advance_s": true}', "[]", "", "{}",
     '{"advance_s": NaN}', '{"advance_s": Infinity}', '{"advance_s": 1, "more": 1}', "\ufeff{"],
)  # fmt: skip
def test_a_body_that_does_not_move_the_clock_is_refused(bench: Bench, browser: requests.Session, body: str) -> None:
    answer = browser.post(
        f"{bench.emulator.url}/_emulator/clock",
        data=body.encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.json()["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_of_a_foreign_page_cannot_move_the_clock(bench: Bench, browser: requests.Session, kind: str) -> None:
    answer = browser.post(
        f"{bench.emulator.url}/_emulator/clock", data=b'{"advance_s": 600}', headers={"Content-Type": kind}
    )
    assert answer.status_code == 422


def test_the_clock_of_the_handle_refuses_to_go_back(bench: Bench) -> None:
    for seconds in (-1, 366 * 86_400 + 1, float("nan")):
        with pytest.raises(ValueError, match="forward"):
            bench.emulator.advance(seconds)


def test_the_magic_numbers_are_listed(bench: Bench, browser: requests.Session) -> None:
    rows = browser.get(f"{bench.emulator.url}/_emulator/numbers").json()
    shown = {(row["number"], row["on"] == "message") for row in rows}
    assert shown == {(number, False) for number in MAGIC} | {(number, True) for number in MESSAGE_MAGIC}


@pytest.mark.parametrize("path", ["/", "/_emulator/"])
def test_the_page_is_served_and_may_run_only_its_own_script(bench: Bench, browser: requests.Session, path: str) -> None:
    answer = browser.get(bench.emulator.url + path)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_page_fetches_nothing_from_elsewhere_and_writes_no_markup() -> None:
    assert not re.search(r"https?://|//[a-z]|@import|url\(|src=|<link", page.HTML)
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert sink not in page.HTML
    assert not re.search(r"<[^>]*\son\w+\s*=", page.HTML)


def test_what_a_message_says_is_nowhere_in_the_page_itself(bench: Bench, browser: requests.Session) -> None:
    bench.send(custom_friendly_name="<img src=x onerror=alert(1)>")
    assert "<img" in bench.emulator.inbox()[-1].text
    assert "<img" not in browser.get(bench.emulator.url).text
    assert browser.get(f"{bench.emulator.url}/_emulator/inbox").headers["Content-Type"] == "application/json"


def test_no_line_of_the_script_ends_inside_a_text() -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", page.HTML, re.DOTALL)
    assert [line for line in script.splitlines() if line.count('"') % 2] == []


def test_everything_that_the_script_takes_by_id_is_on_the_page() -> None:
    taken = set(re.findall(r'byId\("(\w+)"\)', page.HTML))
    assert taken == set(re.findall(r' id="(\w+)"', page.HTML))


def test_every_fault_on_the_page_can_be_ordered(bench: Bench, browser: requests.Session) -> None:
    (choice,) = re.findall(r'<select[^>]* id="outcome".*?</select>', page.HTML, re.DOTALL)
    offered = re.findall(r'<option value="(\w+)"', choice)
    assert len(offered) == choice.count("<option")
    for outcome in offered:
        order = {"outcome": int(outcome) if outcome.isdecimal() else outcome}
        assert browser.post(f"{bench.emulator.url}/_emulator/faults", json=order).status_code == 200
    assert len(bench.emulator.faults.pending()) == len(offered) > 0


def test_the_page_looks_at_the_faults_as_often_as_at_the_inbox() -> None:
    """Or it would show a fault that the last request has used up."""
    (refresh,) = re.findall(r"async function refresh\(\) \{.*?\n\}", page.HTML, re.DOTALL)
    assert {"/_emulator/inbox", "/_emulator/clock", "/_emulator/faults"} <= set(
        re.findall(r'"(/_emulator/\w+)"', refresh)
    )


def test_a_person_finds_the_account_on_the_page(bench: Bench, browser: requests.Session) -> None:
    """What the page sends with each request of its own."""
    account = browser.get(f"{bench.emulator.url}/_emulator/account").json()
    assert account == {
        "account_sid": bench.emulator.account_sid,
        "auth_token": bench.emulator.auth_token,
        "service_sid": bench.emulator.service_sid,
    }
