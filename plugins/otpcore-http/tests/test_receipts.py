"""What vendors tell is believed where it is proved, and only there: forged, changed, old and repeated receipts."""

from __future__ import annotations

import hmac
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryState, InboundRequest, MessageText, SendRequest
from otpcore_http import AndroidGatewaySettings, Mapped, mapped, preset, read_gateway
from otpcore_http.fakes import AfricasTalking, AndroidGateway, Asked, Elks, Fake, Kannel, Message
from otpcore_http.mapping import MappedWithReceipts
from otpcore_http.receiving import Receiving
from otpcore_http.tickets import Ticket, opened, sealed

TO = "+12025550123"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SEND = "0198b5a4-4c3e-7000-8000-000000000001"
KEY, OLD = "k" * 32, "o" * 32
URL = "https://otp.example.com/receipts/vendor"
TAMPERS = 1000


def api_of(name: str, **more: Any) -> MappedWithReceipts:
    """A preset with its secrets, its clock at NOW."""
    gateway = preset(name)
    secrets = dict.fromkeys(gateway.secrets, "s")
    assert gateway.receipts is not None
    key = gateway.receipts.auth.secret
    given = {key: KEY, f"{key}_previous": OLD} | more.pop("keys", {})
    made = mapped(gateway, secrets | given, sender="Example", receipt_url=URL, clock=lambda: NOW, **more)
    assert isinstance(made, MappedWithReceipts)
    return made


def taken(api: Mapped, fake: Fake) -> Message:
    """The message as the vendor took it."""
    words = MessageText("918273 is your code.", 1, "kit", "en")
    request = SendRequest(SEND, TO, "sms", "login", "918273", None, NOW + timedelta(minutes=5), 1.0, message=words)
    asked: Any = api.request(request)
    sent = asked.encode()
    headers = {name.decode().lower(): value.decode() for name, value in sent.headers}
    assert fake.answer(Asked(sent.method, sent.target.decode(), headers, sent.body)).status < 300
    return fake.messages[-1]


def signed_by_android(event: str = "sms:delivered", at: datetime = NOW, key: str = KEY) -> InboundRequest:
    return AndroidGateway("s", "s", key).report(Message(SEND, TO, ""), event, int(at.timestamp()))


def genuine(name: str) -> tuple[MappedWithReceipts, InboundRequest]:
    """A preset, and what its vendor tells of a message that it took: delivered."""
    api = api_of(name)
    if name == "android-gateway":
        return api, signed_by_android()
    if name == "kannel":
        kannel = Kannel("s", "s")
        return api, kannel.report(taken(api, kannel), 1)
    if name == "46elks":
        elks = Elks("s", "s")
        return api, elks.report(taken(api, elks), "delivered")
    vendor = AfricasTalking("s", "s", frozenset({"Example"}))
    return api, vendor.report(taken(api, vendor), "Success", f"/receipts/at/{KEY}")


EVERY = ("africastalking", "android-gateway", "kannel", "46elks")


@pytest.mark.parametrize("name", EVERY)
def test_what_a_vendor_tells_is_an_event_of_the_message_that_it_took(name: str) -> None:
    api, receipt = genuine(name)
    (event,) = api.parse_receipt(receipt)
    assert (event.recipient, event.state) == (TO, DeliveryState.DELIVERED)
    assert event.handle == (f"ATXid_{0:032x}" if name == "africastalking" else SEND)
    assert api.parse_receipt(receipt) == (event,), "told again it is the same event"
    assert TO[1:] not in f"{event.id}{event!r}"


def proofs(name: str, receipt: InboundRequest, dice: random.Random) -> Iterator[InboundRequest]:
    """The receipt with what proves it changed: a bit, a character, a part, or all of it."""
    while True:
        if name == "android-gateway":
            place = dice.choice(["X-Signature", "X-Timestamp", "body"])
            text = receipt.body.decode() if place == "body" else receipt.headers[place]
            changed = _changed(text, dice)
            if place == "X-Signature" and changed.lower() == text:
                continue
            if place == "body":
                yield replace(receipt, body=changed.encode("latin-1"))
            else:
                yield replace(receipt, headers={**receipt.headers, place: changed})
        else:
            path, mark, query = receipt.url.partition("?")
            head, _, proof = path.rpartition("/")
            yield replace(receipt, url=f"{head}/{_changed(proof, dice)}{mark}{query}")


def _changed(text: str, dice: random.Random) -> str:
    while True:
        data, place = bytearray(text.encode("latin-1")), dice.randrange(len(text))
        kind = dice.randrange(5)
        if kind == 0:
            data[place] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[place] = dice.randrange(256)
        elif kind == 2:
            del data[place:]
        elif kind == 3:
            data[place:place] = bytes([dice.choice(b"aA0-_=.%")])
        else:
            data[:] = data[place:] + data[:place]
        if (changed := data.decode("latin-1")) != text:
            return changed


def accepted(api: MappedWithReceipts, name: str, receipt: InboundRequest) -> int:
    """How many of a thousand changed receipts are believed."""
    found, told = proofs(name, receipt, random.Random(name)), list[str]()
    count = 0
    for _ in range(TAMPERS):
        try:
            count += bool(api.parse_receipt(next(found)))
        except ReceiptRefused as error:
            told.append(str(error))
    assert not any(TO[1:] in text or KEY in text for text in told)
    return count


@pytest.mark.parametrize("name", EVERY)
def test_of_a_thousand_changed_proofs_none_is_believed(name: str) -> None:
    api, receipt = genuine(name)
    assert accepted(api, name, receipt) == 0


class Credulous(Receiving):
    """Believes whoever speaks."""

    def _proved(self, request: InboundRequest) -> Ticket | None:  # a method of the broken double
        return Ticket(SEND, TO) if "state=" in request.url else None


@pytest.mark.parametrize("name", ["africastalking", "android-gateway", "kannel"])
def test_one_that_believes_everybody_is_seen(name: str) -> None:
    api, receipt = genuine(name)
    assert api.gateway.receipts is not None
    api._receiving = Credulous(api.gateway.receipts, [KEY], lambda: NOW)  # pyright: ignore[reportPrivateUsage]  # broken on purpose
    assert accepted(api, name, receipt) > 100


def test_a_receipt_that_was_signed_more_than_five_minutes_away_is_refused() -> None:
    api = api_of("android-gateway")
    for seconds in (-300, -299, 0, 299, 300):
        assert api.parse_receipt(signed_by_android(at=NOW + timedelta(seconds=seconds)))
    for seconds in (-86400, -301, 301, 10**9):
        with pytest.raises(ReceiptRefused, match="just now"):
            api.parse_receipt(signed_by_android(at=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ({"phoneNumber": TO}, TO),
        ({"recipient": TO}, TO),
        ({"recipient": None, "phoneNumber": TO}, TO),
        ({"recipient": "+12025550199", "phoneNumber": TO}, "+12025550199"),
    ],
)
def test_the_phone_names_the_number_in_a_new_field_or_in_an_old_one(numbers: dict[str, Any], found: str) -> None:
    document = {"event": "sms:failed", "id": "e1", "payload": {"messageId": SEND} | numbers}
    body, at = json.dumps(document).encode(), str(int(NOW.timestamp()))
    signature = hmac.digest(KEY.encode(), body + at.encode(), "sha256").hex()
    headers = {"X-Signature": signature, "X-Timestamp": at}
    (event,) = api_of("android-gateway").parse_receipt(InboundRequest("POST", "/r", headers, body))
    assert (event.handle, event.recipient, event.state) == (SEND, found, DeliveryState.UNDELIVERED)


def test_the_secret_that_is_being_replaced_still_proves_and_no_other_does() -> None:
    api = api_of("android-gateway")
    assert api.parse_receipt(signed_by_android(key=OLD))
    with pytest.raises(ReceiptRefused):
        api.parse_receipt(signed_by_android(key="x" * 32))
    before, after = api_of("kannel"), api_of("kannel", keys={"receipt_secret": OLD, "receipt_secret_previous": KEY})
    kannel = Kannel("s", "s")
    receipt = kannel.report(taken(before, kannel), 1)
    assert after.parse_receipt(receipt) == before.parse_receipt(receipt)


def test_a_ticket_speaks_for_one_message_and_shows_no_number() -> None:
    api, kannel = api_of("kannel"), Kannel("s", "s")
    message = taken(api, kannel)
    assert TO[1:] not in message.report_to
    assert SEND not in message.report_to
    assert urlsplit(message.report_to).query == "state=%d"
    other = sealed(KEY.encode(), Ticket(SEND, "+12025550199"))
    assert other not in message.report_to
    assert opened([KEY.encode()], other) == Ticket(SEND, "+12025550199")
    assert opened([OLD.encode()], other) is None
    assert opened([KEY.encode()], "A" * 30) is None


@pytest.mark.parametrize(
    ("value", "state"),
    [(1, "delivered"), (2, "undelivered"), (4, "queued"), (8, "sent"), (16, "failed"), (34, "expired"), (3, None)],
)
def test_kannels_values_are_states_and_others_are_no_events(value: int, state: str | None) -> None:
    api, kannel = api_of("kannel"), Kannel("s", "s")
    found = api.parse_receipt(kannel.report(taken(api, kannel), value))
    assert [event.state for event in found] == ([] if state is None else [state])


def test_africas_talkings_words_are_states_and_its_reasons_are_codes() -> None:
    api = api_of("africastalking")
    vendor, message = AfricasTalking("s", "s"), Message("ATXid_1", TO, "")
    for word, state in (("Sent", "sent"), ("Rejected", "failed"), ("Failed", "undelivered"), ("Expired", "expired")):
        (event,) = api.parse_receipt(vendor.report(message, word, f"/at/{KEY}", "UserInBlackList"))
        assert (event.state, event.provider_code) == (state, "UserInBlackList")
    assert not api.parse_receipt(vendor.report(message, "Wondered", f"/at/{KEY}"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"id=1",
        b"id=1&id=2&status=Success&phoneNumber=%2B12025550123",
        b"id=1&status=Success&phoneNumber=12",
        b"id=1&status=Success&phoneNumber=%2B12025550123%0A",
        b"id=&status=Success&phoneNumber=%2B12025550123",
        b"id=a%20b&status=Success&phoneNumber=%2B12025550123",
        b"id=%FF&status=Success&phoneNumber=%2B12025550123",
        b"\xff",
        b"&".join(b"a%d=1" % number for number in range(200)),
    ],
)
def test_what_cannot_be_read_is_refused_though_it_is_proved(body: bytes) -> None:
    with pytest.raises(ReceiptRefused) as refusal:
        api_of("africastalking").parse_receipt(InboundRequest("POST", f"/at/{KEY}", {}, body))
    assert "12025550123" not in str(refusal.value)


def judged(auth: dict[str, Any], **secrets: str) -> Callable[[InboundRequest], Any]:
    """A gateway that reports in JSON and is known by this."""
    table = {
        "name": "Pigeon",
        "url": "https://api.pigeon.example/send",
        "secrets": ["key"],
        "form": {"to": "{recipient}", "text": "{text}"},
        "success": [{"statuses": [200]}],
        "id": {"path": "id"},
        "receipts": {
            "place": "json",
            "auth": auth | {"secret": "key"},
            "handle": "id",
            "recipient": "to",
            "state": "state",
            "states": {"1": "delivered", "2": "failed"},
            "at": ["at", "then"],
        },
    }
    made = mapped(read_gateway(table), {"key": KEY} | secrets, clock=lambda: NOW)
    assert isinstance(made, MappedWithReceipts)
    return made.parse_receipt


TOLD = json.dumps(
    {"id": "m1", "to": TO[1:], "state": 1, "at": "yesterday", "then": "2026-11-30T13:00:00+01:00"}
).encode()


def test_a_token_in_a_header_and_basic_credentials_prove_too() -> None:
    header = judged({"kind": "header", "header": "X-Token"}, key_previous=OLD)
    for token in (KEY, OLD):
        (event,) = header(InboundRequest("POST", "/r", {"x-token": token}, TOLD))
        assert (event.handle, event.recipient, event.at) == ("m1", TO, NOW)
    basic = judged({"kind": "basic", "username": "pigeon"}, key_previous=OLD)
    for password, believed in ((KEY, True), (OLD, True), ("x" * 32, False)):
        from base64 import b64encode

        given = {"Authorization": f"Basic {b64encode(f'pigeon:{password}'.encode()).decode()}"}
        try:
            assert bool(basic(InboundRequest("POST", "/r", given, TOLD))) is believed
        except ReceiptRefused:
            assert not believed
    for given in ({}, {"X-Token": ""}, {"X-Token": KEY[:-1]}, {"X-Token": KEY, "x-token": KEY}):
        with pytest.raises(ReceiptRefused):
            header(InboundRequest("POST", "/r", given, TOLD))


def test_a_provider_without_the_secret_of_receipts_reads_none() -> None:
    settings = AndroidGatewaySettings(username=SecretStr("u"), password=SecretStr("p"))
    assert not hasattr(settings.api(), "parse_receipt")
