"""What Twilio tells of messages becomes delivery events, the same ones however often it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otpcore import Refused
from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryEvent, DeliveryState, InboundRequest
from otpcore.receipts import Received
from otpcore.results import Refusal
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, TwilioSettings
from otpcore_twilio.emulator import Emulator, Options, serve
from otpcore_twilio.receipts import events_of
from otpcore_twilio.signature import Signed

EXAMPLES = Path(__file__).parents[4] / "shared" / "twilio" / "docs_event_examples.json"
TOKEN = "t" * 32
HOST = "https://otp.example.com"
PHONE = "+12025550123"
SERVICE = "VA" + "1" * 32
SID, ATTEMPT, MESSAGE, EVENT = "VE" + "a" * 32, "VL" + "b" * 32, "SM" + "c" * 32, "EZ" + "d" * 32
AT = datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)
Event = dict[str, Any]


def verification(*attempts: Event, **changes: Any) -> Event:
    """An event of a verification, which tells of each of its sends."""
    data = {
        "service_sid": SERVICE,
        "verification_sid": SID,
        "to": PHONE,
        "verification_status": "PENDING",
        "send_code_attempts": {"count": len(attempts), "attempts": [*attempts]},
    }
    return cloud("com.twilio.accountsecurity.verify.verification.pending", data | changes)


def attempt(**changes: Any) -> Event:
    return {
        "time": "2026-11-22T12:00:01.000Z",
        "channel": "SMS",
        "attempt_sid": ATTEMPT,
        "delivery_status": "DELIVERED",
        "error_code": "",
        "locale": "en",
    } | changes


def dlr(**changes: Any) -> Event:
    """An event of a delivery report."""
    data = {"service_sid": SERVICE, "verification_sid": SID, "attempt_sid": ATTEMPT, "to": PHONE, "error_code": ""}
    data |= {"created_at": "2026-11-22T12:00:01.000Z", "channel": "SMS", "dlr_status": "DELIVERED"}
    return cloud("com.twilio.accountsecurity.verify.attempt-dlr.delivered", data | changes)


def message(status: str = "delivered", **changes: Any) -> Event:
    """An event of the Message Status stream."""
    data = {"messageSid": MESSAGE, "to": PHONE, "timestamp": "2026-11-22T12:00:01.000Z"}
    return cloud(f"com.twilio.messaging.message.{status}", data | changes)


def cloud(kind: str, data: object, **changes: Any) -> Event:
    return {"specversion": "1.0", "type": kind, "source": "/x", "id": EVENT, "data": data} | changes


def read(*events: object) -> list[DeliveryEvent]:
    return list(events_of(Signed(None, json.dumps(events)), SERVICE))


def callback(**changes: str) -> list[DeliveryEvent]:
    fields = {"MessageSid": MESSAGE, "MessageStatus": "delivered", "To": PHONE, "From": "+12025550100"} | changes
    return list(events_of(Signed(fields, None), SERVICE))


def signed(events: object, *, token: str = TOKEN) -> InboundRequest:
    """What an Event Streams webhook sends."""
    body = json.dumps(events).encode()
    url = f"/twilio?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = base64.b64encode(hmac.digest(token.encode(), (HOST + url).encode(), "sha1")).decode()
    return InboundRequest(
        "POST", url, {"X-Twilio-Signature": signature, "Content-Type": "application/json; charset=utf-8"}, body
    )


STATES = {
    "queued": DeliveryState.QUEUED,
    "accepted": DeliveryState.ACCEPTED,
    "scheduled": DeliveryState.ACCEPTED,
    "sending": DeliveryState.SENDING,
    "sent": DeliveryState.SENT,
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.READ,
    "undelivered": DeliveryState.UNDELIVERED,
    "failed": DeliveryState.FAILED,
    "canceled": DeliveryState.FAILED,
    "expired": DeliveryState.EXPIRED,
    "partially_delivered": DeliveryState.UNKNOWN,
    "received": DeliveryState.UNKNOWN,
    "something_new": DeliveryState.UNKNOWN,
}


@pytest.mark.parametrize(("word", "state"), STATES.items())
def test_a_word_of_twilios_is_the_same_state_wherever_it_stands(word: str, state: DeliveryState) -> None:
    for found in (
        callback(MessageStatus=word),
        read(message(word)),
        read(dlr(dlr_status=word.upper())),
        read(verification(attempt(delivery_status=word.upper()))),
    ):
        assert [event.state for event in found] == [state]


def test_each_kind_of_request_says_whom_and_what_it_is_about() -> None:
    assert callback(ErrorCode="30003", To=f"whatsapp:{PHONE}") == [
        DeliveryEvent(f"{MESSAGE}.delivered", MESSAGE, PHONE, DeliveryState.DELIVERED, None, "30003")
    ]
    assert read(message(errorCode=30003)) == [
        DeliveryEvent(EVENT, MESSAGE, PHONE, DeliveryState.DELIVERED, AT, "30003")
    ]
    assert read(dlr(error_code="30004")) == [DeliveryEvent(EVENT, SID, PHONE, DeliveryState.DELIVERED, AT, "30004")]
    (found,) = read(verification(attempt(error_code="30005")))
    assert (found.handle, found.recipient, found.at, found.provider_code) == (SID, PHONE, AT, "30005")
    assert PHONE[1:] not in repr(found)


def test_each_send_of_a_verification_is_an_event_with_an_id_that_never_changes() -> None:
    several = verification(attempt(), attempt(attempt_sid="VL" + "e" * 32, time="2026-11-22T12:01:00Z"))
    first, second = read(several)
    assert first.id != second.id
    assert [event.id for event in read(several)] == [first.id, second.id]
    assert second.at == AT + timedelta(seconds=59)
    for event in (first, second, *callback(), *read(message())):
        assert event.id.isascii()
        assert 1 <= len(event.id) <= 200
        assert PHONE[1:] not in event.id


@pytest.mark.parametrize(
    "event",
    [
        cloud("com.twilio.accountsecurity.verify.factor.created", {"service_sid": SERVICE}),
        cloud("com.twilio.voice.status-callback.call.completed", {}),
        dlr(service_sid="VA" + "2" * 32),
        verification(attempt(), service_sid="VA" + "2" * 32),
        verification(),
        verification(attempt(), send_code_attempts=None),
    ],
)
def test_what_is_about_something_else_is_no_event(event: Event) -> None:
    assert read(event) == []
    assert len(read(event, dlr())) == 1


@pytest.mark.parametrize("to", [None, "", 12025550123, "12025550123", "someone@example.com", "+1 202 555 0123"])
def test_a_recipient_that_is_no_number_is_none(to: object) -> None:
    assert [event.recipient for event in read(dlr(to=to), message(to=to))] == [None, None]


@pytest.mark.parametrize("time", [None, "", "soon", "2026-11-22T12:00:01", 5, "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_none(time: object) -> None:
    assert [event.at for event in read(dlr(created_at=time), message(timestamp=time))] == [None, None]


@pytest.mark.parametrize("code", [None, "", "0", 0, True, "x", "1234567", "30003 ", [30003]])
def test_an_error_code_that_is_none_is_none(code: object) -> None:
    assert [event.provider_code for event in read(dlr(error_code=code), message(errorCode=code))] == [None, None]


NO_EVENTS: list[Event] = [
    *({"specversion": "0.3"}, {"specversion": None}, {"data": []}, {"data": "x"}, {"type": None}),
    *({"id": ""}, {"id": "a b"}, {"id": 1}, {"id": "x" * 101}),
]
"""Each spoils a CloudEvent."""


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "null", "{}", '"x"', "[1]", "[[]]", "[" * 60_000, "[null]", '[{"id": 1}]'),
        *(json.dumps([message() | bad]) for bad in NO_EVENTS),
        json.dumps([message(messageSid="SM")]),
        json.dumps([message(messageSid=None)]),
        json.dumps([dlr(verification_sid="VE/..")]),
        json.dumps([dlr(), dlr(verification_sid=None)]),
        json.dumps([verification(send_code_attempts={"attempts": ["x"]})]),
    ],
)
def test_what_cannot_be_read_is_refused_whole_and_not_echoed(text: str) -> None:
    with pytest.raises(ReceiptRefused) as caught:
        events_of(Signed(None, text), SERVICE)
    assert PHONE not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"MessageSid": ""},
        {"MessageSid": "CA" + "c" * 32},
        {"MessageSid": MESSAGE + "\n"},
        {"MessageStatus": ""},
        {"MessageStatus": "delivered To"},
        {"MessageStatus": "sentSmsSid" + MESSAGE},
    ],
)
def test_a_form_that_is_no_status_callback_is_refused(change: Mapping[str, str]) -> None:
    with pytest.raises(ReceiptRefused):
        callback(**change)


@pytest.mark.parametrize("colour", [TwilioProvider, AsyncTwilioProvider])
def test_both_colours_read_what_is_signed_and_nothing_else(
    settings_for: Callable[..., TwilioSettings], colour: type[TwilioProvider | AsyncTwilioProvider]
) -> None:
    provider = colour(settings_for(HOST, public_url=HOST))
    assert [event.id for event in provider.parse_receipt(signed([dlr()]))] == [EVENT]
    with pytest.raises(ReceiptRefused, match="signature"):
        provider.parse_receipt(signed([dlr()], token="w" * 32))
    key = {"auth_token": None, "api_key_sid": "SK" + "2" * 32, "api_key_secret": "s" * 32}
    for changes, named in (({}, "public_url"), ({"public_url": HOST} | key, "TWILIO_AUTH_TOKEN")):
        with pytest.raises(ReceiptRefused, match=named):
            colour(settings_for(HOST, **changes)).parse_receipt(signed([dlr()]))


@pytest.mark.shared
def test_twilios_own_examples_are_read() -> None:
    if not EXAMPLES.exists():
        pytest.skip("Twilio's examples are not beside this repository")
    found = {example["body"]["type"].split(".")[4]: example["body"] for example in json.loads(EXAMPLES.read_text())}
    for body in found.values():  # their SIDs are a digit short or long
        body["data"] |= {"service_sid": SERVICE, "verification_sid": SID, "to": PHONE}
    (sent,), (report,) = read(found["verification"]), read(found["attempt-dlr"])
    began = datetime(2025, 1, 1, tzinfo=UTC)
    assert (sent.state, sent.at, sent.provider_code) == (DeliveryState.UNDELIVERED, began, "30004")
    assert (report.state, report.at, report.provider_code) == (DeliveryState.DELIVERED, began, None)


def test_through_the_engine_a_receipt_counts_once_however_often_it_comes(desk: Callable[..., Any]) -> None:
    here = desk(public_url=HOST)
    here.start(PHONE)
    emulator: Emulator = here.emulator
    sent = emulator.inbox(PHONE)[0]
    about = {"service_sid": emulator.service_sid, "verification_sid": sent.verification_sid}
    one = attempt(time=emulator.clock.now().isoformat())
    token = emulator.auth_token
    delivered = signed([verification(one, **about)], token=token)
    assert here.receipt("default", delivered) == Received(1, 0)
    assert here.receipt("default", delivered) == Received(0, 0, 1)
    late = signed([verification(one | {"delivery_status": "SENT"}, **about), dlr(**about)], token=token)
    assert here.receipt(None, late) == Received(0, 2)
    other = signed([verification(one, **about | {"verification_sid": SID}) | {"id": f"EZ{'1' * 32}"}], token=token)
    assert here.receipt(None, other) == Received(0, 1)
    forged = here.receipt(None, signed([dlr(**about)]))
    assert isinstance(forged, Refused)
    assert forged.kind is Refusal.INVALID_RECEIPT


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keep)
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"
        self.kept: list[InboundRequest] = []


class _Keep(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.kept.append(InboundRequest("POST", self.path, dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name in the library
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_emulators_status_callbacks_are_read_as_they_come_over_the_wire(
    receiver: Receiver, settings_for: Callable[..., TwilioSettings], a_send: Callable[..., Any]
) -> None:
    options = Options(callback_url=f"{receiver.origin}/status?of=this", callback_public_url=f"{HOST}/status?of=this")
    with serve(options) as emulator:
        given = {"account_sid": emulator.account_sid, "auth_token": emulator.auth_token, "public_url": HOST}
        provider = TwilioProvider(settings_for(emulator.url, service_sid=emulator.service_sid, **given))
        provider.send(a_send())
        provider.send(a_send("+15005553003"))
        emulator.callbacks.wait()
    found = [event for request in receiver.kept for event in provider.parse_receipt(request)]
    provider.close()
    ends = {(event.recipient, event.state, event.provider_code) for event in found}
    assert ends == {
        (PHONE, DeliveryState.SENT, None),
        (PHONE, DeliveryState.DELIVERED, None),
        ("+15005553003", DeliveryState.SENT, None),
        ("+15005553003", DeliveryState.UNDELIVERED, "30003"),
    }
    kept = receiver.kept[1]
    changed = replace(kept, body=kept.body.replace(b"MessageStatus=delivered", b"MessageStatus=failed"))
    assert changed != kept
    with pytest.raises(ReceiptRefused):
        provider.parse_receipt(changed)
