"""Messages of the application's own words: sent, shown, told of, and spoiled by number."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
import requests
from openapi_core.exceptions import OpenAPIError
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]  # the SDK carries no types
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK carries no types

from otpcore_twilio.emulator import FROM_NUMBERS, MESSAGE_MAGIC, Fault, Magic, Options, Scenario, serve
from otpcore_twilio.emulator.catalogue import ERRORS
from otpcore_twilio.emulator.texting import code_in, segments_of
from otpcore_twilio.messaging.errors import MESSAGE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Bench

    Judge = Callable[[str, str, int, str], None]

TO, FROM = "+12025550123", "+12025550100"
BODY = "918273 is your code."
DOCUMENT = Path(__file__).parents[5] / "shared" / "twilio" / "twilio_api_v2010.openapi.json"
ERROR_ROWS = [row for row in MESSAGE_MAGIC.values() if not isinstance(row.outcome, Fault)]
FAULT_ROWS = [row for row in MESSAGE_MAGIC.values() if isinstance(row.outcome, Fault)]
SEEN_AS = {
    Fault.HANG: requests.exceptions.ReadTimeout,
    Fault.RESET: requests.exceptions.ConnectionError,
    Fault.TRUNCATED: requests.exceptions.ChunkedEncodingError,
}


def sent(bench: Bench, to: str = TO, **more: Any) -> Any:
    given = {"from_": FROM, "body": BODY} | more
    return bench.client.messages.create(to=to, **{name: value for name, value in given.items() if value is not None})


def test_a_message_is_queued_and_then_read_by_its_recipient(bench: Bench) -> None:
    message = sent(bench)
    assert bench.last == (201, None)
    assert (message.status, message.num_segments, message.price, message.error_code) == ("queued", "1", None, None)
    assert (message.to, message.from_, message.body, message.direction) == (TO, FROM, BODY, "outbound-api")
    (read,) = bench.emulator.inbox(TO)
    assert (read.sid, read.text, read.code, read.channel) == (message.sid, BODY, "918273", "sms")
    assert bench.emulator.latest_code(TO) == "918273"
    shown = bench.client.messages(message.sid).fetch()
    assert (shown.status, shown.body, shown.num_segments) == ("delivered", BODY, "1")


def test_with_a_service_it_is_accepted_and_nobody_has_counted_segments(bench: Bench) -> None:
    service = bench.emulator.messaging_service_sid
    message = sent(bench, from_=None, messaging_service_sid=service)
    assert (message.status, message.num_segments, message.from_) == ("accepted", "0", None)
    assert message.messaging_service_sid == service


def test_it_stands_beside_verifications_in_inbox_and_json(bench: Bench) -> None:
    bench.send()
    message = sent(bench, body="no digits here")
    rows = requests.get(f"{bench.emulator.url}/_emulator/inbox", timeout=10).json()
    assert [(row["number"], row["channel"], row["to"]) for row in rows] == [(1, "sms", TO), (2, "sms", TO)]
    assert (rows[1]["sid"], rows[1]["code"], rows[1]["text"]) == (message.sid, "", "no digits here")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("918273 is your code.", "918273"),
        ("Code: 0042", "0042"),
        ("Call 911 or +12025550100", ""),
        ("It ends in 5 minutes: 918273", "918273"),
        ("Shop 2026 says 918273\n\n@shop.example #918273", "918273"),
        ("none", ""),
    ],
)
def test_the_code_in_a_text_is_what_a_person_would_type(body: str, code: str) -> None:
    assert code_in(body) == code


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("\u20ac" * 80, 1),
        ("\u20ac" * 81, 2),
        ("\u0627" * 70, 1),
        ("\u0627" * 71, 2),
        ("\U0001f600" * 35, 1),
        ("\U0001f600" * 36, 2),
        ("\u0627" * 135, 3),
    ],
    ids=lambda value: f"{value[0]!a}-{len(value)}" if isinstance(value, str) else str(value),
)
def test_segments_are_counted_as_networks_do(bench: Bench, body: str, segments: int) -> None:
    assert segments_of(body) == segments
    assert sent(bench, body=body).num_segments == str(segments)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": ""}, 21604),
        ({"to": "12025550123"}, 21211),
        ({"to": "+1202555012x"}, 21211),
        ({"from_": None}, 21603),
        ({"from_": "A name that is too long"}, 21212),
        ({"from_": None, "messaging_service_sid": "MG1"}, 21705),
        ({"body": None}, 21602),
        ({"body": "x" * 1601}, 21617),
        ({"to": FROM}, 21266),
        ({"validity_period": 0}, 90007),
        ({"validity_period": 36_001}, 90007),
        ({"risk_check": "maybe"}, 20001),
        ({"provide_feedback": "maybe"}, 20001),
        ({"status_callback": "otp.example.com/x"}, 21609),
        ({"status_callback": "https://my_host.example.com/x"}, 21609),
        ({"status_callback": "http://[/"}, 21609),
        *(({"from_": number}, code) for number, code in FROM_NUMBERS.items()),
    ],
)
def test_a_message_that_cannot_be_is_refused_and_nobody_gets_it(
    bench: Bench, changes: dict[str, Any], code: int
) -> None:
    assert bench.refused(sent, bench, **changes) == (ERRORS[code].status, code)
    assert bench.emulator.inbox() == ()


@pytest.mark.parametrize("sender", [FROM, "+15005550006", "ACME", "12345"])
@pytest.mark.parametrize("period", [1, 300, 36_000])
def test_what_twilio_takes_is_taken(bench: Bench, sender: str, period: int) -> None:
    more: dict[str, Any] = {
        "provide_feedback": True,
        "risk_check": "enable",
        "status_callback": "https://otp.example.com/x",
    }
    assert sent(bench, from_=sender, validity_period=period, **more).status == "queued"


def test_the_feedback_on_a_message_is_taken_where_it_was_announced(bench: Bench) -> None:
    first, second = sent(bench, provide_feedback=True), sent(bench)
    told = bench.client.messages(first.sid).feedback.create(outcome="confirmed")
    assert (told.message_sid, told.outcome) == (first.sid, "confirmed")
    assert bench.last == (200, None)
    assert bench.refused(bench.client.messages(second.sid).feedback.create, outcome="confirmed") == (404, 20404)
    assert bench.refused(bench.client.messages(first.sid).feedback.create, outcome="perhaps") == (400, 20001)
    with bench.emulator.account.lock:
        texts = bench.emulator.account.world.held.texts
        assert [text.outcome for text in texts.values()] == ["confirmed", None]


def test_another_account_and_a_message_that_is_not_there_are_not_found(bench: Bench) -> None:
    assert bench.refused(bench.client.messages("SM" + "0" * 32).fetch) == (404, 20404)
    other = bench.client.api.v2010.accounts("AC" + "f" * 32).messages
    assert bench.refused(other.create, to=TO, from_=FROM, body=BODY) == (404, 20404)
    assert bench.emulator.inbox() == ()


@pytest.mark.parametrize("row", ERROR_ROWS, ids=lambda row: f"{row.number}-{row.outcome}")
def test_a_number_answers_with_its_error_and_nobody_gets_a_message(bench: Bench, row: Magic) -> None:
    assert not isinstance(row.outcome, Fault)
    assert bench.refused(sent, bench, row.number) == (ERRORS[row.outcome].status, row.outcome)
    assert bench.emulator.inbox() == ()
    if row.outcome != 20500:
        assert row.outcome in MESSAGE_ERRORS, "the provider knows it"


def test_twilios_own_test_numbers_answer_as_twilio_says() -> None:
    """The page "Test credentials" of Twilio's, November 2026."""
    twilios = {"0001": 21211, "0002": 21612, "0003": 21408, "0004": 21610, "0009": 21614}
    for last, code in twilios.items():
        assert MESSAGE_MAGIC[f"+1500555{last}"].outcome == code
    assert FROM_NUMBERS == {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
    assert "+15005550006" not in FROM_NUMBERS


@pytest.mark.parametrize("row", FAULT_ROWS, ids=lambda row: f"{row.outcome}-{row.processed}")
def test_a_number_spoils_the_answer_before_or_after_the_effect(bench: Bench, row: Magic) -> None:
    bench.http.timeout = 2 if row.outcome is Fault.HANG else 10
    if row.outcome is Fault.GARBAGE:
        with pytest.raises(TwilioRestException) as caught:
            sent(bench, row.number)
        assert (caught.value.status, caught.value.code) == (503, 503)
    else:
        assert isinstance(row.outcome, Fault)
        with pytest.raises(SEEN_AS[row.outcome]):
            sent(bench, row.number)
    assert len(bench.emulator.inbox(row.number)) == int(row.processed)


def test_a_risk_that_the_request_takes_upon_itself_is_none(bench: Bench) -> None:
    assert bench.refused(sent, bench, "+15005550450") == (403, 30450)
    assert sent(bench, "+15005550450", risk_check="disable").status == "queued"


def test_a_fault_finds_a_message_by_operation_and_recipient(bench: Bench) -> None:
    message = sent(bench, provide_feedback=True)
    bench.emulator.faults.add(Scenario(outcome=20429, operation="create_message", to=TO))
    assert sent(bench, "+12025550124").status == "queued"
    assert bench.refused(sent, bench) == (429, 20429)
    bench.emulator.faults.add(Scenario(outcome=503, operation="create_feedback", to=TO))
    assert bench.refused(bench.client.messages(message.sid).feedback.create)[0] == 503


class Heard:
    """An application that is told what became of messages."""

    def __init__(self) -> None:
        heard: queue.Queue[tuple[str, dict[str, str], str]] = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                heard.put((self.path, form, self.headers["X-Twilio-Signature"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: Any, **kwargs: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/status?a=1"
        self._heard = heard

    def next(self) -> tuple[str, dict[str, str], str]:
        return self._heard.get(timeout=30)


@pytest.fixture
def heard() -> Iterator[Heard]:
    here = Heard()
    with here.server:
        thread = threading.Thread(target=here.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield here
        here.server.shutdown()
        thread.join()


def test_statuses_are_told_where_the_message_says_and_signed_for_that_url(bench: Bench, heard: Heard) -> None:
    message = sent(bench, from_="ACME", status_callback=heard.url)
    for status in ("sent", "delivered"):
        path, form, signature = heard.next()
        assert path == "/status?a=1"
        assert (form["MessageSid"], form["MessageStatus"], form["To"], form["From"]) == (
            message.sid,
            status,
            TO,
            "ACME",
        )
        judge: Any = RequestValidator(bench.emulator.auth_token)
        assert judge.validate(heard.url, form, signature)
    sent(bench, "+15005553003", status_callback=heard.url)
    assert [heard.next()[1].get("ErrorCode") for _ in range(2)] == [None, "30003"]


def test_a_public_url_is_signed_and_the_emulators_own_receiver_is_told(
    bench_of: Callable[..., Bench], heard: Heard
) -> None:
    public = "https://otp.example.com/status?a=1"
    bench = bench_of(Options(callback_url=heard.url, callback_public_url="https://another.example.com/"))
    service = bench.emulator.messaging_service_sid
    sent(bench, status_callback=public)
    sent(bench)  # a sender has no URL of its own
    sent(bench, from_=None, messaging_service_sid=service)
    judge: Any = RequestValidator(bench.emulator.auth_token)
    for url in (public, public, "https://another.example.com/", "https://another.example.com/"):
        _, form, signature = heard.next()
        assert judge.validate(url, form, signature)
        assert ("MessagingServiceSid" in form) is (url != public)
    bench.emulator.callbacks.wait()
    assert len(bench.emulator.callbacks.sent()) == 4


def test_without_a_receiver_on_this_machine_nobody_is_told(bench: Bench) -> None:
    sent(bench, status_callback="https://otp.example.com/status")
    sent(bench, status_callback="http://192.0.2.7/status")
    assert bench.emulator.callbacks.waiting == 0
    assert bench.emulator.callbacks.sent() == ()


def test_a_kept_account_has_its_messages_again(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    form = {"To": TO, "From": FROM, "Body": BODY, "ProvideFeedback": "true"}

    def url(emulator: Any, tail: str) -> str:
        return f"{emulator.url}/2010-04-01/Accounts/{emulator.account_sid}/Messages{tail}.json"

    with serve(state=file) as emulator:
        auth = (emulator.account_sid, emulator.auth_token)
        sid = requests.post(url(emulator, ""), form, auth=auth, timeout=10).json()["sid"]
    with serve(state=file) as emulator:
        assert requests.get(url(emulator, f"/{sid}"), auth=auth, timeout=10).json()["body"] == BODY
        assert emulator.latest_code(TO) == "918273"
        assert requests.post(url(emulator, f"/{sid}/Feedback"), auth=auth, timeout=10).json()["outcome"] == "confirmed"


def test_the_oldest_messages_go_first(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(Options(inbox_size=2))
    sids = [sent(bench).sid for _ in range(3)]
    with bench.emulator.account.lock:
        assert [*bench.emulator.account.world.held.texts] == sids[1:]


@pytest.mark.shared
@pytest.mark.skipif(not DOCUMENT.exists(), reason="no OpenAPI document of messages beside the repository")
@pytest.mark.parametrize(("key", "wrong"), [("sid", "SM1"), ("status", "gone"), ("error_code", "30003")])
def test_an_answer_that_breaks_twilios_document_is_noticed(bench: Bench, judge: Judge, key: str, wrong: str) -> None:
    sent(bench)
    method, url = bench.http.asked[-1]
    judge(method, url, 201, json.dumps(bench.body))
    with pytest.raises(OpenAPIError):
        judge(method, url, 201, json.dumps(bench.body | {key: wrong}))
