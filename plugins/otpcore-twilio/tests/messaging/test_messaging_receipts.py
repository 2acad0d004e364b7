"""Status callbacks of messages: each state of Twilio's, and nothing that Twilio did not sign."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryEvent, DeliveryState, InboundRequest
from otpcore_twilio import AsyncTwilioMessagingProvider, TwilioMessagingProvider, TwilioMessagingSettings

HOST, PATH, TOKEN, KEY = "https://otp.example.com", "/receipts/twilio?tenant=7", "t" * 32, "k" * 40
PHONE, SID = "+12025550123", "SM" + "a" * 32
FORM = "application/x-www-form-urlencoded"
MakeSettings = Callable[..., TwilioMessagingSettings]
Colour = type[TwilioMessagingProvider | AsyncTwilioMessagingProvider]

STATES = {
    "accepted": DeliveryState.ACCEPTED,
    "queued": DeliveryState.QUEUED,
    "sending": DeliveryState.SENDING,
    "sent": DeliveryState.SENT,
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.READ,
    "undelivered": DeliveryState.UNDELIVERED,
    "failed": DeliveryState.FAILED,
    "canceled": DeliveryState.FAILED,
    "partially_delivered": DeliveryState.UNKNOWN,
}


def signed(fields: Mapping[str, str], *, secret: str = TOKEN, algorithm: str = "sha1") -> InboundRequest:
    """A status callback as Twilio posts it; with SHA-256 it names its shared key."""
    text = HOST + PATH + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    signature = base64.b64encode(hmac.digest(secret.encode(), text.encode(), algorithm)).decode()
    headers = {"Content-Type": FORM, "X-Twilio-Signature": signature}
    if algorithm == "sha256":
        headers["X-Twilio-Webhooks-Signature-Settings"] = "key=SharedKey,algorithm=HMAC_SHA256"
    return InboundRequest("POST", PATH, headers, urlencode(fields).encode())


def callback(**changes: str) -> dict[str, str]:
    given = {"AccountSid": "AC" + "0" * 32, "MessageSid": SID, "MessageStatus": "delivered", "To": PHONE}
    return given | {"From": "+12025550100", "ApiVersion": "2010-04-01"} | changes


COLOURS: tuple[Colour, ...] = (TwilioMessagingProvider, AsyncTwilioMessagingProvider)


@pytest.fixture(params=COLOURS)
def provider(
    request: pytest.FixtureRequest, messages_at: MakeSettings
) -> TwilioMessagingProvider | AsyncTwilioMessagingProvider:
    colour: Colour = request.param
    return colour(messages_at("https://api.twilio.com", status_callback=HOST + PATH, webhook_secret=KEY))


@pytest.mark.parametrize(("word", "state"), STATES.items())
def test_each_status_is_a_state_of_the_message(
    provider: TwilioMessagingProvider, word: str, state: DeliveryState
) -> None:
    fields = callback(MessageStatus=word, ErrorCode="30006")
    expected = [DeliveryEvent(f"{SID}.{word}", SID, PHONE, state, None, "30006")]
    assert list(provider.parse_receipt(signed(fields))) == expected
    assert list(provider.parse_receipt(signed(fields, secret=KEY, algorithm="sha256"))) == expected


def test_a_status_told_again_has_the_same_id_and_another_one_has_not(provider: TwilioMessagingProvider) -> None:
    ids = [
        provider.parse_receipt(signed(callback(MessageStatus=word, RawDlrDoneDate=stamp)))[0].id
        for word, stamp in (("sent", "1"), ("sent", "2"), ("delivered", "3"))
    ]
    assert ids[0] == ids[1] != ids[2]


def accepts_nothing_else(read: Callable[[InboundRequest], object]) -> int:
    """How many of 1,000 tampered callbacks were taken; none is the genuine one."""
    genuine, chance, taken = signed(callback()), random.Random(1), 0
    for _ in range(1000):
        body, url = bytearray(genuine.body), genuine.url
        headers = dict(genuine.headers)
        kind = chance.randrange(5)
        if kind == 0:
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(7)
        elif kind == 1:
            place = chance.randrange(1, len(url))
            url = url[:place] + chr(33 + (ord(url[place]) - 32) % 90) + url[place + 1 :]
        elif kind == 2:
            name = chance.choice(["MessageStatus", "To", "ErrorCode", "MessageSid"])
            value = {"MessageStatus": "failed", "MessageSid": "SM" + "b" * 32}.get(name, "+12025550199")
            body = bytearray(urlencode(callback(**{name: value})).encode())
        elif kind == 3:
            wrong = bytearray(base64.b64decode(headers["X-Twilio-Signature"]))
            wrong[chance.randrange(len(wrong))] ^= 1 << chance.randrange(8)
            headers["X-Twilio-Signature"] = base64.b64encode(wrong).decode()
        else:
            body += f"&{chance.choice(['x', 'To', 'ErrorCode'])}={chance.randrange(10**6)}".encode()
        forged = replace(genuine, url=url, headers=headers, body=bytes(body))
        assert forged != genuine
        try:
            read(forged)
        except ReceiptRefused:
            continue
        taken += 1
    return taken


def test_of_a_thousand_tampered_callbacks_none_is_taken(provider: TwilioMessagingProvider) -> None:
    assert provider.parse_receipt(signed(callback()))
    assert accepts_nothing_else(provider.parse_receipt) == 0


def test_a_reader_that_looks_at_the_form_alone_is_noticed() -> None:
    """Planted defect: the callback is read and its signature is not."""

    def trusting(request: InboundRequest) -> None:
        if b"MessageSid" not in request.body:
            raise ReceiptRefused("no status callback")

    assert accepts_nothing_else(trusting) > 500


@pytest.mark.parametrize("secret", ["w" * 32, KEY])
def test_a_callback_under_another_secret_is_refused(provider: TwilioMessagingProvider, secret: str) -> None:
    with pytest.raises(ReceiptRefused, match="signature"):
        provider.parse_receipt(signed(callback(), secret=secret))


def test_a_callback_for_another_url_is_refused(messages_at: MakeSettings) -> None:
    for changes in ({"status_callback": "https://other.example.com/receipts/twilio?tenant=7"}, {}):
        other = TwilioMessagingProvider(messages_at("https://api.twilio.com", **changes))
        with pytest.raises(ReceiptRefused, match="public_url"):
            other.parse_receipt(signed(callback()))


def test_an_event_of_verify_is_none_of_a_message(provider: TwilioMessagingProvider) -> None:
    """Whoever has both providers gives each its own receipts; Event Streams of messages are read here too."""

    verify = {"type": "com.twilio.accountsecurity.verify.attempt-dlr.delivered", "data": {"service_sid": ""}}
    message = {"type": "com.twilio.messaging.message.delivered", "data": {"messageSid": SID, "to": PHONE}}
    events = [{"specversion": "1.0", "id": f"EZ{number}"} | event for number, event in enumerate((verify, message))]
    body = json.dumps(events).encode()
    url = f"/events?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = base64.b64encode(hmac.digest(TOKEN.encode(), (HOST + url).encode(), "sha1")).decode()
    headers = {"Content-Type": "application/json", "X-Twilio-Signature": signature}
    (found,) = provider.parse_receipt(InboundRequest("POST", url, headers, body))
    assert (found.handle, found.recipient, found.state) == (SID, PHONE, DeliveryState.DELIVERED)
